/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inner loops of the codec behind one structure of function pointers: C first, then overrides by CPU level. Every
 * version of a kernel gives the same bits as the C one.
 *
 * Samples between transfer, wavelet and block coder are two's complement integers in "lanes" of 16, 32 or 64 bits (or
 * floats on the irreversible path). A caller picks one lane for a tile-component by its dynamic range, holds its planes
 * as `void *` of codec_lane_size() elements, and uses the kernels of that lane throughout. Strides are in elements.
 * Nothing outside width x height is read or written, and no alignment beyond the element's is needed, though rows that
 * start at multiples of 64 bytes are faster. Integer arithmetic wraps where a hostile stream makes it overflow.
 */
#ifndef CODEC_KERNELS_H
#define CODEC_KERNELS_H

#include "base/cpu.h"

#include <mist/image.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum codec_lane { LANE_16, LANE_32, LANE_64, CODEC_LANES };

/* What LANE_16 holds of a reversible path: samples of so many bits (with RCT: one more than theirs), so far down. */
#define LANE_16_BITS 12
#define LANE_16_DECOMPOSITIONS 7

static inline size_t codec_lane_size(enum codec_lane lane)
{
    return (size_t)2 << lane;
}

/* ---- block coder: 15444-15, clause 7 ---- */

#define BLOCK_MAX_SIDE 1024u
#define BLOCK_MAX_AREA 4096u

/* Working memory of the block coder, aligned to 64 bytes; content need not be kept or cleared. */
#define BLOCK_SCRATCH_SIZE ((size_t)320 << 10)

/* Samples of a block that is to be coded. */
struct block_encode_job {
    const void *samples; /* in the kernel's lane */
    size_t stride;
    unsigned width, height; /* 1 .. 1024; inside a code-block of at most 4096 samples whose sides are powers of two */
    uint8_t *out;
    size_t capacity; /* of out, at least block_encode_bound() */
};

/*
 * The most bytes that block_encode() writes (proof at the definition) when all magnitudes are below 2^planes, and the
 * room that it wants in `out` while it works. planes: at most 16 in LANE_16, 32 in LANE_32, 55 in LANE_64.
 */
size_t block_encode_bound(unsigned width, unsigned height, unsigned planes);

/* A code-block that is to be decoded. */
struct block_decode_job {
    const uint8_t *cleanup; /* HT cleanup segment, Lcup bytes */
    size_t cleanup_size;
    const uint8_t *refinement; /* HT refinement segment, Lref bytes; ignored when passes is 1 */
    size_t refinement_size;
    unsigned passes;         /* 1 cleanup, 2 SigProp too, 3 MagRef too */
    unsigned planes_skipped; /* S_blk: magnitude bit-planes above the cleanup pass that hold nothing ("missing msbs") */
    unsigned planes;         /* Mb (Maxshift included) > planes_skipped; limits: block_decode_max_planes() */
    bool stripe_causal;
    bool half; /* output in half units, see below */
    void *out; /* in the kernel's lane; all width x height samples are written */
    size_t stride;
    unsigned width, height; /* 1 .. 1024, area at most 4096 */
    bool good;              /* set by the kernel: false if the bytes are malformed, out is all zero then */
};

/*
 * The largest `planes` with which results fit into the lane: 15, 31, 62; one less with half units. (A malformed block
 * that is not found to be so can hold 2^planes itself, which then wraps, at every CPU level in the same way.)
 */
unsigned block_decode_max_planes(enum codec_lane lane, bool half);

/* ---- wavelet: 15444-1, Annex F ---- */

/*
 * One decomposition level of a plane (the samples of a resolution level, or a rectangle of it) into bands, or back.
 * band[] is by enum band_kind (LL, HL, LH, HH); bands and plane do not overlap.
 *
 * A band has low or high samples of a side: wavelet_low(side, odd) of low ones, the rest high ones; bands with an
 * empty side may have a NULL pointer. `x_odd`, `y_odd` is the parity of the plane's left column and top row in the
 * coordinates of its resolution level: an even coordinate is a low-pass sample.
 *
 * To invert only a rectangle, pass a plane (and the bands' parts that it splits into) that is larger on each side by
 * WAVELET_MARGIN_53 or WAVELET_MARGIN_97 samples of the plane, clipped to the resolution level: mirroring at the
 * passed edges spoils no more than that margin.
 */
struct wavelet_job {
    uint32_t width, height; /* of the plane, at least 1 */
    bool x_odd, y_odd;
    void *plane;
    size_t plane_stride;
    uint32_t first_row; /* 5/3 only: the first row that `plane` holds, where a run of steps needs no more than some */
    void *band[4];
    size_t band_stride[4];
    uint32_t first_band_row[4]; /* 5/3 only: as first_row */
    void *scratch;              /* wavelet_scratch_size() bytes, aligned to 64 */
    /* A run of wavelet_steps() or wavelet97_steps(); 0, 0: all. Runs with a scratch each may go on at the same time. */
    uint32_t first_step, end_step;
};

#define WAVELET_MARGIN_53 2u
#define WAVELET_MARGIN_97 4u

