/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step 2 of the block decoder with the 128-bit vectors of WebAssembly, for LANE_BITS (16 or 32) and SAMPLE: one quad a
 * vector, its samples the four lanes. They have no shifts by lane; multiplications by powers of two from a table are
 * these.
 */

/* U_q up to which a quad's bits, the 7 before them included, are within 64, and a sample's within 3 bytes. */
#ifndef QUAD_MAX_BOUND
#define QUAD_MAX_BOUND 14

/* MagSgn values of a quad; lanes that are not significant are 0. */
struct quad_values {
    v128_t value, inside;
};

/*
 * In memory, since engines make a vector constant anew, in several instructions, wherever it stands in a loop.
 * lanes[n] has all bits in the lanes whose bit of n is set; fields[n] a 1 in each 16-bit field of them.
 */
#define LANES_OF(n)                                                 \
    {                                                               \
        -((n)&1), -((n) >> 1 & 1), -((n) >> 2 & 1), -((n) >> 3 & 1) \
    }
#define FIELDS_OF(n) \
    ((uint64_t)((n)&1) | (uint64_t)((n) >> 1 & 1) << 16 | (uint64_t)((n) >> 2 & 1) << 32 | (uint64_t)((n) >> 3) << 48)
#define EACH_OF_16(what)                                                                                              \
    {                                                                                                                 \
        what(0), what(1), what(2), what(3), what(4), what(5), what(6), what(7), what(8), what(9), what(10), what(11), \
            what(12), what(13), what(14), what(15)                                                                    \
    }
#define EACH_FIELD 0x0001000100010001u
struct quad_constants {
    _Alignas(16) int32_t lanes[16][4];
    _Alignas(16) uint8_t factors[16]; /* 2^(7 - n) */
    uint32_t four_times[4], next[4], no_more[4], seven[4];
    uint64_t fields[16];
};
static struct quad_constants quad_constants = {
    .lanes = EACH_OF_16(LANES_OF),
    .factors = {128, 64, 32, 16, 8, 4, 2, 1},
    .four_times = {0x01010101, 0x01010101, 0x01010101, 0x01010101},
    .next = {0x03020100, 0x03020100, 0x03020100, 0x03020100},
    .no_more = {0x80808000, 0x80808000, 0x80808000, 0x80808000},
    .seven = {7, 7, 7, 7},
    .fields = EACH_OF_16(FIELDS_OF),
};

static inline struct quad_values take_short_quad(const struct quad_constants *constant, const uint8_t *magsgn,
                                                 size_t *position, unsigned entry, unsigned bound)
{
    const unsigned rho = entry >> 4 & 15, e_k = entry >> 8 & 15, e_1 = entry >> 12 & 15;
    const v128_t inside = wasm_v128_load(constant->lanes[rho]), shorter = wasm_v128_load(constant->lanes[e_k]);
    const v128_t top = wasm_v128_load(constant->lanes[e_1]);
    /* Lengths, ends and starts in fields of 16 bits: a product with ones adds up what is below. */
    uint64_t lengths = bound * constant->fields[rho] - constant->fields[e_k & rho];
    uint64_t ends = lengths * EACH_FIELD;
    v128_t start =
        wasm_u32x4_extend_low_u16x8(wasm_i64x2_splat((int64_t)(ends - lengths + (*position & 7) * EACH_FIELD)));
    v128_t bytes = wasm_v128_load(magsgn + (*position >> 3));
    *position += ends >> 48;
    /* The 4 bytes from there on, less the bits before it: times 2^(7 - bit) / 2^7. An index above 15 gives 0. */
    v128_t byte = wasm_i32x4_mul(wasm_u32x4_shr(start, 3), wasm_v128_load(constant->four_times));
    v128_t word = wasm_i8x16_swizzle(bytes, wasm_i32x4_add(byte, wasm_v128_load(constant->next)));
    v128_t bit = wasm_v128_or(wasm_v128_and(start, wasm_v128_load(constant->seven)), wasm_v128_load(constant->no_more));
    v128_t factor = wasm_i8x16_swizzle(wasm_v128_load(constant->factors), bit);
    word = wasm_u32x4_shr(wasm_i32x4_mul(word, factor), 7);
    /* 2^length: 2^bound, or half of it. */
    v128_t power = wasm_i32x4_splat((int32_t)1 << bound);
    power = wasm_i32x4_sub(power, wasm_v128_and(shorter, wasm_u32x4_shr(power, 1)));
    v128_t all = wasm_i32x4_sub(power, wasm_i32x4_splat(1));
    v128_t value = wasm_v128_or(wasm_v128_and(word, all), wasm_v128_and(top, power));
    return (struct quad_values){wasm_v128_and(value, inside), inside};
}
#endif

