/* SPDX-License-Identifier: BSD-2-Clause */
/* IEEE 754 binary16 from and to double: exact one way, rounded to nearest even the other. */
#ifndef IMAGE_HALF_H
#define IMAGE_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double half_to_double(uint16_t half)
{
    uint64_t sign = (uint64_t)(half >> 15) << 63, fraction = half & 0x3ff, bits;
    int exponent = (half >> 10) & 0x1f;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24 */
        double value = (double)fraction * 0x1p-24;
        return sign ? -value : value;
    }
    /* Infinities and NaN payloads keep their fraction at the top. */
    bits = sign | (uint64_t)(exponent == 31 ? 2047 : exponent - 15 + 1023) << 52 | fraction << 42;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint16_t half_from_double(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint16_t payload = (bits >> 42) & 0x3ff;
        return (uint16_t)(sign | 0x7c00 | (payload ? payload : 0x200)); /* without a payload it would be infinity */
    }
    if (magnitude >= 65520) /* halfway between the largest finite value and 2^16, and beyond */
        return sign | 0x7c00;
    if (magnitude < 0x1p-14)
        return (uint16_t)(sign | (uint16_t)rint(magnitude * 0x1p24)); /* 1024 is the smallest normal one's pattern */
    int exponent;
    double fraction = frexp(magnitude, &exponent); /* 0.5 .. 1 */
    /* 11 bits, the top one implied; a carry out of the fraction raises the exponent, as the addition has it. */
    return (uint16_t)(sign | (((uint16_t)(exponent + 13) << 10) + (uint16_t)rint(fraction * 2048)));
}

#endif
