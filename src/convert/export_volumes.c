/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/export.h"

#include "base/error.h"
#include "base/memory.h"
#include "convert/volume_depth.h"
#include "format/dicom_series.h"
#include "format/npy_sidecar.h"

#include <stdio.h>
#include <string.h>

static enum mist_status out_of_memory(const struct export_volumes *volumes, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", volumes->item->name);
}

bool export_takes_volumes(const struct format *format, const mist_item *item)
{
    const struct manifest *manifest = &item->manifest;
    return (format->kind == FORMAT_NIFTI || format->kind == FORMAT_NPY) && manifest->kind != format->kind &&
           manifest->extra[MANIFEST_FRAMES].data;
}

/* PATH with the volume's suffix, and what comes behind it. */
static char *plan_path(const struct export_volumes *volumes, const struct dicom_volume_plan *plan,
                       const char *extension)
{
    const struct manifest *manifest = &volumes->item->manifest;
    const char *path = manifest->file[0].path;
    size_t stem = format_stem(path);
    if (manifest->files > 1 && volumes->options->name) {
        path = volumes->options->name;
        stem = strlen(path);
    }
    size_t size = stem + strlen(plan->suffix) + strlen(extension) + 1;
    char *name = memory_allocate(size);
    if (!name)
        return NULL;
    snprintf(name, size, "%.*s%s%s", (int)stem, path, plan->suffix, extension);
    char *full = path_join(volumes->directory, name);
    memory_free(name);
    return full;
}

/* What values are in: of CT, Hounsfield units where nothing else is said (PS3.3, C.8.2.1.1: Rescale Type). */
static const char *units_of(const struct dicom_series *series, const struct dicom_volume_plan *plan)
{
    static const char ct[] = "\t\"Modality\": \"CT\"";
    const struct mist_buffer *said = &series->sidecar;
    bool is_ct = said->size && memmem(said->data, said->size, ct, sizeof ct - 1);
    return !plan->units[0] && is_ct && series->frames[plan->frame[0]].info->has_rescale ? "HU" : plan->units;
}

static enum mist_status write_sidecar(const struct export_volumes *volumes, const struct dicom_series *series,
                                      const struct dicom_volume_plan *plan, const struct format_target *target,
                                      struct mist_error *error)
{
    struct mist_buffer text = {0};
    char *path = plan_path(volumes, plan, ".json");
    enum mist_status status = path ? MIST_OK : out_of_memory(volumes, error);
    if (!status && target->kind == FORMAT_NPY)
        status = npy_sidecar(&target->info, plan, units_of(series, plan), &text, error);
    else if (!status)
        status = dicom_sidecar_finish(series->sidecar.data, series->sidecar.size, plan,
                                      series->frames[plan->frame[0]].info, &text, error);
    if (!status && text.size)
        status = file_write_whole(path, text.data, text.size, error);
    if (!status && text.size && volumes->written)
        volumes->written(volumes->context, path);
    memory_free(path);
    mist_buffer_free(&text);
    return status;
}

/* One file, and its sidecar. */
static enum mist_status write_target(const struct export_volumes *volumes, const struct dicom_series *series,
                                     const struct dicom_volume_plan *plan, struct format_target *target,
                                     const struct export_sources *sources, struct mist_error *error)
{
    const struct mist_export_options *options = volumes->options;
    char *path = plan_path(volumes, plan, volumes->suffix);
    enum mist_status status = path ? MIST_OK : out_of_memory(volumes, error);
    struct format_writer *writer = NULL;
    target->path = path;
    if (!status)
        status = format_writer_open(target, &writer, error);
    if (!status)
        status = volumes->write(volumes->export, writer, sources, error);
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    if (!status && volumes->written)
        volumes->written(volumes->context, path);
    if (!status && *plan->warning && options->note)
        options->note(options->note_context, plan->warning);
    memory_free(path);
    return status ? status : write_sidecar(volumes, series, plan, target, error);
}

