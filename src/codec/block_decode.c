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

/* Significance as rows of bits, one row of samples each, for SigProp and MagRef. */
#define MAX_STRIPE_COLUMNS (BLOCK_MAX_SIDE + 8)

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
    uint8_t vlc[MAX_TAIL_BYTES + 1 + FLAT_PADDING];
    uint16_t entry[MAX_QUAD_SLOTS]; /* of block_vlc_decode: rho << 4 | e_k << 8 | e_1 << 12 and lower bits */
    uint8_t u[MAX_QUAD_SLOTS];
    /* What the row of quads below needs of this one and the one above, in the way of each version of step 2. */
    union {
        uint64_t bottom[2][BLOCK_MAX_SIDE + 8]; /* MagSgn values | 1 of the bottom samples; 0 where not significant */
        struct {
            int32_t left[2][MAX_ROW_SLOTS]; /* exponents of the bottom left and right samples */
            int32_t right[2][MAX_ROW_SLOTS];
        } exponent;
    } rows;
};
_Static_assert(2 * sizeof(struct decode_scratch) <= BLOCK_SCRATCH_SIZE, "the decoder fits into a block's scratch");

/* MEL reader (7.3.3): bits from the top of bytes; behind 0xFF comes a byte of 7 bits; ones behind the end. */
struct mel_decoder {
    const uint8_t *at;
    const uint8_t *last; /* the byte that is read as 0xFF, and the one before with its low half as 1111 (7.1.2) */
    uint64_t bits;       /* from the top */
    unsigned count;
    bool short_byte;
    bool one; /* behind the zeros comes an event 1 */
    unsigned zeros;
    unsigned state;
};

static const uint8_t mel_exponent[13] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5};

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

/* Decodes the next run: some events 0 and perhaps an event 1. */
static void mel_next_run(struct mel_decoder *mel)
{
    if (mel->count < 6)
        mel_fill(mel);
    unsigned exponent = mel_exponent[mel->state], used = 1;
    if (mel->bits >> 63) {
        mel->zeros = 1u << exponent;
        mel->state += mel->state < 12;
    } else {
        mel->zeros = (unsigned)((mel->bits << 1) >> 1 >> (63 - exponent));
        mel->one = true;
        mel->state -= mel->state > 0;
        used += exponent;
    }
    mel->bits <<= used;
    mel->count -= used;
}

static inline unsigned mel_event(struct mel_decoder *mel)
{
    if (mel->zeros == 0 && !mel->one)
        mel_next_run(mel);
    if (mel->zeros > 0) {
        mel->zeros--;
        return 0;
    }
    mel->one = false;
    return 1;
}

/* Dimensions and streams of a block under way. */
struct block {
    struct block_decode_job *job;
    struct decode_scratch *scratch;
    unsigned quads; /* in a row */
    unsigned pitch; /* slots in a row */
    size_t magsgn_bits, vlc_bits;
    struct mel_decoder mel;
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
    block->mel = (struct mel_decoder){.at = end - scup, .last = end - 1};
    block->quads = (job->width + 1) / 2;
    block->pitch = block->quads + (block->quads & 1) + 1;
    return true;
}

/* ---- step 1: MEL and VLC ---- */

/*
 * The VLC stream and a row of quads under way. What comes next depends on every bit before it: context, codeword, u
 * codes are one chain of table look-ups, some 30 cycles for a pair of quads, so two blocks are read in turns.
 */
struct quad_reader {
    uint64_t bits;         /* the next `count` bits of the stream, and perhaps some more */
    unsigned count;        /* 56 .. 63 before a pair, which takes at most 38 */
    const uint8_t *next;   /* the byte behind the `count` bits */
    const uint8_t *behind; /* in the padding behind the stream, where zeros are read */
    size_t used;           /* bits taken */
    unsigned west;         /* entry of the quad to the left */
    uint16_t *entry;       /* of this row */
    const uint16_t *above; /* entries of the row above */
    uint8_t *u;
    struct mel_decoder *mel;
};

static inline unsigned vlc_take(struct quad_reader *reader, unsigned length)
{
    unsigned value = (unsigned)(reader->bits & low_bits(length));
    reader->bits >>= length;
    reader->count -= length;
    reader->used += length;
    return value;
}

/* Fills `bits` up; the address does not depend on the pair before, so the load is done early. */
static inline void vlc_refill(struct quad_reader *reader)
{
    reader->bits |= flat_load(reader->next) << reader->count;
    reader->next += (63 - reader->count) >> 3;
    reader->next = reader->next < reader->behind ? reader->next : reader->behind;
    reader->count |= 56;
}

/*
 * The CxtVLC codeword of one quad (7.3.5). `above` is the part of the context that comes from the row above, << 7; what
 * the left neighbour adds is in the top half of its entry. Context 0 asks MEL first.
 */
static inline unsigned quad_entry(struct quad_reader *reader, const uint32_t *table, unsigned above)
{
    unsigned context = above | reader->west >> 16, entry = 0;
    if (context != 0 || mel_event(reader->mel)) {
        entry = table[context | (reader->bits & 127)];
        vlc_take(reader, entry & 7);
    }
    reader->west = entry;
    return entry;
}

/* Bits 0 and 2 of c_q, << 7, from the entries above. */
static inline unsigned context_above(const uint16_t *above)
{
    unsigned a = (above[-1] & 0x80) | (above[0] & 0x20), c = (above[0] & 0x80) | (above[1] & 0x20);
    return (a ? 1 << 7 : 0) | (c ? 4 << 7 : 0);
}

