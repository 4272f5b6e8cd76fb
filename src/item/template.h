/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Codestreams without what all frames have in common. Of every frame the item stores the packets alone; its main
 * header (without TLM) is stored once, as the template, and TLM, SOT and SOD markers are made from the map.
 */
#ifndef ITEM_TEMPLATE_H
#define ITEM_TEMPLATE_H

#include <mist/buffer.h>
#include <mist/image.h>
#include <mist/status.h>

/* The packets of each level within a codestream. */
struct packet_ranges {
    unsigned levels;
    size_t offset[MIST_MAX_LEVELS];
    size_t size[MIST_MAX_LEVELS];
};

/*
 * Takes apart a codestream as mist_encode() writes it: one tile, one tile-part per level, nothing between SOT and SOD.
 * `main_header` is overwritten with the main header without its TLM segments.
 */
enum mist_status template_split(const uint8_t *data, size_t size, struct mist_buffer *main_header,
                                struct packet_ranges *ranges, struct mist_error *error);

/* What is put together again. */
struct template_parts {
    const uint8_t *main_header;
    size_t main_header_size;
    unsigned levels;                         /* of the whole codestream */
    unsigned present;                        /* levels 0 .. present-1 are put in */
    const uint8_t *packets[MIST_MAX_LEVELS]; /* [levels], of which [present] are read */
    uint64_t size[MIST_MAX_LEVELS];          /* [levels], each at most LAYOUT_MAX_PACKETS */
};

/* A stretch of a codestream: what was made anew, or packets where they lie. */
struct template_piece {
    const uint8_t *data;
    size_t size;
};
enum { TEMPLATE_MAX_PIECES = 2 * MIST_MAX_LEVELS + 1 };

/*
 * The codestream as pieces in their order; those that are no packets lie in `headers` (overwritten), which the pieces
 * point into. The packets are not looked at.
 */
enum mist_status template_pieces(const struct template_parts *parts, struct mist_buffer *headers,
                                 struct template_piece pieces[TEMPLATE_MAX_PIECES], unsigned *count,
                                 struct mist_error *error);

/* The codestream, or its prefix where present < levels, into `out` (overwritten). EOC only behind a whole one. */
enum mist_status template_join(const struct template_parts *parts, struct mist_buffer *out, struct mist_error *error);

#endif
