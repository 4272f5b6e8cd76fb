/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/value_map.h"

#include "base/error.h"
#include "image/rows.h"
#include "image/value_bits.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const char *const kind_names[VALUE_MAP_KINDS] = {"identity", "linear", "ordered"};

const char *value_map_kind_name(enum value_map_kind kind)
{
    return (unsigned)kind < VALUE_MAP_KINDS ? kind_names[kind] : NULL;
}

enum value_map_kind value_map_kind_from_name(const char *name)
{
    unsigned kind = 0;
    while (kind < VALUE_MAP_KINDS && strcmp(kind_names[kind], name) != 0)
        kind++;
    return (enum value_map_kind)kind;
}

static bool is_sound(const struct value_map *map)
{
    enum mist_sample_type coded = map->coded;
    size_t bits = 8 * mist_sample_size(coded);
    bool is_float = mist_sample_is_float(map->source);
    if (mist_sample_size(map->source) == 0 || bits == 0 || mist_sample_is_float(coded) || map->precision < 1 ||
        map->precision > bits)
        return false;
    switch (map->kind) {
    case VALUE_MAP_IDENTITY:
        return !is_float && coded == map->source && map->planes == 1;
    case VALUE_MAP_LINEAR:
        return is_float && bits >= 16 && map->planes == 1 && isfinite(map->a) && isfinite(map->b) && map->b > 0;
    case VALUE_MAP_ORDERED:
        return is_float && coded == (map->source == MIST_F16 ? MIST_S16 : MIST_S32) &&
               (map->planes == 1 || (map->planes == 2 && map->source == MIST_F64)) && map->lowest <= map->highest;
    case VALUE_MAP_KINDS:
        break;
    }
    return false;
}

enum mist_status value_map_check(const struct value_map *map, struct mist_error *error)
{
    return is_sound(map) ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "the mapping of sample values is not valid");
}

/* ---- single values ---- */

static uint64_t linear_inverse(const struct value_map *map, double k)
{
    double largest = map->source == MIST_F16 ? 65504 : map->source == MIST_F32 ? FLT_MAX : DBL_MAX;
    double value = map->a + map->b * k;
    value = value > largest ? largest : value < -largest ? -largest : value; /* overshoot of a reduced level */
    return bits_from_value(map->source, value);
}

bool value_map_linear_code(const struct value_map *map, uint64_t bits, int32_t *code)
{
    double k = rint((value_from_bits(map->source, bits) - map->a) / map->b);
    if (!(fabs(k) < 0x1p24)) /* NaN too */
        return false;
    *code = (int32_t)k;
    return linear_inverse(map, k) == bits;
}

/* What a reduced level's average of plane 0 stands for: value_map.h. */
static int32_t ordered_reduced(const struct value_map *map, int32_t mean)
{
    int32_t infinity = order_infinity(map->source);
    if (map->finite_lowest > map->finite_highest)
        return mean < map->lowest ? map->lowest : mean > map->highest ? map->highest : mean;
    if (mean > map->finite_highest) {
        if (map->highest == map->finite_highest || (int64_t)mean - map->finite_highest < (int64_t)infinity - mean)
            return map->finite_highest;
        return mean == infinity ? infinity : map->highest;
    }
    if (mean < map->finite_lowest) {
        int32_t minus_infinity = -1 - infinity;
        if (map->lowest == map->finite_lowest || (int64_t)map->finite_lowest - mean < (int64_t)mean - minus_infinity)
            return map->finite_lowest;
        return mean == minus_infinity ? minus_infinity : map->lowest;
    }
    return mean;
}

/* ---- frames ---- */

static enum mist_status check_views(const struct value_map *map, const struct mist_view *samples,
                                    const struct mist_view *coded, struct mist_error *error)
{
    enum mist_status status = value_map_check(map, error);
    if (!status)
        status = view_check(samples, "the samples", error);
    if (!status)
        status = view_check(coded, "the coded values", error);
    if (!status && (samples->type != map->source || coded->type != map->coded || samples->width != coded->width ||
                    samples->height != coded->height || samples->components * map->planes != coded->components))
        status = error_set(error, MIST_ERROR_ARGUMENT, "the mapping of sample values is for images of another shape");
    return status;
}

