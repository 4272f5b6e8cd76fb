/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vectors of 32-bit lanes under one set of names, so that a kernel is written once and compiled for each CPU level that
 * has vectors: 8 lanes with AVX2, 16 with AVX-512. A condition is a vector too: true where its lane is not zero.
 */
#ifndef CODEC_SIMD_H
#define CODEC_SIMD_H

#include <immintrin.h>
#include <stdint.h>

#if defined(__AVX512VBMI2__)

enum { LANES = 16 };
typedef __m512i vec;
#define SIMD(name) _mm512_##name
#define SIMD_SI(name) _mm512_##name##_si512
#define SIMD_LOW_HALF _mm512_set1_epi64(0xffffffff)
static inline vec v_load(const void *p)
{
    return _mm512_loadu_si512(p);
}
static inline void v_store(void *p, vec v)
{
    _mm512_storeu_si512(p, v);
}
static inline vec v_zero(void)
{
    return _mm512_setzero_si512();
}
/* x where `condition` is not zero, else 0. */
static inline vec v_when(vec condition, vec x)
{
    return _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(condition, condition), x);
}
/* x where a == b, else 0. */
static inline vec v_when_equal(vec a, vec b, vec x)
{
    return _mm512_maskz_mov_epi32(_mm512_cmpeq_epi32_mask(a, b), x);
}
/* Bit i: lane i is not zero. */
static inline uint32_t v_nonzero_bits(vec v)
{
    return _mm512_test_epi32_mask(v, v);
}
static inline uint32_t v_greater_bits(vec a, vec b)
{
    return _mm512_cmpgt_epi32_mask(a, b);
}
/* The number of bits that lanes of 0 .. 2^31 - 1 take. */
static inline vec v_bit_length(vec v)
{
    return _mm512_sub_epi32(_mm512_set1_epi32(32), _mm512_lzcnt_epi32(v));
}
static inline vec v_gather(const void *table, vec index)
{
    return _mm512_i32gather_epi32(index, table, 4);
}
/* Numbers of 32 bits by indices in 64-bit lanes, widened. */
static inline vec v_gather_wide(const void *table, vec index)
{
    return _mm512_cvtepu32_epi64(_mm512_i64gather_epi32(index, table, 4));
}
static inline void v_split_32(const int32_t *p, vec *even, vec *odd)
{
    const vec first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    vec a = v_load(p), b = v_load(p + 16);
    *even = _mm512_permutex2var_epi32(a, first, b);
    *odd = _mm512_permutex2var_epi32(a, _mm512_or_si512(first, _mm512_set1_epi32(1)), b);
}
static inline void v_join_32(int32_t *p, vec even, vec odd)
{
    const vec low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v_store(p, _mm512_permutex2var_epi32(even, low, odd));
    v_store(p + 16, _mm512_permutex2var_epi32(even, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd));
}
/* Even and odd ones of the 2 * LANES * 32 / bits samples at p, and back: whole vectors of 16- or 32-bit lanes. */
static inline void v_split_16(const int16_t *p, vec *even, vec *odd)
{
    vec a = v_load(p), b = v_load(p + 32);
    const vec first = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24,
                                       22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    *even = _mm512_permutex2var_epi16(a, first, b);
    *odd = _mm512_permutex2var_epi16(a, _mm512_or_si512(first, _mm512_set1_epi16(1)), b);
}
static inline void v_join_16(int16_t *p, vec even, vec odd)
{
    const vec low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5,
                                     36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    v_store(p, _mm512_permutex2var_epi16(even, low, odd));
    v_store(p + 32, _mm512_permutex2var_epi16(even, _mm512_add_epi16(low, _mm512_set1_epi16(16)), odd));
}
/* LANES numbers of 16 or 8 bits, widened. */
static inline vec v_load_u16(const uint16_t *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}
static inline vec v_load_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
/* Lane i becomes the sum of lanes 0 .. i. */
static inline vec v_prefix_sum(vec v)
{
    const vec zero = v_zero();
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
    v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
    return _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
}
static inline uint32_t v_last(vec v)
{
    return (uint32_t)_mm_extract_epi32(_mm512_extracti32x4_epi32(v, 3), 3);
}
/* 8 bytes at each base + offset; the offsets are the low halves of 64-bit lanes whose high halves are 0. */
static inline vec v_gather64(const uint8_t *base, vec offset)
{
    return _mm512_i64gather_epi64(offset, base, 1);
}
/* 4 bytes at each base + offset. */
static inline vec v_gather_bytes(const uint8_t *base, vec offset)
{
    return _mm512_i32gather_epi32(offset, base, 1);
}