static inline uint32_t wavelet_low(uint32_t side, bool odd)
{
    return side / 2 + (side & 1 & !odd);
}

/* What a plane's rows are worked through in: pairs of a low and a high one. */
static inline uint32_t wavelet_steps(uint32_t height, bool odd)
{
    uint32_t lows = wavelet_low(height, odd), highs = height - lows;
    return highs + 1 > lows + odd ? highs + 1 : lows + odd;
}

/* The same of the 9/7 kernels, which are some passes behind with their output. */
#define WAVELET_EXTRA_97 5u
static inline uint32_t wavelet97_steps(uint32_t height, bool odd)
{
    return wavelet_low(height, odd) + WAVELET_EXTRA_97;
}

/* The first of the rows that an inverse 5/3 writes in step `step` or later. */
static inline uint32_t wavelet_step_row(uint32_t step, uint32_t height, bool odd)
{
    if (step == 0)
        return 0;
    return step < wavelet_steps(height, odd) ? 2 * step - 1 - odd : height;
}

/* `element` is codec_lane_size() or sizeof(float). */
static inline size_t wavelet_scratch_size(uint32_t width, size_t element)
{
    return 12 * (((size_t)width * element + 64 + 63) & ~(size_t)63);
}

/* ---- transfer: samples in memory <-> planes ---- */

/*
 * One component of a view and the plane of the same size. Sample value v is v - shift in the plane: shift is
 * 2^(precision - 1) for unsigned components (DC level shift, 15444-1 G.1), else 0. low and high are the range of the
 * component's values: 0 .. 2^precision - 1, or -2^(precision - 1) .. 2^(precision - 1) - 1.
 */
struct transfer_job {
    const struct mist_view *view; /* integer types */
    uint32_t component;
    void *plane;
    size_t stride;
    int64_t shift;
    int64_t low, high;
};

/* Fills shift, low and high. precision: 1 .. 38. */
void transfer_set_range(struct transfer_job *job, unsigned precision, bool is_signed);

/* Three planes of one size that a colour transform works on in place. */
struct color_job {
    void *plane[3];
    size_t stride;
    uint32_t width, height;
};

/* Integers <-> floats of a band, on the irreversible path. */
struct quantize_job {
    void *integers; /* LANE_32; may be the same memory as floats if the strides are equal */
    size_t integer_stride;
    float *floats;
    size_t float_stride;
    uint32_t width, height;
    float scale;
};

/* ---- the table ---- */

struct codec_kernels {
    /*
     * Codes one block with one HT cleanup pass at bit-plane 0 (so its missing bit-planes are Mb - 1, whatever the
     * samples) and returns the length, Lcup. 0: all samples are zero, the block has no coding pass.
     */
    size_t (*block_encode[CODEC_LANES])(const struct block_encode_job *job, void *scratch);
    /*
     * Decodes `count` blocks; blocks of the same size that follow one another are faster. A sample whose lowest decoded
     * bit-plane is p and whose decoded magnitude is m (a multiple of 2^p) becomes +-(m + 2^(p-1)), or +-m where p is 0;
     * in half units +-(2 m + 2^p); 0 where m is 0. Safe on any bytes: never reads outside the segments.
     */
    void (*block_decode[CODEC_LANES])(struct block_decode_job *jobs, size_t count, void *scratch);

    void (*wavelet53_forward[CODEC_LANES])(const struct wavelet_job *job);
    void (*wavelet53_inverse[CODEC_LANES])(const struct wavelet_job *job);
    void (*wavelet97_forward)(const struct wavelet_job *job); /* float */
    void (*wavelet97_inverse)(const struct wavelet_job *job);

    /* View to plane; false if a sample is outside low .. high (the plane's content is undefined then). */
    bool (*load[CODEC_LANES])(const struct transfer_job *job);
    /* Plane to view, clamped to low .. high; false if a value then does not fit the view's type (and is clamped). */
    bool (*store[CODEC_LANES])(const struct transfer_job *job);
    /* As above with float planes; store rounds to nearest, ties to even. */
    bool (*load_float)(const struct transfer_job *job);
    bool (*store_float)(const struct transfer_job *job);

    /* RCT (15444-1 G.2): RGB -> Y, Cb, Cr needs one bit more than the samples in Cb and Cr. */
    void (*rct_forward[CODEC_LANES])(const struct color_job *job);
    void (*rct_inverse[CODEC_LANES])(const struct color_job *job);
    /* ICT (G.3), float. */
    void (*ict_forward)(const struct color_job *job);
    void (*ict_inverse)(const struct color_job *job);

    /* floats -> integers: sign(f) floor(|f| scale), scale = 1 / step; magnitudes are limited to 2^31 - 1 (E-4). */
    void (*quantize)(const struct quantize_job *job);
    /* integers in half units -> floats: n * scale, scale = step / 2. */
    void (*dequantize)(const struct quantize_job *job);
};

/* Fills the table with the best version of each kernel for `level` (usually cpu_level()). */
void codec_kernels_select(struct codec_kernels *kernels, enum cpu_level level);

#endif
