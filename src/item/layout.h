/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where everything is in an item file; docs/format.md shows the same numbers.
 *
 *   prologue | level ends | meta (zstd) | chunk checksums | level 0 | level 1 | ... | tail
 *   <----------------------- head -----------------------> <------- body --------->
 *
 * All integers are little-endian. Each offset is derived from the one before.
 */
#ifndef ITEM_LAYOUT_H
#define ITEM_LAYOUT_H

#include <mist/image.h>
#include <mist/status.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_MAGIC "\x89MIST\r\n\x1a"
#define LAYOUT_VERSION 1u

enum {
    LAYOUT_MAGIC_AT = 0,
    LAYOUT_CHECKSUM_AT = LAYOUT_MAGIC_AT + 8,            /* u64: XXH3-64 of the head behind this field; the item's id */
    LAYOUT_VERSION_AT = LAYOUT_CHECKSUM_AT + 8,          /* u32 */
    LAYOUT_FLAGS_AT = LAYOUT_VERSION_AT + 4,             /* u32: 0 */
    LAYOUT_HEAD_SIZE_AT = LAYOUT_FLAGS_AT + 4,           /* u32: bytes of the head */
    LAYOUT_META_STORED_AT = LAYOUT_HEAD_SIZE_AT + 4,     /* u32: bytes of the compressed meta */
    LAYOUT_MANIFEST_SIZE_AT = LAYOUT_META_STORED_AT + 4, /* u32: bytes of each part of meta, in their order */
    LAYOUT_SOURCE_HEAD_SIZE_AT = LAYOUT_MANIFEST_SIZE_AT + 4,
    LAYOUT_TEMPLATE_SIZE_AT = LAYOUT_SOURCE_HEAD_SIZE_AT + 4,
    LAYOUT_MAP_SIZE_AT = LAYOUT_TEMPLATE_SIZE_AT + 4,
    LAYOUT_LEVELS_AT = LAYOUT_MAP_SIZE_AT + 4,         /* u8: resolution levels */
    LAYOUT_CODED_LEVELS_AT = LAYOUT_LEVELS_AT + 1,     /* u8: of the codestreams: levels or more; labels: 1 */
    LAYOUT_CHUNK_LOG2_AT = LAYOUT_CODED_LEVELS_AT + 1, /* u8 */
    LAYOUT_RESERVED_AT = LAYOUT_CHUNK_LOG2_AT + 1,     /* u8[5]: 0 */
    LAYOUT_TAIL_SIZE_AT = LAYOUT_RESERVED_AT + 5,      /* u64 */
    LAYOUT_PROLOGUE_SIZE = LAYOUT_TAIL_SIZE_AT + 8     /* then u64 ends[levels] */
};
_Static_assert(LAYOUT_PROLOGUE_SIZE == 64, "docs/format.md says so");

/* Limits that a reader enforces before it multiplies or allocates. */
#define LAYOUT_MAX_HEAD ((uint32_t)1 << 28)
#define LAYOUT_MAX_MANIFEST ((uint32_t)1 << 26)
#define LAYOUT_MAX_SOURCE_HEAD ((uint32_t)1 << 26)
#define LAYOUT_MAX_TEMPLATE ((uint32_t)1 << 16)
#define LAYOUT_MAX_MAP ((uint32_t)1 << 27)
#define LAYOUT_MAX_MAP_ENTRIES ((uint64_t)1 << 24)     /* frames x coded levels */
#define LAYOUT_MAX_PACKETS ((uint64_t)0xffffffff - 14) /* of one frame's level: a tile-part's length has 32 bits */
#define LAYOUT_MAX_FILES ((uint32_t)1 << 18)
#define LAYOUT_MAX_VALUES ((uint32_t)1 << 21) /* of the manifest's JSON, as its ',' ':' '[' '{' count them */
#define LAYOUT_MAX_SIZE ((uint64_t)1 << 44)   /* of an item file */
#define LAYOUT_MIN_CHUNK_LOG2 16u
#define LAYOUT_MAX_CHUNK_LOG2 26u
#define LAYOUT_CHUNK_LOG2 20u /* what is written */

/* The fields of the prologue and the level ends. */
struct layout {
    uint64_t id;
    uint32_t head_size;
    uint32_t meta_stored;
    uint32_t manifest_size;
    uint32_t source_head_size;
    uint32_t template_size;
    uint32_t map_size;
    unsigned levels;
    unsigned coded_levels;
    unsigned chunk_log2;
    uint64_t tail_size;
    uint64_t level_end[MIST_MAX_LEVELS];
};

/* The resolution levels of the codestreams that together are level 0: more than 1 where they go further down. */
static inline unsigned layout_first_levels(const struct layout *layout)
{
    return layout->coded_levels > layout->levels ? layout->coded_levels - layout->levels + 1 : 1;
}
/* Levels that have bytes: all, but of labels. */
static inline unsigned layout_stored_levels(const struct layout *layout)
{
    return layout->coded_levels < layout->levels ? layout->coded_levels : layout->levels;
}

/* Chunks of a range (a level or the tail): all of 2^chunk_log2 bytes but the last. */
static inline uint64_t layout_chunks(uint64_t size, unsigned chunk_log2)
{
    return (size + ((uint64_t)1 << chunk_log2) - 1) >> chunk_log2;
}

static inline uint64_t layout_size(const struct layout *layout)
{
    return layout->level_end[layout->levels - 1] + layout->tail_size;
}
/* A range's first byte: level 0 .. levels-1, or the tail as level `levels`. */
static inline uint64_t layout_range_start(const struct layout *layout, unsigned range)
{
    return range ? layout->level_end[range - 1] : layout->head_size;
}
static inline uint64_t layout_range_size(const struct layout *layout, unsigned range)
{
    return range < layout->levels ? layout->level_end[range] - layout_range_start(layout, range) : layout->tail_size;
}
/* Where the checksums of the chunks start in the head. */
static inline uint64_t layout_checksums_at(const struct layout *layout)
{
    return LAYOUT_PROLOGUE_SIZE + 8 * (uint64_t)layout->levels + layout->meta_stored;
}
/* Bytes of meta once decompressed. */
static inline uint64_t layout_meta_size(const struct layout *layout)
{
    return (uint64_t)layout->manifest_size + layout->source_head_size + layout->template_size + layout->map_size;
}

/* Chunks of all ranges together. */
uint64_t layout_all_chunks(const struct layout *layout);

/*
 * Reads and checks what the head's fixed part says, and the head's checksum: afterwards every number is within its
 * limits and adds up with the others. `data` holds a prefix of an item file, which must contain the head.
 */
enum mist_status layout_read(const uint8_t *data, size_t size, struct layout *layout, struct mist_error *error);

/* Writes the prologue and the level ends (LAYOUT_PROLOGUE_SIZE + 8 * levels bytes), but for the checksum. */
void layout_write(const struct layout *layout, uint8_t *out);

#endif
