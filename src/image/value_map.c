/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/value_map.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"
#include "image/value_bits.h"
#include "image/value_fill.h"

#include <stdlib.h>

const char *value_map_kind_name(enum value_map_kind kind)
{
    static const char *const names[VALUE_MAP_KINDS] = {"identity", "linear", "table", "quantised", "ranks"};
    return (unsigned)kind < VALUE_MAP_KINDS ? names[kind] : NULL;
}

void value_map_free(struct value_map *map)
{
    memory_free(map->table);
    memory_free(map->rank);
    memory_free(map->holes.pattern);
    *map = (struct value_map){0};
}

struct value_map value_map_identity(enum mist_sample_type type, uint32_t components, unsigned precision)
{
    bool is_signed = mist_sample_is_signed(type);
    int64_t half = (int64_t)1 << (precision - 1);
    return (struct value_map){.kind = VALUE_MAP_IDENTITY,
                              .source = type,
                              .components = components,
                              .coded = type,
                              .precision = precision,
                              .lowest = is_signed ? -half : 0,
                              .highest = is_signed ? half - 1 : 2 * half - 1};
}

/* ---- checking ---- */

static bool ascending(const uint64_t *numbers, uint32_t count, uint64_t largest)
{
    for (uint32_t i = 1; i < count; i++)
        if (numbers[i] <= numbers[i - 1])
            return false;
    return count == 0 || (numbers && numbers[count - 1] <= largest);
}

static bool kind_is_sound(const struct value_map *map)
{
    bool is_float = mist_sample_is_float(map->source);
    size_t size = mist_sample_size(map->source);
    bool scale = isfinite(map->a) && isfinite(map->b) && map->b > 0;
    bool wide = is_float || size == 8;
    switch (map->kind) {
    case VALUE_MAP_IDENTITY:
        return !wide && map->coded == map->source;
    case VALUE_MAP_LINEAR:
        return wide && scale;
    case VALUE_MAP_TABLE:
        return is_float && scale && map->highest - map->lowest < VALUE_MAX_RANKS;
    case VALUE_MAP_QUANTISED:
        return wide && scale && map->remainder;
    case VALUE_MAP_RANKS:
        return map->coded == MIST_U16 && map->components * size <= 8 && map->rank_count >= 1 &&
               map->rank_count <= VALUE_MAX_RANKS && map->lowest == 0 && map->highest == (int64_t)map->rank_count - 1 &&
               !map->remainder && map->holes.count == 0 &&
               ascending(map->rank, map->rank_count, UINT64_MAX >> (64 - 8 * map->components * size));
    case VALUE_MAP_KINDS:
        break;
    }
    return false;
}

static bool is_sound(const struct value_map *map)
{
    size_t bits = 8 * mist_sample_size(map->coded);
    bool is_signed = mist_sample_is_signed(map->coded);
    if (mist_sample_size(map->source) == 0 || bits == 0 || bits > 32 || mist_sample_is_float(map->coded) ||
        map->precision < 1 || map->precision > bits || map->components < 1 || map->components > MIST_MAX_COMPONENTS)
        return false;
    struct value_map whole = value_map_identity(map->coded, 1, map->precision);
    if (map->lowest > map->highest || map->lowest < whole.lowest || map->highest > whole.highest)
        return false;
    if (map->kind != VALUE_MAP_IDENTITY && (bits < 16 || (is_signed && map->kind == VALUE_MAP_RANKS)))
        return false;
    return kind_is_sound(map) && map->holes.count <= VALUE_MAX_HOLES &&
           ascending(map->holes.pattern, map->holes.count, pattern_mask(map->source));
}

enum mist_status value_map_check(const struct value_map *map, struct mist_error *error)
{
    return is_sound(map) ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "the mapping of sample values is not valid");
}

uint32_t value_map_coded_components(const struct value_map *map)
{
    return map->kind == VALUE_MAP_RANKS ? 1 : map->components;
}

enum mist_sample_type value_map_remainder_type(const struct value_map *map)
{
    switch (mist_sample_size(map->source)) {
    case 1:
        return MIST_U8;
    case 2:
        return MIST_U16;
    case 4:
        return MIST_U32;
    default:
        return MIST_U64;
    }
}