/* u_q of a pair of quads (7.3.6): prefixes, then suffixes, then extensions. */
static inline void uvlc_take(struct quad_reader *reader, unsigned mode, uint8_t *u)
{
    uint32_t code = block_uvlc_decode[mode << 6 | (reader->bits & 63)];
    vlc_take(reader, code & 15);
    unsigned suffix0 = vlc_take(reader, code >> 4 & 15), suffix1 = vlc_take(reader, code >> 8 & 15);
    unsigned u0 = (code >> 12 & 15) + suffix0, u1 = (code >> 16 & 15) + suffix1;
    if ((suffix0 | suffix1) >= 28) {
        u0 += suffix0 >= 28 ? 4 * vlc_take(reader, 4) : 0;
        u1 += suffix1 >= 28 ? 4 * vlc_take(reader, 4) : 0;
    }
    u[0] = (uint8_t)u0;
    u[1] = (uint8_t)u1;
}

/* Quads q and, unless the row ends with q, q + 1. */
static inline __attribute__((always_inline)) void read_pair(struct quad_reader *reader, unsigned q, bool first_row,
                                                            bool two)
{
    const uint32_t *table = block_vlc_decode + (first_row ? 0 : 1024);
    vlc_refill(reader);
    unsigned left = quad_entry(reader, table, first_row ? 0 : context_above(reader->above + q)), right = 0;
    if (two)
        right = quad_entry(reader, table, first_row ? 0 : context_above(reader->above + q + 1));
    reader->entry[q] = (uint16_t)left;
    reader->entry[q + 1] = (uint16_t)right;
    unsigned mode = (left >> 3 & 1) | (right >> 2 & 2);
    if (first_row && mode == 3)
        mode = 4 + mel_event(reader->mel);
    uvlc_take(reader, mode, reader->u + q);
}

/* A row of one block, or of two of the same width. */
static inline __attribute__((always_inline)) void read_row(struct quad_reader *first, struct quad_reader *second,
                                                           unsigned quads, bool first_row)
{
    struct quad_reader a = *first, b = second ? *second : a;
    unsigned q = 0;
    for (; q + 1 < quads; q += 2) {
        read_pair(&a, q, first_row, true);
        if (second)
            read_pair(&b, q, first_row, true);
    }
    if (q < quads) {
        read_pair(&a, q, first_row, false);
        if (second)
            read_pair(&b, q, first_row, false);
    }
    *first = a;
    if (second)
        *second = b;
}

/* Whether no sample outside the block is significant. */
static bool inside_block(const struct block *block)
{
    const struct block_decode_job *job = block->job;
    const uint16_t *entry = block->scratch->entry + 1;
    unsigned outside = 0;
    if (job->width & 1)
        for (unsigned y = 0; y < job->height; y += 2)
            outside |= entry[y / 2 * block->pitch + block->quads - 1] & 0xc0;
    if (job->height & 1)
        for (unsigned q = 0; q < block->quads; q++)
            outside |= entry[job->height / 2 * block->pitch + q] & 0xa0;
    return outside == 0;
}

static struct quad_reader quad_reader(struct block *block)
{
    const uint8_t *vlc = block->scratch->vlc;
    return (struct quad_reader){.bits = flat_load(vlc) >> 4, /* the first four stand for Scup's */
                                .count = 4,
                                .next = vlc + 1,
                                .behind = vlc + (block->vlc_bits >> 3) + 1,
                                .used = 4,
                                .mel = &block->mel};
}

/* Puts the reader at a row. Slot 1 + row * pitch + q is quad q; those before and behind a row are empty. */
static void reader_at_row(struct quad_reader *reader, const struct block *block, unsigned row)
{
    size_t slot = 1 + (size_t)row * block->pitch;
    reader->entry = block->scratch->entry + slot;
    reader->above = row ? reader->entry - block->pitch : reader->entry;
    reader->u = block->scratch->u + slot;
    reader->west = 0;
    reader->entry[-1] = 0;
    reader->entry[block->pitch - 1] = 0;
}

/* All quads of one block, or of two of the same size at once. Sets good[]: false if a VLC stream is too short. */
static void decode_quads(struct block *block, unsigned count, bool *good)
{
    const unsigned rows = (block->job->height + 1) / 2, quads = block->quads;
    struct quad_reader reader[2] = {quad_reader(&block[0]), count > 1 ? quad_reader(&block[1]) : quad_reader(block)};
    for (unsigned row = 0; row < rows; row++) {
        for (unsigned i = 0; i < count; i++)
            reader_at_row(&reader[i], &block[i], row);
        if (count > 1 && row)
            read_row(&reader[0], &reader[1], quads, false);
        else if (count > 1)
            read_row(&reader[0], &reader[1], quads, true);
        else
            read_row(&reader[0], NULL, quads, row == 0);
    }
    for (unsigned i = 0; i < count; i++)
        good[i] = reader[i].used <= block[i].vlc_bits && inside_block(&block[i]);
}

/* ---- step 3, the part that does not depend on the lane ---- */

/* The significance of a stripe's columns (bit n: row n) after the cleanup pass, from column 4 on; 0 around it. */
static void stripe_significance(const struct block *block, unsigned y, uint8_t *columns)
{
    memset(columns, 0, MAX_STRIPE_COLUMNS);
    for (unsigned half = 0; half < 2 && y + 2 * half < block->job->height; half++) {
        const uint16_t *entry = block->scratch->entry + 1 + (size_t)(y / 2 + half) * block->pitch;
        for (unsigned q = 0; q < block->quads; q++) {
            unsigned rho = entry[q] >> 4 & 15;
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
