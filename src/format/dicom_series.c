/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_series.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

static uint32_t count_frames(const struct dicom_instance *instances, uint32_t count)
{
    uint64_t frames = 0;
    for (uint32_t i = 0; i < count; i++)
        frames += instances[i].frames;
    return frames > MIST_MAX_FRAMES ? 0 : (uint32_t)frames;
}

static uint64_t frame_identity(const struct dicom_instance *instance, uint32_t frame)
{
    const uint64_t both[2] = {instance->identity, frame};
    return instance->identity ? checksum(both, sizeof both) : 0;
}

/* Descriptions of all frames in the order of the instances. */
static void describe_frames(const struct dicom_instance *instances, uint32_t count, struct dicom_volume_frame *frames)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t f = 0; f < instances[i].frames; f++)
            frames[at++] = (struct dicom_volume_frame){.info = dicom_frame_at(&instances[i].said, f),
                                                       .identity = frame_identity(&instances[i], f),
                                                       .file = i,
                                                       .tile = instances[i].reading.pixels.across ? f + 1 : 0,
                                                       .component = instances[i].attributes.component};
}

static struct dicom_volume_options options_of(const struct dicom_attributes *attributes)
{
    return (struct dicom_volume_options){.philips_scale = attributes->philips_scale,
                                         .acquired_3d = attributes->acquired_3d,
                                         .phase_encoding = attributes->phase_encoding};
}

/* ---- order ---- */

/* So that the order does not depend on that of the inputs. */
static int by_name(const void *first, const void *second)
{
    const struct dicom_instance *a = first, *b = second;
    int order = strcmp(a->input.name, b->input.name);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_rank(const void *first, const void *second)
{
    const struct dicom_instance *a = first, *b = second;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

/* An instance's rank is that of its first planned frame. Frames in no plan come last, in their order. */
static void rank_instances(struct dicom_instance *instances, uint32_t count, const struct dicom_volume_frame *frames,
                           const struct dicom_volume_plans *plans)
{
    for (uint32_t i = 0; i < count; i++)
        instances[i].rank = MIST_MAX_FRAMES + i;
    uint32_t rank = 0;
    for (uint32_t p = 0; p < plans->count; p++) {
        const struct dicom_volume_plan *plan = &plans->plan[p];
        for (size_t i = 0; i < (size_t)plan->slices * plan->volumes; i++, rank++) {
            struct dicom_instance *instance = &instances[frames[plan->frame[i]].file];
            if (rank < instance->rank)
                instance->rank = rank;
        }
    }
}

/* The geometry of the same volume with its slices the other way round. */
static struct mist_geometry backwards(const struct mist_geometry *geometry, uint32_t slices)
{
    struct mist_geometry turned = *geometry;
    for (int k = 0; k < 3; k++) {
        turned.affine[k][3] += geometry->affine[k][2] * (slices - 1.0);
        turned.affine[k][2] = 0.0 - geometry->affine[k][2];
    }
    return turned;
}

/* What the item says of slices, given a plan in which frames have the numbers that they have in the item. */
static void set_slices(const struct dicom_volume_plans *plans, uint32_t total, struct mist_image_info *info)
{
    const struct dicom_volume_plan *plan = &plans->plan[0];
    bool forth = (uint64_t)plan->slices * plan->volumes == total, back = forth;
    for (uint32_t i = 0; i < total && (forth || back); i++) {
        uint32_t slice = i % plan->slices, start = i - slice;
        forth = forth && plan->frame[i] == i;
        back = back && plan->frame[i] == start + plan->slices - 1 - slice;
    }
    info->slices = 1;
    info->geometry = plan->geometry;
    if ((forth || back) && plan->geometry.has_affine) {
        info->slices = plan->slices;
        if (!forth)
            info->geometry = backwards(&plan->geometry, plan->slices);
        return;
    }
    if (total > 1) {
        memset(info->geometry.affine, 0, sizeof info->geometry.affine);
        info->geometry.has_affine = false;
    }
}

enum mist_status dicom_series_arrange(struct dicom_instance *instances, uint32_t count, struct mist_image_info *info,
                                      char warning[160], struct mist_error *error)
{
    const uint32_t total = count_frames(instances, count);
    struct dicom_volume_plans plans = {0};
    struct dicom_volume_frame *frames = memory_allocate_zeroed(total ? total : 1, sizeof *frames);
    if (!frames)
        return out_of_memory(error);
    qsort(instances, count, sizeof *instances, by_name);
    describe_frames(instances, count, frames);
    const struct dicom_volume_options options = options_of(&instances[0].attributes);
    enum mist_status status = dicom_volume_plan(frames, total, &options, &plans, error);
    if (!status) {
        rank_instances(instances, count, frames, &plans);
        dicom_volume_plans_free(&plans);
        qsort(instances, count, sizeof *instances, by_rank);
        for (uint32_t i = 0, first = 0; i < count; first += instances[i++].frames)
            instances[i].first = first;
        describe_frames(instances, count, frames);
        status = dicom_volume_plan(frames, total, &options, &plans, error);
    }
    if (!status)
        set_slices(&plans, total, info);
    for (uint32_t i = 0; i < plans.count; i++)
        if (!warning[0] && plans.plan[i].geometry.has_affine && plans.plan[i].warning[0])
            snprintf(warning, 160, "%s", plans.plan[i].warning); /* of the whole series: no file is named */
    dicom_volume_plans_free(&plans);
    memory_free(frames);
    return status;
}

/* ---- what an item keeps ---- */

/* Marks the frames that are in no plan. */
static enum mist_status mark_copies(struct dicom_series *series, struct mist_error *error)
{
    struct dicom_volume_plans plans;
    enum mist_status status = dicom_volume_plan(series->frames, series->count, &series->options, &plans, error);
    if (status)
        return status;
    bool *planned = memory_allocate_zeroed(series->count, sizeof *planned);
    for (uint32_t p = 0; p < plans.count && planned; p++)
        for (size_t i = 0; i < (size_t)plans.plan[p].slices * plans.plan[p].volumes; i++)
            planned[plans.plan[p].frame[i]] = true;
    for (uint32_t i = 0; i < series->count && planned; i++)
        series->frames[i].copy = !planned[i];
    if (!planned)
        status = out_of_memory(error);
    memory_free(planned);
    dicom_volume_plans_free(&plans);
    return status;
}

enum mist_status dicom_series_describe(const struct dicom_instance *instances, uint32_t count, const uint64_t *contents,
                                       struct dicom_series *series, struct mist_error *error)
{
    *series = (struct dicom_series){.options = options_of(&instances[0].attributes)};
    series->count = count_frames(instances, count);
    series->frames = memory_allocate_zeroed(series->count ? series->count : 1, sizeof *series->frames);
    series->infos = memory_allocate_zeroed(series->count ? series->count : 1, sizeof *series->infos);
    if (!series->frames || !series->infos) {
        dicom_series_free(series);
        return out_of_memory(error);
    }
    describe_frames(instances, count, series->frames);
    for (uint32_t i = 0; i < series->count; i++) {
        series->infos[i] = *series->frames[i].info;
        series->frames[i].info = &series->infos[i];
        series->frames[i].content = contents ? contents[i] : 0;
    }
    enum mist_status status = mark_copies(series, error);
    if (status)
        dicom_series_free(series);
    return status;
}
