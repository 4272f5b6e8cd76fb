/* SPDX-License-Identifier: BSD-2-Clause */
/* The instances of a DICOM series as a source of frames. After opening, reading needs no DCMTK: offsets are known. */
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_derive.h"
#include "format/dicom_header.h"
#include "format/dicom_look.h"
#include "format/dicom_reading.h"
#include "format/dicom_restore.h"
#include "format/dicom_same.h"
#include "format/dicom_series.h"
#include "format/dicom_writer.h"
#include "format/ops.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct dicom_source {
    struct format_source base;
    struct dicom_pixels pixels;       /* of the first file, with the precision that all need */
    struct dicom_instance *instances; /* [base.files] */
    uint8_t look[DICOM_LOOK_SIZE];    /* of the instance whose name comes first, whatever order they come in */
    struct mist_buffer tables;        /* ... and its lookup tables */
    const char *look_name;            /* that name, while the source is opened */
    pthread_mutex_t lock;             /* of what follows */
    struct mist_buffer picture; /* of the compressed mosaic whose tiles were read last, so that it is decoded once */
    uint32_t picture_of;        /* 1 + its file; 0: none */
};

/* What one file says. */
struct description {
    struct dicom_bytes bytes;
    struct dicom_header header;
    struct dicom_reading reading;
    struct dicom_frames frames;
    struct dicom_attributes attributes;
};

static void forget(const struct format_input *input, struct description *description)
{
    dicom_bytes_close(input, &description->bytes);
    dicom_reading_close(&description->reading);
    dicom_frames_free(&description->frames);
}

/* Makes the tiles of a Siemens mosaic the frames. */
static enum mist_status split_mosaic(struct description *description, struct mist_error *error)
{
    struct dicom_pixels *pixels = &description->reading.pixels;
    if (!dicom_pixels_split(pixels, description->attributes.mosaic_tiles))
        return MIST_OK;
    struct dicom_frame_info *tiles = memory_allocate_array(pixels->frames, sizeof *tiles);
    if (!tiles)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for the tiles of a mosaic");
    dicom_mosaic_frames(dicom_frame_at(&description->frames, 0), &description->attributes, pixels, tiles);
    dicom_frames_free(&description->frames);
    description->frames = (struct dicom_frames){tiles, pixels->frames};
    return MIST_OK;
}

