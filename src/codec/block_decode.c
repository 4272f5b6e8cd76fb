/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HT block decoder (15444-15, clause 7): first the MEL and VLC streams of the whole block into one record per quad,
 * then the MagSgn samples row by row, then SigProp and MagRef on the finished samples. The first step does not depend
 * on the lane; the others come from a template.
 */
#include "codec/block_streams.h"
#include "codec/block_tables.h"
#include "codec/kernel_level.h"

/*
 * Quads are kept with one empty quad before each row and at least one behind it:
 * the most for sides up to 1024 and an area up to 4096 are rows of (5 + 1) / 2 + 1 + 2 quads, 410 of them.
 */
#define MAX_QUAD_SLOTS 3072
#define MAX_PLANES 62
/* Rows of quads with room for their neighbours and for whole vectors. */
#define ROW_MARGIN 16
#define MAX_ROW_SLOTS (BLOCK_MAX_SIDE / 2 + 2 * ROW_MARGIN)
/*
 * What is read of a stream at most: what lies behind that many bytes is not looked at. Two bytes of a stream hold at
 * least 15 bits. A sample takes up to MAX_PLANES + 2 bits of MagSgn, 2 of SigProp and 1 of MagRef.
 */
#define STUFFED_BYTES(bits) ((bits) / 15 * 2 + 2)
#define MAX_MAGSGN_BYTES STUFFED_BYTES(BLOCK_MAX_AREA *(MAX_PLANES + 2))
#define MAX_SIGPROP_BYTES STUFFED_BYTES(BLOCK_MAX_AREA * 2)
#define MAX_MAGREF_BYTES STUFFED_BYTES(BLOCK_MAX_AREA)
#define MAX_TAIL_BYTES 4095 /* Scup has 12 bits */
#define MAX_ROW_QUADS (BLOCK_MAX_SIDE / 2)
#define MAX_PAIR_BITS 38 /* two codewords of 7 bits, two u codes of 12 */
#define ROW_BYTES(quads) (((quads) + 1) / 2 * MAX_PAIR_BITS / 8 + 1)
/* Blocks of the same size that are decoded in turns. */
#define BLOCKS 4

/* Significance as rows of bits, one row of samples each, for SigProp and MagRef. */
#define MAX_STRIPE_COLUMNS (BLOCK_MAX_SIDE + 8)

/* MEL reader (7.3.3): bits from the top of bytes; behind 0xFF comes a byte of 7 bits; ones behind the end. */
struct mel_decoder {
    const uint8_t *at;
    const uint8_t *last; /* the byte that is read as 0xFF, and the one before with its low half as 1111 (7.1.2) */
    uint64_t bits;       /* from the top */
    unsigned count;
    bool short_byte;
    unsigned state;
    int32_t run; /* events 0 before the next event 1; negative: that event 1 has been taken */
};

struct decode_scratch {
    union {
        uint8_t magsgn[MAX_MAGSGN_BYTES + FLAT_PADDING];
        struct {
            uint8_t sigprop[MAX_SIGPROP_BYTES + FLAT_PADDING];
            uint8_t magref[MAX_MAGREF_BYTES + FLAT_PADDING];
            /* By column, of the stripe above, this one and the next: bits 0 .. 3 are its four samples. */
            uint8_t significant[3][MAX_STRIPE_COLUMNS];
        } refinement;
    } flat;
    uint8_t vlc[MAX_TAIL_BYTES + 1 + FLAT_PADDING + ROW_BYTES(MAX_ROW_QUADS)];
    uint16_t quad[MAX_QUAD_SLOTS]; /* as in struct block_vlc: rho << 4 | e_k << 8 | e_1 << 12 */
    uint8_t u[MAX_QUAD_SLOTS];
    uint16_t context[MAX_ROW_QUADS + 1]; /* what the row above adds to the contexts of this one, << 7 */
    struct mel_decoder mel;
    /* What the row of quads below needs of this one and the one above, in the way of each version of step 2. */
    union {
        uint64_t bottom[2][BLOCK_MAX_SIDE + 8]; /* MagSgn values | 1 of the bottom samples; 0 where not significant */
        uint32_t words[2][BLOCK_MAX_SIDE + 8];  /* the same in 32 bits */
        struct {
            int32_t left[2][MAX_ROW_SLOTS]; /* exponents of the bottom left and right samples */
            int32_t right[2][MAX_ROW_SLOTS];
        } exponent;
    } rows;
};
_Static_assert(BLOCKS * sizeof(struct decode_scratch) <= BLOCK_SCRATCH_SIZE, "the decoder fits into a block's scratch");

