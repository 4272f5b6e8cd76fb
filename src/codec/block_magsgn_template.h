/* SPDX-License-Identifier: BSD-2-Clause */
/* Step 2 of the block decoder in C: MagSgn bits to samples (15444-15, 7.3.4), for LANE_BITS and SAMPLE. */

/* One quad of MagSgn: U_q is `bound`; value n goes to value[n]. */
static inline void NAME(take_quad)(const uint8_t *magsgn, size_t *position, unsigned entry, unsigned bound,
                                   uint64_t *value)
{
    for (unsigned n = 0; n < 4; n++) {
        value[n] = 0;
        if (!(entry >> (4 + n) & 1))
            continue;
        unsigned length = bound - (entry >> (8 + n) & 1);
        uint64_t bits = flat_peek(magsgn, *position);
        if (LANE_BITS == 64 && length > 56) /* flat_peek() gives 57 */
            bits = (bits & low_bits(32)) | flat_peek(magsgn, *position + 32) << 32;
        value[n] = (bits & low_bits(length)) | (uint64_t)(entry >> (12 + n) & 1) << length;
        *position += length;
    }
}

/* The sample of MagSgn value v = 2 (mu - 1) + sign. */
static inline SAMPLE NAME(place)(uint64_t value, unsigned shift, SAMPLE middle)
{
    uint64_t magnitude = (((value >> 1) + 1) << shift) + (uint64_t)middle;
    return (SAMPLE)(value & 1 ? 0 - magnitude : magnitude);
}

/* Step 2 for the row of quads that starts at sample row y. */
static bool NAME(decode_magsgn_row)(const struct block *block, unsigned y, size_t *magsgn_position)
{
    const struct block_decode_job *job = block->job;
    struct decode_scratch *scratch = block->scratch;
    const size_t slot = 1 + (size_t)(y / 2) * block->pitch;
    const uint64_t *above = scratch->rows.bottom[!(y >> 1 & 1)] + 1;
    uint64_t *below = scratch->rows.bottom[y >> 1 & 1] + 1;
    const unsigned largest_bound = job->planes_skipped + 2, plane = job->planes - 1 - job->planes_skipped;
    const unsigned shift = plane + job->half;
    const SAMPLE middle = NAME(middle)(plane, job->half);
    SAMPLE *top = (SAMPLE *)job->out + y * job->stride, *bottom = y + 1 < job->height ? top + job->stride : NULL;
    size_t position = *magsgn_position;
    for (unsigned q = 0; q < block->quads; q++) {
        unsigned entry = scratch->quad[slot + q], rho = entry >> 4 & 15, bound = scratch->u[slot + q] + 1;
        if (y > 0 && (rho & (rho - 1))) {
            const uint64_t *at = above + 2 * q;
            uint64_t any = at[-1] | at[0] | at[1] | at[2];
            unsigned largest = any ? 64 - (unsigned)__builtin_clzll(any) : 0;
            bound += largest > 2 ? largest - 2 : 0; /* kappa = max(1, largest - 1) */
        }
        if (bound > largest_bound || position > block->magsgn_bits + 8)
            return false;
        uint64_t value[4];
        NAME(take_quad)(scratch->flat.magsgn, &position, entry, bound, value);
        unsigned x = 2 * q;
        top[x] = rho & 1 ? NAME(place)(value[0], shift, middle) : 0;
        if (bottom)
            bottom[x] = rho & 2 ? NAME(place)(value[1], shift, middle) : 0;
        if (x + 1 < job->width) {
            top[x + 1] = rho & 4 ? NAME(place)(value[2], shift, middle) : 0;
            if (bottom)
                bottom[x + 1] = rho & 8 ? NAME(place)(value[3], shift, middle) : 0;
        }
        below[x] = rho & 2 ? value[1] | 1 : 0;
        below[x + 1] = rho & 8 ? value[3] | 1 : 0;
    }
    below[2 * block->quads] = 0;
    *magsgn_position = position;
    return position <= block->magsgn_bits + 8;
}

/* Nothing is significant to the left of the block. */
static void NAME(start_rows)(const struct block *block)
{
    block->scratch->rows.bottom[0][0] = block->scratch->rows.bottom[1][0] = 0;
}
