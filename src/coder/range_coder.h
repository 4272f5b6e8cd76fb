/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary range coder: a bit whose probability is known costs -log2 of it. Bit 0 takes the lower part of the range,
 * so that zeros decode as bits 0; a reader takes bytes behind the end of a chunk as zeros, and a writer leaves off the
 * zeros at a chunk's end. A chunk of nothing but likely zeros is thus empty. docs/coder-lattice.md defines it.
 *
 * Probabilities are of a bit 1, in units of 1 / 65536, from RANGE_LEAST to 65536 - RANGE_LEAST.
 */
#ifndef CODER_RANGE_CODER_H
#define CODER_RANGE_CODER_H

#include "coder/piece.h"

#include <mist/buffer.h>
#include <stdbool.h>

#define RANGE_LEAST 16
#define RANGE_SMALLEST ((uint32_t)1 << 24) /* the range is at least this whenever a bit is coded */

/* Appends to `out`, beginning at `start`, before which no carry goes. */
struct range_encoder {
    struct mist_buffer *out;
    size_t start;
    uint32_t low, range;
    bool failed; /* memory was short; stays set */
};

void range_encode_start(struct range_encoder *encoder, struct mist_buffer *out);
void range_encode_bit(struct range_encoder *encoder, uint32_t probability, unsigned bit);
/* Writes what is still needed. false if memory was short at any time since the start. */
bool range_encode_end(struct range_encoder *encoder);

/* Never fails: every run of bytes is some bits. */
struct range_decoder {
    const uint8_t *at, *end;
    uint32_t code, range;
};

static inline uint32_t range_next_byte(struct range_decoder *decoder)
{
    return decoder->at < decoder->end ? *decoder->at++ : 0;
}

static inline void range_decode_start(struct range_decoder *decoder, struct coder_piece piece)
{
    decoder->at = piece.data;
    decoder->end = piece.size ? piece.data + piece.size : piece.data;
    decoder->range = UINT32_MAX;
    decoder->code = 0;
    for (unsigned i = 0; i < 4; i++)
        decoder->code = decoder->code << 8 | range_next_byte(decoder);
}

static inline unsigned range_decode_bit(struct range_decoder *decoder, uint32_t probability)
{
    uint32_t bound = (decoder->range >> 16) * (65536 - probability);
    unsigned bit = decoder->code >= bound;
    decoder->code -= bit ? bound : 0;
    decoder->range = bit ? decoder->range - bound : bound;
    while (decoder->range < RANGE_SMALLEST) {
        decoder->range <<= 8;
        decoder->code = decoder->code << 8 | range_next_byte(decoder);
    }
    return bit;
}

#endif
