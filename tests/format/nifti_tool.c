/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives NIfTI for the Python tests:
 *   nifti_tool series REDUCE STEP OUT FILE...   the DICOM files as NIfTI files OUT_0000 + suffix + .nii with their
 * .json, every 2^REDUCE-th column and row, every 2^STEP-th slice; prints one line each nifti_tool copy REDUCE STEP OUT
 * FILE [FILE]  the NIfTI file (or pair) again; OUT ends in .nii, .nii.gz, .hdr or .img nifti_tool planes FILE [FILE]
 * all samples, plane by plane, on standard output, after a line of JSON Errors are printed as "! status: message", exit
 * status 1.
 */
#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_attributes.h"
#include "format/dicom_header.h"
#include "format/dicom_reading.h"
#include "format/dicom_series.h"
#include "format/dicom_volume.h"
#include "format/format.h"
#include "format/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct mist_error *error)
{
    printf("! %s: %s\n", mist_status_name(error->status), error->message);
    return 1;
}

/* ---- DICOM ---- */

struct file {
    struct format_input input;
    struct dicom_bytes bytes;
    struct dicom_header header;
    struct dicom_reading reading;
    struct dicom_frames frames;
    struct dicom_attributes attributes;
    struct dicom_frame_info *tiles; /* of a mosaic, or NULL */
    bool done;
};

/* Where a frame is: of a mosaic, a tile of the picture. */
struct place {
    struct file *file;
    uint32_t frame;
    uint32_t tile;
};

static enum mist_status open_file(const char *path, struct file *file, struct mist_error *error)
{
    struct dicom_layout layout;
    file->input = format_input_path(path);
    enum mist_status status = dicom_bytes_open(&file->input, &file->bytes, &layout, error);
    if (!status)
        status = dicom_reading_open(&file->bytes, &layout, &file->reading, &file->header, &file->frames, error);
    if (!status)
        dicom_attributes_read(file->bytes.data, &file->reading.layout, &file->attributes);
    return status;
}

static struct mist_view new_frame(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    return mist_view_interleaved(malloc(mist_frame_bytes(type, width, height, components)), type, width, height,
                                 components);
}

/* A frame as it is in its file, into `out`. */
static enum mist_status read_place(const struct place *place, struct mist_view *out, struct mist_error *error)
{
    const struct dicom_reading *reading = &place->file->reading;
    const struct dicom_pixels *pixels = &reading->pixels;
    struct mist_view whole = new_frame(pixels->type, pixels->columns, pixels->rows, pixels->components);
    enum mist_status status = dicom_reading_frame(reading, &place->file->bytes, place->frame, &whole, error);
    uint32_t side = pixels->columns / out->width;
    const uint8_t *from = (const uint8_t *)whole.data + place->tile / side * out->height * whole.row_stride +
                          place->tile % side * out->width * whole.column_stride;
    for (uint32_t y = 0; y < out->height && !status; y++)
        memcpy((uint8_t *)out->data + y * out->row_stride, from + y * whole.row_stride,
               out->width * out->column_stride);
    free(whole.data);
    return status;
}

struct series {
    struct mist_image_info info;
    struct format_source *source; /* as items are made; of mosaics NULL, and `places` instead */
    struct dicom_series kept;     /* as items keep it */
    struct place *places;
    struct dicom_volume_frame *frames;
    uint32_t count;
};

static enum mist_status add_frame(struct series *series, struct file *file, uint32_t index, uint32_t frame,
                                  uint32_t tile, struct mist_error *error)
{
    series->frames = realloc(series->frames, (series->count + 1) * sizeof *series->frames);
    series->places = realloc(series->places, (series->count + 1) * sizeof *series->places);
    series->places[series->count] = (struct place){file, frame, tile};
    struct mist_view samples =
        new_frame(series->info.type, series->info.width, series->info.height, series->info.components);
    enum mist_status status = read_place(&series->places[series->count], &samples, error);
    char identity[100];
    int length = snprintf(identity, sizeof identity, "%s|%u|%u", file->header.sop_instance, frame, tile);
    bool mosaic = file->attributes.mosaic_tiles != 0;
    series->frames[series->count++] = (struct dicom_volume_frame){
        .info = file->tiles ? &file->tiles[tile] : dicom_frame_at(&file->frames, frame),
        .identity = checksum(identity, (size_t)length),
        .content = checksum(samples.data, (size_t)samples.height * samples.row_stride),
        .file = index,
        .component = file->attributes.component,
        .tile = mosaic ? tile + 1 : 0,
        .unused = mosaic && tile >= file->attributes.mosaic_tiles,
    };
    free(samples.data);
    return status;
}

