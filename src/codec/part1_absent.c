/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/part1.h"

#include "base/error.h"

enum mist_status part1_decode(const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                              struct mist_error *error)
{
    (void)data, (void)size, (void)reduce, (void)out;
    return error_set(error, MIST_ERROR_UNSUPPORTED, "it is kept as JPEG 2000, and this build of MIST has no OpenJPEG");
}
