/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/remainder.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"
#include "image/value_bits.h"

#include <zstd.h>

/* The lower bytes are noise at any level; what a higher one gains in the upper bytes, it gains slowly. */
enum { LEVEL = 9, CLASSES = 33, PIECE = 1024 };

/* Where the integers of each class are among the shuffled bytes. */
struct classes {
    size_t count[CLASSES];
    uint8_t *at[CLASSES]; /* of the next integer's lowest byte */
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the exact remainder of the samples: out of memory");
}

static enum mist_status check(const struct mist_view *plane, const struct mist_view *coded, struct mist_error *error)
{
    enum mist_status status = view_check(plane, "the remainder", error);
    if (!status && coded)
        status = view_check(coded, "the coded values", error);
    if (!status && (type_is_signed(plane->type) || type_is_float(plane->type) ||
                    (coded && (coded->width != plane->width || coded->height != plane->height ||
                               coded->components != plane->components || type_is_float(coded->type) ||
                               type_bytes(coded->type) > 4))))
        status = error_set(error, MIST_ERROR_ARGUMENT, "remainders are unsigned integers beside the coded ones");
    return status;
}

static unsigned class_of(enum mist_sample_type type, const char *at)
{
    int64_t code = code_load(type, at);
    return code ? 64 - (unsigned)__builtin_clzll((uint64_t)(code < 0 ? -code : code)) : 0;
}

/* Goes through a plane in its order: integers into the shuffled bytes, or out of them. */
typedef void visit(struct classes *classes, unsigned number, size_t size, char *integer);

static void visit_all(const struct mist_view *plane, const struct mist_view *coded, struct classes *classes,
                      visit *what)
{
    size_t size = type_bytes(plane->type);
    for (uint32_t c = 0; c < plane->components; c++)
        for (uint32_t y = 0; y < plane->height; y++) {
            char *integer = sample_at(plane, y, c);
            const char *code = coded ? sample_at(coded, y, c) : NULL;
            for (uint32_t x = 0; x < plane->width; x++, integer += plane->column_stride) {
                what(classes, code ? class_of(coded->type, code) : 0, size, integer);
                code = code ? code + coded->column_stride : NULL;
            }
        }
}

static void count(struct classes *classes, unsigned number, size_t size, char *integer)
{
    (void)size, (void)integer;
    classes->count[number]++;
}

static void shuffle(struct classes *classes, unsigned number, size_t size, char *integer)
{
    unsigned spare = 64 - 8 * (unsigned)size;
    int64_t signed_one = (int64_t)(pattern_load(size, integer) << spare) >> spare;
    uint64_t folded = ((uint64_t)signed_one << 1) ^ (uint64_t)(signed_one >> 63);
    for (size_t k = 0; k < size; k++)
        classes->at[number][k * classes->count[number]] = (uint8_t)(folded >> (8 * k));
    classes->at[number]++;
}

static void unshuffle(struct classes *classes, unsigned number, size_t size, char *integer)
{
    uint64_t folded = 0;
    for (size_t k = 0; k < size; k++)
        folded |= (uint64_t)classes->at[number][k * classes->count[number]] << (8 * k);
    pattern_store(size, integer, (folded >> 1) ^ (0 - (folded & 1)));
    classes->at[number]++;
}

