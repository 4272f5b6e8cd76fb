/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of packets in a tile (15444-1 B.12): the five progressions, and changes of them (POC). */
#ifndef CODEC_PROGRESSION_H
#define CODEC_PROGRESSION_H

#include "codec/tile.h"

/* Which packet. */
struct progression_packet {
    uint32_t component;
    unsigned resolution;
    uint64_t precinct;
    unsigned layer;
};

/* Called for each packet in codestream order. */
struct progression_visitor {
    enum mist_status (*packet)(void *context, const struct progression_packet *packet, struct mist_error *error);
    void *context;
    bool *stop; /* set by packet() to end the walk early with MIST_OK */
};

/*
 * Walks all packets of a tile. With progression order changes, packets that an earlier change has brought are passed
 * over; `arena` holds the record of that. Gives up with MIST_ERROR_LIMIT after PROGRESSION_MAX_STEPS positions without
 * a packet, which only a header made to waste time needs.
 */
#define PROGRESSION_MAX_STEPS ((uint64_t)1 << 26)
enum mist_status progression_walk(struct arena *arena, struct tile *tile, const struct progression_visitor *visitor,
                                  struct mist_error *error);

#endif