/* Released with forget(), also after a failure. */
static enum mist_status describe_input(const struct format_input *input, struct description *description,
                                       struct mist_error *error)
{
    struct dicom_layout layout;
    *description = (struct description){0};
    enum mist_status status = dicom_bytes_open(input, &description->bytes, &layout, error);
    if (!status)
        status = dicom_reading_open(&description->bytes, &layout, &description->reading, &description->header,
                                    &description->frames, error);
    if (!status) {
        dicom_attributes_read(description->bytes.data, &description->reading.layout, &description->attributes);
        status = split_mosaic(description, error);
    }
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

/* What tells the pixel formats of a series apart, and what they came compressed as: so that it can be kept. */
static void make_key(const struct description *description, const char *series, char *key, size_t size)
{
    const struct dicom_header *header = &description->header;
    const struct dicom_pixels *pixels = &description->reading.pixels;
    char tiles[16] = "";
    if (pixels->across)
        snprintf(tiles, sizeof tiles, "x%u", pixels->frames);
    int length = snprintf(key, size, "%s|%s%d|%d|%u/%u|%ux%ux%u%s%s|%.4g,%.4g", series, mist_sample_name(pixels->type),
                          (int)pixels->color, (int)description->reading.stream, header->bits_stored, pixels->precision,
                          pixels->columns, pixels->rows, pixels->components, tiles, header->localizer ? "L" : "",
                          header->spacing[0], header->spacing[1]);
    const double *row = header->row_direction, *column = header->column_direction;
    if (header->has_plane && length > 0 && (size_t)length < size)
        snprintf(key + length, size - (size_t)length, "|%d,%d,%d,%d,%d,%d", tenths(row[0]), tenths(row[1]),
                 tenths(row[2]), tenths(column[0]), tenths(column[1]), tenths(column[2]));
}

static enum mist_status dicom_look(const struct format_input *input, struct format_group *group,
                                   struct mist_error *error)
{
    struct description description;
    enum mist_status status = describe_input(input, &description, error);
    const struct dicom_header *header = &description.header;
    const struct dicom_layout *layout = &description.reading.layout;
    if (description.bytes.data && layout->dataset_end) /* got as far as that */
        group->names_patient = dicom_names_patient(description.bytes.data, layout);
    /* Without a usable SeriesInstanceUID an instance is an item of its own, named after itself or its path. */
    if (!status) {
        if (is_uid(header->series))
            strcpy(group->series, header->series);
        else if (is_uid(header->sop_instance))
            strcpy(group->series, header->sop_instance);
        else if ((status = dicom_derived_uid(input_name(input), "file", group->series, error)))
            error_prefix(error, status, "%s", input_name(input));
    }
    if (!status)
        make_key(&description, group->series, group->key, sizeof group->key);
    forget(input, &description);
    return status;
}

/* ---- frames ---- */

static void forget_instance(struct dicom_instance *instance)
{
    dicom_bytes_close(&instance->input, &instance->kept);
    dicom_reading_close(&instance->reading);
    dicom_frames_free(&instance->said);
    input_free(&instance->input);
}

static void dicom_close(struct format_source *base)
{
    struct dicom_source *source = (struct dicom_source *)base;
    for (uint32_t i = 0; source->instances && i < base->files; i++)
        forget_instance(&source->instances[i]);
    memory_free(source->instances);
    mist_buffer_free(&source->picture);
    mist_buffer_free(&source->tables);
    pthread_mutex_destroy(&source->lock);
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

/* The bytes of an instance: those that are kept, or mapped until done_with(). */
static enum mist_status bytes_of(const struct dicom_instance *instance, struct dicom_bytes *bytes,
                                 struct mist_error *error)
{
    struct dicom_layout layout;
    *bytes = instance->kept;
    return bytes->data ? MIST_OK : dicom_bytes_open(&instance->input, bytes, &layout, error);
}

static void done_with(const struct dicom_instance *instance, struct dicom_bytes *bytes)
{
    if (!instance->kept.data)
        dicom_bytes_close(&instance->input, bytes);
}

/* A tile of a compressed mosaic. */
static enum mist_status read_tile(struct dicom_source *source, const struct dicom_instance *instance,
                                  const struct dicom_bytes *bytes, uint32_t tile, struct mist_view *out,
                                  struct mist_error *error)
{
    const uint8_t *samples;
    const uint32_t number = 1 + (uint32_t)(instance - source->instances);
    enum mist_status status = MIST_OK;
    pthread_mutex_lock(&source->lock);
    if (source->picture_of != number)
        status = dicom_reading_bytes(&instance->reading, bytes, 0, &source->picture, &samples, error);
    source->picture_of = status ? 0 : number;
    if (!status)
        dicom_pixels_unpack(&instance->reading.pixels, tile, source->picture.data, out);
    pthread_mutex_unlock(&source->lock);
    return status;
}

static enum mist_status dicom_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                         struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    if (frame >= base->info.frames || out->type != base->info.type || out->width != base->info.width ||
        out->height != base->info.height || out->components != base->info.components)
        return error_set(error, MIST_ERROR_ARGUMENT, "frame %u: not a frame of this DICOM series", frame);
    const struct dicom_instance *instance = instance_of(source, frame);
    struct dicom_bytes bytes;
    const struct dicom_reading *reading = &instance->reading;
    enum mist_status status = bytes_of(instance, &bytes, error);
    if (!status && reading->pixels.across && reading->layout.fragments)
        status = read_tile(source, instance, &bytes, frame - instance->first, out, error);
    else if (!status)
        status = dicom_reading_frame(reading, &bytes, frame - instance->first, out, error);
    done_with(instance, &bytes);
    return status ? error_prefix(error, status, "%s", instance->input.name) : MIST_OK;
}

static enum mist_status dicom_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                           struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    *archive = (struct format_archive){0};
    if (file >= base->files)
        return error_set(error, MIST_ERROR_ARGUMENT, "file %u: not a file of this DICOM series", file);
    const struct dicom_instance *instance = &source->instances[file];
    struct dicom_bytes bytes;
    enum mist_status status = bytes_of(instance, &bytes, error);
    if (!status)
        status = dicom_archive_make(&instance->reading, &bytes, archive, error);
    done_with(instance, &bytes);
    if (!status)
        return MIST_OK;
    format_archive_free(archive);
    return error_prefix(error, status, "%s", instance->input.name);
}

static enum mist_status dicom_codestream(struct format_source *base, uint32_t frame, struct mist_buffer *out,
                                         enum format_stream *stream, struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    if (frame >= base->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "frame %u: not a frame of this DICOM series", frame);
    const struct dicom_instance *instance = instance_of(source, frame);
    struct dicom_bytes bytes;
    enum mist_status status = bytes_of(instance, &bytes, error);
    if (!status)
        status = dicom_reading_stream(&instance->reading, &bytes, frame - instance->first, out, error);
    done_with(instance, &bytes);
    *stream = instance->reading.stream;
    return status ? error_prefix(error, status, "%s", instance->input.name) : MIST_OK;
}

