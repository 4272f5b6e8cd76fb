/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/measure.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { MAX_WORKERS = 256 };

/* A worker's memory, made when it first has work. */
struct bench {
    mist_decoder *decoder;
    struct mist_view full;    /* the frame */
    struct mist_view reduced; /* decoded at the reduced level */
    struct mist_view average; /* area average of the full frame, or its subsampling for labels */
    struct mist_view other;   /* `reduced` on the other grid: the centred one, where the item is not on that itself */
};

struct measure {
    const mist_item *item;
    const struct mist_image_info *image;
    unsigned reduce, step;
    uint32_t slices; /* of a volume, that are left */
    struct bench benches[MAX_WORKERS];
    pthread_mutex_t lock; /* of what follows */
    double minimum, maximum;
    bool ranged;
    double sums[4]; /* SSIM and MAD, native and centred */
    uint64_t measured;
    bool label_exact;
};

static bool make_view(struct mist_view *view, const struct mist_image_info *image, uint32_t width, uint32_t height)
{
    size_t size = mist_frame_bytes(image->type, width, height, image->components);
    void *samples = size ? memory_allocate_aligned(size) : NULL;
    if (samples)
        *view = mist_view_interleaved(samples, image->type, width, height, image->components);
    return samples != NULL;
}

static enum mist_status set_up(struct measure *measure, struct bench *bench, struct mist_error *error)
{
    if (bench->decoder)
        return MIST_OK;
    const struct mist_image_info *image = measure->image;
    uint32_t width = mist_reduced_size(image->width, measure->reduce);
    uint32_t height = mist_reduced_size(image->height, measure->reduce);
    if (!make_view(&bench->full, image, image->width, image->height) ||
        !make_view(&bench->reduced, image, width, height) || !make_view(&bench->average, image, width, height) ||
        !make_view(&bench->other, image, width, height) || !(bench->decoder = mist_decoder_new()))
        return error_set(error, MIST_ERROR_MEMORY, "measuring: out of memory");
    return MIST_OK;
}

/* ---- the range of all samples ---- */

static enum mist_status find_range(void *context, uint64_t frame, unsigned worker, struct mist_error *error)
{
    struct measure *measure = context;
    struct bench *bench = &measure->benches[worker];
    double minimum, maximum;
    enum mist_status status = set_up(measure, bench, error);
    if (!status)
        status = mist_item_decode(measure->item, bench->decoder, (uint32_t)frame, 0, &bench->full, error);
    if (status)
        return status;
    mist_range(&bench->full, &minimum, &maximum);
    pthread_mutex_lock(&measure->lock);
    if (!measure->ranged || minimum < measure->minimum)
        measure->minimum = minimum;
    if (!measure->ranged || maximum > measure->maximum)
        measure->maximum = maximum;
    measure->ranged = true;
    pthread_mutex_unlock(&measure->lock);
    return MIST_OK;
}

/* ---- frames ---- */

static bool same_samples(const struct mist_view *a, const struct mist_view *b)
{
    return memcmp(a->data, b->data, mist_frame_bytes(a->type, a->width, a->height, a->components)) == 0;
}

static enum mist_status compare_label(struct measure *measure, struct bench *bench, struct mist_error *error)
{
    enum mist_status status = mist_subsample(&bench->full, measure->reduce, &bench->average, error);
    if (status)
        return status;
    bool same = same_samples(&bench->average, &bench->reduced);
    pthread_mutex_lock(&measure->lock);
    measure->label_exact = measure->label_exact && same;
    pthread_mutex_unlock(&measure->lock);
    return MIST_OK;
}