static void mel_fill(struct mel_decoder *mel)
{
    while (mel->count <= 56) {
        uint64_t byte = 0xff;
        if (mel->at < mel->last)
            byte = *mel->at | (mel->at + 1 == mel->last ? 0x0f : 0);
        mel->at += mel->at < mel->last;
        unsigned length = mel->short_byte ? 7 : 8;
        mel->bits |= (byte & low_bits(length)) << (64 - length - mel->count);
        mel->count += length;
        mel->short_byte = byte == 0xff;
    }
}

/* Decodes codewords up to the next event 1, or until there are more events 0 than a block can ask for. */
static __attribute__((noinline)) void mel_next_run(struct mel_decoder *mel)
{
    bool one = false;
    mel->run = 0;
    while (!one && mel->run < 2 * MAX_QUAD_SLOTS) {
        if (mel->count < 6)
            mel_fill(mel);
        unsigned exponent = mel_exponent[mel->state], used = 1;
        if (mel->bits >> 63) {
            mel->run += 1 << exponent;
            mel->state += mel->state < 12;
        } else {
            mel->run += (int32_t)((mel->bits << 1) >> 1 >> (63 - exponent));
            mel->state -= mel->state > 0;
            used += exponent;
            one = true;
        }
        mel->bits <<= used;
        mel->count -= used;
    }
}

static inline unsigned mel_event(struct mel_decoder *mel)
{
    if (--mel->run >= 0)
        return 0;
    mel_next_run(mel);
    return 1;
}

/* Dimensions and streams of a block under way. */
struct block {
    struct block_decode_job *job;
    struct decode_scratch *scratch;
    unsigned quads; /* in a row */
    unsigned pitch; /* slots in a row */
    size_t magsgn_bits, vlc_bits;
};

/* Checks the job and the segments' lengths, and removes the stuffing of MagSgn and VLC. */
static bool open_block(struct block *block, enum codec_lane lane)
{
    const struct block_decode_job *job = block->job;
    if (job->width - 1 >= BLOCK_MAX_SIDE || job->height - 1 >= BLOCK_MAX_SIDE ||
        job->width * job->height > BLOCK_MAX_AREA || job->passes - 1 > 2 ||
        job->planes > block_decode_max_planes(lane, job->half) || job->planes_skipped >= job->planes)
        return false;
    if (job->passes > 1 && job->planes_skipped + 1 == job->planes)
        return false; /* no bit-plane is left for SigProp */
    if (job->cleanup_size < 2)
        return false;
    const uint8_t *end = job->cleanup + job->cleanup_size;
    const size_t scup = (size_t)end[-1] << 4 | (end[-2] & 15);
    if (scup < 2 || scup > job->cleanup_size || scup > 4079)
        return false;
    size_t magsgn_size = job->cleanup_size - scup;
    if (magsgn_size > MAX_MAGSGN_BYTES)
        magsgn_size = MAX_MAGSGN_BYTES;
    struct decode_scratch *scratch = block->scratch;
    block->magsgn_bits = unstuff_forward(scratch->flat.magsgn, job->cleanup, magsgn_size, 0xff);
    /* Scup's own bits are read as ones: four of them come first in the VLC stream. */
    block->vlc_bits = unstuff_backward(scratch->vlc, end - 1, scup - 1, 0x0f, 0);
    scratch->mel = (struct mel_decoder){.at = end - scup, .last = end - 1};
    block->quads = (job->width + 1) / 2;
    memset(scratch->vlc + block->vlc_bits / 8 + FLAT_PADDING, 0, ROW_BYTES(block->quads));
    block->pitch = block->quads + (block->quads & 1) + 1;
    return true;
}

/* ---- step 1: MEL and VLC ---- */

/*
 * Where a block's VLC stream is. What comes next depends on every bit before it: context, codeword, u codes are one
 * chain of table look-ups, some 35 cycles for a pair of quads, so several blocks are read in turns.
 */
struct quad_reader {
    size_t position; /* bits taken */
    uint32_t west;   /* what the quad to the left adds to the context, << 7 */
};

static const struct block_vlc insignificant_quad = {0};

/* The CxtVLC codeword of quad `slot` (7.3.5), at the start of `bits`; returns its code. Context 0 asks MEL first. */
static inline __attribute__((always_inline)) uint32_t read_quad(struct quad_reader *reader,
                                                                struct decode_scratch *scratch, uint64_t bits,
                                                                size_t slot, uint32_t above, bool first_row)
{
    uint32_t context = above | reader->west;
    const struct block_vlc *vlc = block_vlc_decode + (first_row ? 0 : 1024) + (context | (bits & 127));
    if (context == 0 && !mel_event(&scratch->mel))
        vlc = &insignificant_quad;
    reader->west = vlc->next;
    scratch->quad[slot] = vlc->quad;
    return vlc->code;
}