#elif defined(__AVX2__)

enum { LANES = 8 };
typedef __m256i vec;
#define SIMD(name) _mm256_##name
#define SIMD_SI(name) _mm256_##name##_si256
#define SIMD_LOW_HALF _mm256_set1_epi64x(0xffffffff)
static inline vec v_load(const void *p)
{
    return _mm256_loadu_si256(p);
}
static inline void v_store(void *p, vec v)
{
    _mm256_storeu_si256(p, v);
}
static inline vec v_zero(void)
{
    return _mm256_setzero_si256();
}
static inline vec v_when(vec condition, vec x)
{
    return _mm256_andnot_si256(_mm256_cmpeq_epi32(condition, v_zero()), x);
}
static inline vec v_when_equal(vec a, vec b, vec x)
{
    return _mm256_and_si256(_mm256_cmpeq_epi32(a, b), x);
}
static inline uint32_t v_nonzero_bits(vec v)
{
    return ~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(v, v_zero()))) & 0xff;
}
static inline uint32_t v_greater_bits(vec a, vec b)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)));
}
/* 0 .. 2^31 - 1. By the exponent of a float; clearing the bit below each set one keeps it from rounding up. */
static inline vec v_bit_length(vec v)
{
    vec exact = _mm256_andnot_si256(_mm256_srli_epi32(v, 1), v);
    vec exponent = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(exact)), 23);
    return _mm256_max_epi32(_mm256_sub_epi32(exponent, _mm256_set1_epi32(126)), v_zero());
}
static inline vec v_gather(const void *table, vec index)
{
    return _mm256_i32gather_epi32(table, index, 4);
}
static inline vec v_gather_wide(const void *table, vec index)
{
    return _mm256_cvtepu32_epi64(_mm256_i64gather_epi32(table, index, 4));
}
static inline void v_split_32(const int32_t *p, vec *even, vec *odd)
{
    __m256 a = _mm256_loadu_ps((const float *)p), b = _mm256_loadu_ps((const float *)(p + 8));
    __m256 e = _mm256_shuffle_ps(a, b, 0x88), o = _mm256_shuffle_ps(a, b, 0xdd); /* within 128-bit halves */
    *even = _mm256_permute4x64_epi64(_mm256_castps_si256(e), 0xd8);
    *odd = _mm256_permute4x64_epi64(_mm256_castps_si256(o), 0xd8);
}

static inline void v_join_32(int32_t *p, vec even, vec odd)
{
    vec low = _mm256_unpacklo_epi32(even, odd), high = _mm256_unpackhi_epi32(even, odd); /* within 128-bit halves */
    v_store(p, _mm256_permute2x128_si256(low, high, 0x20));
    v_store(p + 8, _mm256_permute2x128_si256(low, high, 0x31));
}
static inline void v_split_16(const int16_t *p, vec *even, vec *odd)
{
    vec a = v_load(p), b = v_load(p + 16);
    vec e = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_slli_epi32(a, 16), 16),
                               _mm256_srai_epi32(_mm256_slli_epi32(b, 16), 16)); /* within 128-bit halves */
    vec o = _mm256_packs_epi32(_mm256_srai_epi32(a, 16), _mm256_srai_epi32(b, 16));
    *even = _mm256_permute4x64_epi64(e, 0xd8);
    *odd = _mm256_permute4x64_epi64(o, 0xd8);
}
static inline void v_join_16(int16_t *p, vec even, vec odd)
{
    vec low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd); /* within 128-bit halves */
    v_store(p, _mm256_permute2x128_si256(low, high, 0x20));
    v_store(p + 16, _mm256_permute2x128_si256(low, high, 0x31));
}
static inline vec v_load_u16(const uint16_t *p)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline vec v_load_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline vec v_prefix_sum(vec v)
{
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    /* the sum of the lower half goes to all of the upper one */
    vec low = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3));
    return _mm256_add_epi32(v, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
}
static inline uint32_t v_last(vec v)
{
    return (uint32_t)_mm256_extract_epi32(v, 7);
}
static inline vec v_gather64(const uint8_t *base, vec offset)
{
    return _mm256_i64gather_epi64((const long long *)base, offset, 1);
}
static inline vec v_gather_bytes(const uint8_t *base, vec offset)
{
    return _mm256_i32gather_epi32((const int *)base, offset, 1);
}

