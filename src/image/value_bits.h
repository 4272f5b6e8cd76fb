/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit patterns of floats, their order map, and coded integers: the arithmetic of value_map.h. */
#ifndef IMAGE_VALUE_BITS_H
#define IMAGE_VALUE_BITS_H

#include <mist/image.h>

#include "image/half.h"

#include <string.h>

/* The pattern of the float sample at `at`. */
static inline uint64_t bits_load(enum mist_sample_type type, const void *at)
{
    uint16_t bits16;
    uint32_t bits32;
    uint64_t bits64;
    switch (type) {
    case MIST_F16:
        memcpy(&bits16, at, sizeof bits16);
        return bits16;
    case MIST_F32:
        memcpy(&bits32, at, sizeof bits32);
        return bits32;
    default:
        memcpy(&bits64, at, sizeof bits64);
        return bits64;
    }
}

static inline void bits_store(enum mist_sample_type type, void *at, uint64_t bits)
{
    uint16_t bits16 = (uint16_t)bits;
    uint32_t bits32 = (uint32_t)bits;
    if (type == MIST_F16)
        memcpy(at, &bits16, sizeof bits16);
    else if (type == MIST_F32)
        memcpy(at, &bits32, sizeof bits32);
    else
        memcpy(at, &bits, sizeof bits);
}

static inline double value_from_bits(enum mist_sample_type type, uint64_t bits)
{
    uint32_t bits32 = (uint32_t)bits;
    float single;
    double value;
    if (type == MIST_F16)
        return half_to_double((uint16_t)bits);
    if (type == MIST_F32) {
        memcpy(&single, &bits32, sizeof single);
        return single;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t bits_from_value(enum mist_sample_type type, double value)
{
    float single = (float)value;
    uint32_t bits32;
    uint64_t bits64;
    if (type == MIST_F16)
        return half_from_double(value);
    if (type == MIST_F32) {
        memcpy(&bits32, &single, sizeof bits32);
        return bits32;
    }
    memcpy(&bits64, &value, sizeof bits64);
    return bits64;
}

/* The order map of a pattern; of a binary64 its upper 32 bits. */
static inline int32_t order_code(enum mist_sample_type type, uint64_t bits)
{
    if (type == MIST_F16)
        return bits & 0x8000 ? -1 - (int32_t)(bits & 0x7fff) : (int32_t)bits;
    uint32_t word = (uint32_t)(type == MIST_F64 ? bits >> 32 : bits);
    return word & 0x80000000u ? -1 - (int32_t)(word & 0x7fffffffu) : (int32_t)word;
}

/* Its inverse; the lower 32 bits of a binary64 are 0. */
static inline uint64_t order_bits(enum mist_sample_type type, int32_t code)
{
    uint32_t word = code < 0 ? (uint32_t)(-1 - code) : (uint32_t)code; /* without the sign */
    if (type == MIST_F16)
        return (word & 0x7fff) | (code < 0 ? 0x8000 : 0);
    word |= code < 0 ? 0x80000000u : 0;
    return type == MIST_F64 ? (uint64_t)word << 32 : word;
}

/* What +infinity is mapped to; finite values are below it and above -1 minus it. */
static inline int32_t order_infinity(enum mist_sample_type type)
{
    return type == MIST_F16 ? 0x7c00 : type == MIST_F32 ? 0x7f800000 : 0x7ff00000;
}

/* Coded values: u16, s16, u32 or s32. */
static inline int64_t code_load(enum mist_sample_type type, const void *at)
{
    uint16_t word;
    uint32_t number;
    if (type == MIST_U16 || type == MIST_S16) {
        memcpy(&word, at, sizeof word);
        return type == MIST_S16 ? (int16_t)word : (int64_t)word;
    }
    memcpy(&number, at, sizeof number);
    return type == MIST_S32 ? (int32_t)number : (int64_t)number;
}

static inline void code_store(enum mist_sample_type type, void *at, int32_t code)
{
    uint16_t word = (uint16_t)code;
    uint32_t number = (uint32_t)code;
    if (type == MIST_U16 || type == MIST_S16)
        memcpy(at, &word, sizeof word);
    else
        memcpy(at, &number, sizeof number);
}

struct value_map;
/* The k of a sample under a linear map; false if it has none. */
bool value_map_linear_code(const struct value_map *map, uint64_t bits, int32_t *code);

#endif