/* What an item would have of these files: descriptions that went through store and load. */
static enum mist_status open_series(struct file **files, uint32_t count, struct series *series,
                                    struct mist_error *error)
{
    struct format_input *inputs = calloc(count, sizeof *inputs);
    for (uint32_t i = 0; i < count; i++)
        inputs[i] = files[i]->input;
    enum mist_status status = format_open(FORMAT_DICOM, inputs, count, &series->source, error);
    free(inputs);
    if (status)
        return status;
    series->info = series->source->info;
    series->count = series->info.frames;
    uint64_t *contents = calloc(series->count, sizeof *contents);
    struct mist_view frame =
        new_frame(series->info.type, series->info.width, series->info.height, series->info.components);
    for (uint32_t i = 0; i < series->count && !status; i++) {
        status = series->source->ops->read_frame(series->source, i, &frame, error);
        contents[i] = checksum(frame.data, (size_t)frame.height * frame.row_stride);
    }
    struct mist_buffer packed = {0};
    if (!status)
        status = series->source->ops->describe(series->source, contents, &packed, error);
    if (!status)
        status = dicom_series_load(packed.data, packed.size, series->count, &series->kept, error);
    if (!status && getenv("NIFTI_TOOL_PACKED"))
        status = file_write_whole(getenv("NIFTI_TOOL_PACKED"), packed.data, packed.size, error);
    mist_buffer_free(&packed);
    free(frame.data);
    free(contents);
    series->frames = series->kept.frames;
    return status;
}

static enum mist_status read_series(const struct series *series, uint32_t frame, struct mist_view *out,
                                    struct mist_error *error)
{
    return series->source ? series->source->ops->read_frame(series->source, frame, out, error)
                          : read_place(&series->places[frame], out, error);
}

/* All frames of files[first] and of the files behind it that have the same kind of pixels. */
static enum mist_status gather(struct file *files, int count, int first, struct series *series,
                               struct mist_error *error)
{
    const struct dicom_pixels *pixels = &files[first].reading.pixels;
    enum mist_status status = MIST_OK;
    struct file **plain = calloc((size_t)count, sizeof *plain);
    uint32_t plain_count = 0;
    uint32_t side = files[first].attributes.mosaic_tiles ? dicom_mosaic_side(files[first].attributes.mosaic_tiles) : 1;
    series->info = (struct mist_image_info){.type = pixels->type,
                                            .precision = pixels->precision,
                                            .width = pixels->columns / side,
                                            .height = pixels->rows / side,
                                            .components = pixels->components};
    for (int i = first; i < count && !status; i++) {
        struct file *file = &files[i];
        const struct dicom_pixels *own = &file->reading.pixels;
        if (file->done || own->type != pixels->type || own->columns != pixels->columns || own->rows != pixels->rows ||
            own->components != pixels->components ||
            file->attributes.mosaic_tiles != files[first].attributes.mosaic_tiles)
            continue;
        file->done = true;
        if (side == 1) {
            plain[plain_count++] = file;
            continue;
        }
        if (side > 1) {
            file->tiles = calloc((size_t)side * side, sizeof *file->tiles);
            dicom_mosaic_frames(dicom_frame_at(&file->frames, 0), &file->attributes, own->columns, own->rows,
                                file->tiles);
        }
        for (uint32_t f = 0; f < own->frames; f++)
            for (uint32_t t = 0; t < side * side && !status; t++)
                status = add_frame(series, file, (uint32_t)i, f, t, error);
    }
    if (plain_count)
        status = open_series(plain, plain_count, series, error);
    free(plain);
    return status;
}

