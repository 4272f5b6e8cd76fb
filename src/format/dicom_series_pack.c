/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptions of frames <-> bytes: field by field, each as one value for all frames, as decimal fractions in second
 * differences (slices evenly apart are zeros then), or as the reals that they are.
 */
#include "format/dicom_series.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum { VERSION = 1, DECIMALS = 6 };
/* How a column is coded: ALL_ALIKE one real, REALS one each, FRACTIONS + k whole numbers of 10^-k. */
enum { ALL_ALIKE, REALS, FRACTIONS };
static const double ten_to[DECIMALS + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

enum kind { REAL, INTEGER, UNSIGNED, BOOLEAN };
/* The numbers of dicom_frame_info in the order in which they are stored. */
#define ONE(field, kind)                                  \
    {                                                     \
        offsetof(struct dicom_frame_info, field), kind, 1 \
    }
#define SEVERAL(field, kind)                                                                                 \
    {                                                                                                        \
        offsetof(struct dicom_frame_info, field), kind,                                                      \
            sizeof(((struct dicom_frame_info *)0)->field) / sizeof(((struct dicom_frame_info *)0)->field[0]) \
    }
static const struct column {
    size_t offset;
    enum kind kind;
    size_t count; /* of an array */
} columns[] = {
    ONE(has_position, BOOLEAN),
    ONE(has_directions, BOOLEAN),
    ONE(has_rescale, BOOLEAN),
    SEVERAL(position, REAL),
    SEVERAL(row_direction, REAL),
    SEVERAL(column_direction, REAL),
    SEVERAL(spacing, REAL),
    ONE(slice_spacing, REAL),
    ONE(slice_thickness, REAL),
    ONE(slope, REAL),
    ONE(intercept, REAL),
    ONE(temporal_position, INTEGER),
    ONE(acquisition, INTEGER),
    ONE(instance, INTEGER),
    ONE(echo, INTEGER),
    ONE(segment, INTEGER),
    ONE(in_stack_position, INTEGER),
    ONE(dimensions, UNSIGNED),
    SEVERAL(dimension_index, INTEGER),
    ONE(acquisition_time, REAL),
    ONE(content_time, REAL),
    ONE(trigger_time, REAL),
    ONE(echo_time, REAL),
    ONE(repetition_time, REAL),
    ONE(inversion_time, REAL),
    ONE(flip_angle, REAL),
    ONE(frame_duration, REAL),
    ONE(b_value, REAL),
    SEVERAL(gradient, REAL),
};
enum { COLUMNS = sizeof columns / sizeof *columns, TEXTS = 2 };
static const size_t text_offsets[TEXTS] = {offsetof(struct dicom_frame_info, units),
                                           offsetof(struct dicom_frame_info, stack)};
#define TEXT_SIZE sizeof(((struct dicom_frame_info *)0)->units)

static double get(const struct dicom_frame_info *info, const struct column *column, size_t n)
{
    const uint8_t *at = (const uint8_t *)info + column->offset;
    if (column->kind == REAL)
        return ((const double *)(const void *)at)[n];
    if (column->kind == INTEGER)
        return ((const int32_t *)(const void *)at)[n];
    if (column->kind == UNSIGNED)
        return ((const uint32_t *)(const void *)at)[n];
    return *(const bool *)at;
}

/* Values that a field cannot have become 0. */
static void set(struct dicom_frame_info *info, const struct column *column, size_t n, double value)
{
    uint8_t *at = (uint8_t *)info + column->offset;
    bool integer = value >= INT32_MIN && value <= INT32_MAX;
    if (column->kind == REAL)
        ((double *)(void *)at)[n] = value;
    else if (column->kind == INTEGER)
        ((int32_t *)(void *)at)[n] = integer ? (int32_t)value : 0;
    else if (column->kind == UNSIGNED)
        ((uint32_t *)(void *)at)[n] = value >= 0 && value <= DICOM_MAX_DIMENSIONS ? (uint32_t)value : 0;
    else
        *(bool *)at = value == 1;
}

/* ---- writing ---- */

static bool put_varint(struct mist_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    return buffer_append(out, bytes, store_varint(bytes, value));
}

static bool put_real(struct mist_buffer *out, double value)
{
    uint64_t bits;
    uint8_t bytes[8];
    memcpy(&bits, &value, sizeof bits);
    store_le64(bytes, bits);
    return buffer_append(out, bytes, sizeof bytes);
}

/* The fewest decimals with which all values are what they are; -1 if there are none. */
static int decimals_of(const double *values, uint32_t count)
{
    for (int decimals = 0; decimals <= DECIMALS; decimals++) {
        double scale = ten_to[decimals];
        uint32_t i = 0;
        while (i < count && fabs(values[i]) < 1e9 && rint(values[i] * scale) / scale == values[i] &&
               !(values[i] == 0 && signbit(values[i])))
            i++;
        if (i == count)
            return decimals;
    }
    return -1;
}

static bool put_column(struct mist_buffer *out, const double *values, uint32_t count)
{
    uint32_t alike = 1;
    while (alike < count && memcmp(&values[alike], &values[0], sizeof *values) == 0)
        alike++;
    int decimals = decimals_of(values, count);
    uint8_t mode = alike == count ? ALL_ALIKE : decimals < 0 ? REALS : (uint8_t)(FRACTIONS + decimals);
    bool good = buffer_append(out, &mode, 1);
    if (mode == ALL_ALIKE)
        return good && put_real(out, values[0]);
    int64_t last = 0, step = 0;
    for (uint32_t i = 0; i < count && good; i++) {
        if (mode == REALS) {
            good = put_real(out, values[i]);
            continue;
        }
        int64_t whole = (int64_t)rint(values[i] * ten_to[decimals]), more = whole - last - step;
        good = put_varint(out, (uint64_t)more << 1 ^ (uint64_t)(more >> 63));
        step = whole - last;
        last = whole;
    }
    return good;
}

static bool put_text(struct mist_buffer *out, const struct dicom_series *series, size_t offset)
{
    const char *before = "";
    bool good = true;
    for (uint32_t i = 0; i < series->count && good; i++) { /* each only where it is another than the one before */
        const char *text = (const char *)series->frames[i].info + offset;
        size_t length = strnlen(text, TEXT_SIZE - 1);
        bool same = strcmp(text, before) == 0;
        good = put_varint(out, same ? 0 : length + 1) && (same || buffer_append(out, text, length));
        before = text;
    }
    return good;
}

static bool put_numbers(struct mist_buffer *out, const struct dicom_series *series, double *values)
{
    bool good = true;
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t n = 0; n < columns[c].count && good; n++) {
            for (uint32_t i = 0; i < series->count; i++)
                values[i] = get(series->frames[i].info, &columns[c], n);
            good = put_column(out, values, series->count);
        }
    return good;
}