/* u_q of a pair of quads (7.3.6): prefixes, suffixes, extensions. As block_uvlc_pair, but of any length. */
static __attribute__((noinline)) uint32_t uvlc_long(uint64_t bits, unsigned mode)
{
    uint32_t code = block_uvlc_decode[mode << 6 | (bits & 63)];
    unsigned used = code & 15, length0 = code >> 4 & 15, length1 = code >> 8 & 15;
    unsigned suffix0 = bits >> used & low_bits(length0), suffix1 = bits >> (used + length0) & low_bits(length1);
    used += length0 + length1;
    unsigned u0 = (code >> 12 & 15) + suffix0, u1 = (code >> 16 & 15) + suffix1;
    if (suffix0 >= 28) {
        u0 += 4 * (bits >> used & 15);
        used += 4;
    }
    if (suffix1 >= 28) {
        u1 += 4 * (bits >> used & 15);
        used += 4;
    }
    return used | u0 << 16 | u1 << 24;
}

/* Quads q and, unless the row ends with q, q + 1: at most MAX_PAIR_BITS. `slot` is that of the row's first quad. */
static inline __attribute__((always_inline)) void read_pair(struct quad_reader *reader, struct decode_scratch *scratch,
                                                            size_t slot, size_t q, bool first_row, bool two)
{
    uint64_t bits = flat_peek(scratch->vlc, reader->position);
    uint32_t left = read_quad(reader, scratch, bits, slot + q, first_row ? 0 : scratch->context[q], first_row);
    uint32_t right = 0;
    bits >>= left & 63;
    if (two) {
        right = read_quad(reader, scratch, bits, slot + q + 1, first_row ? 0 : scratch->context[q + 1], first_row);
        bits >>= right & 63;
    } else {
        scratch->quad[slot + q + 1] = 0;
    }
    uint32_t mode = (left & 0x100) | (right & 0x200);
    if (first_row && mode == 0x300)
        mode = 0x400 + 0x100 * mel_event(&scratch->mel);
    uint32_t code = block_uvlc_pair[mode | (bits & 255)];
    if (code >> 31)
        code = uvlc_long(bits, mode >> 8);
    scratch->u[slot + q] = (uint8_t)(code >> 16);
    scratch->u[slot + q + 1] = (uint8_t)(code >> 24);
    reader->position += (left + right + code) & 63; /* the lengths add up to less than 64 */
}

/* A row of `blocks` blocks of the same width. */
static inline __attribute__((always_inline)) void read_row(struct quad_reader *readers, struct decode_scratch *scratch,
                                                           unsigned blocks, size_t slot, size_t quads, bool first_row)
{
    struct quad_reader reader[BLOCKS];
    size_t q = 0;
    for (unsigned i = 0; i < blocks; i++)
        reader[i] = (struct quad_reader){readers[i].position, 0};
    for (; q + 1 < quads; q += 2)
        for (unsigned i = 0; i < blocks; i++)
            read_pair(&reader[i], &scratch[i], slot, q, first_row, true);
    for (unsigned i = 0; q < quads && i < blocks; i++)
        read_pair(&reader[i], &scratch[i], slot, q, first_row, false);
    for (unsigned i = 0; i < blocks; i++)
        readers[i] = reader[i];
}

/* The same, by loops that are unrolled for 4, 2 and 1 blocks. */
static void read_rows(struct quad_reader *reader, struct decode_scratch *scratch, unsigned blocks, size_t slot,
                      size_t quads, bool first_row)
{
    for (; blocks >= BLOCKS && !first_row; blocks -= BLOCKS, reader += BLOCKS, scratch += BLOCKS)
        read_row(reader, scratch, BLOCKS, slot, quads, false);
    for (; blocks >= 2 && !first_row; blocks -= 2, reader += 2, scratch += 2)
        read_row(reader, scratch, 2, slot, quads, false);
    for (; blocks > 0; blocks--, reader++, scratch++) {
        if (first_row)
            read_row(reader, scratch, 1, slot, quads, true);
        else
            read_row(reader, scratch, 1, slot, quads, false);
    }
}

