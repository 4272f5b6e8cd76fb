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

/* The lengths of one coded level. */
static bool read_lengths(struct byte_reader *reader, uint32_t frames, uint32_t *lengths)
{
    int64_t length = 0;
    for (uint32_t frame = 0; frame < frames; frame++) {
        uint64_t step = read_varint(reader);
        /* A length and its change are within 33 bits, so this cannot overflow. */
        length = step > (uint64_t)1 << 34 ? -1 : length + unzigzag(step);
        if (reader->failed || length < 0 || (uint64_t)length > LAYOUT_MAX_PACKETS)
            return false;
        lengths[frame] = (uint32_t)length;
    }
    return true;
}

static bool allocate(struct frame_map *map, uint32_t **lengths)
{
    map->offset = memory_allocate_zeroed(map->levels * ((size_t)map->frames + 1), sizeof *map->offset);
    map->first = memory_allocate_array((size_t)map->first_levels * map->frames, sizeof *map->first);
    *lengths = memory_allocate_array(map->frames, sizeof **lengths);
    return map->offset && map->first && *lengths;
}

/* Turns lengths, offset[0 .. frames-1], into offsets. At most 2^24 additions of 2^38. */
static uint64_t sum_up(uint64_t *offset, uint32_t frames, uint64_t at)
{
    for (uint32_t frame = 0; frame < frames; frame++) {
        uint64_t length = offset[frame];
        offset[frame] = at;
        at += length;
    }
    offset[frames] = at;
    return at;
}

static enum mist_status read_levels(struct byte_reader *reader, const struct layout *layout, struct frame_map *map,
                                    uint32_t *lengths, struct mist_error *error)
{
    const uint32_t frames = map->frames;
    for (unsigned coded = 0; coded < layout->coded_levels; coded++) {
        bool first = coded < map->first_levels;
        unsigned level = first ? 0 : coded - map->first_levels + 1;
        uint32_t *into = first ? map->first + (size_t)coded * frames : lengths;
        uint64_t *offset = map->offset + level * ((size_t)frames + 1);
        if (!read_lengths(reader, frames, into))
            return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged at level %u of the codestreams", coded);
        for (uint32_t frame = 0; frame < frames; frame++)
            offset[frame] += into[frame];
        if (coded + 1 >= map->first_levels &&
            sum_up(offset, frames, layout_range_start(layout, level)) != layout->level_end[level])
            return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: level %u does not end where the head says",
                             level);
    }
    if (reader_left(reader))
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes too many", reader_left(reader));
    return MIST_OK;
}

enum mist_status frame_map_read(const uint8_t *data, size_t size, uint32_t frames, const struct layout *layout,
                                struct frame_map *map, struct mist_error *error)
{
    *map = (struct frame_map){
        .frames = frames, .levels = layout_stored_levels(layout), .first_levels = layout_first_levels(layout)};
    uint64_t entries = (uint64_t)frames * layout->coded_levels;
    if (entries > LAYOUT_MAX_MAP_ENTRIES || entries > size)
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes for %u frames of %u levels", size,
                         frames, layout->coded_levels);
    uint32_t *lengths = NULL;
    enum mist_status status =
        allocate(map, &lengths) ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the map: out of memory");
    struct byte_reader reader = byte_reader_start(data, size);
    if (!status)
        status = read_levels(&reader, layout, map, lengths, error);
    memory_free(lengths);
    if (status)
        frame_map_free(map);
    return status;
}

uint64_t frame_map_packets(const struct frame_map *map, uint32_t frame, unsigned coded_level, uint64_t *size)
{
    if (coded_level >= map->first_levels) {
        unsigned level = coded_level - map->first_levels + 1;
        *size = frame_map_size(map, frame, level);
        return frame_map_offset(map, frame, level);
    }
    uint64_t offset = frame_map_offset(map, frame, 0);
    for (unsigned before = 0; before < coded_level; before++)
        offset += map->first[(size_t)before * map->frames + frame];
    *size = map->first[(size_t)coded_level * map->frames + frame];
    return offset;
}

void frame_map_free(struct frame_map *map)
{
    memory_free(map->offset);
    memory_free(map->first);
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
