/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HT cleanup encoder in vectors of quads: LANES quads of a quad row at a time, the four samples of each in four
 * vectors. Everything but the two bit writers and MEL is computed in lanes. Parameters: LANE_BITS 16 or 32, SAMPLE.
 */

#define NAME(base) KERNEL_JOIN(base, LANE_BITS)

/* LANES quads of one row of samples from column x on, zeros behind the row's end: left ones, right ones. */
static inline void NAME(load_row)(const SAMPLE *row, unsigned left, vec *even, vec *odd)
{
    if (left >= 2 * LANES) {
        NAME(v_load_pairs)(row, even, odd);
        return;
    }
    SAMPLE some[2 * LANES] = {0};
    memcpy(some, row, left * sizeof *some);
    NAME(v_load_pairs)(some, even, odd);
}

/* Rows y and y + 1. Rows lie pages apart, so that the CPU does not see by itself what comes next. */
static inline void NAME(fetch_ahead)(const struct block_encode_job *job, unsigned y)
{
    const char *row = (const char *)((const SAMPLE *)job->samples + y * job->stride);
    const size_t pitch = job->stride * sizeof(SAMPLE), bytes = job->width * sizeof(SAMPLE);
    for (size_t i = 0; i < bytes; i += 64) {
        __builtin_prefetch(row + i);
        __builtin_prefetch(row + pitch + i);
    }
}

static size_t NAME(block_encode)(const struct block_encode_job *job, void *memory)
{
    struct vector_scratch *scratch = memory;
    const unsigned quads = (job->width + 1) / 2;
    const SAMPLE *samples = job->samples;
    uint32_t any = 0;
    start_vector_block(scratch, quads);
    for (unsigned y = 0; y < job->height; y += 2) {
        struct quad_rows rows = quad_rows(scratch, y);
        const SAMPLE *top = samples + y * job->stride;
        NAME(fetch_ahead)(job, y + 8);
        for (unsigned q = 0; q < quads; q += LANES) {
            struct quad_vectors quad;
            unsigned left = job->width - 2 * q;
            NAME(load_row)(top + 2 * q, left, &quad.sample[0], &quad.sample[2]);
            quad.sample[1] = quad.sample[3] = v_zero();
            if (y + 1 < job->height)
                NAME(load_row)(top + job->stride + 2 * q, left, &quad.sample[1], &quad.sample[3]);
            any |= code_quads(scratch, &rows, &quad, q, quads - q < LANES ? quads - q : LANES);
        }
    }
    return any ? finish_block(&scratch->streams, job->out) : 0;
}

#undef NAME
#undef LANE_BITS
#undef SAMPLE
