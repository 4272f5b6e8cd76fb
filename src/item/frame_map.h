/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map: for every frame and level, which bytes. In the file it is, level by level and frame by frame, the length of
 * the frame's packets as a varint of the zigzag difference from the frame before; in memory it is offsets. The levels
 * of the map are those of the codestreams; the first ones of them may together be level 0 of the item, where each
 * frame's packets of all of them follow one another.
 */
#ifndef ITEM_FRAME_MAP_H
#define ITEM_FRAME_MAP_H

#include "item/layout.h"

#include <mist/buffer.h>

struct frame_map {
    uint32_t frames;
    unsigned levels;       /* of the item, which have bytes */
    unsigned first_levels; /* of the codestreams, in level 0 */
    uint64_t *offset;      /* [levels][frames + 1]: where in the item file; the last one is the end of the level */
    uint32_t *first;       /* [first_levels][frames]: lengths in level 0 */
};

/* Appends the map of lengths [levels][frames] to `out`. False when memory is short. */
bool frame_map_write(const uint32_t *lengths, uint32_t frames, unsigned levels, struct mist_buffer *out);

/* Reads a map of frames x layout->coded_levels, whose sums must be the level ends. Freed with frame_map_free(). */
enum mist_status frame_map_read(const uint8_t *data, size_t size, uint32_t frames, const struct layout *layout,
                                struct frame_map *map, struct mist_error *error);
void frame_map_free(struct frame_map *map);

/* Where what a frame has in a level of the item is. */
static inline uint64_t frame_map_offset(const struct frame_map *map, uint32_t frame, unsigned level)
{
    return map->offset[(size_t)level * (map->frames + (size_t)1) + frame];
}
static inline uint64_t frame_map_size(const struct frame_map *map, uint32_t frame, unsigned level)
{
    return frame_map_offset(map, frame + 1, level) - frame_map_offset(map, frame, level);
}

/* Where the packets of a frame's coded level are, and how many bytes. */
uint64_t frame_map_packets(const struct frame_map *map, uint32_t frame, unsigned coded_level, uint64_t *size);

/* The frame whose packets of this level hold the byte at `offset` of the item file (which lies in the level). */
uint32_t frame_map_find(const struct frame_map *map, unsigned level, uint64_t offset);

#endif
