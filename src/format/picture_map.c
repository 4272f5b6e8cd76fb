/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/picture_map.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "image/copy.h"
#include "image/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool format_window_parse(const char *text, struct format_window *window)
{
    char *end;
    if (strcmp(text, "auto") == 0 || strcmp(text, "none") == 0) {
        window->mode = *text == 'a' ? FORMAT_WINDOW_AUTO : FORMAT_WINDOW_NONE;
        return true;
    }
    double center = strtod(text, &end);
    if (end == text || *end != ',')
        return false;
    const char *second = end + 1;
    double width = strtod(second, &end);
    if (end == second || *end || !isfinite(center) || !isfinite(width) || width <= 0)
        return false;
    window->mode = FORMAT_WINDOW_GIVEN;
    window->center = center;
    window->width = width;
    return true;
}

/* ---- what is to be done ---- */

static bool is_cmyk(enum format_color color)
{
    return color == FORMAT_CMYK || color == FORMAT_CMYK_INVERTED;
}

/* Whether values go through a window or a range; else they are copied. */
static bool is_mapped(const struct format_target *target, const struct picture_map *map, unsigned bits)
{
    const enum mist_sample_type type = target->info.type;
    const size_t size = mist_sample_size(type);
    const bool fits = !mist_sample_is_float(type) && size <= bits / 8;
    if (map->label) /* values are names: kept, as far as they can be */
        return false;
    switch (map->window.mode) {
    case FORMAT_WINDOW_GIVEN:
        return true;
    case FORMAT_WINDOW_NONE:
        return !fits;
    case FORMAT_WINDOW_AUTO:
        return map->look.width > 0 || map->look.voi.values || type != MIST_U8;
    default:
        return !fits || mist_sample_is_signed(type);
    }
}

void picture_map_start(struct picture_map *map, const struct format_target *target, const struct picture_limits *limits)
{
    const struct mist_image_info *info = &target->info;
    *map = (struct picture_map){.window = target->window,
                                .label = info->label,
                                .components = info->components,
                                .as_stored = target->window.mode == FORMAT_WINDOW_NONE};
    struct format_appearance *look = &map->look;
    if (limits->own)
        map->window.mode = FORMAT_WINDOW_DEFAULT;
    else
        format_appearance_read(target->source_kind, target->head, target->head_size, look);
    if (limits->orientation || look->orientation > 8)
        look->orientation = 0;
    if (look->bits == 0 || look->bits > 16)
        look->bits = mist_sample_size(info->type) == 1 ? 8 : 16;
    /* Windows are of grey. */
    if (info->components > 2 && map->window.mode != FORMAT_WINDOW_NONE) {
        map->window.mode = FORMAT_WINDOW_DEFAULT;
        look->width = 0;
        look->voi.values = look->modality.values = NULL;
    }
    map->exact = !is_mapped(target, map, limits->bits);
    if (is_cmyk(look->color) && info->components != 4)
        look->color = info->components == 1 ? FORMAT_GREY : FORMAT_RGB;
    const bool narrow = mist_sample_size(info->type) == 1 || limits->bits == 8;
    const bool display = map->window.mode == FORMAT_WINDOW_GIVEN || map->window.mode == FORMAT_WINDOW_AUTO;
    map->type = narrow || (!map->exact && display) ? MIST_U8 : MIST_U16;
    if (look->color == FORMAT_PALETTE && look->palette && info->components == 1) {
        map->components = 3;
        map->type = MIST_U8;
    } else if (is_cmyk(look->color) && info->components == 4 && !limits->cmyk) {
        map->components = 3;
    } else if (!limits->alpha && !limits->cmyk && info->components % 2 == 0) {
        map->components = info->components - 1;
    }
    const bool turned = look->orientation >= 5;
    map->width = turned ? info->height : info->width;
    map->height = turned ? info->width : info->height;
}