/* Whether no sample outside the block is significant. */
static bool inside_block(const struct block *block)
{
    const struct block_decode_job *job = block->job;
    const uint16_t *quad = block->scratch->quad + 1;
    unsigned outside = 0;
    if (job->width & 1)
        for (unsigned y = 0; y < job->height; y += 2)
            outside |= quad[y / 2 * block->pitch + block->quads - 1] & 0xc0;
    if (job->height & 1)
        for (unsigned q = 0; q < block->quads; q++)
            outside |= quad[job->height / 2 * block->pitch + q] & 0xa0;
    return outside == 0;
}

/* Bits 0 and 2 of c_q (7.3.5), << 7, of a row of quads from the row above: its samples 1 and 3 (bits 5 and 7). */
static void contexts_above(const uint16_t *restrict above, uint16_t *restrict context, unsigned quads)
{
    for (unsigned q = 0; q < quads; q++)
        context[q] = (uint16_t)((*(above + q - 1) & 0x80) | (above[q] & 0x20) << 2 | (above[q] & 0x80) << 2 |
                                (above[q + 1] & 0x20) << 4);
}

/* Prepares a row. Slot 1 + row * pitch + q is quad q; those before and behind a row are empty. */
static void start_row(struct quad_reader *reader, const struct block *block, unsigned row)
{
    uint16_t *quad = block->scratch->quad + 1 + (size_t)row * block->pitch;
    *(quad - 1) = 0;
    quad[block->pitch - 1] = 0;
    if (row)
        contexts_above(quad - block->pitch, block->scratch->context, block->quads);
    /* A malformed stream that ends early fails in the end; until then what a row takes more is in the buffer. */
    if (reader->position > block->vlc_bits)
        reader->position = block->vlc_bits + 1;
}

/* All quads of `count` blocks of the same size at once. Sets good[]: false if a VLC stream is too short. */
static void decode_quads(struct block *block, unsigned count, bool *good)
{
    const unsigned rows = (block->job->height + 1) / 2, quads = block->quads;
    struct decode_scratch *scratch = block->scratch; /* of the first; those of the others follow */
    struct quad_reader reader[BLOCKS];
    for (unsigned i = 0; i < count; i++) {
        mel_next_run(&scratch[i].mel);
        reader[i].position = 4; /* they stand for Scup's */
    }
    for (unsigned row = 0; row < rows; row++) {
        size_t slot = 1 + (size_t)row * block->pitch;
        for (unsigned i = 0; i < count; i++)
            start_row(&reader[i], &block[i], row);
        read_rows(reader, scratch, count, slot, quads, row == 0);
    }
    for (unsigned i = 0; i < count; i++)
        good[i] = reader[i].position <= block[i].vlc_bits && inside_block(&block[i]);
}

/* ---- step 3, the part that does not depend on the lane ---- */

/* The significance of a stripe's columns (bit n: row n) after the cleanup pass, from column 4 on; 0 around it. */
static void stripe_significance(const struct block *block, unsigned y, uint8_t *columns)
{
    memset(columns, 0, MAX_STRIPE_COLUMNS);
    for (unsigned half = 0; half < 2 && y + 2 * half < block->job->height; half++) {
        const uint16_t *quad = block->scratch->quad + 1 + (size_t)(y / 2 + half) * block->pitch;
        for (unsigned q = 0; q < block->quads; q++) {
            unsigned rho = quad[q] >> 4 & 15;
            columns[4 + 2 * q] |= (uint8_t)((rho & 3) << 2 * half);
            columns[5 + 2 * q] |= (uint8_t)((rho >> 2) << 2 * half);
        }
    }
}

/* A reader of a refinement stream: zeros behind the end. */
struct flat_reader {
    const uint8_t *flat;
    size_t position, end;
};

static inline unsigned flat_take_bit(struct flat_reader *reader)
{
    if (reader->position >= reader->end)
        return 0;
    unsigned bit = reader->flat[reader->position >> 3] >> (reader->position & 7) & 1;
    reader->position++;
    return bit;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#ifdef __AVX2__
#include "codec/block_magsgn_vector.h"
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#define LANE_BITS 16
#define SAMPLE int16_t
#include "codec/block_decode_template.h"
#define LANE_BITS 32
#define SAMPLE int32_t
#include "codec/block_decode_template.h"
#define LANE_BITS 64
#define SAMPLE int64_t
#include "codec/block_decode_template.h"

void KERNEL(block_decode_select)(struct codec_kernels *kernels)
{
    kernels->block_decode[LANE_16] = block_decode_16;
    kernels->block_decode[LANE_32] = block_decode_32;
    kernels->block_decode[LANE_64] = block_decode_64;
}