/* The frames of the plan as they are; its frames are places in volumes->frames. */
static enum mist_status write_plan(const struct export_volumes *volumes, const struct dicom_series *series,
                                   const struct dicom_volume_plan *plan, struct mist_error *error)
{
    struct format_target target = volumes->target;
    target.volume = plan;
    target.info.frames = plan->slices * plan->volumes;
    target.info.slices = plan->slices;
    target.sampling.factor[2] = 1; /* the plan is one of the slices that are written */
    target.info.geometry = sampling_geometry(&target.sampling, &plan->geometry);
    struct regrid_source *source = memory_allocate_array(target.info.frames, sizeof *source);
    if (!source)
        return out_of_memory(volumes, error);
    for (uint32_t i = 0; i < target.info.frames; i++) {
        const uint32_t frame = volumes->frames[plan->frame[i]];
        source[i] = (struct regrid_source){frame, frame, 0};
    }
    const struct export_sources sources = {.source = source, .count = target.info.frames};
    enum mist_status status = write_target(volumes, series, plan, &target, &sources, error);
    memory_free(source);
    return status;
}

/*
 * With `depth` slices; the frames of the plan are those of the item. Where each slice has a scale of its own (PET),
 * values are interpolated, not what is stored.
 */
static enum mist_status write_deep(const struct export_volumes *volumes, const struct dicom_series *series,
                                   const struct dicom_volume_plan *plan, const bool *had, struct mist_error *error)
{
    struct format_target target = volumes->target;
    struct volume_depth deep;
    const uint32_t depth = plan->slices > 1 ? volumes->depth : 1;
    enum mist_status status = volume_depth_plan(plan, depth, target.info.label, had, &deep, error);
    if (status) {
        volume_depth_free(&deep);
        return error_prefix(error, status, "%s", volumes->item->name);
    }
    target.volume = &deep.plan;
    target.info.frames = deep.plan.slices * deep.plan.volumes;
    target.info.slices = deep.plan.slices;
    target.sampling.factor[2] = deep.sampling.factor[2];
    target.sampling.shift[2] = deep.sampling.shift[2];
    target.info.geometry = sampling_geometry(&target.sampling, &plan->geometry);
    struct export_sources sources = {.source = deep.source, .count = target.info.frames};
    if (plan->scales) {
        sources.units = plan;
        sources.places = deep.places;
        target.info.type = MIST_F32;
        target.info.precision = 32;
        deep.plan.slope = 1;
        deep.plan.intercept = 0;
    }
    /* The sidecar describes the series by the plan's first frame, which deep.plan has not. */
    deep.plan.frame = plan->frame;
    status = write_target(volumes, series, &deep.plan, &target, &sources, error);
    volume_depth_free(&deep);
    return status;
}

/* Which frames of the item can be had. */
static bool *frames_had(const struct export_volumes *volumes)
{
    bool *had = memory_allocate_zeroed(volumes->item->info.image.frames, sizeof *had);
    for (uint32_t n = 0; had && n < volumes->count; n++)
        had[volumes->frames[n]] = true;
    return had;
}

enum mist_status export_volumes(const struct export_volumes *volumes, struct mist_error *error)
{
    const struct mist_buffer *said = &volumes->item->manifest.extra[MANIFEST_FRAMES];
    struct dicom_series series = {0};
    struct dicom_volume_plans plans = {0};
    const uint32_t frames = volumes->item->info.image.frames;
    bool *had = volumes->depth ? frames_had(volumes) : NULL;
    if (volumes->depth && !had)
        return out_of_memory(volumes, error);
    enum mist_status status = dicom_series_load(said->data, said->size, frames, &series, error);
    /* Frames of the item ascend, so none is overwritten before it is taken. A depth is that of the whole volume. */
    for (uint32_t n = 0; n < volumes->count && !volumes->depth && !status; n++)
        series.frames[n] = series.frames[volumes->frames[n]];
    if (!status)
        status =
            dicom_volume_plan(series.frames, volumes->depth ? frames : volumes->count, &series.options, &plans, error);
    for (uint32_t i = 0; i < plans.count && !status; i++)
        status = volumes->depth ? write_deep(volumes, &series, &plans.plan[i], had, error)
                                : write_plan(volumes, &series, &plans.plan[i], error);
    memory_free(had);
    dicom_volume_plans_free(&plans);
    dicom_series_free(&series);
    return status;
}