static char *sample_at(const struct mist_view *view, uint32_t y, uint32_t c)
{
    return (char *)view->data + y * view->row_stride + c * view->component_stride;
}

static void copy_row(const struct mist_view *from, const struct mist_view *to, uint32_t y, uint32_t c)
{
    const char *in = sample_at(from, y, c);
    char *out = sample_at(to, y, c);
    size_t size = mist_sample_size(from->type);
    if (from->column_stride == size && to->column_stride == size) {
        memcpy(out, in, size * from->width);
        return;
    }
    for (uint32_t x = 0; x < from->width; x++, in += from->column_stride, out += to->column_stride)
        memcpy(out, in, size);
}

static bool forward_row(const struct value_map *map, const struct mist_view *samples, const struct mist_view *coded,
                        uint32_t y, uint32_t c)
{
    const char *in = sample_at(samples, y, c);
    char *out = sample_at(coded, y, c * map->planes);
    for (uint32_t x = 0; x < samples->width; x++, in += samples->column_stride, out += coded->column_stride) {
        uint64_t bits = bits_load(map->source, in);
        int32_t code;
        if (map->kind == VALUE_MAP_LINEAR) {
            if (!value_map_linear_code(map, bits, &code))
                return false;
        } else {
            code = order_code(map->source, bits);
            if (code < map->lowest || code > map->highest ||
                (map->source == MIST_F64 && map->planes == 1 && (uint32_t)bits))
                return false;
        }
        code_store(map->coded, out, code);
        if (map->planes == 2)
            code_store(map->coded, out + coded->component_stride, (int32_t)(uint32_t)bits);
    }
    return true;
}

static void inverse_row(const struct value_map *map, const struct mist_view *coded, const struct mist_view *samples,
                        bool reduced, uint32_t y, uint32_t c)
{
    const char *in = sample_at(coded, y, c * map->planes);
    char *out = sample_at(samples, y, c);
    for (uint32_t x = 0; x < samples->width; x++, in += coded->column_stride, out += samples->column_stride) {
        int64_t code = code_load(map->coded, in);
        uint64_t bits;
        if (map->kind == VALUE_MAP_LINEAR) {
            bits = linear_inverse(map, (double)code);
        } else {
            int32_t order = reduced ? ordered_reduced(map, (int32_t)code) : (int32_t)code;
            bits = order_bits(map->source, order);
            if (map->planes == 2 && !reduced)
                bits |= (uint32_t)code_load(map->coded, in + coded->component_stride);
        }
        bits_store(map->source, out, bits);
    }
}

enum mist_status value_map_forward(const struct value_map *map, const struct mist_view *samples,
                                   struct mist_view *coded, struct mist_error *error)
{
    enum mist_status status = check_views(map, samples, coded, error);
    for (uint32_t y = 0; y < samples->height && !status; y++)
        for (uint32_t c = 0; c < samples->components && !status; c++) {
            if (map->kind == VALUE_MAP_IDENTITY)
                copy_row(samples, coded, y, c);
            else if (!forward_row(map, samples, coded, y, c))
                status = error_set(error, MIST_ERROR_RANGE, "a sample is not one that the mapping of values is for");
        }
    return status;
}

enum mist_status value_map_inverse(const struct value_map *map, const struct mist_view *coded, bool reduced,
                                   struct mist_view *samples, struct mist_error *error)
{
    enum mist_status status = check_views(map, samples, coded, error);
    for (uint32_t y = 0; y < samples->height && !status; y++)
        for (uint32_t c = 0; c < samples->components; c++) {
            if (map->kind == VALUE_MAP_IDENTITY)
                copy_row(coded, samples, y, c);
            else
                inverse_row(map, coded, samples, reduced, y, c);
        }
    return status;
}
