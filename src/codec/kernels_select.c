/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of kernels for a CPU level: each level replaces what it does better than the one before. */
#include "codec/kernel_level.h"

#if defined(__x86_64__)
#define DECLARE_LEVEL(level)                                         \
    void block_encode_select_##level(struct codec_kernels *kernels); \
    void block_decode_select_##level(struct codec_kernels *kernels); \
    void wavelet_select_##level(struct codec_kernels *kernels);      \
    void transfer_select_##level(struct codec_kernels *kernels)
DECLARE_LEVEL(avx2);
DECLARE_LEVEL(avx512);
#endif

void codec_kernels_select(struct codec_kernels *kernels, enum cpu_level level)
{
    WRITING(block_encode_select_c(kernels);)
    block_decode_select_c(kernels);
    wavelet_select_c(kernels);
    transfer_select_c(kernels);
#if defined(__x86_64__)
    if (level >= CPU_AVX2) {
        block_encode_select_avx2(kernels);
        block_decode_select_avx2(kernels);
        wavelet_select_avx2(kernels);
        transfer_select_avx2(kernels);
    }
    if (level >= CPU_AVX512) {
        block_encode_select_avx512(kernels);
        block_decode_select_avx512(kernels);
        wavelet_select_avx512(kernels);
        transfer_select_avx512(kernels);
    }
#endif
    (void)level;
}