size_t picture_map_bytes(const struct picture_map *map)
{
    return mist_frame_bytes(map->type, map->width, map->height, map->components);
}

/* ---- orientation ---- */

/* The frame as it is to be looked at: only the strides differ (EXIF 2.3, 4.6.4: 2 mirrored, 3 turned by 180 degrees,
 * 4 upside down, 5 transposed, 6 to be turned clockwise, 7 transversed, 8 to be turned counterclockwise). */
static struct mist_view turn(const struct mist_view *frame, unsigned orientation)
{
    struct mist_view view = *frame;
    const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    uint8_t *data = view.data;
    if (from_right) {
        data += (view.width - 1) * view.column_stride;
        view.column_stride = 0 - view.column_stride;
    }
    if (from_below) {
        data += (view.height - 1) * view.row_stride;
        view.row_stride = 0 - view.row_stride;
    }
    view.data = data;
    if (orientation >= 5) {
        size_t stride = view.row_stride;
        view.row_stride = view.column_stride;
        view.column_stride = stride;
        uint32_t side = view.width;
        view.width = view.height;
        view.height = side;
    }
    return view;
}

/* ---- values ---- */

/* Everything that a value goes through, the same for a whole frame. */
struct curve {
    struct format_table modality; /* first, where there is one */
    double offset, factor;        /* value * factor + offset is 0 .. 1, or what `voi` maps to brightness */
    struct format_table voi;
    bool sigmoid; /* ... or goes into 1 / (1 + e^-4x) */
    bool inverted;
    double most; /* largest value of the picture */
};

static double table_value(const struct format_table *table, double value)
{
    const double at = floor(value + 0.5) - table->first;
    const uint32_t last = table->entries - 1;
    return load_le16(table->values + 2 * (size_t)(at >= last ? last : at > 0 ? (uint32_t)at : 0));
}

static double curve_value(const struct curve *curve, double value)
{
    if (curve->modality.values)
        value = table_value(&curve->modality, value);
    double part = value * curve->factor + curve->offset;
    if (curve->voi.values)
        part = table_value(&curve->voi, part) / (ldexp(1, (int)curve->voi.bits) - 1);
    if (curve->sigmoid)
        part = 1 / (1 + exp(-4 * part));
    part = part >= 1 ? 1 : part > 0 ? part : 0; /* NaN: 0 */
    return (curve->inverted ? 1 - part : part) * curve->most;
}

/* From stored values, or what a modality table made of them, to the units of windows. */
struct rescale {
    double slope, intercept;
};

static struct rescale rescale_of(const struct format_appearance *look)
{
    if (look->modality.values || look->slope == 0 || !isfinite(look->slope))
        return (struct rescale){1, 0};
    return (struct rescale){look->slope, isfinite(look->intercept) ? look->intercept : 0};
}

/* The range that a table makes of a range of values. */
static void map_range(const struct format_table *table, double *low, double *high)
{
    const double from = *low,
                 to = *high < table->first + (double)table->entries ? *high : table->first + (double)table->entries;
    *low = *high = table_value(table, from);
    for (double value = from > table->first ? from : table->first; value <= to; value++) {
        const double mapped = table_value(table, value);
        *low = mapped < *low ? mapped : *low;
        *high = mapped > *high ? mapped : *high;
    }
}

static struct curve window_curve(const struct picture_map *map, double center, double width, enum format_shape shape)
{
    const struct rescale rescale = rescale_of(&map->look);
    struct curve curve = {.sigmoid = shape == FORMAT_SIGMOID};
    double span = width, start = center - width / 2; /* LINEAR_EXACT */
    if (shape == FORMAT_LINEAR && width > 1) {
        span = width - 1;
        start = center - 0.5 - span / 2;
    }
    if (shape == FORMAT_SIGMOID)
        start = center;
    curve.factor = rescale.slope / span;
    curve.offset = (rescale.intercept - start) / span;
    return curve;
}

