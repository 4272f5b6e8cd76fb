/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples in memory <-> planes, colour transforms, quantisation. */
#include "codec/kernel_level.h"

#include <math.h>
#include <string.h>

/* Element x of a strided row. */
#define AT(type, row, step, x) (*(type *)((char *)(row) + (x) * (step)))

/* A row of the view's component, and whether its samples are next to each other. */
static char *view_row(const struct transfer_job *job, uint32_t y)
{
    const struct mist_view *view = job->view;
    return (char *)view->data + y * view->row_stride + job->component * view->component_stride;
}

/* Of the integer types, which come first: u8, s8, u16, s16, u32, s32. */
static unsigned type_bits(enum mist_sample_type type)
{
    return 8u << type / 2;
}

/* The range of an integer sample type. */
static void type_range(enum mist_sample_type type, int64_t *low, int64_t *high)
{
    unsigned bits = type_bits(type);
    bool is_signed = type & 1;
    *low = is_signed ? -((int64_t)1 << (bits - 1)) : 0;
    *high = ((int64_t)1 << (bits - is_signed)) - 1;
}

_Static_assert(MIST_U8 == 0 && MIST_S8 == 1 && MIST_U16 == 2 && MIST_S16 == 3 && MIST_U32 == 4 && MIST_S32 == 5,
               "the integer types come first, unsigned before signed");

#define LANE_BITS 16
#define SAMPLE int16_t
#define WORD uint32_t
#include "codec/transfer_template.h"
#define LANE_BITS 32
#define SAMPLE int32_t
#define WORD uint32_t
#include "codec/transfer_template.h"
#define LANE_BITS 64
#define SAMPLE int64_t
#define WORD uint64_t
#include "codec/transfer_template.h"
#include "codec/transfer_float.h"

void KERNEL(transfer_select)(struct codec_kernels *kernels)
{
    WRITING(kernels->load[LANE_16] = load_16; kernels->load[LANE_32] = load_32; kernels->load[LANE_64] = load_64;
            kernels->load_float = load_float; kernels->rct_forward[LANE_16] = rct_forward_16;
            kernels->rct_forward[LANE_32] = rct_forward_32; kernels->rct_forward[LANE_64] = rct_forward_64;
            kernels->ict_forward = ict_forward; kernels->quantize = quantize;)
    kernels->store[LANE_16] = store_16;
    kernels->store[LANE_32] = store_32;
    kernels->store[LANE_64] = store_64;
    kernels->store_float = store_float;
    kernels->rct_inverse[LANE_16] = rct_inverse_16;
    kernels->rct_inverse[LANE_32] = rct_inverse_32;
    kernels->rct_inverse[LANE_64] = rct_inverse_64;
    kernels->ict_inverse = ict_inverse;
    kernels->dequantize = dequantize;
}
