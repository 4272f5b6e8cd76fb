/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/chunk_map.h"

#include "base/error.h"
#include "base/memory.h"
#include "coder/coder.h"

/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ..., so that small differences of either sign are short. */
static uint64_t zigzag(int64_t value)
{
    return value < 0 ? 2 * (uint64_t) - (value + 1) + 1 : 2 * (uint64_t)value;
}
static int64_t unzigzag(uint64_t value)
{
    return value & 1 ? -(int64_t)(value >> 1) - 1 : (int64_t)(value >> 1);
}

uint64_t chunk_count(const struct coder_stream *stream)
{
    uint64_t slots = 0;
    for (unsigned class = 0; class <= stream->plane.steps; class += 1)
        slots += stream_slots(stream, class);
    return slots * stream->coded;
}

/* ---- writing ---- */

bool chunk_lengths_start(struct chunk_lengths *lengths, const struct coder_stream *stream)
{
    *lengths = (struct chunk_lengths){0};
    for (unsigned coded = 0; coded < stream->coded; coded++)
        for (unsigned class = 0; class <= stream->plane.steps; class += 1) {
            uint32_t slots = stream_slots(stream, class);
            lengths->length[coded][class] = memory_allocate_zeroed(slots, sizeof(uint32_t));
            if (!lengths->length[coded][class])
                return false;
        }
    return true;
}

void chunk_lengths_free(struct chunk_lengths *lengths)
{
    for (unsigned coded = 0; coded < MIST_MAX_LEVELS; coded++)
        for (unsigned class = 0; class <= STEP_MAX; class += 1)
            memory_free(lengths->length[coded][class]);
    *lengths = (struct chunk_lengths){0};
}

bool chunk_lengths_write(const struct chunk_lengths *lengths, const struct coder_stream *stream,
                         struct mist_buffer *out)
{
    for (unsigned coded = 0; coded < stream->coded; coded++)
        for (unsigned place = 0; place <= stream->plane.steps; place++) {
            unsigned class = stream->plane.steps - place;
            int64_t before = 0;
            for (uint32_t slot = 0; slot < stream_slots(stream, class); slot++) {
                uint8_t bytes[10];
                int64_t length = lengths->length[coded][class][slot];
                if (!buffer_append(out, bytes, store_varint(bytes, zigzag(length - before))))
                    return false;
                before = length;
            }
        }
    return true;
}

/* ---- reading ---- */

/* The lengths of a class at one coded level. */
static bool read_lengths(struct byte_reader *reader, uint32_t slots, uint32_t *lengths)
{
    int64_t length = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint64_t step = read_varint(reader);
        /* A length and its change are within 33 bits, so this cannot overflow. */
        length = step > (uint64_t)1 << 34 ? -1 : length + unzigzag(step);
        if (reader->failed || length < 0 || (uint64_t)length > CODER_MAX_CHUNK)
            return false;
        lengths[slot] = (uint32_t)length;
    }
    return true;
}

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the map: out of memory");
}

/* One coded level of a class: its lengths are added up in start[], and kept where a level holds several of them. */
static enum mist_status read_class(struct byte_reader *reader, const struct layout *layout, struct stream_map *map,
                                   unsigned coded, unsigned class, uint32_t *scratch, struct mist_error *error)
{
    const struct coder_stream *stream = map->stream;
    uint32_t slots = stream_slots(stream, class);
    unsigned extra = stream_extra(stream), range = layout_range(layout, stream_level_of(stream, coded), class);
    if (slots == 0)
        return MIST_OK;
    if (!map->start[range])
        map->start[range] = memory_allocate_zeroed(slots + (size_t)1, sizeof(uint64_t));
    if (coded == 0)
        map->first[class] = memory_allocate_array(slots * (size_t)(extra + 1), sizeof(uint32_t));
    if (!map->start[range] || !map->first[class])
        return out_of_memory(error);
    uint32_t *into = coded <= extra ? map->first[class] + coded * (size_t)slots : scratch;
    if (!read_lengths(reader, slots, into))
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged at coded level %u", coded);
    for (uint32_t slot = 0; slot < slots; slot++)
        map->start[range][slot] += into[slot];
    return MIST_OK;
}

