/* SPDX-License-Identifier: BSD-2-Clause */
/* The HT cleanup encoder (15444-15, 7.3), from one template for the three lanes. */
#include "codec/block_streams.h"
#include "codec/block_tables.h"
#include "codec/kernel_level.h"

#define MAX_ROW_QUADS (BLOCK_MAX_SIDE / 2)
#define MAX_QUADS 1024 /* of a block: see block_encode_bound() */

/* MEL: the adaptive run-length code of whether quads with context 0 are significant (7.3.3). Bits go from the top. */
struct mel_encoder {
    uint8_t *at;
    unsigned bits;
    unsigned room; /* free bits in the current byte */
    unsigned run;
    unsigned state; /* k */
};

/*
 * Flat streams of a block, before they are stuffed and joined. Sizes: a sample has at most 56 MagSgn bits; a quad has
 * at most 19 VLC bits and 6 MEL bits (and one more MEL event for a pair in the first row).
 */
struct encode_scratch {
    uint8_t magsgn[BLOCK_MAX_AREA * 56 / 8 + FLAT_PADDING];
    uint8_t vlc[MAX_QUADS * 19 / 8 + FLAT_PADDING];
    uint8_t mel[MAX_QUADS * 3 / 2 + FLAT_PADDING];
    uint8_t tail[8192];
    uint8_t rho[2][MAX_ROW_QUADS + 4];          /* of this quad row and the one above, from index 1 */
    uint8_t exponent[2][2 * MAX_ROW_QUADS + 8]; /* of their bottom samples, from index 1 */
    struct flat_writer magsgn_writer, vlc_writer;
    struct mel_encoder mel_encoder;
};
_Static_assert(sizeof(struct encode_scratch) <= BLOCK_SCRATCH_SIZE, "the encoder fits into a block's scratch");

static inline void mel_put_bit(struct mel_encoder *mel, unsigned bit)
{
    mel->bits = mel->bits << 1 | bit;
    if (--mel->room == 0) {
        *mel->at++ = (uint8_t)mel->bits;
        mel->room = mel->bits == 0xff ? 7 : 8; /* behind 0xFF the top bit of the next byte is a stuffed 0 */
        mel->bits = 0;
    }
}

static inline void mel_put(struct mel_encoder *mel, bool event)
{
    unsigned exponent = mel_exponent[mel->state];
    if (!event) {
        if (++mel->run < 1u << exponent)
            return;
        mel_put_bit(mel, 1);
        mel->state += mel->state < 12;
    } else {
        mel_put_bit(mel, 0);
        while (exponent-- > 0)
            mel_put_bit(mel, mel->run >> exponent & 1);
        mel->state -= mel->state > 0;
    }
    mel->run = 0;
}

/* One u-VLC code in its parts (Table 3): the prefix, then suffix and extension. */
struct uvlc_code {
    uint8_t prefix, prefix_length, suffix, suffix_length, extension, extension_length;
};

static struct uvlc_code uvlc_code(unsigned u)
{
    if (u == 0)
        return (struct uvlc_code){0};
    if (u < 3)
        return (struct uvlc_code){(uint8_t)u, (uint8_t)u, 0, 0, 0, 0};
    if (u < 5)
        return (struct uvlc_code){4, 3, (uint8_t)(u - 3), 1, 0, 0};
    if (u < 33)
        return (struct uvlc_code){0, 3, (uint8_t)(u - 5), 5, 0, 0};
    return (struct uvlc_code){0, 3, (uint8_t)(28 + (u - 33) % 4), 5, (uint8_t)((u - 33) / 4), 4};
}

/* The codes of a pair of quads where one is beyond the table: prefixes, suffixes, extensions (7.3.6). */
static void uvlc_put_large(struct flat_writer *vlc, unsigned u0, unsigned u1, bool first_row)
{
    bool both_large = first_row && u0 > 2 && u1 > 2;
    struct uvlc_code a = uvlc_code(u0 - 2 * both_large), b = uvlc_code(u1 - 2 * both_large);
    if (first_row && u0 > 2 && (u1 == 1 || u1 == 2)) /* what MEL said leaves one bit for the second */
        b = (struct uvlc_code){(uint8_t)(u1 - 1), 1, 0, 0, 0, 0};
    flat_put(vlc, a.prefix, a.prefix_length);
    flat_put(vlc, b.prefix, b.prefix_length);
    flat_put(vlc, a.suffix, a.suffix_length);
    flat_put(vlc, b.suffix, b.suffix_length);
    flat_put(vlc, a.extension, a.extension_length);
    flat_put(vlc, b.extension, b.extension_length);
}

static inline void uvlc_put(struct flat_writer *vlc, unsigned u0, unsigned u1, bool first_row)
{
    if ((u0 | u1) < 32) {
        uint32_t code = block_uvlc_encode[(unsigned)first_row << 10 | u0 << 5 | u1];
        flat_put(vlc, code & 0xffffff, code >> 24);
    } else {
        uvlc_put_large(vlc, u0, u1, first_row);
    }
}

/*
 * Joins the three streams: MagSgn | MEL | VLC, where the last MEL byte and the first VLC byte are one if their bits
 * agree, and writes Scup into the last 12 bits (7.1.1).
 */
