/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adaptive binary range coding: the same calls code and decode. docs/coder-jpeg.md, "The range coder", has the
 * arithmetic. A model is a probability that learns: fast at first, then slower.
 */
#ifndef CODER_JPEG_BINS_H
#define CODER_JPEG_BINS_H

#include "base/memory.h"

/* Upper 22 bits: probability of a 1 in units of 2^-22. Lower 10: how often it was used, at most BIN_LIMIT. */
typedef uint32_t bin_model;
#define BIN_HALF ((bin_model)1 << 31)
enum { BIN_LIMIT = 127 };

struct bins {
    bool decoding;
    bool failed;          /* decoding: the bytes end too early */
    bool short_of_memory; /* set here in coding, and by users whose own allocations fail */
    uint32_t range;
    /* decoding */
    const uint8_t *at, *end;
    uint32_t code;
    unsigned overrun; /* bytes read behind the end, as zeros */
    /* coding */
    struct mist_buffer *out;
    uint64_t low;
    uint64_t held; /* bytes that a carry may still change: one of `cache`, then 0xff */
    uint8_t cache;
    uint32_t step[BIN_LIMIT + 1]; /* 2^16 / (uses + 1.5) */
};

void bins_start_coding(struct bins *bins, struct mist_buffer *out);
void bins_start_decoding(struct bins *bins, const uint8_t *data, size_t size);
/* Writes what is held; false if memory was short. */
bool bins_finish(struct bins *bins);
void bins_shift(struct bins *bins);
void bins_models(bin_model *models, size_t count);

static inline uint8_t bins_byte(struct bins *bins)
{
    if (bins->at < bins->end)
        return *bins->at++;
    /* A writer leaves out at most 4 zeros at the end, and a reader is 4 bytes ahead. */
    bins->failed |= ++bins->overrun > 8;
    return 0;
}

/* Codes `bit`, or decodes and returns one. */
static inline unsigned bin(struct bins *bins, bin_model *model, unsigned bit)
{
    uint32_t state = *model, uses = state & 1023, probability = state >> 10;
    uint32_t chance = probability >> 6; /* 16 bits */
    chance = chance ? chance : 1;
    uint32_t bound = (bins->range >> 16) * chance;
    if (bins->decoding) {
        bit = bins->code < bound;
        bins->code -= bit ? 0 : bound;
    } else {
        bins->low += bit ? 0 : bound;
    }
    bins->range = bit ? bound : bins->range - bound;
    while (bins->range < 1u << 24) {
        bins->range <<= 8;
        if (bins->decoding)
            bins->code = bins->code << 8 | bins_byte(bins);
        else
            bins_shift(bins);
    }
    int32_t error = (int32_t)(bit ? (1u << 22) - 1 : 0) - (int32_t)probability;
    probability = (uint32_t)((int32_t)probability + (int32_t)(((int64_t)error * bins->step[uses]) >> 16));
    *model = probability << 10 | (uses + (uses < BIN_LIMIT));
    return bit;
}

/* Magnitudes >= 1 and signed values, with models of their own. */
enum { BIN_EXPONENTS = 30 };
struct bin_number {
    bin_model zero, sign;
    bin_model exponent[BIN_EXPONENTS];
    bin_model mantissa[BIN_EXPONENTS][2]; /* the highest bit below the leading one; all others */
};

/* value >= 1, below 2^(BIN_EXPONENTS + 1). */
static inline uint32_t bin_magnitude(struct bins *bins, bin_model *exponent, bin_model (*mantissa)[2], uint32_t value)
{
    unsigned size = bins->decoding ? 0 : 31u - (unsigned)__builtin_clz(value | 1), bits = 0;
    while (bits < BIN_EXPONENTS && bin(bins, &exponent[bits], bits < size))
        bits++;
    uint32_t result = 1;
    for (unsigned i = bits; i-- > 0;)
        result = result << 1 | bin(bins, &mantissa[bits - 1][i + 1 != bits], value >> i & 1);
    return result;
}

static inline int32_t bin_signed(struct bins *bins, struct bin_number *number, int32_t value)
{
    if (bin(bins, &number->zero, value == 0))
        return 0;
    bool negative = bin(bins, &number->sign, value < 0);
    uint32_t size = bin_magnitude(bins, number->exponent, number->mantissa, (uint32_t)(negative ? -value : value));
    return negative ? -(int32_t)size : (int32_t)size;
}

#endif
