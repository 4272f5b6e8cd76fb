/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/layout.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"

#include <string.h>

uint64_t layout_all_chunks(const struct layout *layout)
{
    uint64_t chunks = 0;
    for (unsigned range = 0; range <= layout->levels; range++)
        chunks += layout_chunks(layout_range_size(layout, range), layout->chunk_log2);
    return chunks;
}

static enum mist_status corrupt(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the head of the item file is damaged: %s", what);
}

/* Limits of single fields. */
static const char *field_problem(const struct layout *layout)
{
    if (layout->levels < 1 || layout->levels > MIST_MAX_LEVELS)
        return "a number of levels that there cannot be";
    if (layout->coded_levels > MIST_MAX_LEVELS || (layout->coded_levels < layout->levels && layout->coded_levels != 1))
        return "a number of coded levels that there cannot be";
    if (layout->chunk_log2 < LAYOUT_MIN_CHUNK_LOG2 || layout->chunk_log2 > LAYOUT_MAX_CHUNK_LOG2)
        return "a chunk size beyond the limits";
    if (layout->manifest_size > LAYOUT_MAX_MANIFEST || layout->source_head_size > LAYOUT_MAX_SOURCE_HEAD ||
        layout->template_size > LAYOUT_MAX_TEMPLATE || layout->map_size > LAYOUT_MAX_MAP)
        return "a part of it is larger than the format allows";
    return NULL;
}

/* Level ends ascend from the head's end, and there is one checksum for every chunk. */
static const char *sum_problem(const struct layout *layout)
{
    uint64_t end = layout->head_size;
    for (unsigned level = 0; level < layout->levels; level++) {
        if (layout->level_end[level] < end || layout->level_end[level] > LAYOUT_MAX_SIZE)
            return "the ends of the levels do not ascend";
        end = layout->level_end[level];
    }
    if (end != layout->level_end[layout_stored_levels(layout) - 1])
        return "a level that is not coded has bytes";
    if (layout->tail_size > LAYOUT_MAX_SIZE - end)
        return "the tail is larger than the format allows";
    if (layout_checksums_at(layout) + 8 * layout_all_chunks(layout) != layout->head_size)
        return "its parts do not add up to its size";
    return NULL;
}

static void read_fields(const uint8_t *data, struct layout *layout)
{
    *layout = (struct layout){
        .id = load_le64(data + LAYOUT_CHECKSUM_AT),
        .head_size = load_le32(data + LAYOUT_HEAD_SIZE_AT),
        .meta_stored = load_le32(data + LAYOUT_META_STORED_AT),
        .manifest_size = load_le32(data + LAYOUT_MANIFEST_SIZE_AT),
        .source_head_size = load_le32(data + LAYOUT_SOURCE_HEAD_SIZE_AT),
        .template_size = load_le32(data + LAYOUT_TEMPLATE_SIZE_AT),
        .map_size = load_le32(data + LAYOUT_MAP_SIZE_AT),
        .levels = data[LAYOUT_LEVELS_AT],
        .coded_levels = data[LAYOUT_CODED_LEVELS_AT],
        .chunk_log2 = data[LAYOUT_CHUNK_LOG2_AT],
        .tail_size = load_le64(data + LAYOUT_TAIL_SIZE_AT),
    };
}

enum mist_status layout_read(const uint8_t *data, size_t size, struct layout *layout, struct mist_error *error)
{
    size_t known = size < 8 ? size : 8;
    if (memcmp(data, LAYOUT_MAGIC, known) != 0)
        return error_set(error, MIST_ERROR_CORRUPT, "not a MIST item file");
    if (size < LAYOUT_PROLOGUE_SIZE)
        return error_set(error, MIST_ERROR_TRUNCATED, "the item file ends within its head");
    if (load_le32(data + LAYOUT_VERSION_AT) != LAYOUT_VERSION)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "an item file of version %u; this program reads version %u",
                         load_le32(data + LAYOUT_VERSION_AT), LAYOUT_VERSION);
    read_fields(data, layout);
    if (layout->head_size > LAYOUT_MAX_HEAD || layout->head_size < LAYOUT_PROLOGUE_SIZE)
        return corrupt(error, "its size is beyond the limits");
    if (size < layout->head_size)
        return error_set(error, MIST_ERROR_TRUNCATED, "the item file ends within its head (%zu of %u bytes)", size,
                         layout->head_size);
    size_t covered = LAYOUT_CHECKSUM_AT + 8;
    if (checksum(data + covered, layout->head_size - covered) != layout->id)
        return error_set(error, MIST_ERROR_CHECKSUM, "the head of the item file is damaged: its checksum differs");
    if (load_le32(data + LAYOUT_FLAGS_AT) != 0 || memcmp(data + LAYOUT_RESERVED_AT, (const uint8_t[5]){0}, 5) != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the item file uses a feature that this program does not know");
    const char *problem = field_problem(layout);
    if (problem)
        return corrupt(error, problem);
    if (LAYOUT_PROLOGUE_SIZE + 8 * (uint64_t)layout->levels > layout->head_size)
        return corrupt(error, "it is too short for its levels");
    for (unsigned level = 0; level < layout->levels; level++)
        layout->level_end[level] = load_le64(data + LAYOUT_PROLOGUE_SIZE + 8 * level);
    problem = sum_problem(layout);
    return problem ? corrupt(error, problem) : MIST_OK;
}

void layout_write(const struct layout *layout, uint8_t *out)
{
    memset(out, 0, LAYOUT_PROLOGUE_SIZE);
    memcpy(out + LAYOUT_MAGIC_AT, LAYOUT_MAGIC, 8);
    store_le32(out + LAYOUT_VERSION_AT, LAYOUT_VERSION);
    store_le32(out + LAYOUT_HEAD_SIZE_AT, layout->head_size);
    store_le32(out + LAYOUT_META_STORED_AT, layout->meta_stored);
    store_le32(out + LAYOUT_MANIFEST_SIZE_AT, layout->manifest_size);
    store_le32(out + LAYOUT_SOURCE_HEAD_SIZE_AT, layout->source_head_size);
    store_le32(out + LAYOUT_TEMPLATE_SIZE_AT, layout->template_size);
    store_le32(out + LAYOUT_MAP_SIZE_AT, layout->map_size);
    out[LAYOUT_LEVELS_AT] = (uint8_t)layout->levels;
    out[LAYOUT_CODED_LEVELS_AT] = (uint8_t)layout->coded_levels;
    out[LAYOUT_CHUNK_LOG2_AT] = (uint8_t)layout->chunk_log2;
    store_le64(out + LAYOUT_TAIL_SIZE_AT, layout->tail_size);
    for (unsigned level = 0; level < layout->levels; level++)
        store_le64(out + LAYOUT_PROLOGUE_SIZE + 8 * level, layout->level_end[level]);
}