static size_t finish_block(struct encode_scratch *scratch, uint8_t *out)
{
    struct mel_encoder *mel = &scratch->mel_encoder;
    if (mel->run > 0)
        mel_put_bit(mel, 1);
    const struct flat_writer *magsgn = &scratch->magsgn_writer, *vlc = &scratch->vlc_writer;
    size_t magsgn_bits = (size_t)(magsgn->at - scratch->magsgn) * 8 + magsgn->count;
    size_t vlc_bits = (size_t)(vlc->at - scratch->vlc) * 8 + vlc->count;
    uint8_t *start = out;
    out = stuff_forward(out, scratch->magsgn, magsgn_bits);
    uint8_t *mel_start = out;

    /* The VLC stream starts with four ones; they and a last byte are the place of Scup. */
    uint8_t *tail_end = scratch->tail + sizeof scratch->tail - 1, vlc_last;
    unsigned vlc_last_bits;
    uint8_t *tail = stuff_backward(tail_end, scratch->vlc, vlc_bits, &vlc_last, &vlc_last_bits);

    /* The last byte of each may be partly filled. The one that holds Scup is not shared, nor may 0xFF come about. */
    unsigned mel_mask = 0xffu << mel->room & 0xff, mel_last = mel->bits << mel->room & 0xff;
    unsigned vlc_mask = (unsigned)low_bits(vlc_last_bits);
    bool share = mel_mask && tail < tail_end && ((mel_last ^ vlc_last) & mel_mask & vlc_mask) == 0 &&
                 (mel_last | vlc_last) != 0xff;
    if (vlc_last_bits && !share)
        *--tail = vlc_last;
    size_t mel_bytes = (size_t)(mel->at - scratch->mel), tail_bytes = (size_t)(tail_end - tail);
    memcpy(out, scratch->mel, mel_bytes);
    out += mel_bytes;
    if (mel_mask)
        *out++ = (uint8_t)(share ? mel_last | vlc_last : mel_last);
    memcpy(out, tail, tail_bytes);
    out += tail_bytes;
    size_t scup = (size_t)(out - mel_start) + 1;
    out[-1] = (uint8_t)((out[-1] & 0xf0) | (scup & 0x0f));
    *out++ = (uint8_t)(scup >> 4);
    return (size_t)(out - start);
}

/* What coding a quad needs to know of it; n = 0 .. 3: top left, bottom left, top right, bottom right. */
struct quad {
    unsigned rho;         /* bit n: sample n is not 0 */
    unsigned exponent[4]; /* E_n: bits of 2 (magnitude - 1) + 1; 0 where the sample is 0 */
    unsigned largest;
    uint64_t value[4]; /* 2 (magnitude - 1) + sign: what MagSgn holds the low bits of */
};

/* c_q, the context of quad q (7.3.5), from the significance of its left and upper neighbours; both point at q. */
static inline unsigned quad_context(const uint8_t *rho, const uint8_t *above, bool first_row)
{
    unsigned west = rho[-1];
    if (first_row)
        return west >> 1 | (west & 1);
    unsigned north = above[0];
    return (unsigned)((above[-1] & 8) | (north & 2) ? 1 : 0) | (west & 12 ? 2 : 0) |
           ((north & 8) | (above[1] & 2) ? 4 : 0);
}

/* kappa (7.3.7): what the exponents above let expect. `above` is at the quad's left column. */
static inline unsigned quad_predictor(const uint8_t *above, unsigned rho)
{
    if (!(rho & (rho - 1)))
        return 1;
    unsigned left = above[-1] > above[0] ? above[-1] : above[0];
    unsigned right = above[1] > above[2] ? above[1] : above[2];
    unsigned largest = left > right ? left : right;
    return largest > 2 ? largest - 1 : 1;
}

/* Codes one quad into MagSgn, MEL and the VLC stream; returns u_q. */
static inline unsigned quad_code(struct encode_scratch *scratch, const struct quad *quad, unsigned context,
                                 unsigned predictor, bool first_row)
{
    if (context == 0)
        mel_put(&scratch->mel_encoder, quad->rho != 0);
    if (context == 0 && quad->rho == 0)
        return 0;
    unsigned bound = quad->largest > predictor ? quad->largest : predictor; /* U_q */
    unsigned u = bound - predictor, eps = 0;
    if (u > 0)
        for (unsigned n = 0; n < 4; n++)
            eps |= (unsigned)(quad->exponent[n] == quad->largest) << n;
    uint32_t code = block_vlc_encode[(unsigned)!first_row << 11 | context << 8 | quad->rho << 4 | eps];
    flat_put(&scratch->vlc_writer, code >> 8, code >> 4 & 15);
    for (unsigned n = 0; n < 4; n++) {
        unsigned length = quad->rho >> n & 1 ? bound - (code >> n & 1) : 0;
        flat_put(&scratch->magsgn_writer, quad->value[n] & low_bits(length), length);
    }
    return u;
}

static void start_block(struct encode_scratch *scratch)
{
    scratch->magsgn_writer = (struct flat_writer){scratch->magsgn, 0, 0};
    scratch->vlc_writer = (struct flat_writer){scratch->vlc, 15, 4};
    scratch->mel_encoder = (struct mel_encoder){.at = scratch->mel, .room = 8};
    memset(scratch->rho, 0, sizeof scratch->rho);
    memset(scratch->exponent, 0, sizeof scratch->exponent);
}

#ifdef __AVX2__
#include "codec/block_encode_vector.h"
#else
#define LANE_BITS 16
#define SAMPLE int16_t
#include "codec/block_encode_template.h"
#define LANE_BITS 32
#define SAMPLE int32_t
#include "codec/block_encode_template.h"
#endif
#define LANE_BITS 64
#define SAMPLE int64_t
#include "codec/block_encode_template.h"

void KERNEL(block_encode_select)(struct codec_kernels *kernels)
{
    kernels->block_encode[LANE_16] = block_encode_16;
    kernels->block_encode[LANE_32] = block_encode_32;
    kernels->block_encode[LANE_64] = block_encode_64;
}
