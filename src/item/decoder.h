/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread's decoding scratch: the codec, planes on their way, and for each stream the unit that was last decoded. */
#ifndef ITEM_DECODER_H
#define ITEM_DECODER_H

#include "coder/coder.h"
#include "item/item.h"

/* The slices of a unit at one reduce and step, packed. */
struct decoded_unit {
    uint64_t item; /* serial; 0: none */
    unsigned stream;
    uint32_t unit;
    unsigned reduce, step;
    struct mist_buffer samples;
};

struct mist_decoder {
    mist_codec *codec;
    struct coder_parts parts;
    struct mist_buffer coded; /* the picture's coded samples */
    struct mist_buffer other; /* holes, or remainders */
    struct decoded_unit unit[CODER_ROLES];
};

/* The coded samples of a frame of a stream into `out` (the plane's type, reduced size). */
enum mist_status item_decode_stream(const mist_item *item, mist_decoder *decoder, unsigned stream, uint32_t frame,
                                    unsigned reduce, struct mist_view *out, struct mist_error *error);
/* What is at hand of a unit, as decoding takes it. */
void item_unit_parts(const mist_item *item, unsigned stream, uint32_t unit, struct coder_parts *parts);

#endif
