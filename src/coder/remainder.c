/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/remainder.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"
#include "image/value_bits.h"

#include <zstd.h>

/* The lower bytes are noise at any level; what a higher one gains in the upper bytes, it gains slowly. */
enum { LEVEL = 9 };

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the exact remainder of the samples: out of memory");
}

static enum mist_status check(const struct mist_view *plane, size_t *samples, struct mist_error *error)
{
    enum mist_status status = view_check(plane, "the remainder", error);
    if (!status && (mist_sample_is_signed(plane->type) || mist_sample_is_float(plane->type)))
        status = error_set(error, MIST_ERROR_ARGUMENT, "remainders are unsigned integers");
    *samples = (size_t)plane->width * plane->height * plane->components;
    return status;
}

/* bytes[i + k * samples]: byte k of sample i. Returns whether any is not zero. */
static bool shuffle(const struct mist_view *plane, size_t samples, uint8_t *bytes)
{
    size_t size = mist_sample_size(plane->type), i = 0;
    unsigned spare = 64 - 8 * (unsigned)size;
    uint64_t any = 0;
    for (uint32_t c = 0; c < plane->components; c++)
        for (uint32_t y = 0; y < plane->height; y++) {
            const char *at = sample_at(plane, y, c);
            for (uint32_t x = 0; x < plane->width; x++, i++, at += plane->column_stride) {
                int64_t number = (int64_t)(pattern_load(size, at) << spare) >> spare;
                uint64_t folded = ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
                any |= folded;
                for (size_t k = 0; k < size; k++)
                    bytes[i + k * samples] = (uint8_t)(folded >> (8 * k));
            }
        }
    return any != 0;
}

static void unshuffle(const uint8_t *bytes, size_t samples, struct mist_view *plane)
{
    size_t size = mist_sample_size(plane->type), i = 0;
    for (uint32_t c = 0; c < plane->components; c++)
        for (uint32_t y = 0; y < plane->height; y++) {
            char *at = sample_at(plane, y, c);
            for (uint32_t x = 0; x < plane->width; x++, i++, at += plane->column_stride) {
                uint64_t folded = 0;
                for (size_t k = 0; k < size; k++)
                    folded |= (uint64_t)bytes[i + k * samples] << (8 * k);
                pattern_store(size, at, (folded >> 1) ^ (0 - (folded & 1)));
            }
        }
}

enum mist_status remainder_compress(const struct mist_view *plane, struct mist_buffer *out, struct mist_error *error)
{
    size_t samples;
    enum mist_status status = check(plane, &samples, error);
    out->size = 0;
    if (status)
        return status;
    size_t bytes = samples * mist_sample_size(plane->type), bound = ZSTD_compressBound(bytes);
    uint8_t *shuffled = memory_allocate(bytes);
    if (!shuffled || !buffer_reserve(out, bound)) {
        status = out_of_memory(error);
    } else if (shuffle(plane, samples, shuffled)) {
        size_t size = ZSTD_compress(out->data, bound, shuffled, bytes, LEVEL);
        if (ZSTD_isError(size))
            status = error_set(error, MIST_ERROR_MEMORY, "compressing a remainder: %s", ZSTD_getErrorName(size));
        else
            out->size = size;
    }
    memory_free(shuffled);
    return status;
}

enum mist_status remainder_decompress(const uint8_t *data, size_t size, struct mist_view *plane,
                                      struct mist_error *error)
{
    size_t samples;
    enum mist_status status = check(plane, &samples, error);
    if (status)
        return status;
    size_t bytes = samples * mist_sample_size(plane->type);
    if (size && (ZSTD_getFrameContentSize(data, size) != bytes || ZSTD_findFrameCompressedSize(data, size) != size))
        return error_set(error, MIST_ERROR_CORRUPT, "a remainder is damaged");
    uint8_t *shuffled = memory_allocate_zeroed(bytes, 1);
    if (!shuffled)
        return out_of_memory(error);
    if (size && ZSTD_decompress(shuffled, bytes, data, size) != bytes)
        status = error_set(error, MIST_ERROR_CORRUPT, "a remainder is damaged");
    if (!status)
        unshuffle(shuffled, samples, plane);
    memory_free(shuffled);
    return status;
}

/* ---- tables ---- */

/* A plane of one row as wide as the table, its samples zero; data NULL when memory is short. */
static struct mist_view table_plane(const struct value_map *map)
{
    enum mist_sample_type type = value_map_remainder_type(map);
    size_t entries = (size_t)(map->highest - map->lowest) + 1;
    /* A row of 65,536 is one too long for an image: there are two rows then. */
    uint32_t rows = entries > MIST_MAX_SIDE ? 2 : 1;
    void *data = memory_allocate_zeroed(entries, mist_sample_size(type));
    return mist_view_planar(data, type, (uint32_t)(entries / rows), rows, 1);
}

static uint64_t predicted(const struct value_map *map, size_t entry)
{
    double k = (double)(map->lowest + (int64_t)entry);
    return order_code(map->source, pattern_from_value(map->source, map->a + map->b * k));
}

enum mist_status value_table_write(const struct value_map *map, struct mist_buffer *out, struct mist_error *error)
{
    out->size = 0;
    enum mist_status status = value_map_check(map, error);
    if (!status && (map->kind != VALUE_MAP_TABLE || !map->table))
        status = error_set(error, MIST_ERROR_ARGUMENT, "there is no table of values to write");
    if (status)
        return status;
    struct mist_view plane = table_plane(map);
    size_t size = mist_sample_size(plane.type);
    if (!plane.data)
        return out_of_memory(error);
    for (size_t i = 0; i <= (size_t)(map->highest - map->lowest); i++)
        pattern_store(size, (char *)plane.data + i * size, order_code(map->source, map->table[i]) - predicted(map, i));
    status = remainder_compress(&plane, out, error);
    memory_free(plane.data);
    return status;
}

enum mist_status value_table_read(const uint8_t *data, size_t size, struct value_map *map, struct mist_error *error)
{
    enum mist_status status = value_map_check(map, error);
    if (!status && map->kind != VALUE_MAP_TABLE)
        status = error_set(error, MIST_ERROR_ARGUMENT, "there is no table of values to read");
    if (status)
        return status;
    struct mist_view plane = table_plane(map);
    size_t entries = (size_t)(map->highest - map->lowest) + 1, bytes = mist_sample_size(plane.type);
    memory_free(map->table);
    map->table = memory_allocate_array(entries, sizeof *map->table);
    status = plane.data && map->table ? remainder_decompress(data, size, &plane, error) : out_of_memory(error);
    for (size_t i = 0; i < entries && !status; i++) {
        uint64_t code = predicted(map, i) + pattern_load(bytes, (char *)plane.data + i * bytes);
        map->table[i] = order_pattern(map->source, code & pattern_mask(map->source));
    }
    if (status) {
        memory_free(map->table);
        map->table = NULL;
    }
    memory_free(plane.data);
    return status;
}