static enum mist_status write_plan(const struct series *series, const struct dicom_volume_plan *plan, unsigned reduce,
                                   unsigned step, const char *path, struct mist_error *error)
{
    struct mist_image_info source = series->info;
    source.slices = plan->slices;
    source.frames = plan->slices * plan->volumes;
    source.geometry = plan->geometry;
    struct format_target target = {.kind = FORMAT_NIFTI, .path = path, .source = &source, .info = source};
    target.sampling = sampling_reduce(reduce, step, false);
    target.info.width = mist_reduced_size(source.width, reduce);
    target.info.height = mist_reduced_size(source.height, reduce);
    target.info.slices = mist_reduced_size(source.slices, step);
    target.info.frames = target.info.slices * plan->volumes;
    target.info.geometry = sampling_geometry(&target.sampling, &source.geometry);
    target.reduce = reduce;
    target.source_kind = FORMAT_DICOM;
    target.volume = plan;
    struct mist_view full = new_frame(source.type, source.width, source.height, source.components);
    struct mist_view small = new_frame(source.type, target.info.width, target.info.height, source.components);
    struct format_writer *writer = NULL;
    enum mist_status status = format_writer_open(&target, &writer, error);
    for (uint32_t i = 0; i < source.frames && !status; i++) {
        if (i % plan->slices & ((1u << step) - 1))
            continue;
        status = read_series(series, plan->frame[i], &full, error);
        if (!status)
            status = mist_subsample(&full, reduce, &small, error);
        if (!status)
            status = format_writer_frame(writer, &small, error);
    }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    free(full.data);
    free(small.data);
    return status;
}

static enum mist_status write_series(const struct series *series, int number, unsigned reduce, unsigned step,
                                     const char *out, struct mist_error *error)
{
    const struct dicom_volume_options options = series->kept.options;
    struct dicom_volume_plans plans;
    enum mist_status status = dicom_volume_plan(series->frames, series->count, &options, &plans, error);
    for (uint32_t i = 0; i < plans.count && !status; i++) {
        const struct dicom_volume_plan *plan = &plans.plan[i];
        char path[1100];
        struct mist_buffer sidecar = {0};
        snprintf(path, sizeof path, "%s_%04d%s.nii", out, number, plan->suffix);
        status = write_plan(series, plan, reduce, step, path, error);
        const struct file *file = series->places ? series->places[plan->frame[0]].file : NULL;
        if (!status && file)
            status =
                dicom_sidecar(file->bytes.data, &file->reading.layout, plan->repetition, plan->units, &sidecar, error);
        else if (!status)
            status = dicom_sidecar_finish(series->kept.sidecar.data, series->kept.sidecar.size, plan,
                                          series->frames[plan->frame[0]].info, &sidecar, error);
        snprintf(path, sizeof path, "%s_%04d%s.json", out, number, plan->suffix);
        if (!status)
            status = file_write_whole(path, sidecar.data, sidecar.size, error);
        mist_buffer_free(&sidecar);
        printf("%ux%ux%ux%u%s%s\n", series->info.width, series->info.height, plan->slices, plan->volumes,
               *plan->warning ? ": " : "", plan->warning);
    }
    if (plans.duplicates)
        printf("%u duplicates\n", plans.duplicates);
    dicom_volume_plans_free(&plans);
    return status;
}

static int write_all(unsigned reduce, unsigned step, const char *out, int count, char **paths)
{
    struct file *files = calloc((size_t)count, sizeof *files);
    struct mist_error error = {0};
    enum mist_status status = MIST_OK;
    for (int i = 0; i < count && !status; i++)
        status = open_file(paths[i], &files[i], &error);
    for (int i = 0, number = 0; i < count && !status; i++) {
        if (files[i].done)
            continue;
        struct series series = {0};
        status = gather(files, count, i, &series, &error);
        if (!status)
            status = write_series(&series, number++, reduce, step, out, &error);
        if (!series.source)
            free(series.frames);
        dicom_series_free(&series.kept);
        format_close(&series.source);
        free(series.places);
    }
    for (int i = 0; i < count; i++) {
        dicom_frames_free(&files[i].frames);
        dicom_reading_close(&files[i].reading);
        dicom_bytes_close(&files[i].input, &files[i].bytes);
        free(files[i].tiles);
    }
    free(files);
    return status ? fail(&error) : 0;
}

/* ---- NIfTI ---- */

static enum mist_status open_source(int count, char **paths, struct format_source **source, struct mist_error *error)
{
    struct format_input inputs[2] = {{0}};
    for (int i = 0; i < count && i < 2; i++)
        inputs[i] = format_input_path(paths[i]);
    *source = NULL;
    return format_open(FORMAT_NIFTI, inputs, (uint32_t)count, source, error);
}