/* ---- numbers among sorted ones ---- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void value_holes_sort(struct value_holes *holes)
{
    if (holes->count)
        qsort(holes->pattern, holes->count, sizeof *holes->pattern, compare);
}

static uint32_t find_number(const uint64_t *numbers, uint32_t count, uint64_t number)
{
    uint32_t low = 0;
    if (count == 0 || number < numbers[0] || number > numbers[count - 1])
        return 0;
    while (count > 1) {
        uint32_t half = count / 2;
        low += numbers[low + half] <= number ? half : 0;
        count -= half;
    }
    return numbers[low] == number ? low + 1 : 0;
}

uint32_t value_holes_find(const struct value_holes *holes, uint64_t pattern)
{
    return find_number(holes->pattern, holes->count, pattern);
}

/* ---- single values ---- */

static uint64_t scaled(const struct value_map *map, int64_t k)
{
    return pattern_from_value(map->source, map->a + map->b * (double)k);
}

bool value_map_linear_code(const struct value_map *map, uint64_t pattern, int64_t *code)
{
    double k = round_even((pattern_value(map->source, pattern) - map->a) / map->b);
    if (!(fabs(k) <= UINT32_MAX)) /* NaN too */
        return false;
    *code = (int64_t)k;
    return scaled(map, *code) == pattern;
}

