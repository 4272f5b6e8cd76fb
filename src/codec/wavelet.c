/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wavelet transforms (15444-1, Annex F), one level at a time, streaming over rows: a row is lifted vertically as
 * soon as its neighbours are there and is split or merged horizontally while it is in the cache. The standard's order
 * matters with 5/3 because of its rounding: forward is vertical first, inverse horizontal first.
 *
 * Low-pass samples are s(0), s(1) .., high-pass samples d(0), d(1) ... With an even origin d(n) lies between s(n) and
 * s(n + 1), with an odd one between s(n - 1) and s(n). The standard's mirroring at the edges amounts to taking the
 * nearest index that exists.
 */
#include "codec/kernel_level.h"

#include <string.h>

#ifdef __AVX2__
#include "codec/simd.h"
#endif

/* Bytes between the rows of the scratch memory; each has room for width elements and 64 bytes. */
static size_t scratch_pitch(const struct wavelet_job *job, size_t element)
{
    return wavelet_scratch_size(job->width, element) / 12;
}

static inline uint32_t clamp_index(int64_t index, uint32_t count)
{
    return index < 0 ? 0 : index >= count ? count - 1 : (uint32_t)index;
}

/* The low-pass samples both of whose high-pass neighbours d(n - 1 + odd) and d(n + odd) exist. */
struct interior {
    uint32_t begin, end;
};
static inline struct interior interior(uint32_t lows, uint32_t highs, uint32_t odd)
{
    return (struct interior){!odd, lows < highs - odd ? lows : highs - odd};
}

/* Rows of the plane that hold s(n) and d(n). */
static inline uint32_t low_row(const struct wavelet_job *job, uint32_t n)
{
    return 2 * n + job->y_odd;
}
static inline uint32_t high_row(const struct wavelet_job *job, uint32_t n)
{
    return 2 * n + !job->y_odd;
}

#define LANE_BITS 16
#define SAMPLE int16_t
#define WORD uint16_t
#include "codec/wavelet53_template.h"
#define LANE_BITS 32
#define SAMPLE int32_t
#define WORD uint32_t
#include "codec/wavelet53_template.h"
#define LANE_BITS 64
#define SAMPLE int64_t
#define WORD uint64_t
#include "codec/wavelet53_template.h"
#include "codec/wavelet97.h"

void KERNEL(wavelet_select)(struct codec_kernels *kernels)
{
    WRITING(kernels->wavelet53_forward[LANE_16] = wavelet53_forward_16;
            kernels->wavelet53_forward[LANE_32] = wavelet53_forward_32;
            kernels->wavelet53_forward[LANE_64] = wavelet53_forward_64; kernels->wavelet97_forward = wavelet97_forward;)
    kernels->wavelet53_inverse[LANE_16] = wavelet53_inverse_16;
    kernels->wavelet53_inverse[LANE_32] = wavelet53_inverse_32;
    kernels->wavelet53_inverse[LANE_64] = wavelet53_inverse_64;
    kernels->wavelet97_inverse = wavelet97_inverse;
}
