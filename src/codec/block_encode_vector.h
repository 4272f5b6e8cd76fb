/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HT cleanup encoder (15444-15, 7.3) for CPU levels with vectors: included by block_encode.c, whose C version gives
 * the same bytes.
 */
#include "codec/simd.h"

/* Rows of quads have neighbours on both sides, which are insignificant; the vectors of a last group reach beyond. */
#define ROW_MARGIN 16
#define ROW_QUADS (MAX_ROW_QUADS + 2 * ROW_MARGIN)

struct vector_scratch {
    struct encode_scratch streams;
    /* Of this quad row and the one above: significance, exponents of the bottom left and the bottom right samples. */
    int32_t rho[2][ROW_QUADS];
    int32_t left[2][ROW_QUADS];
    int32_t right[2][ROW_QUADS];
};
_Static_assert(sizeof(struct vector_scratch) <= BLOCK_SCRATCH_SIZE, "the encoder fits into a block's scratch");

/* The rows that a quad row reads and writes, at its first quad. */
struct quad_rows {
    int32_t *rho, *left, *right;
    const int32_t *rho_above, *left_above, *right_above;
    bool first;
};

struct quad_vectors {
    vec sample[4]; /* top left, bottom left, top right, bottom right */
};

static void start_vector_block(struct vector_scratch *scratch, unsigned quads)
{
    start_block(&scratch->streams);
    size_t used = (ROW_MARGIN + (quads + LANES - 1) / LANES * LANES + 1) * sizeof(int32_t);
    for (int i = 0; i < 2; i++) {
        memset(scratch->rho[i], 0, used);
        memset(scratch->left[i], 0, used);
        memset(scratch->right[i], 0, used);
    }
}

static inline struct quad_rows quad_rows(struct vector_scratch *scratch, unsigned y)
{
    unsigned now = y >> 1 & 1, above = now ^ 1;
    return (struct quad_rows){scratch->rho[now] + ROW_MARGIN,
                              scratch->left[now] + ROW_MARGIN,
                              scratch->right[now] + ROW_MARGIN,
                              scratch->rho[above] + ROW_MARGIN,
                              scratch->left[above] + ROW_MARGIN,
                              scratch->right[above] + ROW_MARGIN,
                              y == 0};
}

/* c_q (7.3.5) and kappa (7.3.7). */
static inline vec quad_contexts(const struct quad_rows *rows, unsigned q, vec rho, vec *kappa)
{
    const vec one = v_set(1);
    vec west = v_load(rows->rho + q - 1);
    *kappa = one;
    if (rows->first)
        return v_or(v_shift_right(west, 1), v_and(west, one));
    vec n = v_load(rows->rho_above + q), nw = v_load(rows->rho_above + q - 1), ne = v_load(rows->rho_above + q + 1);
    vec low = v_or(v_and(nw, v_set(8)), v_and(n, v_set(2)));
    vec high = v_or(v_and(n, v_set(8)), v_and(ne, v_set(2)));
    vec around = v_max(v_max(v_load(rows->right_above + q - 1), v_load(rows->left_above + q)),
                       v_max(v_load(rows->right_above + q), v_load(rows->left_above + q + 1)));
    vec several = v_and(rho, v_sub(rho, one));
    *kappa = v_max(one, v_when(several, v_sub(around, one)));
    return v_or(v_or(v_when(low, one), v_when(v_and(west, v_set(12)), v_set(2))), v_when(high, v_set(4)));
}

/* Appends words of up to 56 bits, one for each of `count` / 2 pairs of quads; two at a time where they are short. */
static inline void put_pairs(struct flat_writer *writer, const uint64_t word[LANES / 2],
                             const uint64_t length[LANES / 2], unsigned count)
{
    struct flat_writer out = *writer;             /* in registers: stores of bytes might else change it */
    for (unsigned i = 0; 2 * i < count; i += 2) { /* those beyond `count` have no bits */
        uint64_t both = length[i] + length[i + 1];
        if (both <= 56) {
            flat_put(&out, word[i] | word[i + 1] << length[i], (unsigned)both);
        } else {
            flat_put(&out, word[i], (unsigned)length[i]);
            flat_put(&out, word[i + 1], (unsigned)length[i + 1]);
        }
    }
    *writer = out;
}

