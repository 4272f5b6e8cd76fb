/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>

const char *cpu_level_name(enum cpu_level level)
{
    static const char *const names[CPU_LEVELS] = {"c", "avx2", "avx512"};
    return (unsigned)level < CPU_LEVELS ? names[level] : "unknown";
}

#if defined(__x86_64__)
/* clang 14's __builtin_cpu_supports() does not know this one. */
static int has_lzcnt(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
}
#endif

static enum cpu_level machine_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
        !__builtin_cpu_supports("fma") || !has_lzcnt())
        return CPU_BASELINE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512cd") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512vbmi") ||
        !__builtin_cpu_supports("avx512vbmi2"))
        return CPU_AVX2;
    return CPU_AVX512;
#else
    return CPU_BASELINE;
#endif
}

enum cpu_level cpu_level(void)
{
    enum cpu_level level = machine_level();
    const char *mask = getenv("MIST_CPU");
    for (int i = 0; mask && i < CPU_LEVELS; i++)
        if (strcmp(mask, cpu_level_name((enum cpu_level)i)) == 0 && (enum cpu_level)i < level)
            level = (enum cpu_level)i;
    return level;
}
