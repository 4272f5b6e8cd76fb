/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the block decoder that depends on the lane: LANE_BITS (16, 32, 64) and SAMPLE, its signed integer. */

#define NAME(base) KERNEL_JOIN(base, LANE_BITS)

/* Half of bit-plane p, or all of it in half units: where the middle of what is not decoded lies. */
static inline SAMPLE NAME(middle)(unsigned p, bool half)
{
    return (SAMPLE)((uint64_t)1 << p >> !half);
}

#if defined(__AVX2__) && LANE_BITS < 64
#include "codec/block_magsgn_vector_template.h"
#elif defined(__wasm_simd128__) && LANE_BITS < 64
#include "codec/block_magsgn_quad_template.h"
#else
#include "codec/block_magsgn_template.h"
#endif

/* SigProp in the 4 columns from x on: their new significance is read first, then the signs (7.4). */
static void NAME(sigprop_group)(const struct block_decode_job *job, struct flat_reader *bits, uint8_t *const around[3],
                                unsigned x, unsigned y)
{
    const unsigned rows = job->height - y < 4 ? job->height - y : 4, columns = job->width - x < 4 ? job->width - x : 4;
    const unsigned plane = job->planes - 2 - job->planes_skipped;
    const SAMPLE magnitude = (SAMPLE)((SAMPLE)((uint64_t)1 << (plane + job->half)) + NAME(middle)(plane, job->half));
    unsigned fresh[4] = {0}; /* by column: rows that become significant */
    for (unsigned i = 0; i < columns; i++) {
        uint8_t *here = around[1] + x + i;
        for (unsigned row = 0; row < rows; row++) {
            if (*here >> row & 1)
                continue;
            /* Six rows of each column: one of the stripe above, this stripe's four, one of the stripe below. */
            unsigned column[3];
            for (int c = -1; c <= 1; c++)
                column[c + 1] = (unsigned)(around[0][(int)(x + i) + c] >> 3 & 1) | (unsigned)here[c] << 1 |
                                (job->stripe_causal ? 0 : (around[2][(int)(x + i) + c] & 1u) << 5);
            if (!((column[0] | column[1] | column[2]) >> row & 7))
                continue;
            if (!flat_take_bit(bits))
                continue;
            fresh[i] |= 1u << row;
            *here |= (uint8_t)(1u << row);
        }
    }
    for (unsigned i = 0; i < columns; i++)
        for (unsigned row = 0; row < rows; row++)
            if (fresh[i] >> row & 1)
                ((SAMPLE *)job->out)[(y + row) * job->stride + x + i] =
                    (SAMPLE)(flat_take_bit(bits) ? -magnitude : magnitude);
}

/* MagRef: one bit more for all samples of a stripe that the cleanup pass found significant (7.5). */
static void NAME(magref_stripe)(const struct block_decode_job *job, struct flat_reader *bits, const uint8_t *columns,
                                unsigned y)
{
    const unsigned plane = job->planes - 2 - job->planes_skipped;
    const int64_t zero = NAME(middle)(plane, job->half) - (int64_t)NAME(middle)(plane + 1, job->half);
    const int64_t one = zero + (int64_t)((uint64_t)1 << (plane + job->half));
    for (unsigned x = 0; x < job->width; x++) {
        for (unsigned row = 0; row < 4; row++) {
            if (!(columns[x] >> row & 1))
                continue;
            SAMPLE *sample = (SAMPLE *)job->out + (y + row) * job->stride + x;
            int64_t change = flat_take_bit(bits) ? one : zero;
            *sample = (SAMPLE)(*sample < 0 ? *sample - change : *sample + change);
        }
    }
}

/* Step 3: the refinement passes. */
static void NAME(refine)(const struct block *block)
{
    const struct block_decode_job *job = block->job;
    struct decode_scratch *scratch = block->scratch;
    size_t size = smaller(job->refinement_size, MAX_SIGPROP_BYTES);
    struct flat_reader sigprop = {scratch->flat.refinement.sigprop, 0, 0}, magref = {0};
    sigprop.end = unstuff_forward(scratch->flat.refinement.sigprop, job->refinement, size, 0);
    if (job->passes > 2) {
        size = smaller(job->refinement_size, MAX_MAGREF_BYTES);
        magref.flat = scratch->flat.refinement.magref;
        magref.end =
            unstuff_backward(scratch->flat.refinement.magref, job->refinement + job->refinement_size, size, 0, 0);
    }
    uint8_t *around[3]; /* from column 0 on, with room before and behind */
    for (unsigned i = 0; i < 3; i++)
        around[i] = scratch->flat.refinement.significant[i] + 4;
    memset(around[0] - 4, 0, MAX_STRIPE_COLUMNS);
    stripe_significance(block, 0, around[1] - 4);
    for (unsigned y = 0; y < job->height; y += 4) {
        stripe_significance(block, y + 4, around[2] - 4);
        if (job->passes > 2)
            NAME(magref_stripe)(job, &magref, around[1], y);
        for (unsigned x = 0; x < job->width; x += 4)
            NAME(sigprop_group)(job, &sigprop, around, x, y);
        uint8_t *oldest = around[0];
        around[0] = around[1];
        around[1] = around[2];
        around[2] = oldest;
    }
}

/*
 * Steps 2 and 3 of blocks whose quads are there. In turns too: where the bits of a row start and how many there are
 * follows from the row before.
 */
static void NAME(decode_samples)(struct block *block, unsigned count, bool *good)
{
    size_t position[BLOCKS] = {0};
    for (unsigned i = 0; i < count; i++)
        NAME(start_rows)(&block[i]);
    for (unsigned y = 0; y < block->job->height; y += 2)
        for (unsigned i = 0; i < count; i++)
            good[i] = good[i] && NAME(decode_magsgn_row)(&block[i], y, &position[i]);
    for (unsigned i = 0; i < count; i++)
        if (good[i] && block[i].job->passes > 1)
            NAME(refine)(&block[i]);
}

/* Up to BLOCKS blocks of the same size. */
static void NAME(decode_some)(struct block_decode_job *jobs, unsigned count, struct decode_scratch *scratch)
{
    struct block block[BLOCKS];
    bool good[BLOCKS];
    unsigned open = 0;
    for (unsigned i = 0; i < count; i++) {
        block[open] = (struct block){.job = &jobs[i], .scratch = &scratch[open]};
        jobs[i].good = open_block(&block[open], KERNEL_JOIN(LANE, LANE_BITS));
        open += jobs[i].good;
    }
    if (open) {
        decode_quads(block, open, good);
        NAME(decode_samples)(block, open, good);
    }
    for (unsigned i = 0; i < open; i++)
        block[i].job->good = good[i];
    for (unsigned i = 0; i < count; i++)
        for (unsigned y = 0; !jobs[i].good && y < jobs[i].height; y++)
            memset((SAMPLE *)jobs[i].out + y * jobs[i].stride, 0, jobs[i].width * sizeof(SAMPLE));
}

static void NAME(block_decode)(struct block_decode_job *jobs, size_t count, void *scratch)
{
    while (count) {
        unsigned same = 1;
        while (same < BLOCKS && same < count && jobs[same].width == jobs[0].width &&
               jobs[same].height == jobs[0].height)
            same++;
        NAME(decode_some)(jobs, same, scratch);
        jobs += same;
        count -= same;
    }
}

#undef NAME
#undef LANE_BITS
#undef SAMPLE