/* Appends the MagSgn bits of `count` quads: the low length[n] bits of word[n] for each sample. */
static inline void put_magsgn(struct flat_writer *writer, const vec word[4], const vec length[4], vec bound,
                              unsigned count)
{
    _Alignas(64) uint32_t lengths[4][LANES];
    if (v_greater_bits(bound, v_set(14))) { /* more than 56 bits might come together */
        _Alignas(64) uint32_t words[4][LANES];
        for (int n = 0; n < 4; n++) {
            v_store(words[n], word[n]);
            v_store(lengths[n], length[n]);
        }
        struct flat_writer out = *writer;
        for (unsigned q = 0; q < count; q++)
            for (int n = 0; n < 4; n++)
                flat_put(&out, words[n][q], lengths[n][q]);
        *writer = out;
        return;
    }
    /* Columns of up to 28 bits, then quads of up to 56: the even quads in the low halves of 64-bit lanes. */
    vec left = v_or(word[0], v_shift_left_each(word[1], length[0]));
    vec right = v_or(word[2], v_shift_left_each(word[3], length[2]));
    vec left_length = v_add(length[0], length[1]), total = v_add(left_length, v_add(length[2], length[3]));
    vec even = v_or(v_low_half(left), v_shift_left_each64(v_low_half(right), v_low_half(left_length)));
    vec odd = v_or(v_high_half(left), v_shift_left_each64(v_high_half(right), v_high_half(left_length)));
    vec even_length = v_low_half(total), odd_length = v_high_half(total);
    vec both_length = v_add64(even_length, odd_length);
    _Alignas(64) uint64_t evens[LANES / 2], even_lengths[LANES / 2];
    if (v_greater_bits(both_length, v_set(56))) {
        _Alignas(64) uint64_t odds[LANES / 2], odd_lengths[LANES / 2];
        v_store(evens, even);
        v_store(even_lengths, even_length);
        v_store(odds, odd);
        v_store(odd_lengths, odd_length);
        struct flat_writer out = *writer;
        for (unsigned q = 0; q < count; q += 2) { /* quads beyond `count` have no bits */
            flat_put(&out, evens[q / 2], (unsigned)even_lengths[q / 2]);
            flat_put(&out, odds[q / 2], (unsigned)odd_lengths[q / 2]);
        }
        *writer = out;
        return;
    }
    v_store(evens, v_or(even, v_shift_left_each64(odd, even_length)));
    v_store(even_lengths, both_length);
    put_pairs(writer, evens, even_lengths, count);
}

/* Runs of quads without and with significant samples, as MEL codes them: bit i of `events` is the i-th of `count`. */
static inline void mel_put_events(struct mel_encoder *mel, uint32_t events, unsigned count)
{
    while (count) {
        unsigned zeros = events ? (unsigned)__builtin_ctz(events) : count;
        if (zeros) {
            mel->run += zeros;
            while (mel->run >= 1u << mel_exponent[mel->state]) {
                mel->run -= 1u << mel_exponent[mel->state];
                mel_put_bit(mel, 1);
                mel->state += mel->state < 12;
            }
        }
        if (events) {
            mel_put(mel, true);
            events = events >> zeros >> 1;
            count -= zeros + 1;
        } else
            break;
    }
}

