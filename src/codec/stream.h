/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An input codestream as a whole: its main header, its tile-parts by tile, its packed packet headers. Or its main
 * header and, instead of tile-parts, its packets by level.
 */
#ifndef CODEC_STREAM_H
#define CODEC_STREAM_H

#include "codec/packet_read.h"
#include "codec/packets.h"

struct stream {
    const uint8_t *data;                 /* raw codestream, or main header */
    size_t size;                         /* of all input */
    const struct codec_packets *packets; /* NULL: in tile-parts */
    struct codestream_header header;
    struct codestream_tile_parts parts;
    uint32_t *first_part;                /* [tiles] index of a tile's first tile-part, or STREAM_NONE */
    uint32_t *next_part;                 /* [parts.count] the tile's next one, or STREAM_NONE */
    uint8_t *packed;                     /* PPM payloads joined; NULL without */
    struct codestream_span *packed_part; /* [parts.count] packet headers of each tile-part, inside `packed` */
};
#define STREAM_NONE UINT32_MAX

/* Opens a codestream or a JPH file, which must outlive the stream. On failure `stream` is zeroed. */
enum mist_status stream_open(const uint8_t *data, size_t size, struct stream *stream, struct mist_error *error);
/* The main header and `packets` must outlive the stream. */
enum mist_status stream_open_packets(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                     struct stream *stream, struct mist_error *error);
void stream_close(struct stream *stream);

/* Resolution levels that every component has, by the main header. */
unsigned stream_levels(const struct codestream_header *header);

/*
 * Reading the packets of one tile. Set `stream`, `arena`, `index`; tile_scan_open() lays out the tile; then say in
 * `wanted` how many resolution levels of each component are needed and call tile_scan_read().
 */
struct tile_scan {
    const struct stream *stream;
    struct arena *arena;
    uint32_t index;
    struct codestream_tile_header header;
    struct tile tile;
    bool part1;      /* Part-1 code-blocks may come too; for those who want to know where packets lie */
    uint8_t *wanted; /* [components] levels 0 .. wanted-1 are needed; starts as all */
    /* Called behind each packet that was read whole; `end` is the offset behind it in the codestream. May be NULL. */
    void (*after_packet)(void *context, const struct progression_packet *packet, size_t end);
    void *context;
    struct packet_reader reader;
    uint64_t missing; /* wanted packets that have not been read */
    bool stop;
};
enum mist_status tile_scan_open(struct tile_scan *scan, struct mist_error *error);
/* Reads until everything wanted is there or the bytes end; `missing` then says what is not. */
enum mist_status tile_scan_read(struct tile_scan *scan, struct mist_error *error);
/* Frees what is not in the arena. Safe on a zeroed scan. */
void tile_scan_close(struct tile_scan *scan);

#endif