static int copy(unsigned reduce, unsigned step, const char *out, int count, char **paths)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (open_source(count, paths, &source, &error))
        return fail(&error);
    const struct mist_image_info *info = &source->info;
    bool header_only = strlen(out) > 4 && strcmp(out + strlen(out) - 4, ".hdr") == 0;
    struct format_target target = {.kind = FORMAT_NIFTI, .path = out, .source = info, .info = *info, .reduce = reduce};
    target.gzip = strlen(out) > 3 && strcmp(out + strlen(out) - 3, ".gz") == 0;
    target.sampling = sampling_reduce(reduce, step, false);
    target.info.width = mist_reduced_size(info->width, reduce);
    target.info.height = mist_reduced_size(info->height, reduce);
    target.info.slices = mist_reduced_size(info->slices, step);
    target.info.frames = header_only ? 0 : info->frames / info->slices * target.info.slices;
    target.info.geometry = sampling_geometry(&target.sampling, &info->geometry);
    target.source_kind = FORMAT_NIFTI;
    target.head = source->head.data;
    target.head_size = source->head.size;
    target.file = header_only ? 0 : source->files - 1;
    struct format_archive archive = {0};
    enum mist_status status = source->ops->read_archive(source, target.file, &archive, &error);
    target.archive = &archive;
    struct format_writer *writer = NULL;
    struct mist_view full = new_frame(info->type, info->width, info->height, info->components);
    struct mist_view small = new_frame(info->type, target.info.width, target.info.height, info->components);
    if (!status)
        status = format_writer_open(&target, &writer, &error);
    for (uint32_t i = 0; i < info->frames && !status && !header_only; i++) {
        if (i % info->slices & ((1u << step) - 1))
            continue;
        status = source->ops->read_frame(source, i, &full, &error);
        if (!status)
            status = mist_subsample(&full, reduce, &small, &error);
        if (!status)
            status = format_writer_frame(writer, &small, &error);
    }
    if (!status)
        status = format_writer_finish(&writer, &error);
    format_writer_cancel(&writer);
    format_archive_free(&archive);
    format_close(&source);
    free(full.data);
    free(small.data);
    return status ? fail(&error) : 0;
}

static int planes(int count, char **paths)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (open_source(count, paths, &source, &error))
        return fail(&error);
    const struct mist_image_info *info = &source->info;
    printf("{\"type\": \"%s\", \"width\": %u, \"height\": %u, \"components\": %u, \"frames\": %u, \"slices\": %u, "
           "\"axes\": [%u, %u, %u], \"files\": %u, \"label\": %s, \"spacing\": [%.17g, %.17g, %.17g], \"affine\": ",
           mist_sample_name(info->type), info->width, info->height, info->components, info->frames, info->slices,
           info->axes[0], info->axes[1], info->axes[2], source->files, info->label ? "true" : "false",
           info->geometry.spacing[0], info->geometry.spacing[1], info->geometry.spacing[2]);
    for (int i = 0; i < 16 && info->geometry.has_affine; i++)
        printf("%s%.17g", i ? ", " : "[", info->geometry.affine[i / 4][i % 4]);
    printf("%s}\n", info->geometry.has_affine ? "]" : "null");
    struct mist_view frame = new_frame(info->type, info->width, info->height, info->components);
    for (uint32_t i = 0; i < info->frames; i++) {
        if (source->ops->read_frame(source, i, &frame, &error))
            return fail(&error);
        fwrite(frame.data, 1, mist_frame_bytes(info->type, info->width, info->height, info->components), stdout);
    }
    free(frame.data);
    format_close(&source);
    return 0;
}

int main(int count, char **arguments)
{
    const char *command = count > 2 ? arguments[1] : "";
    if (strcmp(command, "planes") == 0)
        return planes(count - 2, arguments + 2);
    if (count > 5 && strcmp(command, "series") == 0)
        return write_all((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]), arguments[4], count - 5,
                         arguments + 5);
    if (count > 5 && strcmp(command, "copy") == 0)
        return copy((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]), arguments[4], count - 5, arguments + 5);
    fprintf(stderr, "nifti_tool: see the comment at its top\n");
    return 2;
}
