/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/part1.h"

#include "base/bytes.h"
#include "base/error.h"
#include "codec/jph.h"

enum mist_status part1_info_read(const uint8_t *data, size_t size, struct part1_info *info, struct mist_error *error)
{
    struct codestream_span span;
    enum mist_status status = jph_find_codestream(data, size, &span, error);
    if (status)
        return status;
    *info = (struct part1_info){.offset = (size_t)(span.data - data)};
    struct byte_reader reader = byte_reader_start(span.data, span.size);
    uint32_t start = read_be32(&reader); /* SOC and SIZ: the latter comes first (A.5.1) */
    read_be16(&reader);                  /* its length */
    info->high_throughput = read_be16(&reader) >> 14 & 1;
    uint32_t right = read_be32(&reader), bottom = read_be32(&reader);
    uint32_t left = read_be32(&reader), top = read_be32(&reader);
    uint32_t tile_width = read_be32(&reader), tile_height = read_be32(&reader);
    uint32_t tiles_left = read_be32(&reader), tiles_top = read_be32(&reader);
    info->components = read_be16(&reader);
    uint8_t depth = read_u8(&reader);
    if (reader.failed || start != 0xff4fff51 || right <= left || bottom <= top || tile_width == 0 || tile_height == 0 ||
        tiles_left > left || tiles_top > top || info->components == 0 || info->components > 16384)
        return error_set(error, MIST_ERROR_CORRUPT, "there is no JPEG 2000 codestream where one should be");
    info->width = right - left;
    info->height = bottom - top;
    info->precision = (depth & 0x7fu) + 1;
    info->is_signed = depth >> 7;
    return MIST_OK;
}
