/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading packets (15444-1 B.9, B.10; 15444-15 Annex B) into the code-blocks of a tile. The bytes of Part-1 blocks are
 * passed over.
 */
#ifndef CODEC_PACKET_READ_H
#define CODEC_PACKET_READ_H

#include "codec/progression.h"
#include "codec/tile.h"

/* The packets of one tile-part. */
struct packet_range {
    const uint8_t *start;
    const uint8_t *end;
    bool cut; /* the input ends here, the tile-part would go on */
};

struct packet_reader {
    struct arena *arena;
    struct tile *tile;
    const struct packet_range *range; /* of the tile, in codestream order */
    uint32_t ranges;
    uint32_t current;  /* range being read */
    const uint8_t *at; /* in range[current]; NULL before the first packet */
    size_t input_size; /* for the limits of tile_make_precinct() */
    /* Of the last packet that was read: where it began, its header behind SOP, its body; not with packed headers. */
    const uint8_t *packet_start, *packet_header, *packet_body;
    bool packed; /* headers come from PPM or PPT: */
    const uint8_t *header_at, *header_end;
};

enum packet_result {
    PACKET_READ,
    PACKET_MISSING, /* the bytes end before the packet does; what arrived of it is in the code-blocks */
    PACKET_FAILED   /* `status` and error are set */
};
enum packet_result packet_read(struct packet_reader *reader, const struct progression_packet *packet,
                               enum mist_status *status, struct mist_error *error);

#endif
