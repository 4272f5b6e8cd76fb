/* SPDX-License-Identifier: BSD-2-Clause */
/* How the samples of one frame of one level are coded. Used by pyramid.c only. */
#ifndef CODER_PYRAMID_SAMPLES_H
#define CODER_PYRAMID_SAMPLES_H

#include "coder/adaptive.h"
#include "coder/range_coder.h"

enum {
    PYRAMID_MARGIN = 2,    /* columns and rows of the background around each grid */
    PYRAMID_PLACES = 5,    /* the four places in a block; samples of level 0 */
    PYRAMID_CLASSES = 18,  /* of magnitudes: 1 + their logarithm, 0 for 0 */
    PYRAMID_ENERGIES = 12, /* of how much neighbours differ */
    PYRAMID_STATES = 5     /* of the block so far: how many of its samples are the background, or none coded */
};

/* Two contexts that are mixed, with weights for each place. */
struct pyramid_contexts {
    adaptive_bit flat[2][1 << 10];
    adaptive_bit ground_near[PYRAMID_PLACES][1 << 10];
    adaptive_bit ground_block[PYRAMID_PLACES][PYRAMID_STATES][PYRAMID_CLASSES][8];
    adaptive_bit last_near[2][6][4], last_block[PYRAMID_STATES][4][4];
    adaptive_bit zero[2][PYRAMID_PLACES * PYRAMID_STATES * PYRAMID_CLASSES];
    adaptive_bit sign[2][PYRAMID_PLACES * PYRAMID_ENERGIES * 3];
    adaptive_bit class_energy[PYRAMID_ENERGIES][3][PYRAMID_CLASSES];
    adaptive_bit class_block[PYRAMID_PLACES][PYRAMID_CLASSES][PYRAMID_CLASSES];
    adaptive_bit low[PYRAMID_CLASSES][3];
};
struct pyramid_weights {
    int32_t flat[2][MIX_INPUTS], ground[PYRAMID_PLACES][2][MIX_INPUTS], last[4][MIX_INPUTS];
    int32_t zero[PYRAMID_PLACES][MIX_INPUTS], sign[PYRAMID_PLACES][MIX_INPUTS];
    int32_t class[PYRAMID_CLASSES][MIX_INPUTS];
};

/* The samples of a frame at a level; with margins, which are the background. */
struct pyramid_grid {
    int32_t *samples; /* (0, 0) */
    ptrdiff_t stride;
    uint32_t width, height;
};

struct pyramid_coder {
    bool decoding;
    int32_t least, most; /* that the type holds */
    int32_t ground;      /* the background */
    struct adaptive_tables tables;
    struct range_encoder encoder;
    struct range_decoder decoder;
    struct pyramid_contexts contexts;
    struct pyramid_weights weights;
};

/* Sets what is learned to its beginning; the range of the samples is set by the caller. */
void pyramid_coder_start(struct pyramid_coder *coder);

/* The background, by `bits` plain bits of its two's complement: the first of the chunk of level 0. */
void pyramid_code_ground(struct pyramid_coder *coder, unsigned bits);

/* Level 0 of a frame. `before` is the frame before or, with all samples the background, a grid of the same size. */
void pyramid_code_first(struct pyramid_coder *coder, const struct pyramid_grid *grid,
                        const struct pyramid_grid *before);

/* What a level adds to the means of the level below it. */
void pyramid_code_blocks(struct pyramid_coder *coder, const struct pyramid_grid *means, const struct pyramid_grid *grid,
                         const struct pyramid_grid *before);

/* The mean of the n samples of a block (1, 2 or 4) is the lower end of (sum + n / 2) / n. */
static inline int32_t pyramid_mean(int64_t sum, int32_t n)
{
    return (int32_t)((sum + n / 2) >> (n == 4 ? 2 : n - 1));
}

#endif