#endif

/* From lane_masks + LANES - n: all bits in the first n lanes. */
static const int32_t lane_masks[2 * LANES] = {
#if defined(__AVX512VBMI2__)
    -1, -1, -1, -1, -1, -1, -1, -1,
#endif
    -1, -1, -1, -1, -1, -1, -1, -1};

static inline vec v_set(int32_t x)
{
    return SIMD(set1_epi32)(x);
}
static inline vec v_and(vec a, vec b)
{
    return SIMD_SI(and)(a, b);
}
static inline vec v_or(vec a, vec b)
{
    return SIMD_SI(or)(a, b);
}
static inline vec v_andnot(vec clear, vec b)
{
    return SIMD_SI(andnot)(clear, b);
}
static inline vec v_add(vec a, vec b)
{
    return SIMD(add_epi32)(a, b);
}
static inline vec v_sub(vec a, vec b)
{
    return SIMD(sub_epi32)(a, b);
}
/* Lanes of 16 bits. */
static inline vec v_add16(vec a, vec b)
{
    return SIMD(add_epi16)(a, b);
}
#define v_shift_right_signed16(a, n) SIMD(srai_epi16)(a, n)
static inline vec v_min(vec a, vec b)
{
    return SIMD(min_epi32)(a, b);
}
static inline vec v_xor(vec a, vec b)
{
    return SIMD_SI(xor)(a, b);
}
static inline vec v_max(vec a, vec b)
{
    return SIMD(max_epi32)(a, b);
}
static inline vec v_abs(vec a)
{
    return SIMD(abs_epi32)(a);
}
static inline vec v_shift_left_all(vec a, unsigned n)
{
    return SIMD(sll_epi32)(a, _mm_cvtsi32_si128((int)n));
}
#define v_shift_left(a, n) SIMD(slli_epi32)(a, n)
#define v_shift_right(a, n) SIMD(srli_epi32)(a, n)
#define v_shift_right_signed(a, n) SIMD(srai_epi32)(a, n)
static inline vec v_shift_left_each(vec a, vec n)
{
    return SIMD(sllv_epi32)(a, n);
}
static inline vec v_shift_right_each(vec a, vec n)
{
    return SIMD(srlv_epi32)(a, n);
}
/* The same in lanes of 64 bits. */
static inline vec v_low_half(vec a)
{
    return v_and(a, SIMD_LOW_HALF);
}
#define v_high_half(a) SIMD(srli_epi64)(a, 32)
static inline vec v_shift_left_each64(vec a, vec n)
{
    return SIMD(sllv_epi64)(a, n);
}
static inline vec v_shift_right_each64(vec a, vec n)
{
    return SIMD(srlv_epi64)(a, n);
}
#define v_to_high_half(a) SIMD(slli_epi64)(a, 32)
static inline vec v_add64(vec a, vec b)
{
    return SIMD(add_epi64)(a, b);
}

/* The 2 LANES samples at p as the even and the odd ones in lanes of 32 bits, and back. */
static inline void v_load_pairs_32(const int32_t *p, vec *even, vec *odd)
{
    v_split_32(p, even, odd);
}
static inline void v_store_pairs_32(int32_t *p, vec even, vec odd)
{
    v_join_32(p, even, odd);
}
static inline void v_store_pairs_16(int16_t *p, vec even, vec odd)
{
    v_store(p, v_or(v_and(even, v_set(0xffff)), v_shift_left(odd, 16)));
}
static inline void v_load_pairs_16(const int16_t *p, vec *even, vec *odd)
{
    vec both = v_load(p);
    *even = v_shift_right_signed(v_shift_left(both, 16), 16);
    *odd = v_shift_right_signed(both, 16);
}

#endif
