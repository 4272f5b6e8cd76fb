/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel sources are compiled once per CPU level, with KERNEL_SUFFIX c, avx2 or avx512 and the compiler's flags to
 * match; KERNEL(name) is the name of that version's function. Each source exports one KERNEL(..._select) function,
 * which puts its versions into the table.
 */
#ifndef CODEC_KERNEL_LEVEL_H
#define CODEC_KERNEL_LEVEL_H

#include "base/writing.h"
#include "codec/kernels.h"

#ifndef KERNEL_SUFFIX
#define KERNEL_SUFFIX c
#endif

#define KERNEL_JOIN2(a, b) a##_##b
#define KERNEL_JOIN(a, b) KERNEL_JOIN2(a, b)
#define KERNEL(name) KERNEL_JOIN(name, KERNEL_SUFFIX)

void KERNEL(block_encode_select)(struct codec_kernels *kernels);
void KERNEL(block_decode_select)(struct codec_kernels *kernels);
void KERNEL(wavelet_select)(struct codec_kernels *kernels);
void KERNEL(transfer_select)(struct codec_kernels *kernels);

#endif
