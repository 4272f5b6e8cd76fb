/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/decode_blocks.h"

#include "base/error.h"

#include <string.h>

/* Blocks handed to a thread, and to the kernel, at a time. */
#define BLOCKS_AT_ONCE 16

struct block_worker {
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
static bool join_refinement(struct block_worker *worker, const struct code_block *block, struct block_decode_job *job)
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
static enum mist_status flush(const struct decode_plan *plan, struct block_worker *worker, struct mist_error *error)
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
static enum mist_status decode_aside(const struct decode_plan *plan, struct block_worker *worker,
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

static enum mist_status decode_one(const struct decode_plan *plan, struct block_worker *worker,
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

enum mist_status decode_block_list(const struct decode_plan *plan, unsigned thread, const struct block_target *list,
                                   uint64_t count, struct mist_error *error)
{
    struct block_worker *worker = &plan->decode->worker[thread];
    enum mist_status status = MIST_OK;
    worker->pending = 0;
    worker->joined_used = 0;
    for (uint64_t i = 0; i < count && !status; i++)
        status = decode_one(plan, worker, &list[i], error);
    return status ? status : flush(plan, worker, error);
}

static enum mist_status decode_batch(void *context, uint64_t index, unsigned thread, struct mist_error *error)
{
    const struct decode_plan *plan = context;
    uint64_t begin = index * BLOCKS_AT_ONCE, left = plan->blocks - begin;
    return decode_block_list(plan, thread, plan->block + begin, left < BLOCKS_AT_ONCE ? left : BLOCKS_AT_ONCE, error);
}

struct block_worker *decode_blocks_start(mist_codec *codec)
{
    struct arena *arena = &codec->arena;
    const unsigned threads = pool_threads(codec->pool);
    struct block_worker *worker = arena_allocate_zeroed(arena, threads, sizeof *worker);
    for (unsigned i = 0; worker && i < threads; i++) {
        worker[i].scratch = arena_allocate(arena, BLOCK_SCRATCH_SIZE, 1);
        worker[i].samples = arena_allocate(arena, BLOCK_MAX_AREA, sizeof *worker->samples);
        worker[i].joined = arena_allocate(arena, JOINED_SIZE, 1);
        if (!worker[i].scratch || !worker[i].samples || !worker[i].joined)
            return NULL;
    }
    return worker;
}

enum mist_status decode_blocks(struct decode_plan *plan, struct mist_error *error)
{
    uint64_t batches = (plan->blocks + BLOCKS_AT_ONCE - 1) / BLOCKS_AT_ONCE;
    return pool_share(plan->decode->codec->pool, batches, decode_batch, plan, error);
}

uint64_t decode_blocks_count(const mist_codec *codec, const struct block_worker *worker)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < pool_threads(codec->pool); i++)
        count += worker[i].decoded;
    return count;
}
