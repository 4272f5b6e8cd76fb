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

#ifdef WORDS_MAX_BOUND
/* Writes 2 LANES samples of 16 bits of one row, of which `left` are inside the block. */
static inline void NAME(store_words)(SAMPLE *row, unsigned left, vec words)
{
    SAMPLE some[2 * LANES], *to = left >= 2 * LANES ? row : some;
#if LANE_BITS == 16
    v_store(to, words);
#else
    v_store(to, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(words)));
    v_store(to + LANES, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(words, 1)));
#endif
    if (to == some)
        memcpy(row, some, left * sizeof *some);
}

/* Decodes and writes a group in words if its numbers are small enough; else returns false. */
static inline bool NAME(decode_in_words)(const struct block *block, const struct quad_row *row, unsigned q,
                                         const struct quad_group *group, size_t *position, SAMPLE *top, SAMPLE *bottom)
{
    const struct block_decode_job *job = block->job;
    if (v_greater_bits(group->bound, v_set(WORDS_MAX_BOUND)) ||
        (LANE_BITS > 16 && (job->half || job->planes > job->planes_skipped + 1)))
        return false;
    vec above, below;
    decode_words(block, row, q, group, position, &above, &below);
    NAME(store_words)(top + 2 * q, job->width - 2 * q, above);
    if (bottom)
        NAME(store_words)(bottom + 2 * q, job->width - 2 * q, below);
    return true;
}
#endif

/* Rows y and y + 1 of the output, which are pages apart; they may be beyond the block's end. */
static inline void NAME(fetch_ahead)(const struct block_decode_job *job, unsigned y)
{
    const char *row = (const char *)((const SAMPLE *)job->out + y * job->stride);
    for (size_t i = 0; i < job->width * sizeof(SAMPLE); i += 64) {
        __builtin_prefetch(row + i, 1);
        __builtin_prefetch(row + job->stride * sizeof(SAMPLE) + i, 1);
    }
}

static bool NAME(decode_magsgn_row)(const struct block *block, unsigned y, size_t *magsgn_position)
{
    const struct block_decode_job *job = block->job;
    struct quad_row row = quad_row(block, y);
    SAMPLE *top = (SAMPLE *)job->out + y * job->stride, *bottom = y + 1 < job->height ? top + job->stride : NULL;
    NAME(fetch_ahead)(job, y + 8);
    for (unsigned q = 0; q < block->quads; q += LANES) {
        struct quad_group group;
        vec sample[4];
        if (*magsgn_position > block->magsgn_bits + 8 || !take_group(block, &row, q, &group)) /* as in C */
            return false;
        unsigned left = job->width - 2 * q;
        sample[0] = sample[1] = sample[2] = sample[3] = v_zero();
#ifdef WORDS_MAX_BOUND
        if (v_nonzero_bits(group.rho) && NAME(decode_in_words)(block, &row, q, &group, magsgn_position, top, bottom))
            continue;
#endif
        if (v_nonzero_bits(group.rho)) {
            decode_group(block, &row, q, &group, magsgn_position, sample);
        } else {
            v_store(row.left + q, v_zero());
            v_store(row.right + q, v_zero());
        }
        NAME(store_row)(top + 2 * q, left, sample[0], sample[2]);
        if (bottom)
            NAME(store_row)(bottom + 2 * q, left, sample[1], sample[3]);
    }
    return *magsgn_position <= block->magsgn_bits + 8;
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
