/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/frame_map.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ..., so that small differences of either sign are short. */
static uint64_t zigzag(int64_t value)
{
    return value < 0 ? 2 * (uint64_t) - (value + 1) + 1 : 2 * (uint64_t)value;
}
static int64_t unzigzag(uint64_t value)
{
    return value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

bool frame_map_write(const uint32_t *lengths, uint32_t frames, unsigned levels, struct mist_buffer *out)
{
    for (unsigned level = 0; level < levels; level++) {
        int64_t before = 0;
        for (uint32_t frame = 0; frame < frames; frame++) {
            uint8_t bytes[10];
            int64_t length = lengths[(size_t)level * frames + frame];
            if (!buffer_append(out, bytes, store_varint(bytes, zigzag(length - before))))
                return false;
            before = length;
        }
    }
    return true;
}

enum mist_status frame_map_read(const uint8_t *data, size_t size, uint32_t frames, const struct layout *layout,
                                struct frame_map *map, struct mist_error *error)
{
    unsigned levels = layout->coded_levels;
    *map = (struct frame_map){.frames = frames, .levels = levels};
    if ((uint64_t)frames * levels > LAYOUT_MAX_MAP_ENTRIES || (uint64_t)frames * levels > size)
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes for %u frames of %u levels", size,
                         frames, levels);
    map->offset = memory_allocate_array(levels * ((size_t)frames + 1), sizeof *map->offset);
    if (!map->offset)
        return error_set(error, MIST_ERROR_MEMORY, "the map: out of memory");
    struct byte_reader reader = byte_reader_start(data, size);
    uint64_t *offset = map->offset;
    for (unsigned level = 0; level < levels; level++) {
        uint64_t at = layout_range_start(layout, level);
        int64_t length = 0;
        for (uint32_t frame = 0; frame < frames; frame++) {
            uint64_t step = read_varint(&reader);
            /* A length and its change are within 33 bits, so this cannot overflow. */
            length = step > (uint64_t)1 << 34 ? -1 : length + unzigzag(step);
            if (reader.failed || length < 0 || (uint64_t)length > LAYOUT_MAX_PACKETS) {
                frame_map_free(map);
                return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: level %u of frame %u", level, frame);
            }
            *offset++ = at;
            at += (uint64_t)length; /* at most 2^24 additions of 2^32 */
        }
        *offset++ = at;
        if (at != layout->level_end[level]) {
            frame_map_free(map);
            return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: level %u does not end where the head says",
                             level);
        }
    }
    if (reader_left(&reader)) {
        frame_map_free(map);
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes too many", reader_left(&reader));
    }
    return MIST_OK;
}

void frame_map_free(struct frame_map *map)
{
    memory_free(map->offset);
    *map = (struct frame_map){0};
}

uint32_t frame_map_find(const struct frame_map *map, unsigned level, uint64_t offset)
{
    uint32_t low = 0, high = map->frames - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (frame_map_offset(map, middle + 1, level) > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
