/* SPDX-License-Identifier: BSD-2-Clause */
/* Which instruction sets may be used. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

/* Each level includes the ones before it. AVX512 means F, CD, BW, DQ, VL, VBMI and VBMI2 (Ice Lake, Zen 4). */
enum cpu_level { CPU_BASELINE, CPU_AVX2, CPU_AVX512, CPU_LEVELS };

/*
 * The best level of this machine, lowered by the environment variable MIST_CPU ("c", "avx2", "avx512") if set.
 * AVX2 means AVX2, BMI1, BMI2, LZCNT and FMA.
 */
enum cpu_level cpu_level(void);

/* "c", "avx2", "avx512". */
const char *cpu_level_name(enum cpu_level level);

#endif