static struct curve frame_curve(const struct picture_map *map, const struct mist_view *frame)
{
    const struct format_window *window = &map->window;
    struct curve curve;
    if (window->mode == FORMAT_WINDOW_GIVEN) {
        curve = window_curve(map, window->center, window->width, FORMAT_LINEAR);
    } else if (window->mode != FORMAT_WINDOW_NONE && map->look.voi.values) {
        const struct rescale rescale = rescale_of(&map->look);
        curve = (struct curve){.voi = map->look.voi, .factor = rescale.slope, .offset = rescale.intercept};
    } else if (window->mode != FORMAT_WINDOW_NONE && map->look.width > 0) {
        curve = window_curve(map, map->look.center, map->look.width, map->look.shape);
    } else {
        double low = window->low, high = window->high;
        if (!(low < high))
            mist_range(frame, &low, &high);
        if (frame->components > 2 && !mist_sample_is_signed(frame->type)) {
            low = 0; /* colours keep their balance */
            if (frame->type == MIST_U16)
                high = ldexp(1, (int)map->look.bits) - 1;
        }
        if (window->mode != FORMAT_WINDOW_NONE && map->look.modality.values)
            map_range(&map->look.modality, &low, &high);
        double factor = high > low ? 1 / (high - low) : 0;
        curve = (struct curve){.factor = factor, .offset = -low * factor};
    }
    if (window->mode != FORMAT_WINDOW_NONE)
        curve.modality = map->look.modality;
    curve.inverted = map->look.color == FORMAT_GREY_INVERTED && !map->as_stored;
    curve.most = map->type == MIST_U8 ? 255 : 65535;
    return curve;
}

/* Of values that are kept, in place. False: a label is no number that a picture can have. */
static bool exact_row(const struct picture_map *map, enum mist_sample_type from, double *row, uint32_t width)
{
    const double most = map->type == MIST_U8 ? 255 : 65535;
    const double up = map->label ? 0 : from == MIST_S8 ? 128 : from == MIST_S16 ? 32768 : 0;
    const bool invert = map->look.color == FORMAT_GREY_INVERTED && !map->as_stored && !map->label;
    const double top = ldexp(1, (int)map->look.bits) - 1;
    for (uint32_t x = 0; x < width; x++) {
        double value = row[x] + up;
        value = invert ? top - value : value;
        if (map->label && !(value >= 0 && value <= most && value == floor(value)))
            return false;
        row[x] = value >= most ? most : value > 0 ? value : 0;
    }
    return true;
}

/* ---- colours, 0 .. most in place ---- */

static void ybr_row(double *const rows[4], uint32_t width, double most, bool partial)
{
    const double middle = floor(most / 2) + 1;
    const double scale = partial ? 255.0 / 219 : 1, chroma = partial ? 255.0 / 224 : 1;
    for (uint32_t x = 0; x < width; x++) {
        double y = (rows[0][x] - (partial ? 16 * most / 255 : 0)) * scale;
        double b = (rows[1][x] - middle) * chroma, r = (rows[2][x] - middle) * chroma;
        rows[0][x] = y + 1.402 * r;
        rows[1][x] = y - 0.344136286 * b - 0.714136286 * r;
        rows[2][x] = y + 1.772 * b;
    }
}

static void cmyk_row(double *const rows[4], uint32_t width, double most, bool inverted)
{
    for (uint32_t x = 0; x < width; x++)
        for (unsigned c = 0; c < 3; c++) {
            double ink = inverted ? rows[c][x] : most - rows[c][x], key = inverted ? rows[3][x] : most - rows[3][x];
            rows[c][x] = ink * key / most;
        }
}

static void palette_row(const struct format_appearance *look, double *const rows[4], uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        unsigned entry = rows[0][x] < look->palette_entries ? (unsigned)rows[0][x] : look->palette_entries;
        for (unsigned c = 0; c < 3; c++)
            rows[c][x] = entry < look->palette_entries ? look->palette[3 * (size_t)entry + c] : 0;
    }
}

