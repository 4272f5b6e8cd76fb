/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/jpeg_file.h"

#include "base/error.h"

enum mist_status jpeg_pixels_decode(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                    struct mist_error *error)
{
    (void)reduced, (void)reduce, (void)out;
    return error_set(error, MIST_ERROR_UNSUPPORTED, "it is kept as JPEG, and this build of MIST has no libjpeg");
}
