/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of a codestream of one tile: where each of them lies, and in which order another progression has them. */
#ifndef CODER_J2K_LIST_H
#define CODER_J2K_LIST_H

#include "codec/stream.h"

struct j2k_packet {
    const uint8_t *start; /* of SOP, where there is one */
    const uint8_t *data;  /* of the packet's header */
    const uint8_t *end;
    unsigned level;
    uint32_t part; /* tile-part, or level of codec_packets */
};

/* Start with all members zero; the memory is the arena's. */
struct j2k_list {
    struct stream stream;
    struct arena arena;
    struct tile_scan scan;
    uint32_t count;
    struct j2k_packet *packet; /* [count] as they come */
    uint32_t *place;           /* [count] index in packet[] by number: component, resolution, precinct, layer */
    uint32_t *base;            /* [components * levels] number of a resolution's first packet */
    unsigned levels;
};

/*
 * Lists the packets of list->stream, which is open. MIST_ERROR_UNSUPPORTED with the reason if it has not one tile, or
 * PPM, PPT, POC and the like, see j2k_split(); other statuses if it is damaged or not all here.
 */
enum mist_status j2k_list_read(struct j2k_list *list, struct mist_error *error);

/* Calls `packet` for each packet in the order of a progression. */
typedef enum mist_status (*j2k_visit)(void *context, const struct j2k_packet *packet, struct mist_error *error);
enum mist_status j2k_list_walk(struct j2k_list *list, enum mist_progression order, j2k_visit visit, void *context,
                               struct mist_error *error);

/* Closes the stream too. Safe on a zeroed list. */
void j2k_list_free(struct j2k_list *list);

#endif