static bool has_colors_of_palette(const struct picture_map *map, uint32_t components)
{
    return map->look.color == FORMAT_PALETTE && components == 1 && map->components == 3;
}

static void color_row(const struct picture_map *map, uint32_t components, double *const rows[4])
{
    const enum format_color color = map->look.color;
    const double most = map->type == MIST_U8 ? 255 : 65535;
    if (has_colors_of_palette(map, components))
        palette_row(&map->look, rows, map->width);
    else if (components == 4 && map->components == 3 && is_cmyk(color))
        cmyk_row(rows, map->width, most, color == FORMAT_CMYK_INVERTED);
    else if (components == 3 && !map->as_stored && (color == FORMAT_YBR || color == FORMAT_YBR_PARTIAL))
        ybr_row(rows, map->width, most, color == FORMAT_YBR_PARTIAL);
}

static void store_row(const struct picture_map *map, double *const rows[4], uint8_t *packed)
{
    const double most = map->type == MIST_U8 ? 255 : 65535;
    for (uint32_t x = 0; x < map->width; x++)
        for (uint32_t c = 0; c < map->components; c++) {
            double value = rows[c][x];
            uint16_t rounded = value >= most ? (uint16_t)most : value > 0 ? (uint16_t)(value + 0.5) : 0;
            if (map->type == MIST_U8)
                *packed++ = (uint8_t)rounded;
            else {
                memcpy(packed, &rounded, 2);
                packed += 2;
            }
        }
}

/* Whether the frame's bytes are the picture's. */
static bool is_copy(const struct picture_map *map, const struct mist_view *frame)
{
    return map->exact && map->type == frame->type && map->components == frame->components &&
           (map->as_stored || (map->look.color != FORMAT_GREY_INVERTED && map->look.color != FORMAT_YBR &&
                               map->look.color != FORMAT_YBR_PARTIAL));
}

bool picture_map_is_frame(const struct picture_map *map, const struct mist_view *frame)
{
    const struct copy_packing packing = {.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__};
    return map->look.orientation <= 1 && is_copy(map, frame) && copy_is_packed(frame, packing);
}

enum mist_status picture_map_frame(const struct picture_map *map, const struct mist_view *frame, uint8_t *packed,
                                   struct mist_error *error)
{
    const struct mist_view view = turn(frame, map->look.orientation);
    if (is_copy(map, &view)) {
        copy_pack(&view, (struct copy_packing){.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__}, packed);
        return MIST_OK;
    }
    double *values = memory_allocate_array(map->width, 4 * sizeof *values);
    if (!values)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for a row of a picture");
    double *const rows[4] = {values, values + map->width, values + 2 * (size_t)map->width,
                             values + 3 * (size_t)map->width};
    const struct curve curve = map->exact ? (struct curve){0} : frame_curve(map, frame);
    const size_t row_bytes = picture_map_bytes(map) / map->height;
    bool good = true;
    for (uint32_t y = 0; y < map->height && good; y++) {
        for (uint32_t c = 0; c < view.components && good; c++) {
            row_load(&view, y, c, rows[c]);
            if (map->exact && !has_colors_of_palette(map, view.components))
                good = exact_row(map, frame->type, rows[c], map->width);
            else if (!map->exact)
                for (uint32_t x = 0; x < map->width; x++)
                    rows[c][x] = curve_value(&curve, rows[c][x]);
        }
        color_row(map, view.components, rows);
        store_row(map, rows, packed + y * row_bytes);
    }
    memory_free(values);
    return good ? MIST_OK
                : error_set(error, MIST_ERROR_RANGE,
                            "labels that are no whole numbers from 0 to %u cannot be written "
                            "as such a picture",
                            map->type == MIST_U8 ? 255u : 65535u);
}
