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
/* A cleanup pass takes at most MAX_PLANES + 2 bits of MagSgn for a sample; what is behind them is never read. */
#define MAX_MAGSGN_BYTES (BLOCK_MAX_AREA * (MAX_PLANES + 2) / 8)
#define MAX_TAIL_BYTES 4095 /* Scup has 12 bits */

/* Significance as rows of bits, one row of samples each, for SigProp and MagRef. */
#define MAX_STRIPE_COLUMNS (BLOCK_MAX_SIDE + 8)

struct decode_scratch {
    union {
        uint8_t magsgn[MAX_MAGSGN_BYTES + FLAT_PADDING];
        struct {
            uint8_t sigprop[BLOCK_MAX_AREA / 4 + FLAT_PADDING];
            uint8_t magref[BLOCK_MAX_AREA / 8 + FLAT_PADDING];
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
_Static_assert(sizeof(struct decode_scratch) <= BLOCK_SCRATCH_SIZE, "the decoder fits into a block's scratch");

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
    const struct block_decode_job *job;
    struct decode_scratch *scratch;
    unsigned quads; /* in a row */
    unsigned pitch; /* slots in a row */
    size_t magsgn_bits, vlc_bits, vlc_position;
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

/* Bits of the VLC stream that are at hand, for one pair of quads. */
struct vlc_bits {
    uint64_t bits;
    unsigned used;
};

static inline unsigned vlc_take(struct vlc_bits *vlc, unsigned length)
{
    unsigned value = (unsigned)(vlc->bits & low_bits(length));
    vlc->bits >>= length;
    vlc->used += length;
    return value;
}

/* The CxtVLC codeword of one quad (7.3.5). Context 0 asks MEL first. */
static inline unsigned quad_entry(struct mel_decoder *mel, struct vlc_bits *vlc, const uint16_t *table,
                                  unsigned context)
{
    if (context == 0 && !mel_event(mel))
        return 0;
    unsigned entry = table[context << 7 | (vlc->bits & 127)];
    vlc_take(vlc, entry & 7);
    return entry;
}

/* c_q: from the entries of the quads to the left and above. */
static inline unsigned first_row_context(unsigned west)
{
    return (west >> 5 & 7) | (west >> 4 & 1);
}

static inline unsigned other_row_context(unsigned west, const uint16_t *above)
{
    unsigned a = (above[-1] & 0x80) | (above[0] & 0x20), b = west & 0xc0, c = (above[0] & 0x80) | (above[1] & 0x20);
    return (a ? 1 : 0) | (b ? 2 : 0) | (c ? 4 : 0);
}

/* u_q of a pair of quads (7.3.6): prefixes, then suffixes, then extensions. */
static inline void uvlc_take(struct vlc_bits *vlc, unsigned mode, uint8_t *u)
{
    uint32_t code = block_uvlc_decode[mode << 6 | (vlc->bits & 63)];
    vlc_take(vlc, code & 15);
    unsigned length0 = code >> 4 & 15, length1 = code >> 8 & 15;
    unsigned suffix0 = vlc_take(vlc, length0), suffix1 = vlc_take(vlc, length1);
    unsigned u0 = (code >> 12 & 15) + suffix0, u1 = (code >> 16 & 15) + suffix1;
    if (suffix0 >= 28)
        u0 += 4 * vlc_take(vlc, 4);
    if (suffix1 >= 28)
        u1 += 4 * vlc_take(vlc, 4);
    u[0] = (uint8_t)u0;
    u[1] = (uint8_t)u1;
}

/* One row of quads. The entries of the row above are `pitch` before. False if the VLC stream is too short. */
static bool decode_quad_row(struct block *block, uint16_t *entry, uint8_t *u, bool first_row)
{
    const uint16_t *table = block_vlc_decode + (first_row ? 0 : 1024),
                   *above = first_row ? entry : entry - block->pitch;
    const unsigned quads = block->quads;
    struct mel_decoder mel = block->mel;
    size_t position = block->vlc_position;
    unsigned west = 0;
    for (unsigned q = 0; q < quads; q += 2) {
        struct vlc_bits vlc = {flat_peek(block->scratch->vlc, position), 0}; /* a pair takes at most 38 bits */
        unsigned context = first_row ? first_row_context(west) : other_row_context(west, above + q);
        unsigned one = quad_entry(&mel, &vlc, table, context), two = 0;
        if (q + 1 < quads) {
            context = first_row ? first_row_context(one) : other_row_context(one, above + q + 1);
            two = quad_entry(&mel, &vlc, table, context);
        }
        entry[q] = (uint16_t)one;
        entry[q + 1] = (uint16_t)two;
        west = two;
        unsigned mode = (one >> 3 & 1) | (two >> 2 & 2);
        if (first_row && mode == 3)
            mode = 4 + mel_event(&mel);
        uvlc_take(&vlc, mode, u + q);
        position += vlc.used;
        if (position > block->vlc_bits)
            return false;
    }
    block->mel = mel;
    block->vlc_position = position;
    return true;
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

/* All quads. Slot 1 + row * pitch + q is quad q; those before and behind a row are empty. */
static bool decode_quads(struct block *block)
{
    struct decode_scratch *scratch = block->scratch;
    const unsigned rows = (block->job->height + 1) / 2;
    block->vlc_position = 4;
    for (unsigned row = 0; row < rows; row++) {
        size_t slot = 1 + (size_t)row * block->pitch;
        scratch->entry[slot - 1] = 0;
        if (!decode_quad_row(block, scratch->entry + slot, scratch->u + slot, row == 0))
            return false;
        scratch->entry[slot + block->pitch - 1] = 0;
    }
    return inside_block(block);
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