/* ---- opening ---- */

static bool same_shape(const struct dicom_pixels *a, const struct dicom_pixels *b)
{
    return a->type == b->type && a->columns == b->columns && a->rows == b->rows && a->components == b->components &&
           a->color == b->color && a->across == b->across && (!a->across || a->frames == b->frames);
}

/*
 * A padding value as declared -> stored value. Values that the stored type cannot have are read as the bits that they
 * are: files declare them with the sign that the samples do not have, or with bits above HighBit.
 */
static double as_stored(const struct dicom_pixels *pixels, double declared)
{
    if (mist_sample_is_float(pixels->type))
        return declared;
    const unsigned up = 64 - pixels->precision;
    uint64_t bits = (uint64_t)(int64_t)declared << up;
    return mist_sample_is_signed(pixels->type) ? (double)((int64_t)bits >> up) : (double)(bits >> up);
}

static void add_hole(struct format_source *base, const struct dicom_pixels *pixels, const struct dicom_header *header)
{
    if (!header->has_padding || base->hole_count == FORMAT_MAX_HOLES)
        return;
    double a = as_stored(pixels, header->padding[0]), b = as_stored(pixels, header->padding[1]);
    struct format_hole hole = {a < b ? a : b, a < b ? b : a};
    for (uint32_t i = 0; i < base->hole_count; i++)
        if (base->hole[i].low == hole.low && base->hole[i].high == hole.high)
            return;
    base->hole[base->hole_count++] = hole;
}

static void warn(struct format_source *base, const char *name, const struct dicom_reading *reading)
{
    const struct dicom_pixels *pixels = &reading->pixels;
    const char *slash = strrchr(name, '/');
    if (base->warning[0])
        return;
    name = slash ? slash + 1 : name; /* so that it is not cut off */
    if (pixels->missing)
        snprintf(base->warning, sizeof base->warning, "the last %llu of %llu bytes of pixel data are missing: %s",
                 (unsigned long long)pixels->missing, (unsigned long long)pixels->total_bytes, name);
    else if (!reading->layout.has_meta)
        snprintf(base->warning, sizeof base->warning, "no file meta information, taken by its looks for DICOM: %s",
                 name);
}

/* What the item has of this file besides its frames. */
static enum mist_status take_facts(struct dicom_source *source, uint32_t index, const char *name,
                                   const struct description *description, struct mist_error *error)
{
    struct format_source *base = &source->base;
    const struct dicom_reading *reading = &description->reading;
    enum mist_status status = MIST_OK;
    if (source->pixels.precision < reading->pixels.precision)
        source->pixels.precision = reading->pixels.precision;
    source->pixels.label |= reading->pixels.label;
    if (!reading->pixels.across) {
        base->stream = index == 0 || base->stream == reading->stream ? reading->stream : FORMAT_STREAM_NONE;
        base->stream_lossy |= reading->stream_lossy;
    }
    add_hole(base, &reading->pixels, &description->header);
    if (index == 0 || strcmp(name, source->look_name) < 0) {
        dicom_look_write(&description->header, source->pixels.color, source->look);
        source->look_name = name;
        source->tables.size = 0;
        if (description->header.has_tables)
            status = dicom_tables_read(description->bytes.data, &reading->layout, &source->tables, error);
    }
    warn(base, name, reading);
    return status;
}

static bool fill_instance(struct dicom_instance *instance, const struct format_input *input, uint32_t index,
                          struct description *description)
{
    const struct dicom_header *own = &description->header;
    *instance = (struct dicom_instance){
        .index = index,
        .frames = description->reading.pixels.frames,
        .attributes = description->attributes,
        .reading = description->reading,
        .said = description->frames,
        .identity = own->sop_instance[0] ? checksum(own->sop_instance, strlen(own->sop_instance)) : 0,
    };
    description->reading = (struct dicom_reading){0};
    description->frames = (struct dicom_frames){0};
    if (instance->reading.deflated && instance->frames > 1) {
        instance->kept = description->bytes;
        description->bytes = (struct dicom_bytes){0};
    }
    return input_copy(input, &instance->input);
}

