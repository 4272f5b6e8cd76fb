/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map: where every chunk is. In the file it is lengths (docs/format.md, section 3.4); in memory it is offsets in
 * the item file. What a slot has in a level is contiguous; in the level that a stream begins at it may be several
 * chunks.
 */
#ifndef ITEM_CHUNK_MAP_H
#define ITEM_CHUNK_MAP_H

#include "base/bytes.h"
#include "coder/piece.h"
#include "item/layout.h"
#include "item/manifest.h"

/* The chunks of one stream. */
struct stream_map {
    const struct coder_stream *stream;
    uint64_t *start[LAYOUT_MAX_RANGES]; /* by range: [slots + 1], the last one the end; NULL where it has none there */
    uint32_t *first[STEP_MAX + 1];      /* by class: [extra + 1][slots] lengths in the level that it begins at */
};

struct chunk_map {
    unsigned streams;
    struct stream_map stream[LAYOUT_MAX_STREAMS];
};

/* Lengths while an item is written: of a stream, [coded level][class] -> [slots]. */
struct chunk_lengths {
    uint32_t *length[MIST_MAX_LEVELS][STEP_MAX + 1];
};
bool chunk_lengths_start(struct chunk_lengths *lengths, const struct coder_stream *stream);
void chunk_lengths_free(struct chunk_lengths *lengths);
/* Appends the map of a stream. False when memory is short. */
bool chunk_lengths_write(const struct chunk_lengths *lengths, const struct coder_stream *stream,
                         struct mist_buffer *out);
/* How many lengths a stream has. */
uint64_t chunk_count(const struct coder_stream *stream);

/*
 * Reads the map, which must end where the reader does, and sets layout->range_end. The manifest must outlive the map.
 * Freed with chunk_map_free(), on failure, too.
 */
enum mist_status chunk_map_read(struct byte_reader *reader, const struct manifest *manifest, struct layout *layout,
                                struct chunk_map *map, struct mist_error *error);
void chunk_map_free(struct chunk_map *map);

/* What a unit has of a class in a level of the item: offset in the file, and size; 0 and 0 where it has nothing. */
uint64_t chunk_map_range(const struct chunk_map *map, const struct layout *layout, unsigned stream, unsigned level,
                         unsigned class, uint32_t unit, uint64_t *size);
/* One chunk. */
uint64_t chunk_map_chunk(const struct chunk_map *map, const struct layout *layout, unsigned stream, unsigned coded,
                         unsigned class, uint32_t unit, uint64_t *size);

#endif
