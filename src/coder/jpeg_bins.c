/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/jpeg_bins.h"

#include <string.h>

static void start(struct bins *bins)
{
    memset(bins, 0, sizeof *bins);
    bins->range = UINT32_MAX;
    for (unsigned uses = 0; uses <= BIN_LIMIT; uses++)
        bins->step[uses] = 2 * 65536 / (2 * uses + 3);
}

void bins_start_coding(struct bins *bins, struct mist_buffer *out)
{
    start(bins);
    bins->out = out;
}

void bins_start_decoding(struct bins *bins, const uint8_t *data, size_t size)
{
    start(bins);
    bins->decoding = true;
    bins->at = data;
    bins->end = size ? data + size : data;
    for (unsigned i = 0; i < 4; i++)
        bins->code = bins->code << 8 | bins_byte(bins);
}

void bins_models(bin_model *models, size_t count)
{
    for (size_t i = 0; i < count; i++)
        models[i] = BIN_HALF;
}

/* Moves low's top byte out. A byte of 0xff waits, because a carry may still come and run through it. */
void bins_shift(struct bins *bins)
{
    uint8_t carry = (uint8_t)(bins->low >> 32), top = (uint8_t)(bins->low >> 24);
    if (carry || top != 0xff || !bins->held) {
        for (uint64_t i = 0; i < bins->held && !bins->short_of_memory; i++) {
            uint8_t byte = (uint8_t)((i ? 0xff : bins->cache) + carry);
            bins->short_of_memory = !buffer_append(bins->out, &byte, 1);
        }
        bins->held = 0;
        bins->cache = top;
    }
    bins->held++;
    bins->low = (bins->low & 0x00ffffff) << 8;
}

bool bins_finish(struct bins *bins)
{
    /* Of the numbers in [low, low + range) the one with the most zeros at its end; zeros need not be written. */
    uint64_t last = bins->low + bins->range - 1;
    for (unsigned zeros = 32; zeros > 0; zeros--) {
        uint64_t candidate = last >> zeros << zeros;
        if (candidate >= bins->low) {
            bins->low = candidate;
            break;
        }
    }
    for (unsigned i = 0; i < 5; i++)
        bins_shift(bins);
    for (unsigned i = 0; i < 4 && bins->out->size && !bins->out->data[bins->out->size - 1]; i++)
        bins->out->size--;
    return !bins->short_of_memory;
}