static enum mist_status read_stream(struct byte_reader *reader, const struct layout *layout, struct stream_map *map,
                                    struct mist_error *error)
{
    const struct coder_stream *stream = map->stream;
    uint32_t most = 0;
    for (unsigned class = 0; class <= layout->steps; class += 1)
        most = stream_slots(stream, class) > most ? stream_slots(stream, class) : most;
    uint32_t *scratch = memory_allocate_array(most, sizeof *scratch);
    enum mist_status status = scratch ? MIST_OK : out_of_memory(error);
    for (unsigned coded = 0; coded < stream->coded && !status; coded++)
        for (unsigned place = 0; place <= layout->steps && !status; place++)
            status = read_class(reader, layout, map, coded, layout->steps - place, scratch, error);
    memory_free(scratch);
    return status;
}

/* Turns lengths into offsets, range by range. At most 2^24 additions of 2^32. */
static enum mist_status place_chunks(const struct chunk_map *map, struct layout *layout, struct mist_error *error)
{
    uint64_t at = layout->head_size;
    for (unsigned range = 0; range < layout_ranges(layout); range++) {
        unsigned class = layout->steps - range % (layout->steps + 1);
        for (unsigned i = 0; i < map->streams; i++) {
            uint64_t *start = map->stream[i].start[range];
            uint32_t slots = start ? stream_slots(map->stream[i].stream, class) : 0;
            for (uint32_t slot = 0; slot < slots; slot++) {
                uint64_t length = start[slot];
                start[slot] = at;
                at += length;
            }
            if (start)
                start[slots] = at;
        }
        layout->range_end[range] = at;
    }
    if (at > LAYOUT_MAX_SIZE || layout->tail_size > LAYOUT_MAX_SIZE - at)
        return error_set(error, MIST_ERROR_CORRUPT, "the item would be larger than the format allows");
    return MIST_OK;
}

enum mist_status chunk_map_read(struct byte_reader *reader, const struct manifest *manifest, struct layout *layout,
                                struct chunk_map *map, struct mist_error *error)
{
    *map = (struct chunk_map){.streams = manifest->streams};
    uint64_t count = 0;
    for (unsigned i = 0; i < map->streams; i++) {
        map->stream[i].stream = &manifest->stream[i];
        count += chunk_count(&manifest->stream[i]);
    }
    if (count > LAYOUT_MAX_CHUNKS || count > reader_left(reader))
        return error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes for %llu chunks",
                         reader_left(reader), (unsigned long long)count);
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < map->streams && !status; i++)
        status = read_stream(reader, layout, &map->stream[i], error);
    if (!status && reader_left(reader))
        status = error_set(error, MIST_ERROR_CORRUPT, "the map is damaged: %zu bytes too many", reader_left(reader));
    return status ? status : place_chunks(map, layout, error);
}

void chunk_map_free(struct chunk_map *map)
{
    for (unsigned i = 0; i < map->streams; i++) {
        for (unsigned range = 0; range < LAYOUT_MAX_RANGES; range++)
            memory_free(map->stream[i].start[range]);
        for (unsigned class = 0; class <= STEP_MAX; class += 1)
            memory_free(map->stream[i].first[class]);
    }
    *map = (struct chunk_map){0};
}

/* ---- looking up ---- */

uint64_t chunk_map_range(const struct chunk_map *map, const struct layout *layout, unsigned stream, unsigned level,
                         unsigned class, uint32_t unit, uint64_t *size)
{
    const struct stream_map *of = &map->stream[stream];
    const uint64_t *start = of->start[layout_range(layout, level, class)];
    uint32_t slot = start ? stream_slot(of->stream, unit, class) : UINT32_MAX;
    *size = slot == UINT32_MAX ? 0 : start[slot + 1] - start[slot];
    return slot == UINT32_MAX ? 0 : start[slot];
}

uint64_t chunk_map_chunk(const struct chunk_map *map, const struct layout *layout, unsigned stream, unsigned coded,
                         unsigned class, uint32_t unit, uint64_t *size)
{
    const struct stream_map *of = &map->stream[stream];
    uint64_t at = chunk_map_range(map, layout, stream, stream_level_of(of->stream, coded), class, unit, size);
    uint32_t slot = stream_slot(of->stream, unit, class);
    if (coded > stream_extra(of->stream) || slot == UINT32_MAX)
        return at;
    const uint32_t *lengths = of->first[class];
    uint32_t slots = stream_slots(of->stream, class);
    for (unsigned before = 0; before < coded; before++)
        at += lengths[before * (size_t)slots + slot];
    *size = lengths[coded * (size_t)slots + slot];
    return at;
}
