/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/decode_tile.h"

#include "base/error.h"
#include "codec/decode_plan.h"
#include "codec/parts.h"

#include <string.h>

/* Blocks handed to a thread, and to the kernel, at a time. */
#define BLOCKS_AT_ONCE 16

/* What a thread needs to decode blocks. */
struct worker {
    void *scratch;
    int64_t *samples; /* [BLOCK_MAX_AREA] of any lane, for a block that cannot be decoded in place */
    struct block_decode_job job[BLOCKS_AT_ONCE];
    const struct block_target *target[BLOCKS_AT_ONCE];
    uint8_t *joined; /* refinement segments that layers brought in two pieces: JOINED_SIZE */
    size_t joined_used;
    uint32_t pending; /* jobs not yet run, all in `lane` */
    enum codec_lane lane;
    uint32_t decoded;
};
#define SEGMENT_MAX 65535u /* bytes of a refinement segment that need ever be looked at: 4096 samples of 2 bits */
#define JOINED_SIZE ((size_t)BLOCKS_AT_ONCE * SEGMENT_MAX)

struct block_run {
    const struct decode_plan *plan;
    struct worker *worker; /* [threads] */
};

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding a tile");
}

static struct rect wanted_part(const struct block_target *target)
{
    return rect_intersect(target->rect, target->band->plane.window);
}

static void fill_zero(const struct block_target *target)
{
    const struct plane *plane = &target->band->plane;
    struct rect part = wanted_part(target);
    for (uint32_t y = part.y0; y < part.y1; y++)
        memset(plane_at(plane, part.x0, y), 0, rect_width(part) * plane_element(plane));
}

/* The refinement segment in one piece. False if it is longer than any block can use. */
static bool join_refinement(struct worker *worker, const struct code_block *block, struct block_decode_job *job)
{
    uint64_t size = (uint64_t)block->refinement_size[0] + block->refinement_size[1];
    job->refinement = block->refinement[0];
    job->refinement_size = (size_t)size;
    if (!block->refinement_size[1])
        return true;
    if (!block->refinement_size[0]) {
        job->refinement = block->refinement[1];
        return true;
    }
    if (size > SEGMENT_MAX)
        return false;
    uint8_t *joined = worker->joined + worker->joined_used;
    memcpy(joined, block->refinement[0], block->refinement_size[0]);
    memcpy(joined + block->refinement_size[0], block->refinement[1], block->refinement_size[1]);
    worker->joined_used += (size_t)size;
    job->refinement = joined;
    return true;
}

static struct block_decode_job make_job(const struct block_target *target)
{
    const struct code_block *block = target->block;
    return (struct block_decode_job){.cleanup = block->cleanup,
                                     .cleanup_size = block->cleanup_size,
                                     .passes = block->set_passes,
                                     .planes_skipped = block->planes_skipped,
                                     .planes = target->band->band->planes,
                                     .stripe_causal = target->band->stripe_causal,
                                     .half = target->band->half,
                                     .width = rect_width(target->rect),
                                     .height = rect_height(target->rect)};
}

/* Whether the block can be decoded straight into its plane, in the plane's lane (floats: as integers, in place). */
static bool fits_in_place(const struct block_target *target, enum codec_lane *lane)
{
    const struct plane *plane = &target->band->plane;
    struct rect part = wanted_part(target);
    *lane = plane->is_float ? LANE_32 : plane->lane;
    return !memcmp(&part, &target->rect, sizeof part) && !target->band->region_shift &&
           target->band->band->planes <= block_decode_max_planes(*lane, target->band->half);
}

static enum mist_status damaged(const struct decode_plan *plan, const struct block_target *target,
                                struct mist_error *error)
{
    fill_zero(target);
    if (plan->decode->best_effort)
        return MIST_OK;
    return error_set(error, MIST_ERROR_CORRUPT, "the code-block at (%u, %u) of a sub-band is damaged", target->rect.x0,
                     target->rect.y0);
}

