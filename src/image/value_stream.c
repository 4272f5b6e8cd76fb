/* SPDX-License-Identifier: BSD-2-Clause */
/* Value maps as bytes: value_map.h, docs/values.md. */
#include "image/value_map.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/value_bits.h"

/* Appends to a buffer; `failed` stays set when memory was short. */
struct writer {
    struct mist_buffer *out;
    bool failed;
};

static void put_byte(struct writer *writer, unsigned byte)
{
    uint8_t value = (uint8_t)byte;
    writer->failed = !buffer_append(writer->out, &value, 1) || writer->failed;
}

static void put_varint(struct writer *writer, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = store_varint(bytes, value);
    writer->failed = !buffer_append(writer->out, bytes, size) || writer->failed;
}

static void put_svarint(struct writer *writer, int64_t value)
{
    put_varint(writer, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static int64_t read_svarint(struct byte_reader *reader)
{
    uint64_t value = read_varint(reader);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static void put_real(struct writer *writer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(writer, __builtin_bswap64(bits));
}

static double read_real(struct byte_reader *reader)
{
    uint64_t bits = __builtin_bswap64(read_varint(reader));
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What ranks are counted from, so that small values of either sign are short. */
static uint64_t rank_centre(const struct value_map *map)
{
    return map->components == 1 && mist_sample_is_signed(map->source) ? pattern_top(map->source) : 0;
}

enum { WHOLE = 0x80, WHOLE_LIMIT = 53 };

/* The whole number that a float's order code is of; false if it is none, or -0.0, or beyond 2^53. */
static bool whole_of(const struct value_map *map, uint64_t code, uint64_t *number)
{
    uint64_t pattern = order_pattern(map->source, code);
    double value = pattern_value(map->source, pattern);
    if (!(fabs(value) <= ldexp(1, WHOLE_LIMIT)) || value != rint(value) || (value == 0 && pattern != 0))
        return false;
    *number = (uint64_t)(int64_t)value;
    return true;
}

/* What is stored of ranks: whole numbers where all are floats of such, else the order codes from the centre. */
static bool ranks_are_whole(const struct value_map *map)
{
    uint64_t number;
    bool whole = map->components == 1 && mist_sample_is_float(map->source);
    for (uint32_t i = 0; i < map->rank_count && whole; i++)
        whole = whole_of(map, map->rank[i], &number);
    return whole;
}

static uint64_t number_of(const struct value_map *map, bool whole, uint32_t i)
{
    uint64_t number = map->rank[i] - rank_centre(map);
    if (whole)
        whole_of(map, map->rank[i], &number);
    return number;
}

/* How many numbers from `first` on are one step apart, and that step. */
static uint32_t run_of(const struct value_map *map, bool whole, uint32_t first, uint64_t *step)
{
    uint32_t end = first;
    uint64_t before = number_of(map, whole, first - 1);
    *step = number_of(map, whole, first) - before;
    for (; end < map->rank_count; end++) {
        uint64_t number = number_of(map, whole, end);
        if (number - before != *step)
            break;
        before = number;
    }
    return end - first;
}

static void put_ranks(struct writer *writer, const struct value_map *map)
{
    uint64_t step;
    uint32_t runs = 0;
    bool whole = ranks_are_whole(map);
    put_byte(writer, map->components | (whole ? (unsigned)WHOLE : 0));
    put_varint(writer, map->rank_count);
    for (uint32_t i = 1; i < map->rank_count; i += run_of(map, whole, i, &step))
        runs++;
    put_varint(writer, runs);
    put_svarint(writer, (int64_t)number_of(map, whole, 0));
    for (uint32_t i = 1; i < map->rank_count;) {
        uint32_t times = run_of(map, whole, i, &step);
        put_varint(writer, step);
        put_varint(writer, times);
        i += times;
    }
}

static bool has_range(const struct value_map *map)
{
    if (map->kind == VALUE_MAP_RANKS)
        return false;
    struct value_map whole = value_map_identity(map->coded, 1, map->precision);
    return map->lowest != whole.lowest || map->highest != whole.highest;
}

enum mist_status value_map_write(const struct value_map *map, struct mist_buffer *out, struct mist_error *error)
{
    struct writer writer = {out, false};
    enum mist_status status = value_map_check(map, error);
    if (status)
        return status;
    bool range = has_range(map);
    put_byte(&writer, (unsigned)map->kind | (unsigned)map->source << 3 | (map->holes.count ? 0x80u : 0));
    put_byte(&writer, (map->precision - 1) | (mist_sample_is_signed(map->coded) ? 0x20u : 0) |
                          (map->remainder ? 0x40u : 0) | (range ? 0x80u : 0));
    if (map->kind != VALUE_MAP_IDENTITY && map->kind != VALUE_MAP_RANKS) {
        put_real(&writer, map->a);
        put_real(&writer, map->b);
    }
    if (range) {
        put_svarint(&writer, map->lowest);
        put_varint(&writer, (uint64_t)(map->highest - map->lowest));
    }
    if (map->kind == VALUE_MAP_RANKS)
        put_ranks(&writer, map);
    if (map->holes.count)
        put_varint(&writer, map->holes.count);
    for (uint32_t i = 0; i < map->holes.count; i++)
        put_varint(&writer, map->holes.pattern[i] - (i ? map->holes.pattern[i - 1] : 0));
    return writer.failed ? error_set(error, MIST_ERROR_MEMORY, "the mapping of sample values: out of memory") : MIST_OK;
}

/* ---- reading: numbers that make no sense set reader->failed ---- */

/* The rank of a stored number; sets failed if there is none. */
static uint64_t rank_of(struct byte_reader *reader, const struct value_map *map, bool whole, uint64_t number)
{
    uint64_t again;
    if (!whole)
        return number + rank_centre(map);
    uint64_t rank = order_code(map->source, pattern_from_value(map->source, (double)(int64_t)number));
    if (!whole_of(map, rank, &again) || again != number)
        reader->failed = true;
    return rank;
}

static bool read_ranks(struct byte_reader *reader, struct value_map *map)
{
    uint32_t components = read_u8(reader);
    uint64_t count = read_varint(reader), runs = read_varint(reader), number = (uint64_t)read_svarint(reader);
    bool whole = components & WHOLE;
    if (reader->failed || (components & ~(uint32_t)WHOLE) != map->components || count < 1 || count > VALUE_MAX_RANKS ||
        runs >= count || (whole && (components != (1 | WHOLE) || !mist_sample_is_float(map->source)))) {
        reader->failed = true;
        return true;
    }
    map->rank = memory_allocate_array(count, sizeof *map->rank);
    if (!map->rank)
        return false;
    map->rank_count = (uint32_t)count;
    map->rank[0] = rank_of(reader, map, whole, number);
    uint32_t done = 1;
    for (uint64_t i = 0; i < runs && !reader->failed; i++) {
        uint64_t step = read_varint(reader), times = read_varint(reader);
        if (times < 1 || times > count - done)
            reader->failed = true;
        for (uint64_t k = 0; k < times && !reader->failed; k++)
            map->rank[done++] = rank_of(reader, map, whole, number += step);
    }
    /* value_map_check() finds ranks that do not ascend: steps of 0, and sums that overflow. */
    reader->failed = reader->failed || done != count;
    map->highest = (int64_t)count - 1;
    return true;
}

static bool read_holes(struct byte_reader *reader, struct value_map *map)
{
    uint64_t count = read_varint(reader), pattern = 0;
    if (reader->failed || count < 1 || count > VALUE_MAX_HOLES || count > reader_left(reader)) {
        reader->failed = true;
        return true;
    }
    map->holes.pattern = memory_allocate_array(count, sizeof *map->holes.pattern);
    if (!map->holes.pattern)
        return false;
    map->holes.count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++)
        map->holes.pattern[i] = pattern += read_varint(reader);
    return true;
}

static void read_head(struct byte_reader *reader, uint32_t components, struct value_map *map, bool *holes)
{
    uint8_t first = read_u8(reader), second = read_u8(reader);
    bool is_signed = second & 0x20;
    *map = (struct value_map){.kind = (enum value_map_kind)(first & 7),
                              .source = (enum mist_sample_type)(first >> 3 & 15),
                              .components = components,
                              .precision = (second & 31u) + 1,
                              .remainder = second & 0x40};
    *holes = first & 0x80;
    map->coded = map->kind == VALUE_MAP_IDENTITY ? map->source
                 : map->precision <= 16          ? (is_signed ? MIST_S16 : MIST_U16)
                                                 : (is_signed ? MIST_S32 : MIST_U32);
    if (map->kind >= VALUE_MAP_KINDS || map->source >= MIST_SAMPLE_TYPES ||
        is_signed != mist_sample_is_signed(map->coded))
        reader->failed = true;
    struct value_map whole = value_map_identity(map->coded, 1, map->precision);
    map->lowest = whole.lowest;
    map->highest = whole.highest;
    if (map->kind != VALUE_MAP_IDENTITY && map->kind != VALUE_MAP_RANKS) {
        map->a = read_real(reader);
        map->b = read_real(reader);
    }
    if (second & 0x80) {
        int64_t lowest = read_svarint(reader);
        uint64_t width = read_varint(reader);
        if (lowest < map->lowest || lowest > map->highest || width > (uint64_t)(map->highest - lowest) ||
            map->kind == VALUE_MAP_RANKS)
            reader->failed = true;
        map->lowest = lowest;
        map->highest = reader->failed ? lowest : lowest + (int64_t)width;
    }
}

enum mist_status value_map_read(struct byte_reader *reader, uint32_t components, struct value_map *map,
                                struct mist_error *error)
{
    bool holes, memory = true;
    read_head(reader, components, map, &holes);
    if (!reader->failed && map->kind == VALUE_MAP_RANKS)
        memory = read_ranks(reader, map);
    if (!reader->failed && memory && holes)
        memory = read_holes(reader, map);
    enum mist_status status = MIST_OK;
    if (!memory)
        status = error_set(error, MIST_ERROR_MEMORY, "the mapping of sample values: out of memory");
    else if (reader->failed)
        status = error_set(error, MIST_ERROR_CORRUPT, "the mapping of sample values is damaged");
    else
        status = value_map_check(map, error);
    if (status)
        value_map_free(map);
    return status;
}
