/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/parts.h"

#include "base/error.h"

enum mist_status parts_start(mist_codec *codec, uint64_t samples, unsigned threads, struct mist_error *error)
{
    enum { WORTH = 1 << 17 }; /* samples for each thread */
    if (threads > samples / WORTH)
        threads = (unsigned)(samples / WORTH);
    codec->pool = NULL;
    if (threads <= 1)
        return MIST_OK;
    enum mist_status status = MIST_OK;
    if (pool_threads(codec->kept_pool) != threads) {
        pool_stop(&codec->kept_pool);
        status = pool_start(threads, &codec->kept_pool, error);
    }
    codec->pool = codec->kept_pool;
    return status;
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
    uint32_t steps;
    unsigned parts;
};

static enum mist_status run_wavelet_part(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    const struct wavelet_parts *run = context;
    struct wavelet_job job = *run->job;
    (void)error;
    job.scratch = (char *)job.scratch + run->scratch_size * worker;
    job.first_step = part_begin(run->steps, index, run->parts);
    job.end_step = part_begin(run->steps, index + 1, run->parts);
    run->kernel(&job);
    return MIST_OK;
}

enum mist_status parts_wavelet(void (*kernel)(const struct wavelet_job *job), const struct wavelet_job *job,
                               uint32_t steps, size_t element, mist_codec *codec, struct mist_error *error)
{
    struct wavelet_job with_scratch = *job;
    struct wavelet_parts run = {.kernel = kernel,
                                .job = &with_scratch,
                                .scratch_size = wavelet_scratch_size(job->width, element),
                                .steps = steps,
                                .parts = parts_of(codec->pool, job->width, job->height)};
    if (run.parts > steps) /* each has at least one */
        run.parts = steps;
    with_scratch.scratch = arena_allocate(&codec->arena, run.scratch_size, pool_threads(codec->pool));
    if (!with_scratch.scratch)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for a wavelet");
    return pool_share(codec->pool, run.parts, run_wavelet_part, &run, error);
}

bool parts_store_steps(const struct parts_store *store, const struct wavelet_job *steps, size_t element)
{
    struct transfer_job job = *store->job;
    struct mist_view view = *job.view;
    struct wavelet_job wavelet = *steps;
    wavelet.first_row = wavelet_step_row(wavelet.first_step, wavelet.height, wavelet.y_odd);
    store->wavelet(&wavelet);
    uint32_t begin = wavelet.first_row, end = wavelet_step_row(wavelet.end_step, wavelet.height, wavelet.y_odd);
    begin = begin > store->y ? begin : store->y;
    end = end < store->y + view.height ? end : store->y + view.height;
    if (begin >= end)
        return true;
    view.data = (char *)view.data + (begin - store->y) * view.row_stride;
    view.height = end - begin;
    job.view = &view;
    job.stride = wavelet.plane_stride;
    job.plane = (char *)wavelet.plane + ((begin - wavelet.first_row) * wavelet.plane_stride + store->x) * element;
    return store->kernel(&job);
}

uint32_t parts_steps_in_cache(size_t row_size, size_t cache)
{
    enum { LEAST = 8, MOST = 64 }; /* starting anew costs the work of a step or two */
    size_t steps = cache / 2 / row_size;
    return steps < LEAST ? LEAST : steps > MOST ? MOST : (uint32_t)steps;
}

struct wavelet_store {
    const struct wavelet_job *job;
    const struct parts_store *store;
    size_t element, scratch_size, rows_size;
    unsigned char *memory; /* for each worker: scratch, rows */
    uint32_t steps;        /* that a part takes */
};

static enum mist_status run_wavelet_store(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    const struct wavelet_store *run = context;
    struct wavelet_job wavelet = *run->job;
    const uint32_t steps = wavelet_steps(wavelet.height, wavelet.y_odd);
    (void)error;
    wavelet.scratch = run->memory + worker * (run->scratch_size + run->rows_size);
    wavelet.plane = (unsigned char *)wavelet.scratch + run->scratch_size;
    wavelet.first_step = (uint32_t)index * run->steps;
    wavelet.end_step = steps - wavelet.first_step > run->steps ? wavelet.first_step + run->steps : steps;
    return parts_store_steps(run->store, &wavelet, run->element) ? MIST_OK : MIST_ERROR_RANGE;
}

enum mist_status parts_wavelet53_store(const struct wavelet_job *job, size_t element, const struct parts_store *store,
                                       mist_codec *codec, bool *fits, struct mist_error *error)
{
    struct wavelet_job with_stride = *job;
    with_stride.plane_stride = ((size_t)job->width + 31) & ~(size_t)31;
    const uint32_t all = wavelet_steps(job->height, job->y_odd);
    const uint32_t steps = parts_steps_in_cache(with_stride.plane_stride * element, (size_t)1 << 18);
    struct wavelet_store run = {.job = &with_stride,
                                .store = store,
                                .element = element,
                                .scratch_size = wavelet_scratch_size(job->width, element),
                                .rows_size = (2 * (size_t)steps + 1) * with_stride.plane_stride * element,
                                .steps = steps};
    run.memory = arena_allocate(&codec->arena, run.scratch_size + run.rows_size, pool_threads(codec->pool));
    if (!run.memory)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for a wavelet");
    enum mist_status status =
        pool_share(codec->pool, (all + (uint64_t)steps - 1) / steps, run_wavelet_store, &run, NULL);
    *fits = status == MIST_OK;
    return MIST_OK;
}

uint32_t parts_strip_height(const struct resolution *resolution)
{
    enum { LEAST_LOG2 = 5 };
    const unsigned block = resolution->grid.block_height_log2;
    return (uint32_t)1 << (block > LEAST_LOG2 ? block : LEAST_LOG2);
}

uint32_t parts_strip_count(const struct resolution *resolution)
{
    const uint32_t height = parts_strip_height(resolution);
    return (wavelet_low(rect_height(resolution->rect), false) + height - 1) / height;
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