static bool put_flags(struct mist_buffer *out, const struct dicom_series *series, double *values)
{
    for (uint32_t i = 0; i < series->count; i++) {
        const struct dicom_volume_frame *frame = &series->frames[i];
        values[i] = frame->copy | frame->component << 2;
    }
    bool good = put_column(out, values, series->count);
    for (uint32_t i = 0; i < series->count; i++)
        values[i] = series->frames[i].tile;
    return good && put_column(out, values, series->count);
}

enum mist_status dicom_series_store(const struct dicom_series *series, struct mist_buffer *out,
                                    struct mist_error *error)
{
    const struct dicom_volume_options *options = &series->options;
    const uint8_t start[3] = {VERSION, options->acquired_3d, (uint8_t)options->phase_encoding};
    double *values = memory_allocate_array(series->count, sizeof *values);
    bool good = values && buffer_append(out, start, sizeof start) && put_real(out, options->philips_scale) &&
                put_varint(out, series->count) && put_flags(out, series, values) && put_numbers(out, series, values);
    for (int i = 0; i < TEXTS; i++)
        good = good && put_text(out, series, text_offsets[i]);
    good =
        good && put_varint(out, series->sidecar.size) && buffer_append(out, series->sidecar.data, series->sidecar.size);
    memory_free(values);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

/* ---- reading ---- */

static double take_real(struct byte_reader *reader)
{
    uint64_t bits = read_le64(reader);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void take_column(struct byte_reader *reader, double *values, uint32_t count)
{
    unsigned mode = read_u8(reader);
    if (mode > FRACTIONS + DECIMALS) { /* no such way: what is set below is not used */
        reader->failed = true;
        mode = ALL_ALIKE;
    }
    double alike = mode == ALL_ALIKE ? take_real(reader) : 0, scale = mode >= FRACTIONS ? ten_to[mode - FRACTIONS] : 1;
    uint64_t last = 0, step = 0; /* unsigned: whatever the bytes, sums are defined */
    for (uint32_t i = 0; i < count; i++) {
        values[i] = alike;
        if (reader->failed)
            continue;
        if (mode == REALS)
            values[i] = take_real(reader);
        if (mode < FRACTIONS)
            continue;
        uint64_t folded = read_varint(reader), more = folded >> 1 ^ (0 - (folded & 1));
        step += more;
        last += step;
        values[i] = (double)(int64_t)last / scale;
    }
}

static void take_text(struct byte_reader *reader, struct dicom_series *series, size_t offset)
{
    char text[TEXT_SIZE] = "";
    for (uint32_t i = 0; i < series->count && !reader->failed; i++) {
        uint64_t length = read_varint(reader);
        const uint8_t *bytes = length && length <= TEXT_SIZE ? reader_take(reader, (size_t)length - 1) : NULL;
        if (length > TEXT_SIZE)
            reader->failed = true;
        if (bytes) {
            memset(text, 0, sizeof text);
            memcpy(text, bytes, (size_t)length - 1);
        }
        memcpy((char *)&series->infos[i] + offset, text, sizeof text);
    }
}

static void take_flags(struct byte_reader *reader, struct dicom_series *series, double *values)
{
    take_column(reader, values, series->count);
    for (uint32_t i = 0; i < series->count; i++) {
        unsigned flags = values[i] >= 0 && values[i] < 512 ? (unsigned)values[i] : 0;
        series->frames[i] = (struct dicom_volume_frame){
            .info = &series->infos[i], .file = i, .copy = flags & 1, .component = (char)(flags >> 2)};
    }
    take_column(reader, values, series->count);
    for (uint32_t i = 0; i < series->count; i++)
        series->frames[i].tile = values[i] >= 0 && values[i] < MIST_MAX_FRAMES ? (uint32_t)values[i] : 0;
}

/* All behind the number of frames; false when memory is short. */
static bool take_all(struct byte_reader *reader, struct dicom_series *series, double *values)
{
    take_flags(reader, series, values);
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t n = 0; n < columns[c].count; n++) {
            take_column(reader, values, series->count);
            for (uint32_t i = 0; i < series->count; i++)
                set(&series->infos[i], &columns[c], n, values[i]);
        }
    for (int i = 0; i < TEXTS; i++)
        take_text(reader, series, text_offsets[i]);
    uint64_t size = read_varint(reader);
    const uint8_t *sidecar = size <= reader_left(reader) ? reader_take(reader, (size_t)size) : NULL;
    if (!sidecar || reader_left(reader))
        reader->failed = true;
    return reader->failed || buffer_append(&series->sidecar, sidecar, (size_t)size);
}

enum mist_status dicom_series_load(const uint8_t *data, size_t size, uint32_t count, struct dicom_series *series,
                                   struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(data, size);
    *series = (struct dicom_series){0};
    unsigned version = read_u8(&reader);
    series->options.acquired_3d = read_u8(&reader) == 1;
    series->options.phase_encoding = (char)read_u8(&reader);
    series->options.philips_scale = take_real(&reader);
    series->count = (uint32_t)read_varint(&reader);
    if (reader.failed || version != VERSION || series->count != count || count == 0 || count > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_CORRUPT, "the descriptions of the frames are not those of %u frames", count);
    double *values = memory_allocate_array(count, sizeof *values);
    series->frames = memory_allocate_zeroed(count, sizeof *series->frames);
    series->infos = memory_allocate_zeroed(count, sizeof *series->infos);
    enum mist_status status = MIST_OK;
    if (!values || !series->frames || !series->infos || !take_all(&reader, series, values))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    else if (reader.failed)
        status = error_set(error, MIST_ERROR_CORRUPT, "the descriptions of the frames are damaged");
    memory_free(values);
    if (status)
        dicom_series_free(series);
    return status;
}

void dicom_series_free(struct dicom_series *series)
{
    memory_free(series->frames);
    memory_free(series->infos);
    mist_buffer_free(&series->sidecar);
    *series = (struct dicom_series){0};
}
