/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/foreign.h"

#include "base/error.h"

enum mist_status foreign_decode(const uint8_t *data, size_t size, unsigned precision, bool convert,
                                const struct mist_view *view, struct mist_error *error)
{
    (void)data, (void)size, (void)precision, (void)convert, (void)view;
    return error_set(error, MIST_ERROR_UNSUPPORTED,
                     "its full size is the source's own lossy bytes, which this build of MIST has no decoder for; "
                     "smaller sizes can be decoded");
}