/* Runs the jobs that have been collected. */
static enum mist_status flush(const struct decode_plan *plan, struct worker *worker, struct mist_error *error)
{
    const struct codec_kernels *kernels = &plan->decode->codec->kernels;
    enum mist_status status = MIST_OK;
    if (worker->pending)
        kernels->block_decode[worker->lane](worker->job, worker->pending, worker->scratch);
    for (uint32_t i = 0; i < worker->pending && !status; i++) {
        const struct block_target *target = worker->target[i];
        const struct block_decode_job *job = &worker->job[i];
        if (!job->good) {
            status = damaged(plan, target, error);
        } else if (target->band->half) {
            kernels->dequantize(&(struct quantize_job){.integers = job->out,
                                                       .integer_stride = job->stride,
                                                       .floats = job->out,
                                                       .float_stride = job->stride,
                                                       .width = job->width,
                                                       .height = job->height,
                                                       .scale = target->band->scale});
        }
    }
    worker->pending = 0;
    worker->joined_used = 0;
    return status;
}

/*
 * Maxshift (H.1): magnitudes of 2^s and more belong to the region of interest and are scaled back. In half units
 * (`half` 1) the limit is twice that; bits below a unit are the middle of an interval that has become smaller.
 */
static int64_t unshift(int64_t value, unsigned shift, unsigned half)
{
    int64_t limit = (int64_t)1 << (shift + half);
    if (shift && value >= limit)
        return value >> shift;
    return shift && value <= -limit ? -(-value >> shift) : value;
}

/* Decoded values into the part of the band's plane that is wanted. */
static void copy_part(const struct block_target *target, const void *samples, enum codec_lane lane)
{
    const struct plane *plane = &target->band->plane;
    struct rect part = wanted_part(target);
    uint32_t width = rect_width(target->rect);
    for (uint32_t y = part.y0; y < part.y1; y++) {
        size_t from = (size_t)(y - target->rect.y0) * width + (part.x0 - target->rect.x0);
        void *to = plane_at(plane, part.x0, y);
        for (uint32_t i = 0; i < rect_width(part); i++, from++) {
            int64_t value = lane == LANE_16   ? ((const int16_t *)samples)[from]
                            : lane == LANE_32 ? ((const int32_t *)samples)[from]
                                              : ((const int64_t *)samples)[from];
            value = unshift(value, target->band->region_shift, target->band->half);
            if (plane->is_float)
                ((float *)to)[i] = (float)value * target->band->scale;
            else if (plane->lane == LANE_16)
                ((int16_t *)to)[i] = (int16_t)value;
            else if (plane->lane == LANE_32)
                ((int32_t *)to)[i] = (int32_t)value;
            else
                ((int64_t *)to)[i] = value;
        }
    }
}

/* A block at the edge of the window, of a region of interest, or beyond 32 bits on its way to floats. */
static enum mist_status decode_aside(const struct decode_plan *plan, struct worker *worker,
                                     const struct block_target *target, struct mist_error *error)
{
    struct block_decode_job job = make_job(target);
    enum codec_lane lane = target->band->plane.is_float ? LANE_32 : target->band->plane.lane;
    while (job.planes > block_decode_max_planes(lane, job.half)) /* LANE_64 takes all: decode_plan_blocks() */
        lane++;
    job.out = worker->samples;
    job.stride = job.width;
    worker->joined_used = 0;
    if (!join_refinement(worker, target->block, &job))
        return damaged(plan, target, error);
    plan->decode->codec->kernels.block_decode[lane](&job, 1, worker->scratch);
    if (!job.good)
        return damaged(plan, target, error);
    copy_part(target, job.out, lane);
    return MIST_OK;
}