/* Appends the VLC codewords and u codes of `count` quads, pair by pair. `code` is 0 where there is no quad. */
static inline void put_vlc(struct encode_scratch *streams, vec code, vec u, bool first_row, uint32_t without_context,
                           uint32_t significant, unsigned count)
{
    struct mel_encoder *mel = &streams->mel_encoder;
    if (!first_row)
        mel_put_events(mel, _pext_u32(significant, without_context), (unsigned)__builtin_popcount(without_context));
    vec length = v_and(v_shift_right(code, 4), v_set(15)), word = v_shift_right(code, 8);
    _Alignas(64) uint64_t words[LANES / 2], lengths[LANES / 2];
    vec words_v = v_or(v_low_half(word), v_shift_left_each64(v_high_half(word), v_low_half(length)));
    vec lengths_v = v_add64(v_low_half(length), v_high_half(length));
    if (!first_row && !v_greater_bits(u, v_set(31))) {
        vec index = v_or(v_shift_left(v_low_half(u), 5), v_high_half(u));
        vec uvlc = v_gather_wide(block_uvlc_encode, index);
        words_v = v_or(words_v, v_shift_left_each64(v_and(uvlc, v_set(0xffffff)), lengths_v));
        lengths_v = v_add64(lengths_v, v_shift_right(uvlc, 24));
        v_store(words, words_v);
        v_store(lengths, lengths_v);
        put_pairs(&streams->vlc_writer, words, lengths, count);
        return;
    }
    v_store(words, words_v);
    v_store(lengths, lengths_v);
    _Alignas(64) uint32_t us[LANES];
    v_store(us, u);
    for (unsigned q = 0; q < count; q += 2) {
        uint32_t u0 = us[q], u1 = us[q + 1];
        if (first_row) {
            if (without_context >> q & 1)
                mel_put(mel, significant >> q & 1);
            if (without_context >> q & 2)
                mel_put(mel, significant >> q & 2);
            if (u0 && u1)
                mel_put(mel, u0 > 2 && u1 > 2);
        }
        flat_put(&streams->vlc_writer, words[q / 2], (unsigned)lengths[q / 2]);
        uvlc_put(&streams->vlc_writer, u0, u1, first_row);
    }
}

/* Codes quads q .. q + count - 1 of a row; returns whether a sample is significant. */
static inline uint32_t code_quads(struct vector_scratch *scratch, const struct quad_rows *rows,
                                  const struct quad_vectors *quad, unsigned q, unsigned count)
{
    const vec one = v_set(1);
    vec less[4], exponent[4], rho = v_zero();
    for (int n = 0; n < 4; n++) {
        vec magnitude = v_abs(quad->sample[n]);
        less[n] = v_sub(magnitude, one);
        /* E: the bits of 2 (magnitude - 1) + 1 */
        exponent[n] = v_when(magnitude, v_add(v_bit_length(less[n]), one));
        rho = v_or(rho, v_when(magnitude, v_set(1 << n)));
    }
    vec largest = v_max(v_max(exponent[0], exponent[1]), v_max(exponent[2], exponent[3]));
    v_store(rows->rho + q, rho);
    v_store(rows->left + q, exponent[1]);
    v_store(rows->right + q, exponent[3]);
    vec kappa, context = quad_contexts(rows, q, rho, &kappa);
    const uint32_t live = (uint32_t)((1ull << count) - 1), significant = v_nonzero_bits(rho);
    const uint32_t without_context = ~v_nonzero_bits(context) & live;
    if (!significant && without_context == live) {
        mel_put_events(&scratch->streams.mel_encoder, 0, count);
        return 0;
    }
    vec bound = v_max(kappa, largest), u = v_sub(bound, kappa), eps = v_zero();
    for (int n = 0; n < 4; n++)
        eps = v_or(eps, v_when_equal(exponent[n], largest, v_set(1 << n)));
    vec index = v_or(v_or(v_shift_left(context, 8), v_shift_left(rho, 4)), v_when(u, eps));
    vec code = v_gather(block_vlc_encode + (rows->first ? 0 : 2048), index);
    if (count < LANES)
        code = v_and(code, v_load(lane_masks + LANES - count));
    vec word[4], length[4];
    for (int n = 0; n < 4; n++) {
        length[n] = v_sub(bound, v_and(v_shift_right(code, n), one));
        length[n] = v_when(quad->sample[n], length[n]);
        word[n] = v_or(v_add(less[n], less[n]), v_shift_right(quad->sample[n], 31));
        word[n] = v_andnot(v_shift_left_each(v_set(-1), length[n]), word[n]);
    }
    put_magsgn(&scratch->streams.magsgn_writer, word, length, bound, count);
    put_vlc(&scratch->streams, code, u, rows->first, without_context, significant, count);
    return significant;
}

#define LANE_BITS 16
#define SAMPLE int16_t
#include "codec/block_encode_vector_template.h"
#define LANE_BITS 32
#define SAMPLE int32_t
#include "codec/block_encode_vector_template.h"
