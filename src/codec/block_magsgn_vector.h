/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step 2 of the block decoder for CPU levels with vectors: MagSgn bits to samples, LANES quads at a time (15444-15,
 * 7.3.4). The lengths of all samples are known from the VLC stream and the row above, so a prefix sum tells where the
 * bits of each are.
 */
#include "codec/simd.h"

/* What a row of quads needs of its surroundings, at its first quad. */
struct quad_row {
    const uint16_t *quad;
    const uint8_t *u;
    const int32_t *left_above, *right_above; /* exponents of the bottom samples of the row above */
    int32_t *left, *right;
    bool first;
};

static inline struct quad_row quad_row(const struct block *block, unsigned y)
{
    struct decode_scratch *scratch = block->scratch;
    const size_t slot = 1 + (size_t)(y / 2) * block->pitch;
    const unsigned now = y >> 1 & 1, above = now ^ 1;
    return (struct quad_row){scratch->quad + slot,
                             scratch->u + slot,
                             scratch->rows.exponent.left[above] + ROW_MARGIN,
                             scratch->rows.exponent.right[above] + ROW_MARGIN,
                             scratch->rows.exponent.left[now] + ROW_MARGIN,
                             scratch->rows.exponent.right[now] + ROW_MARGIN,
                             y == 0};
}

/* Bits length[n] of each sample, taken from `position` of the flat stream on; advances it. */
static inline void take_samples(const struct block *block, const vec length[4], vec bound, size_t *position,
                                vec bits[4])
{
    const uint8_t *flat = block->scratch->flat.magsgn;
    vec left = v_add(length[0], length[1]), first3 = v_add(left, length[2]), total = v_add(first3, length[3]);
    vec ends = v_prefix_sum(total), start = v_add(v_sub(ends, total), v_set((int32_t)*position));
    /* Far behind the end, where only malformed blocks get, the position stays inside the padding. */
    const vec limit = v_set((int32_t)block->magsgn_bits + 64), seven = v_set(7);
    if (!v_greater_bits(bound, v_set(14))) {
        /* A quad's bits and the 7 before them fit into 64: even and odd quads, one load each. */
        start = v_min(start, limit);
        vec byte = v_shift_right(start, 3), bit = v_and(start, seven);
        vec even = v_shift_right_each64(v_gather64(flat, v_low_half(byte)), v_low_half(bit));
        vec odd = v_shift_right_each64(v_gather64(flat, v_high_half(byte)), v_high_half(bit));
        const vec offset[4] = {v_zero(), length[0], left, first3};
        for (int n = 0; n < 4; n++)
            bits[n] = v_or(v_low_half(v_shift_right_each64(even, v_low_half(offset[n]))),
                           v_to_high_half(v_shift_right_each64(odd, v_high_half(offset[n]))));
    } else if (v_greater_bits(bound, v_set(25))) {
        _Alignas(64) uint32_t at[LANES], word[LANES];
        const vec offset[4] = {v_zero(), length[0], left, first3};
        for (int n = 0; n < 4; n++) {
            v_store(at, v_min(v_add(start, offset[n]), limit));
            for (unsigned i = 0; i < LANES; i++)
                word[i] = (uint32_t)flat_peek(flat, at[i]);
            bits[n] = v_load(word);
        }
    } else {
        /* 25 bits of each sample by a load of its own. */
        const vec offset[4] = {v_zero(), length[0], left, first3};
        for (int n = 0; n < 4; n++) {
            vec at = v_min(v_add(start, offset[n]), limit);
            bits[n] = v_shift_right_each(v_gather_bytes(flat, v_shift_right(at, 3)), v_and(at, seven));
        }
    }
    for (int n = 0; n < 4; n++)
        bits[n] = v_andnot(v_shift_left_each(v_set(-1), length[n]), bits[n]);
    *position += v_last(ends);
}

/* What is known of LANES quads before their bits are read; 0 behind the row's end. */
struct quad_group {
    vec entry, rho;
    vec bound; /* U_q; 1 behind the row's end */
};

/* False if a bound is too large. */
static inline bool take_group(const struct block *block, const struct quad_row *row, unsigned q,
                              struct quad_group *group)
{
    const unsigned count = block->quads - q < LANES ? block->quads - q : LANES;
    const vec one = v_set(1);
    vec live = v_load(lane_masks + LANES - count);
    group->entry = v_and(v_load_u16(row->quad + q), live);
    group->rho = v_and(v_shift_right(group->entry, 4), v_set(15));
    group->bound = v_add(v_and(v_load_u8(row->u + q), live), one);
    if (!row->first) {
        vec around = v_max(v_max(v_load(row->right_above + q - 1), v_load(row->left_above + q)),
                           v_max(v_load(row->right_above + q), v_load(row->left_above + q + 1)));
        vec more = v_max(v_sub(around, v_set(2)), v_zero());
        group->bound = v_add(group->bound, v_when(v_and(group->rho, v_sub(group->rho, one)), more));
    }
    return !v_greater_bits(group->bound, v_set((int32_t)block->job->planes_skipped + 2));
}

/* The samples of LANES quads from q on, in lanes of 32 bits. */
static inline void decode_group(const struct block *block, const struct quad_row *row, unsigned q,
                                const struct quad_group *group, size_t *position, vec sample[4])
{
    const struct block_decode_job *job = block->job;
    const unsigned plane = job->planes - 1 - job->planes_skipped;
    const vec one = v_set(1), entry = group->entry;
    vec length[4], bits[4], exponent[4];
    for (int n = 0; n < 4; n++)
        length[n] =
            v_when(v_and(group->rho, v_set(1 << n)), v_sub(group->bound, v_and(v_shift_right(entry, 8 + n), one)));
    take_samples(block, length, group->bound, position, bits);
    const vec middle = v_set((int32_t)((uint32_t)1 << plane >> !job->half));
    for (int n = 0; n < 4; n++) {
        vec inside = v_and(group->rho, v_set(1 << n));
        vec value = v_or(bits[n], v_shift_left_each(v_and(v_shift_right(entry, 12 + n), one), length[n]));
        exponent[n] = v_when(inside, v_add(v_bit_length(v_shift_right(value, 1)), one)); /* of value | 1 */
        vec magnitude = v_shift_left_all(v_add(v_shift_right(value, 1), one), plane + job->half);
        vec negative = v_sub(v_zero(), v_and(value, one));
        sample[n] = v_when(inside, v_sub(v_xor(v_add(magnitude, middle), negative), negative));
    }
    v_store(row->left + q, exponent[1]);
    v_store(row->right + q, exponent[3]);
}

#ifdef __AVX512VBMI2__
#include "codec/block_magsgn_words.h"
#endif