static enum mist_status open_instance(struct dicom_source *source, const struct format_input *input, uint32_t index,
                                      struct mist_error *error)
{
    struct description description;
    const char *name = input_name(input);
    enum mist_status status = describe_input(input, &description, error);
    if (!status && index == 0)
        source->pixels = description.reading.pixels;
    if (!status && !same_shape(&source->pixels, &description.reading.pixels))
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: its pixels are of another kind than the rest of the series",
                           name);
    if (!status)
        status = take_facts(source, index, name, &description, error);
    if (!status && !fill_instance(&source->instances[index], input, index, &description))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    forget(input, &description);
    return status;
}

/* Sorts the instances and fills what the interface says of them. */
static enum mist_status arrange(struct dicom_source *source, struct mist_error *error)
{
    uint64_t frames = 0;
    for (uint32_t i = 0; i < source->base.files; i++)
        frames += source->instances[i].frames;
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM series of %llu frames is too long",
                         (unsigned long long)frames);
    source->base.color = source->pixels.color;
    if (!buffer_append(&source->base.head, source->look, sizeof source->look) ||
        !buffer_append(&source->base.head, source->tables.data, source->tables.size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a DICOM series");
    source->base.info = (struct mist_image_info){
        .type = source->pixels.type,
        .precision = source->pixels.precision,
        .width = source->pixels.columns,
        .height = source->pixels.rows,
        .components = source->pixels.components,
        .frames = (uint32_t)frames,
        .label = source->pixels.label,
    };
    enum mist_status status =
        dicom_series_arrange(source->instances, source->base.files, &source->base.info, source->base.warning, error);
    for (uint32_t i = 0; i < source->base.files; i++) {
        source->base.file_order[i] = source->instances[i].index;
        source->base.file_frames[i] = source->instances[i].frames;
    }
    return status;
}

/* The first instance's sidecar and what is said of all frames. */
static enum mist_status dicom_describe(struct format_source *base, const uint64_t *contents, struct mist_buffer *out,
                                       struct mist_error *error)
{
    struct dicom_source *source = (struct dicom_source *)base;
    const struct dicom_instance *first = &source->instances[0];
    struct dicom_series series;
    struct dicom_bytes bytes;
    enum mist_status status = dicom_series_describe(source->instances, base->files, contents, &series, error);
    if (status)
        return status;
    status = bytes_of(first, &bytes, error);
    if (!status)
        status = dicom_sidecar(bytes.data, &first->reading.layout, 0, NULL, &series.sidecar, error);
    done_with(first, &bytes);
    if (!status)
        status = dicom_series_store(&series, out, error);
    dicom_series_free(&series);
    return status ? error_prefix(error, status, "%s", first->input.name) : MIST_OK;
}

static enum mist_status dicom_same_metadata(struct format_source *source, struct format_source *other,
                                            char difference[FORMAT_DIFFERENCE_SIZE], struct mist_error *error)
{
    const struct dicom_instance *a = &((struct dicom_source *)source)->instances[0];
    const struct dicom_instance *b = &((struct dicom_source *)other)->instances[0];
    struct dicom_bytes one, another = {0};
    enum mist_status status = bytes_of(a, &one, error);
    if (!status)
        status = bytes_of(b, &another, error);
    if (!status)
        status = dicom_same(&one, &a->reading.layout, &another, &b->reading.layout, difference, error);
    done_with(a, &one);
    done_with(b, &another);
    return status;
}

static enum mist_status dicom_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                   struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = dicom_read_frame,
        .read_archive = dicom_read_archive,
        .close = dicom_close,
        .codestream = dicom_codestream,
        .describe = dicom_describe,
        .same_metadata = dicom_same_metadata,
    };
    *result = NULL;
    if (count == 0 || count > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_ARGUMENT, "a DICOM series of %u files", count);
    struct dicom_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    pthread_mutex_init(&source->lock, NULL);
    bool good = format_source_init(&source->base, &ops, FORMAT_DICOM, count);
    source->instances = memory_allocate_zeroed(count, sizeof *source->instances);
    enum mist_status status = MIST_OK;
    if (!good || !source->instances)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    for (uint32_t i = 0; i < count && !status; i++)
        status = open_instance(source, &inputs[i], i, error);
    if (!status)
        status = arrange(source, error);
    if (status) {
        dicom_close(&source->base);
        return status;
    }
    *result = &source->base;
    return MIST_OK;
}

const struct format_ops format_ops_dicom = {
    .detect = dicom_layout_detect,
    .look = dicom_look,
    .open = dicom_open,
    .writer_open = dicom_writer_open,
    .restorer_open = dicom_restorer_open,
    .appearance = dicom_look_read,
};
