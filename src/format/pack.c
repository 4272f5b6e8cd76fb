/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/pack.h"

#include <string.h>

static void copy_reversed(uint8_t *out, const uint8_t *in, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[size - 1 - i];
}

void pack_samples(const struct mist_view *frame, bool big_endian, uint8_t *out)
{
    const size_t size = mist_sample_size(frame->type), row = size * frame->components * frame->width;
    const bool machine_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, swap = size > 1 && big_endian != machine_big;
    const bool packed =
        frame->column_stride == size * frame->components && (frame->components == 1 || frame->component_stride == size);
    for (uint32_t y = 0; y < frame->height; y++, out += row) {
        const uint8_t *in = (const uint8_t *)frame->data + y * frame->row_stride;
        if (packed && !swap) {
            memcpy(out, in, row);
            continue;
        }
        uint8_t *at = out;
        for (uint32_t x = 0; x < frame->width; x++)
            for (uint32_t c = 0; c < frame->components; c++, at += size) {
                const uint8_t *sample = in + x * frame->column_stride + c * frame->component_stride;
                if (swap)
                    copy_reversed(at, sample, size);
                else
                    memcpy(at, sample, size);
            }
    }
}
