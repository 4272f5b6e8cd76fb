/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/parts.h"

#include "base/error.h"

enum mist_status parts_start(mist_codec *codec, uint64_t samples, unsigned threads, struct mist_error *error)
{
    enum { WORTH = 1 << 17 }; /* samples for each thread */
    if (threads > samples / WORTH)
        threads = (unsigned)(samples / WORTH);
    return pool_start(threads, &codec->pool, error);
}

/* Parts of a step on width x height samples: several for each thread, so that one that starts late does fewer. */
static unsigned parts_of(const struct pool *pool, uint32_t width, uint32_t height)
{
    enum { WORTH = 1 << 16, PARTS = 4 };
    uint64_t most = (uint64_t)width * height / WORTH, parts = (uint64_t)PARTS * pool_threads(pool);
    return !pool || most < 2 ? 1 : (unsigned)(parts < most ? parts : most);
}

/* Where part `index` of `parts` begins in a run of `count`. */
static uint32_t part_begin(uint32_t count, uint64_t index, unsigned parts)
{
    return (uint32_t)(count * index / parts);
}

struct wavelet_parts {
    void (*kernel)(const struct wavelet_job *job);
    const struct wavelet_job *job;
    size_t scratch_size;
    unsigned parts;
};

static enum mist_status run_wavelet_part(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    const struct wavelet_parts *run = context;
    struct wavelet_job job = *run->job;
    uint32_t steps = wavelet_steps(job.height, job.y_odd);
    job.scratch = (char *)job.scratch + run->scratch_size * worker;
    job.first_step = part_begin(steps, index, run->parts);
    job.end_step = part_begin(steps, index + 1, run->parts);
    run->kernel(&job);
    return MIST_OK;
}

enum mist_status parts_wavelet53(void (*kernel)(const struct wavelet_job *job), const struct wavelet_job *job,
                                 size_t element, mist_codec *codec, struct mist_error *error)
{
    struct wavelet_job with_scratch = *job;
    struct wavelet_parts run = {.kernel = kernel,
                                .job = &with_scratch,
                                .scratch_size = wavelet_scratch_size(job->width, element),
                                .parts = parts_of(codec->pool, job->width, job->height)};
    with_scratch.scratch = arena_allocate(&codec->arena, run.scratch_size, pool_threads(codec->pool));
    if (!with_scratch.scratch)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for a wavelet");
    return pool_share(codec->pool, run.parts, run_wavelet_part, &run, error);
}

struct transfer_parts {
    bool (*kernel)(const struct transfer_job *job);
    const struct transfer_job *job;
    size_t element;
    unsigned parts;
};

static enum mist_status run_transfer_part(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    const struct transfer_parts *run = context;
    struct transfer_job job = *run->job;
    struct mist_view view = *job.view;
    const uint32_t begin = part_begin(view.height, index, run->parts);
    (void)worker;
    (void)error;
    view.data = (char *)view.data + begin * view.row_stride;
    view.height = part_begin(view.height, index + 1, run->parts) - begin;
    job.view = &view;
    job.plane = (char *)job.plane + begin * job.stride * run->element;
    return run->kernel(&job) ? MIST_OK : MIST_ERROR_RANGE;
}

bool parts_transfer(bool (*kernel)(const struct transfer_job *job), const struct transfer_job *job, size_t element,
                    struct pool *pool)
{
    struct transfer_parts run = {kernel, job, element, parts_of(pool, job->view->width, job->view->height)};
    return pool_share(pool, run.parts, run_transfer_part, &run, NULL) == MIST_OK;
}
