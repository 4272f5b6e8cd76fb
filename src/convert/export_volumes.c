/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/export.h"

#include "base/error.h"
#include "base/memory.h"
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

/* The frames of the plan in the item. */
static uint32_t *plan_frames(const struct export_volumes *volumes, const struct dicom_volume_plan *plan, uint32_t count)
{
    uint32_t *frames = memory_allocate_array(count, sizeof *frames);
    for (uint32_t i = 0; frames && i < count; i++)
        frames[i] = volumes->frames[plan->frame[i]];
    return frames;
}

/* One file. The frames of the plan are places in volumes->frames. */
static enum mist_status write_plan(const struct export_volumes *volumes, const struct dicom_series *series,
                                   const struct dicom_volume_plan *plan, struct mist_error *error)
{
    const struct mist_export_options *options = volumes->options;
    const uint32_t count = plan->slices * plan->volumes;
    struct format_target target = volumes->target;
    target.volume = plan;
    target.info.frames = count;
    target.info.slices = plan->slices;
    target.sampling.factor[2] = 1; /* the plan is one of the slices that are written */
    target.info.geometry = sampling_geometry(&target.sampling, &plan->geometry);
    uint32_t *frames = plan_frames(volumes, plan, count);
    char *path = plan_path(volumes, plan, volumes->suffix);
    enum mist_status status = path && frames ? MIST_OK : out_of_memory(volumes, error);
    struct format_writer *writer = NULL;
    target.path = path;
    if (!status)
        status = format_writer_open(&target, &writer, error);
    if (!status)
        status = volumes->write(volumes->export, writer, frames, count, error);
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    if (!status && volumes->written)
        volumes->written(volumes->context, path);
    if (!status && *plan->warning && options->note)
        options->note(options->note_context, plan->warning);
    memory_free(path);
    memory_free(frames);
    return status ? status : write_sidecar(volumes, series, plan, &target, error);
}

enum mist_status export_volumes(const struct export_volumes *volumes, struct mist_error *error)
{
    const struct mist_buffer *said = &volumes->item->manifest.extra[MANIFEST_FRAMES];
    struct dicom_series series = {0};
    struct dicom_volume_plans plans = {0};
    enum mist_status status =
        dicom_series_load(said->data, said->size, volumes->item->info.image.frames, &series, error);
    /* Frames of the item ascend, so none is overwritten before it is taken. */
    for (uint32_t n = 0; n < volumes->count && !status; n++)
        series.frames[n] = series.frames[volumes->frames[n]];
    if (!status)
        status = dicom_volume_plan(series.frames, volumes->count, &series.options, &plans, error);
    for (uint32_t i = 0; i < plans.count && !status; i++)
        status = write_plan(volumes, &series, &plans.plan[i], error);
    dicom_volume_plans_free(&plans);
    dicom_series_free(&series);
    return status;
}