static void count_classes(const struct mist_view *plane, const struct mist_view *coded, uint8_t *bytes,
                          struct classes *classes)
{
    *classes = (struct classes){.count = {0}};
    visit_all(plane, coded, classes, count);
    for (unsigned i = 0; i < CLASSES; i++) {
        classes->at[i] = bytes;
        bytes += classes->count[i] * type_bytes(plane->type);
    }
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/*
 * One zstd frame, whose blocks end where one kind of bytes does, so that each has statistics of its own; pieces that
 * are too small for that share a block.
 */
static size_t compress_pieces(ZSTD_CCtx *context, const struct classes *classes, size_t size, const uint8_t *bytes,
                              size_t all, struct mist_buffer *out)
{
    ZSTD_outBuffer to = {out->data, out->capacity, 0};
    ZSTD_inBuffer from = {bytes, 0, 0};
    size_t rest = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL), ended = 0;
    if (!ZSTD_isError(rest))
        rest = ZSTD_CCtx_setPledgedSrcSize(context, all);
    for (unsigned i = 0; i < CLASSES && !ZSTD_isError(rest); i++)
        for (size_t k = 0; k < size && classes->count[i] && !ZSTD_isError(rest); k++) {
            from.size += classes->count[i];
            bool flush = from.size - ended >= PIECE && all - from.size >= PIECE;
            rest = ZSTD_compressStream2(context, &to, &from, flush ? ZSTD_e_flush : ZSTD_e_continue);
            ended = flush ? from.size : ended;
        }
    if (!ZSTD_isError(rest))
        rest = ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
    out->size = to.pos;
    return rest;
}

enum mist_status remainder_compress(const struct mist_view *plane, const struct mist_view *coded,
                                    struct mist_buffer *out, struct mist_error *error)
{
    enum mist_status status = check(plane, coded, error);
    out->size = 0;
    if (status)
        return status;
    struct classes classes;
    size_t size = type_bytes(plane->type),
           bytes = mist_frame_bytes(plane->type, plane->width, plane->height, plane->components);
    /* Blocks that end early have a header of three bytes each. */
    size_t bound = ZSTD_compressBound(bytes) + CLASSES * 8 * 16;
    uint8_t *shuffled = memory_allocate(bytes);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (!shuffled || !context || !buffer_reserve(out, bound)) {
        status = out_of_memory(error);
    } else {
        count_classes(plane, coded, shuffled, &classes);
        visit_all(plane, coded, &classes, shuffle);
        if (!all_zero(shuffled, bytes) && compress_pieces(context, &classes, size, shuffled, bytes, out) != 0)
            status = error_set(error, MIST_ERROR_MEMORY, "the exact remainder of the samples cannot be compressed");
    }
    ZSTD_freeCCtx(context);
    memory_free(shuffled);
    return status;
}

enum mist_status remainder_decompress(const uint8_t *data, size_t size, const struct mist_view *coded,
                                      struct mist_view *plane, struct mist_error *error)
{
    enum mist_status status = check(plane, coded, error);
    if (status)
        return status;
    struct classes classes;
    size_t bytes = mist_frame_bytes(plane->type, plane->width, plane->height, plane->components);
    if (size && (ZSTD_getFrameContentSize(data, size) != bytes || ZSTD_findFrameCompressedSize(data, size) != size))
        return error_set(error, MIST_ERROR_CORRUPT, "the exact remainder of the samples is damaged");
    uint8_t *shuffled = memory_allocate_zeroed(bytes, 1);
    if (!shuffled)
        return out_of_memory(error);
    if (size && ZSTD_decompress(shuffled, bytes, data, size) != bytes)
        status = error_set(error, MIST_ERROR_CORRUPT, "the exact remainder of the samples is damaged");
    if (!status) {
        count_classes(plane, coded, shuffled, &classes);
        visit_all(plane, coded, &classes, unshuffle);
    }
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
    void *data = memory_allocate_zeroed(entries, type_bytes(type));
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
    size_t size = type_bytes(plane.type);
    if (!plane.data)
        return out_of_memory(error);
    for (size_t i = 0; i <= (size_t)(map->highest - map->lowest); i++)
        pattern_store(size, (char *)plane.data + i * size, order_code(map->source, map->table[i]) - predicted(map, i));
    status = remainder_compress(&plane, NULL, out, error);
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
    size_t entries = (size_t)(map->highest - map->lowest) + 1, bytes = type_bytes(plane.type);
    memory_free(map->table);
    map->table = memory_allocate_array(entries, sizeof *map->table);
    status = plane.data && map->table ? remainder_decompress(data, size, NULL, &plane, error) : out_of_memory(error);
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