/* The first entry of the table that is not below the pattern, whose order codes never fall; true if it is the same. */
static bool table_code(const struct value_map *map, uint64_t pattern, int64_t *code)
{
    uint64_t wanted = order_code(map->source, pattern);
    int64_t low = 0, high = map->highest - map->lowest;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (order_code(map->source, map->table[middle]) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    *code = map->lowest + low;
    return map->table[low] == pattern;
}

/* The pattern that a code at full size stands for. */
static uint64_t exact(const struct value_map *map, int64_t k)
{
    if (map->kind != VALUE_MAP_TABLE)
        return scaled(map, k);
    k = k < map->lowest ? map->lowest : k > map->highest ? map->highest : k;
    return map->table[k - map->lowest];
}

/* The code of a sample that is no hole; false if it is not one that the map is for. */
static bool code_of(const struct value_map *map, uint64_t pattern, int64_t *code)
{
    enum mist_sample_type type = map->source;
    unsigned spare = 64 - 8 * (unsigned)type_bytes(type);
    double value, k;
    switch (map->kind) {
    case VALUE_MAP_IDENTITY:
        *code = type_is_signed(type) ? (int64_t)(pattern << spare) >> spare : (int64_t)pattern;
        break;
    case VALUE_MAP_TABLE:
        if (!table_code(map, pattern, code) && pattern_value(type, pattern) == 0 && map->remainder)
            table_code(map, 0, code); /* -0.0 beside 0 */
        break;
    default:
        value = pattern_value(type, pattern);
        k = round_even((value - map->a) / map->b);
        if (!(k >= (double)map->lowest && k <= (double)map->highest))
            return false;
        *code = (int64_t)k;
    }
    return *code >= map->lowest && *code <= map->highest &&
           (map->remainder || map->kind == VALUE_MAP_IDENTITY || exact(map, *code) == pattern);
}

/* ---- frames ---- */

static enum mist_status check_plane(const struct value_map *map, const struct mist_view *samples,
                                    const struct mist_view *plane, enum mist_sample_type type, uint32_t components,
                                    struct mist_error *error)
{
    enum mist_status status = value_map_check(map, error);
    if (!status)
        status = view_check(samples, "the samples", error);
    if (!status)
        status = view_check(plane, "the coded values", error);
    if (!status &&
        (samples->type != map->source || samples->components != map->components || plane->type != type ||
         plane->components != components || samples->width != plane->width || samples->height != plane->height))
        status = error_set(error, MIST_ERROR_ARGUMENT, "the mapping of sample values is for images of another shape");
    return status;
}

static void copy_row(const struct mist_view *from, const struct mist_view *to, uint32_t y, uint32_t c)
{
    const char *in = sample_at(from, y, c);
    char *out = sample_at(to, y, c);
    size_t size = type_bytes(from->type);
    if (from->column_stride == size && to->column_stride == size) {
        memcpy(out, in, size * from->width);
        return;
    }
    for (uint32_t x = 0; x < from->width; x++, in += from->column_stride, out += to->column_stride)
        memcpy(out, in, size);
}

/* The planes of a frame that forward makes. */
struct planes {
    const struct value_map *map;
    const struct mist_view *samples;
    struct mist_view *coded, *holes, *remainder; /* the last two may be NULL */
    bool any;                                    /* there is a hole in the frame */
};

/* One sample at x; `out`, `mark` and `rest` are where it goes. */
static bool forward_sample(struct planes *planes, uint64_t pattern, char *out, char *mark, char *rest)
{
    const struct value_map *map = planes->map;
    enum mist_sample_type type = map->source;
    uint64_t cut = pattern_cut(type, pattern, map->hole_bits);
    uint32_t hole = map->holes.count ? value_holes_find(&map->holes, cut) : 0;
    int64_t code = map->lowest;
    uint64_t decoded;
    if (hole) {
        decoded = cut;
        planes->any = true;
    } else {
        if (!pattern_is_finite(type, pattern) || !code_of(map, pattern, &code))
            return false;
        decoded = map->remainder ? (map->kind == VALUE_MAP_IDENTITY ? pattern : exact(map, code)) : pattern;
    }
    code_store(planes->coded->type, out, code);
    if (mark)
        pattern_store(2, mark, hole);
    if (rest)
        pattern_store(type_bytes(type), rest, order_code(type, pattern) - order_code(type, decoded));
    return true;
}

static bool forward_row(struct planes *planes, uint32_t y, uint32_t c)
{
    const struct mist_view *samples = planes->samples;
    size_t size = type_bytes(samples->type);
    const char *in = sample_at(samples, y, c);
    char *out = sample_at(planes->coded, y, c);
    char *mark = planes->holes ? sample_at(planes->holes, y, c) : NULL;
    char *rest = planes->remainder ? sample_at(planes->remainder, y, c) : NULL;
    for (uint32_t x = 0; x < samples->width; x++, in += samples->column_stride, out += planes->coded->column_stride) {
        if (!forward_sample(planes, pattern_load(size, in), out, mark, rest))
            return false;
        mark = mark ? mark + planes->holes->column_stride : NULL;
        rest = rest ? rest + planes->remainder->column_stride : NULL;
    }
    return true;
}

static bool forward_ranks(const struct value_map *map, const struct mist_view *samples, const struct mist_view *coded,
                          uint32_t y)
{
    size_t size = type_bytes(samples->type);
    const char *in = sample_at(samples, y, 0);
    char *out = sample_at(coded, y, 0);
    uint64_t last = 0;
    uint32_t found = 0;
    for (uint32_t x = 0; x < samples->width; x++, in += samples->column_stride, out += coded->column_stride) {
        uint64_t value = 0;
        for (uint32_t c = 0; c < samples->components; c++)
            value = (value << (8 * size % 64)) |
                    order_code(map->source, pattern_load(size, in + c * samples->component_stride));
        if (!found || value != last)
            found = find_number(map->rank, map->rank_count, value);
        if (!found)
            return false;
        last = value;
        pattern_store(2, out, found - 1);
    }
    return true;
}

/* The planes that are not wanted are NULL then. */
static enum mist_status check_planes(struct planes *planes, struct mist_error *error)
{
    const struct value_map *map = planes->map;
    enum mist_status status =
        check_plane(map, planes->samples, planes->coded, map->coded, value_map_coded_components(map), error);
    if (status)
        return status;
    planes->holes = map->holes.count ? planes->holes : NULL;
    planes->remainder = map->remainder ? planes->remainder : NULL;
    if ((map->holes.count && !planes->holes) || (map->remainder && !planes->remainder) ||
        (map->kind == VALUE_MAP_TABLE && !map->table))
        return error_set(error, MIST_ERROR_ARGUMENT, "the mapping of sample values needs planes that are not here");
    if (planes->holes)
        status = check_plane(map, planes->samples, planes->holes, MIST_U16, map->components, error);
    if (!status && planes->remainder)
        status =
            check_plane(map, planes->samples, planes->remainder, value_map_remainder_type(map), map->components, error);
    return status;
}

enum mist_status value_map_forward(const struct value_map *map, const struct mist_view *samples,
                                   struct mist_view *coded, struct mist_view *holes, struct mist_view *remainder,
                                   struct mist_error *error)
{
    struct planes planes = {map, samples, coded, holes, remainder, false};
    enum mist_status status = check_planes(&planes, error);
    bool copies = map->kind == VALUE_MAP_IDENTITY && map->holes.count == 0, good = true;
    for (uint32_t y = 0; !status && good && y < samples->height; y++) {
        if (map->kind == VALUE_MAP_RANKS) {
            good = forward_ranks(map, samples, coded, y);
            continue;
        }
        for (uint32_t c = 0; c < samples->components && good; c++)
            if (copies)
                copy_row(samples, coded, y, c);
            else
                good = forward_row(&planes, y, c);
    }
    if (!status && !good)
        status = error_set(error, MIST_ERROR_RANGE, "a sample is not one that the mapping of values is for");
    for (uint32_t c = 0; planes.any && !status && c < samples->components; c++)
        status = value_fill_holes(coded, holes, c, map->lowest, map->highest, error);
    return status;
}

static void inverse_row(const struct value_map *map, const struct mist_view *coded, const struct mist_view *samples,
                        bool reduced, uint32_t y, uint32_t c)
{
    const char *in = sample_at(coded, y, c);
    char *out = sample_at(samples, y, c);
    size_t size = type_bytes(map->source);
    for (uint32_t x = 0; x < samples->width; x++, in += coded->column_stride, out += samples->column_stride) {
        int64_t k = code_load(map->coded, in);
        if (reduced)
            k = k < map->lowest ? map->lowest : k > map->highest ? map->highest : k;
        pattern_store(size, out,
                      map->kind == VALUE_MAP_IDENTITY ? (uint64_t)k
                      : reduced                       ? scaled(map, k)
                                                      : exact(map, k));
    }
}

static void inverse_ranks(const struct value_map *map, const struct mist_view *coded, const struct mist_view *samples,
                          uint32_t y)
{
    size_t size = type_bytes(map->source);
    const char *in = sample_at(coded, y, 0);
    char *out = sample_at(samples, y, 0);
    for (uint32_t x = 0; x < samples->width; x++, in += coded->column_stride, out += samples->column_stride) {
        uint64_t k = pattern_load(2, in), value = map->rank[k < map->rank_count ? k : map->rank_count - 1];
        for (uint32_t c = samples->components; c-- > 0; value >>= 8 * size % 64)
            pattern_store(size, out + c * samples->component_stride,
                          order_pattern(map->source, value & pattern_mask(map->source)));
    }
}

/* Maps of one component and few values, as most are: their patterns are made once. */
enum { FEW_RANKS = 256 };
struct few_ranks {
    uint8_t u8[FEW_RANKS];
    uint16_t u16[FEW_RANKS];
    uint32_t u32[FEW_RANKS];
    uint64_t u64[FEW_RANKS];
};

static void make_few_ranks(const struct value_map *map, struct few_ranks *few)
{
    for (uint32_t k = 0; k < FEW_RANKS; k++) {
        const uint64_t value = map->rank[k < map->rank_count ? k : map->rank_count - 1];
        few->u64[k] = order_pattern(map->source, value & pattern_mask(map->source));
        few->u32[k] = (uint32_t)few->u64[k];
        few->u16[k] = (uint16_t)few->u64[k];
        few->u8[k] = (uint8_t)few->u64[k];
    }
}

#define LOOK_UP(type, table)             \
    for (uint32_t x = 0; x < width; x++) \
    ((type *)out)[x] = (table)[in[x] < FEW_RANKS ? in[x] : FEW_RANKS - 1]

/* Rows of samples one behind the other. */
static void inverse_few_ranks(const struct few_ranks *few, size_t size, const uint16_t *in, uint32_t width, void *out)
{
    if (size == 1)
        LOOK_UP(uint8_t, few->u8);
    else if (size == 2)
        LOOK_UP(uint16_t, few->u16);
    else if (size == 4)
        LOOK_UP(uint32_t, few->u32);
    else
        LOOK_UP(uint64_t, few->u64);
}

/* Rows are aligned and packed, as those of all buffers are that hold nothing else. */
static bool is_plain(const struct mist_view *view)
{
    const size_t size = type_bytes(view->type);
    return view->components == 1 && view->column_stride == size && view->row_stride % size == 0 &&
           (uintptr_t)view->data % size == 0;
}

enum mist_status value_map_inverse(const struct value_map *map, const struct mist_view *coded, bool reduced,
                                   struct mist_view *samples, struct mist_error *error)
{
    enum mist_status status = check_plane(map, samples, coded, map->coded, value_map_coded_components(map), error);
    if (!status && map->kind == VALUE_MAP_TABLE && !reduced && !map->table)
        status = error_set(error, MIST_ERROR_ARGUMENT, "the table of exact values is not here");
    bool copies = map->kind == VALUE_MAP_IDENTITY && !reduced;
    struct few_ranks ranks;
    const bool few =
        !status && map->kind == VALUE_MAP_RANKS && map->rank_count <= FEW_RANKS && is_plain(coded) && is_plain(samples);
    if (few)
        make_few_ranks(map, &ranks);
    for (uint32_t y = 0; !status && y < samples->height; y++) {
        if (few) {
            inverse_few_ranks(&ranks, type_bytes(map->source), (const uint16_t *)sample_at(coded, y, 0), samples->width,
                              sample_at(samples, y, 0));
            continue;
        }
        if (map->kind == VALUE_MAP_RANKS) {
            inverse_ranks(map, coded, samples, y);
            continue;
        }
        for (uint32_t c = 0; c < samples->components; c++)
            if (copies)
                copy_row(coded, samples, y, c);
            else
                inverse_row(map, coded, samples, reduced, y, c);
    }
    return status;
}

enum mist_status value_map_apply_holes(const struct value_map *map, const struct mist_view *holes,
                                       struct mist_view *samples, struct mist_error *error)
{
    size_t size = type_bytes(map->source);
    enum mist_status status = check_plane(map, samples, holes, MIST_U16, map->components, error);
    for (uint32_t y = 0; !status && y < samples->height; y++)
        for (uint32_t c = 0; !status && c < samples->components; c++) {
            const char *in = sample_at(holes, y, c);
            char *out = sample_at(samples, y, c);
            for (uint32_t x = 0; x < samples->width && !status;
                 x++, in += holes->column_stride, out += samples->column_stride) {
                uint64_t hole = pattern_load(2, in);
                if (hole > map->holes.count)
                    status = error_set(error, MIST_ERROR_CORRUPT, "there is no hole of number %u", (unsigned)hole);
                else if (hole)
                    pattern_store(size, out, map->holes.pattern[hole - 1]);
            }
        }
    return status;
}

enum mist_status value_map_apply_remainder(const struct value_map *map, const struct mist_view *remainder,
                                           struct mist_view *samples, struct mist_error *error)
{
    enum mist_sample_type type = map->source;
    size_t size = type_bytes(type);
    enum mist_status status =
        check_plane(map, samples, remainder, value_map_remainder_type(map), map->components, error);
    for (uint32_t y = 0; !status && y < samples->height; y++)
        for (uint32_t c = 0; c < samples->components; c++) {
            const char *in = sample_at(remainder, y, c);
            char *out = sample_at(samples, y, c);
            for (uint32_t x = 0; x < samples->width; x++, in += remainder->column_stride, out += samples->column_stride)
                pattern_store(size, out,
                              order_pattern(type, (order_code(type, pattern_load(size, out)) + pattern_load(size, in)) &
                                                      pattern_mask(type)));
        }
    return status;
}
