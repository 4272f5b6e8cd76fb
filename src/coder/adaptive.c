/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/adaptive.h"

/* log2(v) in 1 / 256, rounded down; v from 1 to 8191. One squaring gives one binary digit of the logarithm. */
static int log2_of(uint32_t v)
{
    int result = 31 - __builtin_clz(v);
    uint64_t y = (uint64_t)v << (30 - result); /* 1 <= y < 2, in 2^-30 */
    for (unsigned digit = 0; digit < 8; digit++) {
        y = y * y >> 30;
        unsigned one = y >> 31 != 0;
        result = 2 * result + (int)one;
        y >>= one;
    }
    return result;
}

void adaptive_tables_make(struct adaptive_tables *tables)
{
    for (unsigned n = 0; n <= ADAPTIVE_LIMIT; n++)
        tables->rate[n] = (uint16_t)(131072 / (2 * n + 3));
    for (unsigned i = 0; i < 2048; i++) {
        int stretched = log2_of(8191 - 2 * i) - log2_of(2 * i + 1);
        tables->stretch[i] = (int16_t)-stretched;
        tables->stretch[4095 - i] = (int16_t)stretched;
    }
    uint64_t power[LOGISTIC_ONE]; /* 2^(-i / 256), in 2^-30 */
    power[0] = 1 << 30;
    for (unsigned i = 1; i < LOGISTIC_ONE; i++)
        power[i] = power[i - 1] * 1070838486 >> 30;
    for (unsigned d = 0; d <= LOGISTIC_LIMIT; d++) {
        uint64_t one_minus = power[d % LOGISTIC_ONE] >> d / LOGISTIC_ONE;
        uint32_t probability = (uint32_t)(((uint64_t)1 << 46) / (((uint64_t)1 << 30) + one_minus));
        probability = probability > 65520 ? 65520 : probability;
        tables->squash[LOGISTIC_LIMIT + d] = (uint16_t)probability;
        tables->squash[LOGISTIC_LIMIT - d] = (uint16_t)(65536 - probability);
    }
}
