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
    struct format_group group; /* what kind of pixels it has */
    bool done;
};

static struct mist_view new_frame(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    return mist_view_interleaved(malloc(mist_frame_bytes(type, width, height, components)), type, width, height,
                                 components);
}

struct series {
    struct mist_image_info info;
    struct format_source *source; /* as items are made */
    struct dicom_series kept;     /* as items keep it */
};

/* What an item would have of these files: descriptions that went through store and load. */
static enum mist_status open_series(const struct format_input *inputs, uint32_t count, struct series *series,
                                    struct mist_error *error)
{
    enum mist_status status = format_open(FORMAT_DICOM, inputs, count, &series->source, error);
    if (status)
        return status;
    series->info = series->source->info;
    const uint32_t frames = series->info.frames;
    uint64_t *contents = calloc(frames, sizeof *contents);
    struct mist_view frame =
        new_frame(series->info.type, series->info.width, series->info.height, series->info.components);
    for (uint32_t i = 0; i < frames && !status; i++) {
        status = series->source->ops->read_frame(series->source, i, &frame, error);
        contents[i] = checksum(frame.data, (size_t)frame.height * frame.row_stride);
    }
    struct mist_buffer packed = {0};
    if (!status)
        status = series->source->ops->describe(series->source, contents, &packed, error);
    if (!status)
        status = dicom_series_load(packed.data, packed.size, frames, &series->kept, error);
    if (!status && getenv("NIFTI_TOOL_PACKED"))
        status = file_write_whole(getenv("NIFTI_TOOL_PACKED"), packed.data, packed.size, error);
    mist_buffer_free(&packed);
    free(frame.data);
    free(contents);
    return status;
}

/* files[first] and the files behind it that have the same kind of pixels. */
static enum mist_status gather(struct file *files, int count, int first, struct series *series,
                               struct mist_error *error)
{
    struct format_input *inputs = calloc((size_t)count, sizeof *inputs);
    uint32_t found = 0;
    const char *key = strchr(files[first].group.key, '|'); /* whatever series they say they are of */
    for (int i = first; i < count; i++)
        if (!files[i].done && strcmp(strchr(files[i].group.key, '|'), key) == 0) {
            files[i].done = true;
            inputs[found++] = files[i].input;
        }
    enum mist_status status = open_series(inputs, found, series, error);
    free(inputs);
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
        status = series->source->ops->read_frame(series->source, plan->frame[i], &full, error);
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
    enum mist_status status = dicom_volume_plan(series->kept.frames, series->info.frames, &options, &plans, error);
    for (uint32_t i = 0; i < plans.count && !status; i++) {
        const struct dicom_volume_plan *plan = &plans.plan[i];
        char path[1100];
        struct mist_buffer sidecar = {0};
        snprintf(path, sizeof path, "%s_%04d%s.nii", out, number, plan->suffix);
        status = write_plan(series, plan, reduce, step, path, error);
        if (!status)
            status = dicom_sidecar_finish(series->kept.sidecar.data, series->kept.sidecar.size, plan,
                                          series->kept.frames[plan->frame[0]].info, &sidecar, error);
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
    for (int i = 0; i < count && !status; i++) {
        files[i].input = format_input_path(paths[i]);
        status = format_look(FORMAT_DICOM, &files[i].input, &files[i].group, &error);
    }
    for (int i = 0, number = 0; i < count && !status; i++) {
        if (files[i].done)
            continue;
        struct series series = {0};
        status = gather(files, count, i, &series, &error);
        if (!status)
            status = write_series(&series, number++, reduce, step, out, &error);
        dicom_series_free(&series.kept);
        format_close(&series.source);
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
