/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit patterns of samples, their order codes, and coded integers: the arithmetic of value_map.h. */
#ifndef IMAGE_VALUE_BITS_H
#define IMAGE_VALUE_BITS_H

#include <mist/image.h>

#include "image/half.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* mist_sample_size(), _is_float() and _is_signed() of a type that is one, for use in loops. */
static inline unsigned type_bytes(enum mist_sample_type type)
{
    static const uint8_t bytes[MIST_SAMPLE_TYPES] = {1, 1, 2, 2, 4, 4, 2, 4, 8, 8, 8};
    return bytes[type];
}
static inline bool type_is_float(enum mist_sample_type type)
{
    return type >= MIST_F16 && type <= MIST_F64;
}
static inline bool type_is_signed(enum mist_sample_type type)
{
    return type != MIST_U8 && type != MIST_U16 && type != MIST_U32 && type != MIST_U64;
}
_Static_assert(MIST_F16 == 6 && MIST_F64 == 8 && MIST_S64 == 9 && MIST_U64 == 10, "the order of the types");

/* rint(), but for the sign of zero, without a call. */
static inline double round_even(double value)
{
    return fabs(value) < 0x1p51 ? value + 0x1.8p52 - 0x1.8p52 : rint(value);
}

/* The pattern of the sample of `size` bytes at `at`, zero-extended, and the reverse. */
static inline uint64_t pattern_load(size_t size, const void *at)
{
    uint16_t word;
    uint32_t number;
    uint64_t wide;
    switch (size) {
    case 1:
        return *(const uint8_t *)at;
    case 2:
        memcpy(&word, at, sizeof word);
        return word;
    case 4:
        memcpy(&number, at, sizeof number);
        return number;
    default:
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
}

static inline void pattern_store(size_t size, void *at, uint64_t pattern)
{
    uint16_t word = (uint16_t)pattern;
    uint32_t number = (uint32_t)pattern;
    switch (size) {
    case 1:
        *(uint8_t *)at = (uint8_t)pattern;
        break;
    case 2:
        memcpy(at, &word, sizeof word);
        break;
    case 4:
        memcpy(at, &number, sizeof number);
        break;
    default:
        memcpy(at, &pattern, sizeof pattern);
    }
}

/* All ones of n bits, and the highest of them. */
static inline uint64_t pattern_mask(enum mist_sample_type type)
{
    return UINT64_MAX >> (64 - 8 * type_bytes(type));
}
static inline uint64_t pattern_top(enum mist_sample_type type)
{
    return (uint64_t)1 << (8 * type_bytes(type) - 1);
}

static inline uint64_t order_code(enum mist_sample_type type, uint64_t pattern)
{
    uint64_t top = pattern_top(type);
    if (type_is_float(type) && (pattern & top))
        return ~pattern & pattern_mask(type);
    return type_is_signed(type) ? pattern ^ top : pattern;
}

static inline uint64_t order_pattern(enum mist_sample_type type, uint64_t code)
{
    uint64_t top = pattern_top(type);
    if (type_is_float(type) && !(code & top))
        return ~code & pattern_mask(type);
    return type_is_signed(type) ? code ^ top : code;
}

/* The value of a pattern; integers beyond 2^53 are rounded. */
static inline double pattern_value(enum mist_sample_type type, uint64_t pattern)
{
    uint32_t bits = (uint32_t)pattern;
    float single;
    double value;
    unsigned spare = 64 - 8 * (unsigned)type_bytes(type);
    switch (type) {
    case MIST_F16:
        return half_to_double((uint16_t)pattern);
    case MIST_F32:
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    case MIST_F64:
        memcpy(&value, &pattern, sizeof value);
        return value;
    default:
        return type_is_signed(type) ? (double)((int64_t)(pattern << spare) >> spare) : (double)pattern;
    }
}

/* (type)value, kept among the finite values of the type. `value` is no NaN. */
static inline uint64_t pattern_from_value(enum mist_sample_type type, double value)
{
    float single;
    uint32_t bits32;
    uint64_t bits64;
    switch (type) {
    case MIST_F16:
        return half_from_double(value > 65504 ? 65504 : value < -65504 ? -65504 : value);
    case MIST_F32:
        single = (float)(value > FLT_MAX ? FLT_MAX : value < -FLT_MAX ? -FLT_MAX : value);
        memcpy(&bits32, &single, sizeof bits32);
        return bits32;
    case MIST_F64:
        value = value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
        memcpy(&bits64, &value, sizeof bits64);
        return bits64;
    case MIST_U64:
        value = round_even(value);
        return value >= 0x1p64 ? UINT64_MAX : value <= 0 ? 0 : (uint64_t)value;
    default: /* s64; narrower integers have no use of this */
        value = round_even(value);
        return value >= 0x1p63 ? INT64_MAX : value <= -0x1p63 ? (uint64_t)INT64_MIN : (uint64_t)(int64_t)value;
    }
}

static inline bool pattern_is_finite(enum mist_sample_type type, uint64_t pattern)
{
    uint64_t exponent = type == MIST_F16   ? 0x7c00
                        : type == MIST_F32 ? 0x7f800000
                        : type == MIST_F64 ? (uint64_t)0x7ff << 52
                                           : 0;
    return !exponent || (pattern & exponent) != exponent;
}

/* The pattern without its `bits` lowest bits; a NaN stays one. bits < those of the fraction. */
static inline uint64_t pattern_cut(enum mist_sample_type type, uint64_t pattern, unsigned bits)
{
    uint64_t cut = pattern >> bits << bits;
    if (bits && !pattern_is_finite(type, pattern) && cut != pattern && isinf(pattern_value(type, cut)))
        cut |= type == MIST_F16 ? 0x200 : type == MIST_F32 ? 0x400000 : (uint64_t)1 << 51;
    return cut;
}

/* Coded values: of an integer type of up to 32 bits. */
static inline int64_t code_load(enum mist_sample_type type, const void *at)
{
    uint64_t pattern = pattern_load(type_bytes(type), at);
    unsigned spare = 64 - 8 * (unsigned)type_bytes(type);
    return type_is_signed(type) ? (int64_t)(pattern << spare) >> spare : (int64_t)pattern;
}

static inline void code_store(enum mist_sample_type type, void *at, int64_t code)
{
    pattern_store(type_bytes(type), at, (uint64_t)code);
}

static inline char *sample_at(const struct mist_view *view, uint32_t y, uint32_t c)
{
    return (char *)view->data + y * view->row_stride + c * view->component_stride;
}

/* Bits that integers minimum .. maximum need, two's complement if signed; at least 1. */
static inline unsigned bits_of_range(int64_t minimum, int64_t maximum, bool is_signed)
{
    uint64_t largest = (uint64_t)maximum;
    if (is_signed) { /* -2^(n-1) .. 2^(n-1) - 1 */
        uint64_t down = minimum < 0 ? (uint64_t)(-1 - minimum) : 0, up = maximum > 0 ? (uint64_t)maximum : 0;
        largest = down > up ? down : up;
    }
    unsigned bits = is_signed;
    while (bits < 64 && largest >> (bits - is_signed))
        bits++;
    return bits ? bits : 1;
}

struct value_map;
struct value_holes;
/* The number (1 ..) of a pattern among holes, or 0; and their order, which that needs. */
uint32_t value_holes_find(const struct value_holes *holes, uint64_t pattern);
void value_holes_sort(struct value_holes *holes);

/* The k of a finite sample under a linear map; false if the sample is not exactly its a + b k, or k is not below 2^31.
 */
bool value_map_linear_code(const struct value_map *map, uint64_t pattern, int64_t *code);

#endif