static enum mist_status compare_image(struct measure *measure, struct bench *bench, struct mist_error *error)
{
    double values[4];
    double range = measure->maximum > measure->minimum ? measure->maximum - measure->minimum : 1;
    enum mist_status status = mist_area_reduce(&bench->full, measure->reduce, &bench->average, error);
    const bool centred = mist_item_info(measure->item)->centred;
    if (!status)
        status = centred ? mist_grid_native(&bench->reduced, measure->reduce, &bench->other, error)
                         : mist_grid_center(&bench->reduced, measure->reduce, &bench->other, error);
    const struct mist_view *candidates[2] = {centred ? &bench->other : &bench->reduced,
                                             centred ? &bench->reduced : &bench->other};
    for (int i = 0; i < 2 && !status; i++) {
        status = mist_ssim(&bench->average, candidates[i], measure->minimum, range, &values[2 * i], error);
        if (!status)
            status = mist_mad(&bench->average, candidates[i], range, &values[2 * i + 1], error);
    }
    if (status == MIST_ERROR_RANGE) /* no finite sample in this frame */
        return MIST_OK;
    if (status)
        return status;
    pthread_mutex_lock(&measure->lock);
    for (int i = 0; i < 4; i++)
        measure->sums[i] += values[i];
    measure->measured++;
    pthread_mutex_unlock(&measure->lock);
    return MIST_OK;
}

/* The n-th frame that is left. */
static enum mist_status compare_frame(void *context, uint64_t n, unsigned worker, struct mist_error *error)
{
    struct measure *measure = context;
    struct bench *bench = &measure->benches[worker];
    const uint64_t frame = n / measure->slices * measure->image->slices + (n % measure->slices << measure->step);
    enum mist_status status = set_up(measure, bench, error);
    if (!status)
        status = mist_item_decode(measure->item, bench->decoder, (uint32_t)frame, 0, &bench->full, error);
    if (!status)
        status =
            mist_item_decode(measure->item, bench->decoder, (uint32_t)frame, measure->reduce, &bench->reduced, error);
    if (status)
        return status;
    return measure->image->label ? compare_label(measure, bench, error) : compare_image(measure, bench, error);
}

static void tear_down(struct measure *measure)
{
    for (unsigned i = 0; i < MAX_WORKERS; i++) {
        struct bench *bench = &measure->benches[i];
        memory_free(bench->full.data);
        memory_free(bench->reduced.data);
        memory_free(bench->average.data);
        memory_free(bench->other.data);
        mist_decoder_free(&bench->decoder);
    }
    pthread_mutex_destroy(&measure->lock);
    memory_free(measure);
}

enum mist_status measure_item(const mist_item *item, unsigned threads, struct mist_evaluation *evaluation,
                              struct mist_error *error)
{
    evaluation->ssim_native = evaluation->mad_native = evaluation->ssim_center = evaluation->mad_center = NAN;
    if (evaluation->reduce == 0 && !evaluation->image->label)
        return MIST_OK; /* the image itself: a perfect score would say nothing, and flatter the mean over items */
    struct measure *measure = memory_allocate_zeroed(1, sizeof *measure);
    if (!measure)
        return error_set(error, MIST_ERROR_MEMORY, "measuring: out of memory");
    measure->item = item;
    measure->image = &mist_item_info(item)->image;
    measure->reduce = evaluation->reduce;
    measure->step = evaluation->step;
    measure->slices = evaluation->slices;
    measure->label_exact = measure->image->label;
    pthread_mutex_init(&measure->lock, NULL);
    if (threads > MAX_WORKERS)
        threads = MAX_WORKERS;
    enum mist_status status = MIST_OK;
    if (!measure->image->label)
        status = pool_run(threads, measure->image->frames, find_range, measure, error);
    if (!status)
        status = pool_run(threads, measure->image->frames / measure->image->slices * measure->slices, compare_frame,
                          measure, error);
    double count = measure->measured ? (double)measure->measured : NAN;
    evaluation->ssim_native = measure->sums[0] / count;
    evaluation->mad_native = measure->sums[1] / count;
    evaluation->ssim_center = measure->sums[2] / count;
    evaluation->mad_center = measure->sums[3] / count;
    evaluation->label_exact = measure->label_exact;
    tear_down(measure);
    return status;
}
