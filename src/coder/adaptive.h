/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probabilities that learn: adaptive bits, and the mix of several of them in the logistic domain. Integers throughout,
 * so that every machine decodes the same; docs/coder-lattice.md defines them.
 */
#ifndef CODER_ADAPTIVE_H
#define CODER_ADAPTIVE_H

#include <stdint.h>

/*
 * How often a bit was 1 in one context: the probability in 22 bits above 10 bits that count how often the context was
 * met (up to ADAPTIVE_LIMIT), which says how fast it still learns.
 */
typedef uint32_t adaptive_bit;

#define ADAPTIVE_LIMIT 255
#define ADAPTIVE_START(probability16) ((adaptive_bit)(probability16) << 16)

enum { LOGISTIC_ONE = 256, LOGISTIC_LIMIT = 12 * LOGISTIC_ONE - 1, MIX_INPUTS = 2 };

/* Made once for each coder; read only after that. */
struct adaptive_tables {
    uint16_t rate[ADAPTIVE_LIMIT + 1];       /* of 65536: how far the n-th bit moves a probability */
    int16_t stretch[4096];                   /* log2(p / (1 - p)) in LOGISTIC_ONE, by the upper 12 bits of p */
    uint16_t squash[2 * LOGISTIC_LIMIT + 1]; /* its inverse, from -LOGISTIC_LIMIT on, in 1 / 65536 */
};

void adaptive_tables_make(struct adaptive_tables *tables);

/* In 1 / 65536, as the range coder takes it. */
static inline uint32_t adaptive_probability(adaptive_bit state)
{
    uint32_t probability = state >> 16;
    return probability < 16 ? 16 : probability > 65520 ? 65520 : probability;
}

static inline void adaptive_update(const struct adaptive_tables *tables, adaptive_bit *state, unsigned bit)
{
    uint32_t count = *state & 1023;
    int64_t probability = *state >> 10, target = bit ? (1 << 22) - 1 : 0;
    probability += ((target - probability) * tables->rate[count]) >> 16; /* rounds down, also below zero */
    *state = (uint32_t)probability << 10 | (count < ADAPTIVE_LIMIT ? count + 1 : count);
}

/* What a mix of adaptive bits needs between predicting a bit and learning it. */
struct adaptive_mix {
    adaptive_bit *input[MIX_INPUTS];
    int32_t *weights; /* MIX_INPUTS of them, 65536 is 1 */
    int32_t stretched[MIX_INPUTS];
    uint32_t probability;
};

static inline uint32_t adaptive_mix_predict(const struct adaptive_tables *tables, struct adaptive_mix *mix)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < MIX_INPUTS; i++) {
        mix->stretched[i] = tables->stretch[*mix->input[i] >> 20];
        sum += (int64_t)mix->weights[i] * mix->stretched[i];
    }
    sum >>= 16;
    int index = sum < -LOGISTIC_LIMIT ? -LOGISTIC_LIMIT : sum > LOGISTIC_LIMIT ? LOGISTIC_LIMIT : (int)sum;
    mix->probability = tables->squash[index + LOGISTIC_LIMIT];
    return mix->probability;
}

static inline void adaptive_mix_update(const struct adaptive_tables *tables, struct adaptive_mix *mix, unsigned bit)
{
    int32_t error = (int32_t)(bit << 16) - (int32_t)mix->probability;
    for (unsigned i = 0; i < MIX_INPUTS; i++) {
        /* Modulo 2^32: only damaged bytes ever get a weight that far. */
        uint32_t step = (uint32_t)((mix->stretched[i] * error + (1 << 14)) >> 15);
        mix->weights[i] = (int32_t)((uint32_t)mix->weights[i] + step);
        adaptive_update(tables, mix->input[i], bit);
    }
}

#endif
