/* SPDX-License-Identifier: BSD-2-Clause */
/* The instances of a DICOM series as a source of frames. After opening, reading needs no DCMTK: offsets are known. */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_derive.h"
#include "format/dicom_header.h"
#include "format/dicom_layout.h"
#include "format/dicom_pixels.h"
#include "format/dicom_series.h"
#include "format/dicom_writer.h"
#include "format/ops.h"

#include <stdio.h>
#include <string.h>

struct dicom_source {
    struct format_source base;
    struct dicom_pixels pixels;       /* of each file; frames and big_endian differ from file to file */
    struct dicom_instance *instances; /* [base.files] */
};

/* What one file says. */
struct description {
    struct dicom_layout layout;
    struct dicom_header header;
    struct dicom_pixels pixels;
};

static enum mist_status describe(const struct file_map *map, struct description *description, struct mist_error *error)
{
    enum mist_status status = dicom_layout_read(map->data, map->size, &description->layout, error);
    if (!status && (!description->layout.has_pixels || description->layout.has_real_pixels))
        status = dicom_pixels_from_header(&description->layout, &(struct dicom_header){0}, &description->pixels, error);
    if (!status)
        status = dicom_header_read(map->data, &description->layout, &description->header, NULL, error);
    if (!status)
        status = dicom_pixels_from_header(&description->layout, &description->header, &description->pixels, error);
    if (status)
        return status;
    uint64_t needed = (uint64_t)description->pixels.frame_bytes * description->pixels.frames;
    if (map->size - description->layout.pixels < needed)
        return error_set(error, MIST_ERROR_TRUNCATED, "DICOM pixel data ends after %zu of %llu bytes",
                         map->size - description->layout.pixels, (unsigned long long)needed);
    return MIST_OK;
}

static enum mist_status describe_input(const struct format_input *input, struct description *description,
                                       struct mist_error *error)
{
    struct file_map map;
    enum mist_status status = input_map(input, &map, error);
    if (status)
        return status;
    status = describe(&map, description, error);
    input_unmap(input, &map);
    return status ? error_prefix(error, status, "%s", input_name(input)) : MIST_OK;
}

/* ---- grouping ---- */

static bool is_uid(const char *text)
{
    return text[0] >= '0' && text[0] <= '9' && text[strspn(text, "0123456789.")] == '\0';
}

/* Cosines as tenths: a series' directions may differ by rounding, a localizer's differ by far more. */
static int tenths(double cosine)
{
    return (int)(cosine * 10 + (cosine < 0 ? -0.5 : 0.5));
}

static enum mist_status dicom_look(const struct format_input *input, struct format_group *group,
                                   struct mist_error *error)
{
    struct description description;
    enum mist_status status = describe_input(input, &description, error);
    if (status)
        return status;
    const struct dicom_header *header = &description.header;
    const struct dicom_pixels *pixels = &description.pixels;
    /* Without a usable SeriesInstanceUID an instance is an item of its own, named after itself or its path. */
    if (is_uid(header->series))
        strcpy(group->series, header->series);
    else if (is_uid(header->sop_instance))
        strcpy(group->series, header->sop_instance);
    else
        status = dicom_derived_uid(input_name(input), "file", group->series, error);
    if (status)
        return error_prefix(error, status, "%s", input_name(input));
    snprintf(group->key, sizeof group->key, "%s|%s%s|%u/%u|%ux%ux%u%s|%.4g,%.4g", group->series,
             mist_sample_name(pixels->type), header->photometric[10] == '1' ? "i" : "", header->bits_stored,
             pixels->precision, pixels->columns, pixels->rows, pixels->components, header->localizer ? "L" : "",
             header->spacing[0], header->spacing[1]);
    if (header->has_plane) {
        size_t length = strlen(group->key);
        const double *row = header->row_direction, *column = header->column_direction;
        snprintf(group->key + length, sizeof group->key - length, "|%d,%d,%d,%d,%d,%d", tenths(row[0]), tenths(row[1]),
                 tenths(row[2]), tenths(column[0]), tenths(column[1]), tenths(column[2]));
    }
    return MIST_OK;
}

/* ---- frames ---- */

static void dicom_close(struct format_source *base)
{
    struct dicom_source *source = (struct dicom_source *)base;
    for (uint32_t i = 0; source->instances && i < base->files; i++)
        input_free(&source->instances[i].input);
    memory_free(source->instances);
    format_source_clear(base);
    memory_free(source);
}

/* The file that holds a frame: instances are sorted by `first`. */
static const struct dicom_instance *instance_of(const struct dicom_source *source, uint32_t frame)
{
    uint32_t low = 0, high = source->base.files;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->instances[middle].first <= frame)
            low = middle;
        else
            high = middle;
    }
    return &source->instances[low];
}

static enum mist_status dicom_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                         struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    if (frame >= base->info.frames || out->type != base->info.type || out->width != base->info.width ||
        out->height != base->info.height || out->components != base->info.components)
        return error_set(error, MIST_ERROR_ARGUMENT, "frame %u: not a frame of this DICOM series", frame);
    const struct dicom_instance *instance = instance_of(source, frame);
    struct dicom_pixels pixels = source->pixels;
    pixels.big_endian = instance->big_endian;
    pixels.planar = instance->planar;
    struct file_map map;
    enum mist_status status = input_map(&instance->input, &map, error);
    if (status)
        return status;
    size_t offset = instance->pixels + (size_t)(frame - instance->first) * pixels.frame_bytes;
    if (offset > map.size || map.size - offset < pixels.frame_bytes)
        status =
            error_set(error, MIST_ERROR_TRUNCATED, "%s: became shorter while it was being read", instance->input.name);
    else
        dicom_pixels_unpack(&pixels, map.data + offset, out);
    input_unmap(&instance->input, &map);
    return status;
}

