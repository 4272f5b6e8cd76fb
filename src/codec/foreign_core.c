/* SPDX-License-Identifier: BSD-2-Clause */
/* What libmist-core decodes of foreign codestreams: JPEG 2000 and HTJ2K, lossy ones among them. */
#include "codec/foreign.h"

#include "base/error.h"
#include "codec/jpeg2000.h"
#include "codec/part1.h"

#include <string.h>

/* The lowest `precision` bits of each sample, as the type's sign has them. */
static void keep_bits(const struct mist_view *view, unsigned precision)
{
    const size_t size = mist_sample_size(view->type);
    const unsigned up = 64 - precision;
    for (uint32_t y = 0; y < view->height; y++)
        for (uint32_t x = 0; x < view->width; x++)
            for (uint32_t c = 0; c < view->components; c++) {
                char *sample =
                    (char *)view->data + y * view->row_stride + x * view->column_stride + c * view->component_stride;
                uint8_t byte;
                uint16_t half;
                uint32_t word;
                memcpy(size == 1 ? (void *)&byte : size == 2 ? (void *)&half : (void *)&word, sample, size);
                uint64_t value = (size == 1 ? byte : size == 2 ? half : (uint64_t)word) << up;
                value = mist_sample_is_signed(view->type) ? (uint64_t)((int64_t)value >> up) : value >> up;
                byte = (uint8_t)value;
                half = (uint16_t)value;
                word = (uint32_t)value;
                memcpy(sample, size == 1 ? (void *)&byte : size == 2 ? (void *)&half : (void *)&word, size);
            }
}

enum mist_status foreign_decode(const uint8_t *data, size_t size, unsigned precision, bool convert,
                                const struct mist_view *view, struct mist_error *error)
{
    (void)convert; /* of JPEG */
    struct part1_info info;
    const size_t bytes = mist_sample_size(view->type);
    if (part1_info_read(data, size, &info, NULL) || mist_sample_is_float(view->type) || bytes > 4)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "its full size is the source's own lossy bytes, which this build of MIST has no decoder for; "
                         "smaller sizes can be decoded");
    if (info.width != view->width || info.height != view->height || info.components != view->components ||
        info.precision > 8 * bytes || precision < 1 || precision > 8 * bytes)
        return error_set(error, MIST_ERROR_CORRUPT, "a codestream of another size than the item's");
    struct mist_view samples = *view; /* of the stream's sign: the bits are the same */
    samples.type = bytes == 1   ? (info.is_signed ? MIST_S8 : MIST_U8)
                   : bytes == 2 ? (info.is_signed ? MIST_S16 : MIST_U16)
                                : (info.is_signed ? MIST_S32 : MIST_U32);
    enum mist_status status = jpeg2000_decode(data, size, info.high_throughput, &samples, error);
    if (!status)
        keep_bits(view, precision);
    return status;
}
