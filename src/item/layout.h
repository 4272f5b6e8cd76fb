/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where everything is in an item file; docs/format.md shows the same numbers.
 *
 *   prologue | meta | checksums | level 0: class S .. class 0 | level 1 | ... | tail
 *   <--------- head ----------> <------------------- body ------------------------>
 *
 * A range is one class of one level; its number is level * (steps + 1) + (steps - class), so that ranges are numbered
 * as they follow one another; the tail is the range behind the last one. All integers are little-endian.
 */
#ifndef ITEM_LAYOUT_H
#define ITEM_LAYOUT_H

#include "coder/step.h"

#include <mist/image.h>
#include <mist/status.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_MAGIC "\x89MIST\r\n\x1a"
#define LAYOUT_VERSION 2u

enum {
    LAYOUT_MAGIC_AT = 0,
    LAYOUT_CHECKSUM_AT = LAYOUT_MAGIC_AT + 8,        /* u64: XXH3-64 of the head behind this field; the item's id */
    LAYOUT_VERSION_AT = LAYOUT_CHECKSUM_AT + 8,      /* u32 */
    LAYOUT_HEAD_SIZE_AT = LAYOUT_VERSION_AT + 4,     /* u32: bytes of the head */
    LAYOUT_META_STORED_AT = LAYOUT_HEAD_SIZE_AT + 4, /* u32: bytes of meta as it is stored */
    LAYOUT_META_SIZE_AT = LAYOUT_META_STORED_AT + 4, /* u32: bytes of meta */
    LAYOUT_PROLOGUE_SIZE = LAYOUT_META_SIZE_AT + 4
};
_Static_assert(LAYOUT_PROLOGUE_SIZE == 32, "docs/format.md says so");

/* Limits that a reader enforces before it multiplies or allocates. */
#define LAYOUT_MAX_HEAD ((uint32_t)1 << 28)
#define LAYOUT_MAX_META ((uint32_t)1 << 28)
#define LAYOUT_MAX_SOURCE_HEAD ((uint32_t)1 << 26)
#define LAYOUT_MAX_CHUNKS ((uint64_t)1 << 24) /* lengths in the map */
#define LAYOUT_MAX_FILES ((uint32_t)1 << 18)
#define LAYOUT_MAX_STREAMS 8u
#define LAYOUT_MAX_SIZE ((uint64_t)1 << 44) /* of an item file */
#define LAYOUT_MIN_CHUNK_LOG2 16u
#define LAYOUT_MAX_CHUNK_LOG2 26u
#define LAYOUT_CHUNK_LOG2 20u /* what is written */
#define LAYOUT_MAX_RANGES (MIST_MAX_LEVELS * (STEP_MAX + 1))

struct layout {
    uint64_t id;
    uint32_t head_size;
    uint32_t meta_stored;
    uint32_t meta_size;
    unsigned levels;
    unsigned steps;
    unsigned chunk_log2;
    uint64_t tail_size;
    uint64_t range_end[LAYOUT_MAX_RANGES]; /* from the map; [layout_ranges()] */
};

static inline unsigned layout_ranges(const struct layout *layout)
{
    return layout->levels * (layout->steps + 1);
}
static inline unsigned layout_range(const struct layout *layout, unsigned level, unsigned class)
{
    return level * (layout->steps + 1) + layout->steps - class;
}
/* Where a range starts, or the tail as range layout_ranges(). */
static inline uint64_t layout_range_start(const struct layout *layout, unsigned range)
{
    return range ? layout->range_end[range - 1] : layout->head_size;
}
static inline uint64_t layout_range_size(const struct layout *layout, unsigned range)
{
    return range < layout_ranges(layout) ? layout->range_end[range] - layout_range_start(layout, range)
                                         : layout->tail_size;
}
static inline uint64_t layout_body_end(const struct layout *layout)
{
    return layout->range_end[layout_ranges(layout) - 1];
}
static inline uint64_t layout_size(const struct layout *layout)
{
    return layout_body_end(layout) + layout->tail_size;
}
/* Stretches of a range that have a checksum each: all of 2^chunk_log2 bytes but the last. */
static inline uint64_t layout_checksums(uint64_t size, unsigned chunk_log2)
{
    return (size + ((uint64_t)1 << chunk_log2) - 1) >> chunk_log2;
}
/* Where the checksums start in the head. */
static inline uint64_t layout_checksums_at(const struct layout *layout)
{
    return LAYOUT_PROLOGUE_SIZE + (uint64_t)layout->meta_stored;
}
/* Checksums of all ranges and the tail. */
uint64_t layout_all_checksums(const struct layout *layout);

/*
 * Reads and checks the prologue and the head's checksum. `data` holds the beginning of an item file, which must contain
 * the head. What meta says is filled in by meta_read().
 */
enum mist_status layout_read(const uint8_t *data, size_t size, struct layout *layout, struct mist_error *error);

/* Writes the prologue, but for the checksum. */
void layout_write(const struct layout *layout, uint8_t out[LAYOUT_PROLOGUE_SIZE]);

#endif
