/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/jpeg2000.h"

#include "base/error.h"
#include "codec/part1.h"

#include <mist/codec.h>

enum mist_status jpeg2000_decode(const uint8_t *data, size_t size, bool high_throughput, struct mist_view *view,
                                 struct mist_error *error)
{
    if (!high_throughput)
        return part1_decode(data, size, 0, view, error);
    mist_codec *codec = mist_codec_new();
    if (!codec)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory decoding HTJ2K");
    struct mist_decode_options options = mist_decode_options_default();
    enum mist_status status = mist_decode(codec, data, size, &options, view, NULL, error);
    mist_codec_free(&codec);
    return status;
}