static enum mist_status dicom_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                           struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    if (file >= base->files)
        return error_set(error, MIST_ERROR_ARGUMENT, "file %u: not a file of this DICOM series", file);
    const struct dicom_instance *instance = &source->instances[file];
    struct file_map map;
    enum mist_status status = input_map(&instance->input, &map, error);
    if (status)
        return status;
    *archive = (struct format_archive){.raw = true, .big_endian = instance->big_endian, .planar = instance->planar};
    size_t behind = instance->pixels + source->pixels.frame_bytes * instance->frames;
    if (map.size < behind)
        status =
            error_set(error, MIST_ERROR_TRUNCATED, "%s: became shorter while it was being read", instance->input.name);
    else if (!buffer_append(&archive->prefix, map.data, instance->pixels) ||
             !buffer_append(&archive->suffix, map.data + behind, map.size - behind)) {
        mist_buffer_free(&archive->prefix);
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", instance->input.name);
    }
    input_unmap(&instance->input, &map);
    return status;
}

/* ---- opening ---- */

static bool same_shape(const struct dicom_pixels *a, const struct dicom_pixels *b)
{
    return a->type == b->type && a->columns == b->columns && a->rows == b->rows && a->components == b->components;
}

static enum mist_status open_instance(struct dicom_source *source, const struct format_input *input, uint32_t index,
                                      struct dicom_header *header, const char **header_name, struct mist_error *error)
{
    struct description description;
    const char *name = input_name(input);
    enum mist_status status = describe_input(input, &description, error);
    if (status)
        return status;
    if (index == 0)
        source->pixels = description.pixels;
    /* The series takes its directions and spacing from one file, whatever order the paths come in. */
    if (index == 0 || strcmp(name, *header_name) < 0) {
        *header = description.header;
        *header_name = name;
    }
    if (!same_shape(&source->pixels, &description.pixels))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: its pixels are of another kind than the rest of the series",
                         name);
    if (source->pixels.precision < description.pixels.precision)
        source->pixels.precision = description.pixels.precision;
    const struct dicom_header *own = &description.header;
    struct dicom_instance *instance = &source->instances[index];
    *instance = (struct dicom_instance){
        .index = index,
        .frames = own->frames,
        .pixels = description.layout.pixels,
        .big_endian = description.pixels.big_endian,
        .planar = description.pixels.planar,
        .has_plane = own->has_plane,
        .regular = own->regular,
        .temporal = own->temporal,
        .acquisition = own->acquisition,
        .instance = own->instance,
    };
    memcpy(instance->position, own->position, sizeof instance->position);
    memcpy(instance->last_position, own->last_position, sizeof instance->last_position);
    return input_copy(input, &instance->input) ? MIST_OK
                                               : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
}

/* Sorts the instances and fills what the interface says of them. */
static enum mist_status arrange(struct dicom_source *source, const struct dicom_header *header,
                                struct mist_error *error)
{
    uint64_t frames = 0;
    for (uint32_t i = 0; i < source->base.files; i++)
        frames += source->instances[i].frames;
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM series of %llu frames is too long",
                         (unsigned long long)frames);
    dicom_series_sort(source->instances, source->base.files, header);
    for (uint32_t i = 0; i < source->base.files; i++) {
        source->base.file_order[i] = source->instances[i].index;
        source->base.file_frames[i] = source->instances[i].frames;
    }
    source->base.info = (struct mist_image_info){
        .type = source->pixels.type,
        .precision = source->pixels.precision,
        .width = source->pixels.columns,
        .height = source->pixels.rows,
        .components = source->pixels.components,
        .frames = (uint32_t)frames,
        .label = header->label,
        .geometry = dicom_series_geometry(source->instances, source->base.files, header),
    };
    return MIST_OK;
}

static enum mist_status dicom_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                   struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = dicom_read_frame, .read_archive = dicom_read_archive, .close = dicom_close};
    *result = NULL;
    if (count == 0 || count > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_ARGUMENT, "a DICOM series of %u files", count);
    struct dicom_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    bool good = format_source_init(&source->base, &ops, FORMAT_DICOM, count);
    source->instances = memory_allocate_zeroed(count, sizeof *source->instances);
    enum mist_status status = MIST_OK;
    struct dicom_header header = {0};
    const char *header_name = NULL;
    if (!good || !source->instances)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    for (uint32_t i = 0; i < count && !status; i++)
        status = open_instance(source, &inputs[i], i, &header, &header_name, error);
    if (!status)
        status = arrange(source, &header, error);
    if (status) {
        dicom_close(&source->base);
        return status;
    }
    *result = &source->base;
    return MIST_OK;
}

const struct format_ops format_ops_dicom = {
    .detect = dicom_layout_detect, .look = dicom_look, .open = dicom_open, .writer_open = dicom_writer_open};