static enum mist_status decode_one(const struct decode_plan *plan, struct worker *worker,
                                   const struct block_target *target, struct mist_error *error)
{
    enum codec_lane lane;
    enum mist_status status = MIST_OK;
    if (!target->block || !target->block->cleanup) {
        fill_zero(target);
        return MIST_OK;
    }
    worker->decoded++;
    bool in_place = fits_in_place(target, &lane);
    if (worker->pending == BLOCKS_AT_ONCE || (worker->pending && (!in_place || lane != worker->lane)))
        status = flush(plan, worker, error);
    if (status)
        return status;
    if (!in_place)
        return decode_aside(plan, worker, target, error);
    struct block_decode_job *job = &worker->job[worker->pending];
    *job = make_job(target);
    job->out = plane_at(&target->band->plane, target->rect.x0, target->rect.y0);
    job->stride = target->band->plane.stride;
    if (!join_refinement(worker, target->block, job))
        return damaged(plan, target, error);
    worker->target[worker->pending++] = target;
    worker->lane = lane;
    return MIST_OK;
}

static enum mist_status decode_batch(void *context, uint64_t index, unsigned worker_index, struct mist_error *error)
{
    const struct block_run *run = context;
    struct worker *worker = &run->worker[worker_index];
    uint64_t end = (index + 1) * BLOCKS_AT_ONCE;
    enum mist_status status = MIST_OK;
    worker->pending = 0;
    worker->joined_used = 0;
    for (uint64_t i = index * BLOCKS_AT_ONCE; i < end && i < run->plan->blocks && !status; i++)
        status = decode_one(run->plan, worker, &run->plan->block[i], error);
    return status ? status : flush(run->plan, worker, error);
}

static bool make_workers(struct block_run *run, struct arena *arena, unsigned threads)
{
    run->worker = arena_allocate_zeroed(arena, threads, sizeof *run->worker);
    for (unsigned i = 0; run->worker && i < threads; i++) {
        struct worker *worker = &run->worker[i];
        worker->scratch = arena_allocate(arena, BLOCK_SCRATCH_SIZE, 1);
        worker->samples = arena_allocate(arena, BLOCK_MAX_AREA, sizeof *worker->samples);
        worker->joined = arena_allocate(arena, JOINED_SIZE, 1);
        if (!worker->scratch || !worker->samples || !worker->joined)
            return false;
    }
    return run->worker != NULL;
}

static enum mist_status decode_blocks(struct decode_plan *plan, struct mist_error *error)
{
    struct tile_decode *decode = plan->decode;
    struct block_run run = {.plan = plan};
    uint64_t batches = (plan->blocks + BLOCKS_AT_ONCE - 1) / BLOCKS_AT_ONCE;
    unsigned threads = pool_threads(decode->codec->pool);
    if (!make_workers(&run, &decode->codec->arena, threads))
        return no_memory(error);
    enum mist_status status = pool_share(decode->codec->pool, batches, decode_batch, &run, error);
    for (unsigned i = 0; i < threads; i++)
        decode->blocks_decoded += run.worker[i].decoded;
    return status;
}

/* ---- wavelet ---- */

/* The next level up, into `image`, or where `output` says. */
static enum mist_status inverse_level(const struct tile_decode *decode, const struct plane *low,
                                      const struct level_plan *level, struct plane *image, struct tile_output *output,
                                      struct mist_error *error)
{
    const struct codec_kernels *kernels = &decode->codec->kernels;
    struct arena *arena = &decode->codec->arena;
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
        return parts_wavelet53_store(kernels->wavelet53_inverse[image->lane], &job, plane_element(image),
                                     &(struct parts_store){.kernel = kernels->store[image->lane],
                                                           .job = output->store,
                                                           .x = output->window.x0 - image->window.x0,
                                                           .y = output->window.y0 - image->window.y0},
                                     decode->codec, &output->fits, error);
    if (!image->is_float)
        return parts_wavelet53(kernels->wavelet53_inverse[image->lane], &job, plane_element(image), decode->codec,
                               error);
    job.scratch = arena_allocate(arena, wavelet_scratch_size(job.width, sizeof(float)), 1);
    if (!job.scratch)
        return no_memory(error);
    kernels->wavelet97_inverse(&job);
    return MIST_OK;
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
