/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step 2 of the block decoder where U_q is at most 14, as it is in nearly all blocks of medical images, for CPUs with
 * AVX-512 VBMI: a quad is a 64-bit lane, its samples the four 16-bit words of it. The quad's bits (up to 56) come into
 * the lane by a permutation of the 128 bytes that follow the position, and one multishift takes out all four samples.
 */
#define WORDS_MAX_BOUND 14

/* For each word, or byte, of a 64-bit lane. */
#define EACH_QUAD(w3, w2, w1, w0) \
    _mm512_set1_epi64((int64_t)((uint64_t)(w3) << 48 | (uint64_t)(w2) << 32 | (w1) << 16 | (w0)))
#define EACH_QUAD_BYTES(low) _mm512_set1_epi64(low)

/* 8 quads, each with its samples as words: top left, bottom left, top right, bottom right. */
struct word_quads {
    vec value; /* MagSgn values, 2 (mu - 1) + sign */
    __mmask32 significant;
};

/* Bits of all quads, from rho and e_k by table: rho_q samples of U_q bits, those of e_k one less. */
static inline vec word_totals(vec entry, vec rho, vec bound)
{
    const vec ones = _mm512_setr_epi32(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    vec shorter = _mm512_permutexvar_epi32(v_and(rho, v_shift_right(entry, 8)), ones);
    return v_sub(_mm512_mullo_epi16(_mm512_permutexvar_epi32(rho, ones), bound), shorter);
}

/* The 8 quads in the low (half 0) or high (1) lanes; their bits start `start` bits into near and far together. */
static inline struct word_quads word_values(vec entry, vec bound, vec start, vec near, vec far, unsigned half)
{
    const vec pick = v_add(_mm512_set_epi16(14, 14, 14, 14, 12, 12, 12, 12, 10, 10, 10, 10, 8, 8, 8, 8, 6, 6, 6, 6, 4,
                                            4, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0),
                           _mm512_set1_epi16(half ? 16 : 0));
    const vec one = _mm512_set1_epi16(1);
    struct word_quads quads;
    vec e = _mm512_permutexvar_epi16(pick, entry), u = _mm512_permutexvar_epi16(pick, bound);
    quads.significant = _mm512_test_epi16_mask(e, EACH_QUAD(0x80, 0x40, 0x20, 0x10));
    __mmask32 shorter = _mm512_mask_test_epi16_mask(quads.significant, e, EACH_QUAD(0x800, 0x400, 0x200, 0x100));
    __mmask32 top = _mm512_mask_test_epi16_mask(quads.significant, e, EACH_QUAD(0x8000, 0x4000, 0x2000, 0x1000));
    vec length = _mm512_maskz_mov_epi16(quads.significant, u);
    length = _mm512_mask_sub_epi16(length, shorter, length, one);
    /* Where each sample starts within its quad. */
    vec before = _mm512_slli_epi64(length, 16);
    before = _mm512_add_epi16(before, _mm512_slli_epi64(before, 16));
    before = _mm512_add_epi16(before, _mm512_slli_epi64(length, 48));
    /* The 8 bytes from the quad's first bit on, in its lane. */
    const vec spread = _mm512_set4_epi32(0x08080808, 0x08080808, 0, 0);
    vec at = _mm512_cvtepu32_epi64(half ? _mm512_extracti64x4_epi64(start, 1) : _mm512_castsi512_si256(start));
    vec byte = _mm512_shuffle_epi8(_mm512_srli_epi64(at, 3), spread);
    vec bit = _mm512_shuffle_epi8(_mm512_and_si512(at, _mm512_set1_epi64(7)), spread);
    vec bytes = _mm512_permutex2var_epi8(near, _mm512_add_epi8(byte, EACH_QUAD_BYTES(0x0706050403020100)), far);
    /* Both bytes of each word: at its first bit, and 8 bits on. */
    const vec twice = _mm512_set4_epi32(0x0e0e0c0c, 0x0a0a0808, 0x06060404, 0x02020000);
    vec control =
        _mm512_add_epi8(_mm512_shuffle_epi8(before, twice), _mm512_add_epi8(bit, EACH_QUAD_BYTES(0x0800080008000800)));
    vec bits = _mm512_multishift_epi64_epi8(control, bytes);
    bits = v_andnot(_mm512_sllv_epi16(_mm512_set1_epi16(-1), length), bits);
    quads.value = v_or(bits, _mm512_maskz_sllv_epi16(top, one, length));
    return quads;
}

/* Values to samples; shift and middle as in the C version, all modulo 2^16. */
static inline vec word_samples(const struct word_quads *quads, unsigned shift, vec middle)
{
    vec magnitude = _mm512_srli_epi16(_mm512_add_epi16(quads->value, _mm512_set1_epi16(2)), 1);
    magnitude = _mm512_sll_epi16(magnitude, _mm_cvtsi32_si128((int)shift));
    magnitude = _mm512_maskz_add_epi16(quads->significant, magnitude, middle);
    __mmask32 negative = _mm512_test_epi16_mask(quads->value, _mm512_set1_epi16(1));
    return _mm512_mask_sub_epi16(magnitude, negative, v_zero(), magnitude);
}

/*
 * The samples of 16 quads from q on, 32 words a row. Advances the position and stores the exponents of the bottom
 * samples (0 where it is 1: the row below takes the same from both).
 */
static inline void decode_words(const struct block *block, const struct quad_row *row, unsigned q,
                                const struct quad_group *group, size_t *position, vec *top, vec *bottom)
{
    const struct block_decode_job *job = block->job;
    const unsigned plane = job->planes - 1 - job->planes_skipped;
    const vec middle = _mm512_set1_epi16((int16_t)((uint32_t)1 << plane >> !job->half));
    const vec entry = group->entry, bound = group->bound;
    vec total = word_totals(entry, group->rho, bound), ends = v_prefix_sum(total);
    vec start = v_add(v_sub(ends, total), v_set((int32_t)(*position & 7)));
    const uint8_t *from = block->scratch->flat.magsgn + (*position >> 3);
    vec near = v_load(from), far = v_load(from + 64);
    *position += v_last(ends);
    struct word_quads low = word_values(entry, bound, start, near, far, 0);
    struct word_quads high = word_values(entry, bound, start, near, far, 1);
    const vec first = _mm512_set_epi16(60, 60, 56, 56, 52, 52, 48, 48, 44, 44, 40, 40, 36, 36, 32, 32, 28, 28, 24, 24,
                                       20, 20, 16, 16, 12, 12, 8, 8, 4, 4, 0, 0);
    vec left = _mm512_maskz_permutex2var_epi16(0x55555555, low.value, v_add(first, v_set(1)), high.value);
    vec right = _mm512_maskz_permutex2var_epi16(0x55555555, low.value, v_add(first, v_set(3)), high.value);
    v_store(row->left + q, v_bit_length(left));
    v_store(row->right + q, v_bit_length(right));
    vec a = word_samples(&low, plane + job->half, middle), b = word_samples(&high, plane + job->half, middle);
    const vec upper = v_add(first, v_set(2 << 16));
    *top = _mm512_permutex2var_epi16(a, upper, b);
    *bottom = _mm512_permutex2var_epi16(a, v_add(upper, _mm512_set1_epi16(1)), b);
}
