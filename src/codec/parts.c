/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/parts.h"

#include "base/error.h"
#include "base/pool.h"

unsigned parts_threads(uint32_t width, uint32_t height, unsigned threads)
{
    enum { WORTH = 1 << 18 }; /* samples for each thread */
    uint64_t most = (uint64_t)width * height / WORTH;
    if (threads > most)
        threads = (unsigned)most;
    return threads > 1 ? threads : 1;
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
                                 size_t element, unsigned threads, struct arena *arena, struct mist_error *error)
{
    struct wavelet_job with_scratch = *job;
    struct wavelet_parts run = {.kernel = kernel,
                                .job = &with_scratch,
                                .scratch_size = wavelet_scratch_size(job->width, element),
                                .parts = parts_threads(job->width, job->height, threads)};
    with_scratch.scratch = arena_allocate(arena, run.scratch_size, run.parts);
    if (!with_scratch.scratch)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for a wavelet");
    if (run.parts > 1)
        return pool_run(run.parts, run.parts, run_wavelet_part, &run, error);
    kernel(&with_scratch);
    return MIST_OK;
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
                    unsigned threads)
{
    struct transfer_parts run = {kernel, job, element, parts_threads(job->view->width, job->view->height, threads)};
    enum mist_status status = MIST_ERROR_MEMORY; /* then one thread does it */
    if (run.parts > 1)
        status = pool_run(run.parts, run.parts, run_transfer_part, &run, NULL);
    return status == MIST_ERROR_MEMORY ? kernel(job) : status == MIST_OK;
}
