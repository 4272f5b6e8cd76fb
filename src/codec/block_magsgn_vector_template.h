/* SPDX-License-Identifier: BSD-2-Clause */
/* Step 2 of the block decoder in vectors, the part that depends on the lane: LANE_BITS (16 or 32) and SAMPLE. */

/* Writes LANES quads of one row of samples, of which `left` samples are inside the block. */
static inline void NAME(store_row)(SAMPLE *row, unsigned left, vec even, vec odd)
{
    if (left >= 2 * LANES) {
        NAME(v_store_pairs)(row, even, odd);
        return;
    }
    SAMPLE some[2 * LANES];
    NAME(v_store_pairs)(some, even, odd);
    memcpy(row, some, left * sizeof *some);
}

static bool NAME(decode_magsgn_row)(const struct block *block, unsigned y, size_t *magsgn_position)
{
    const struct block_decode_job *job = block->job;
    struct quad_row row = quad_row(block, y);
    SAMPLE *top = (SAMPLE *)job->out + y * job->stride, *bottom = y + 1 < job->height ? top + job->stride : NULL;
    for (unsigned q = 0; q < block->quads; q += LANES) {
        vec sample[4];
        if (!decode_magsgn_quads(block, &row, q, magsgn_position, sample))
            return false;
        unsigned left = job->width - 2 * q;
        NAME(store_row)(top + 2 * q, left, sample[0], sample[2]);
        if (bottom)
            NAME(store_row)(bottom + 2 * q, left, sample[1], sample[3]);
    }
    return true;
}

/* Nothing is significant to the left and to the right of the block. */
static void NAME(start_rows)(const struct block *block)
{
    const unsigned behind = ROW_MARGIN + (block->quads + LANES - 1) / LANES * LANES;
    for (unsigned i = 0; i < 2; i++) {
        int32_t *left = block->scratch->rows.exponent.left[i], *right = block->scratch->rows.exponent.right[i];
        left[ROW_MARGIN - 1] = right[ROW_MARGIN - 1] = left[behind] = right[behind] = 0;
    }
}
