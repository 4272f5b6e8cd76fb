/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/decode_tile.h"

#include "base/error.h"
#include "codec/decode_blocks.h"
#include "codec/decode_strips.h"
#include "codec/parts.h"

#include <string.h>

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding a tile");
}

/* The next level up, into `image`, or where `output` says. */
static enum mist_status inverse_level(const struct tile_decode *decode, const struct plane *low,
                                      const struct level_plan *level, struct plane *image, struct tile_output *output,
                                      struct mist_error *error)
{
    const struct codec_kernels *kernels = &decode->codec->kernels;
    struct rect part = decode_band_window(level->window, BAND_LL);
    struct wavelet_job job = {.width = rect_width(level->window),
                              .height = rect_height(level->window),
                              .x_odd = level->window.x0 & 1,
                              .y_odd = level->window.y0 & 1,
                              .plane = image->data,
                              .plane_stride = image->stride};
    job.band[0] = rect_empty(part) ? NULL : plane_at(low, part.x0, part.y0);
    job.band_stride[0] = low->stride;
    for (unsigned b = 0; b < 3; b++) {
        job.band[b + 1] = level->target[b].plane.data;
        job.band_stride[b + 1] = level->target[b].plane.stride;
    }
    if (output)
        return parts_wavelet53_store(&job, plane_element(image),
                                     &(struct parts_store){.wavelet = kernels->wavelet53_inverse[image->lane],
                                                           .kernel = kernels->store[image->lane],
                                                           .job = output->store,
                                                           .x = output->window.x0 - image->window.x0,
                                                           .y = output->window.y0 - image->window.y0},
                                     decode->codec, &output->fits, error);
    if (image->is_float)
        return parts_wavelet(kernels->wavelet97_inverse, &job, wavelet97_steps(job.height, job.y_odd), sizeof(float),
                             decode->codec, error);
    return parts_wavelet(kernels->wavelet53_inverse[image->lane], &job, wavelet_steps(job.height, job.y_odd),
                         plane_element(image), decode->codec, error);
}

static enum mist_status inverse_component(struct decode_plan *plan, struct component_plan *component,
                                          struct mist_error *error)
{
    struct arena *arena = &plan->decode->codec->arena;
    struct tile_output *output = component->output;
    struct plane low = component->level[0].target[0].plane;
    const bool direct = output->store && !component->is_float && !plan->decode->component_transform;
    for (unsigned r = 1; r < component->levels; r++) {
        const struct level_plan *level = &component->level[r];
        struct plane image = {.window = level->window, .is_float = component->is_float, .lane = component->lane};
        if (rect_empty(level->window)) { /* a small tile may hold no sample of a low level */
            low = image;
            continue;
        }
        if (component->strips && r + 1 == component->levels)
            return decode_strips(plan, component, &low, error);
        output->stored = direct && r + 1 == component->levels;
        if (!output->stored && !plane_allocate(arena, level->window, component->is_float, component->lane, &image))
            return no_memory(error);
        enum mist_status status =
            inverse_level(plan->decode, &low, level, &image, output->stored ? output : NULL, error);
        if (status)
            return status;
        low = image;
    }
    output->plane = low;
    return MIST_OK;
}

/* Levels of which at least something has arrived. */
static void note_levels(const struct decode_plan *plan)
{
    for (uint32_t i = 0; i < plan->decode->outputs; i++) {
        const struct component_plan *component = &plan->component[i];
        for (unsigned r = 0; r < component->levels; r++) {
            if (component->component->resolution[r].packets_read && plan->decode->levels_used < r + 1)
                plan->decode->levels_used = r + 1;
        }
    }
}

enum mist_status decode_tile(struct tile_decode *decode, struct mist_error *error)
{
    struct decode_plan plan = {.decode = decode};
    plan.scan.stream = decode->stream;
    plan.scan.arena = &decode->codec->arena;
    plan.scan.index = decode->index;
    enum mist_status status = tile_scan_open(&plan.scan, error);
    if (!status)
        status = decode_plan_windows(&plan, error);
    if (status || decode->needs_all_three) {
        tile_scan_close(&plan.scan);
        return status;
    }
    status = tile_scan_read(&plan.scan, error);
    if (!status && plan.scan.missing && !decode->best_effort)
        status = error_set(error, MIST_ERROR_TRUNCATED,
                           "the codestream ends before the resolution levels that are asked for");
    if (!status)
        status = decode_plan_blocks(&plan, error);
    if (!status)
        status = decode_blocks(&plan, error);
    for (uint32_t i = 0; i < decode->outputs && !status; i++) {
        if (plan.component[i].levels)
            status = inverse_component(&plan, &plan.component[i], error);
    }
    if (!status)
        note_levels(&plan);
    tile_scan_close(&plan.scan);
    return status;
}