/* The same of more bits. */
static inline struct quad_values NAME(take_long_quad)(const uint8_t *magsgn, size_t *position, unsigned entry,
                                                      unsigned bound)
{
    uint32_t value[4] = {0};
    for (unsigned n = 0; n < 4; n++) {
        if (!(entry >> (4 + n) & 1))
            continue;
        unsigned length = bound - (entry >> (8 + n) & 1);
        value[n] =
            (uint32_t)((flat_peek(magsgn, *position) & low_bits(length)) | (uint64_t)(entry >> (12 + n) & 1) << length);
        *position += length;
    }
    return (struct quad_values){wasm_v128_load(value), wasm_v128_load(quad_constants.lanes[entry >> 4 & 15])};
}

/* Samples of rows y (lanes 0, 2) and y + 1 (lanes 1, 3), which may be beyond the block; `two`: the right ones are in
 * it. */
static inline void NAME(put_quad)(SAMPLE *top, SAMPLE *bottom, v128_t sample, bool two)
{
    if (two) {
#if LANE_BITS == 16
        const uint64_t left = (uint64_t)wasm_i64x2_extract_lane(sample, 0);
        const uint64_t right = (uint64_t)wasm_i64x2_extract_lane(sample, 1);
        const uint32_t above = (uint32_t)(left & 0xffff) | (uint32_t)right << 16;
        const uint32_t below = (uint32_t)(left >> 32 & 0xffff) | (uint32_t)(right >> 32) << 16;
        memcpy(top, &above, sizeof above);
        if (bottom)
            memcpy(bottom, &below, sizeof below);
#else
        v128_t rows = wasm_i32x4_shuffle(sample, sample, 0, 2, 1, 3);
        wasm_v128_store64_lane(top, rows, 0);
        if (bottom)
            wasm_v128_store64_lane(bottom, rows, 1);
#endif
        return;
    }
    *top = (SAMPLE)wasm_i32x4_extract_lane(sample, 0);
    if (bottom)
        *bottom = (SAMPLE)wasm_i32x4_extract_lane(sample, 1);
}

/* Step 2 for the row of quads that starts at sample row y. */
static bool NAME(decode_magsgn_row)(const struct block *block, unsigned y, size_t *magsgn_position)
{
    const struct block_decode_job *job = block->job;
    struct decode_scratch *scratch = block->scratch;
    const size_t slot = 1 + (size_t)(y / 2) * block->pitch;
    const uint32_t *above = scratch->rows.words[!(y >> 1 & 1)] + 1;
    uint32_t *below = scratch->rows.words[y >> 1 & 1] + 1;
    const unsigned largest_bound = job->planes_skipped + 2, plane = job->planes - 1 - job->planes_skipped;
    const unsigned shift = plane + job->half;
    const v128_t least = wasm_i32x4_splat((int32_t)(((uint32_t)1 << shift) + ((uint32_t)1 << plane >> !job->half)));
    const struct quad_constants *constant = &quad_constants;
    __asm__("" : "+r"(constant)); /* or they would be put into the code again */
    SAMPLE *top = (SAMPLE *)job->out + y * job->stride, *bottom = y + 1 < job->height ? top + job->stride : NULL;
    size_t position = *magsgn_position;
    for (unsigned q = 0; q < block->quads; q++) {
        unsigned entry = scratch->quad[slot + q], rho = entry >> 4 & 15, bound = scratch->u[slot + q] + 1;
        if (y > 0) {
            const uint32_t *at = above + 2 * q;
            uint32_t any = (at[-1] | at[0] | at[1] | at[2] | 3) * (uint32_t)((rho & (rho - 1)) != 0) | 3;
            bound += 30 - (unsigned)__builtin_clz(any); /* kappa = max(1, largest - 1) */
        }
        if (bound > largest_bound || position > block->magsgn_bits + 8)
            return false;
        struct quad_values quad = bound <= QUAD_MAX_BOUND
                                      ? take_short_quad(constant, scratch->flat.magsgn, &position, entry, bound)
                                      : NAME(take_long_quad)(scratch->flat.magsgn, &position, entry, bound);
        const v128_t one = wasm_i32x4_splat(1);
        v128_t magnitude = wasm_i32x4_add(wasm_i32x4_shl(wasm_u32x4_shr(quad.value, 1), shift), least);
        v128_t negative = wasm_i32x4_neg(wasm_v128_and(quad.value, one));
        v128_t sample = wasm_v128_and(wasm_i32x4_sub(wasm_v128_xor(magnitude, negative), negative), quad.inside);
        NAME(put_quad)(top + 2 * q, bottom ? bottom + 2 * q : NULL, sample, 2 * q + 1 < job->width);
        v128_t bits = wasm_v128_or(quad.value, wasm_v128_and(quad.inside, one));
        wasm_v128_store64_lane(below + 2 * q, wasm_i32x4_shuffle(bits, bits, 1, 3, 1, 3), 0);
    }
    below[2 * block->quads] = 0;
    *magsgn_position = position;
    return position <= block->magsgn_bits + 8;
}

/* Nothing is significant to the left of the block. */
static void NAME(start_rows)(const struct block *block)
{
    block->scratch->rows.words[0][0] = block->scratch->rows.words[1][0] = 0;
}
