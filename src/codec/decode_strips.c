/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/decode_strips.h"

#include "base/error.h"
#include "codec/decode_blocks.h"
#include "codec/parts.h"

#include <stdatomic.h>
#include <string.h>

/* Rows of the bands on each side of a seam that its steps need, and the steps that need them: see wavelet53_inverse. */
enum { SEAM = 2 };

struct strips {
    const struct decode_plan *plan;
    const struct resolution *resolution;
    const struct level_plan *level;
    enum codec_lane lane;
    size_t element;
    struct wavelet_job wavelet; /* of the whole level; the high bands are each worker's own, or a seam's */
    struct parts_store store;
    uint32_t strip, chunk; /* rows of a band in a strip; steps at a time */
    uint32_t count;        /* of strips */
    /* Each worker's memory: the wavelet's scratch, rows of the image, a strip of each high band, its blocks. */
    unsigned char *memory;
    size_t memory_size, rows_at, band_at[4], blocks_at;
    unsigned char *seam[4]; /* for each band: 2 SEAM rows for each strip but the first */
    atomic_bool outside;    /* a value does not fit into the output */
};

/* Rows of a high band in all. */
static uint32_t band_rows(const struct strips *strips, unsigned kind)
{
    const uint32_t lows = wavelet_low(strips->wavelet.height, false);
    return kind & 2 ? strips->wavelet.height - lows : lows;
}

/* The blocks of rows first .. end - 1 of the three bands into the worker's strips. */
static enum mist_status decode_strip(const struct strips *strips, uint32_t first, uint32_t end, unsigned char *memory,
                                     unsigned worker, struct mist_error *error)
{
    const struct resolution *resolution = strips->resolution;
    const unsigned log2 = resolution->grid.block_height_log2;
    struct block_target *list = (struct block_target *)(void *)(memory + strips->blocks_at);
    struct band_target target[3];
    uint64_t count = 0;
    for (unsigned b = 0; b < 3; b++) {
        const struct precinct_band *part = &resolution->precinct[0]->band[b];
        const uint32_t rows = band_rows(strips, b + 1);
        target[b] = strips->level->target[b];
        target[b].plane = (struct plane){.window = {0, first, part->area.x1, end < rows ? end : rows},
                                         .lane = strips->lane,
                                         .stride = strips->wavelet.band_stride[b + 1],
                                         .data = memory + strips->band_at[b + 1]};
        const uint32_t behind = part->grid.wide ? part->grid.high : 0;
        for (uint32_t row = first >> log2; row < behind && row << log2 < end; row++)
            for (uint32_t column = 0; column < part->grid.wide; column++)
                list[count++] = (struct block_target){
                    .block = &part->block[(size_t)row * part->grid.wide + column],
                    .rect = geometry_block(&resolution->grid, &part->grid, part->area, column, row),
                    .band = &target[b],
                };
    }
    return decode_block_list(strips->plan, worker, list, count, error);
}

/* Seam n is between strips n - 1 and n. */
static unsigned char *seam_rows(const struct strips *strips, unsigned kind, uint32_t n)
{
    return strips->seam[kind] + (size_t)(n - 1) * 2 * SEAM * strips->wavelet.band_stride[kind] * strips->element;
}

/* Puts aside the rows of strip `index` that the seams on both sides need. */
static void keep_seams(const struct strips *strips, uint32_t index, uint32_t first, uint32_t end,
                       const unsigned char *memory)
{
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++) {
        const size_t row_size = strips->wavelet.band_stride[kind] * strips->element;
        const uint32_t all = band_rows(strips, kind), rows = (end < all ? end : all) - (first < all ? first : all);
        const unsigned char *band = memory + strips->band_at[kind];
        if (index > 0)
            memcpy(seam_rows(strips, kind, index) + SEAM * row_size, band, (rows < SEAM ? rows : SEAM) * row_size);
        if (index + 1 < strips->count)
            memcpy(seam_rows(strips, kind, index + 1), band + (rows - SEAM) * row_size, SEAM * row_size);
    }
}

/* Steps first .. end - 1 from bands that begin with row `band_row`. */
static void run_steps(struct strips *strips, const struct wavelet_job *bands, uint32_t band_row, uint32_t first,
                      uint32_t end, unsigned char *memory)
{
    struct wavelet_job steps = *bands;
    steps.scratch = memory;
    steps.plane = memory + strips->rows_at;
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++)
        steps.first_band_row[kind] = band_row;
    for (steps.first_step = first; steps.first_step < end; steps.first_step = steps.end_step) {
        steps.end_step = end - steps.first_step > strips->chunk ? steps.first_step + strips->chunk : end;
        if (!parts_store_steps(&strips->store, &steps, strips->element))
            atomic_store_explicit(&strips->outside, true, memory_order_relaxed);
    }
}

static enum mist_status do_strip(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct strips *strips = context;
    const uint32_t first = (uint32_t)index * strips->strip, end = first + strips->strip;
    const uint32_t steps = wavelet_steps(strips->wavelet.height, false);
    const bool last = index + 1 == strips->count;
    unsigned char *memory = strips->memory + worker * strips->memory_size;
    enum mist_status status = decode_strip(strips, first, end, memory, worker, error);
    if (status)
        return status;
    keep_seams(strips, (uint32_t)index, first, end, memory);
    struct wavelet_job bands = strips->wavelet;
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++)
        bands.band[kind] = memory + strips->band_at[kind];
    run_steps(strips, &bands, first, index ? first + SEAM : 0, last ? steps : end, memory);
    return MIST_OK;
}

static enum mist_status do_seam(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct strips *strips = context;
    const uint32_t n = (uint32_t)index + 1, first = n * strips->strip;
    const uint32_t steps = wavelet_steps(strips->wavelet.height, false);
    struct wavelet_job bands = strips->wavelet;
    (void)error;
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++)
        bands.band[kind] = seam_rows(strips, kind, n);
    run_steps(strips, &bands, first - SEAM, first, steps - first > SEAM ? first + SEAM : steps,
              strips->memory + worker * strips->memory_size);
    return MIST_OK;
}

/* Sizes and strides of everything, and the memory for it. */
static bool lay_out(struct strips *strips)
{
    struct arena *arena = &strips->plan->decode->codec->arena;
    struct wavelet_job *wavelet = &strips->wavelet;
    const size_t element = strips->element;
    const uint32_t lows = wavelet_low(wavelet->width, false);
    const uint32_t all_rows = band_rows(strips, BAND_HL); /* the most of any band */
    const uint32_t rows = all_rows < strips->strip ? all_rows : strips->strip;
    size_t size = wavelet_scratch_size(wavelet->width, element), blocks = 0;
    wavelet->plane_stride = ((size_t)wavelet->width + 31) & ~(size_t)31;
    strips->chunk = parts_steps_in_cache(wavelet->plane_stride * element, (size_t)1 << 17);
    strips->rows_at = size;
    size += (2 * (size_t)strips->chunk + 1) * wavelet->plane_stride * element;
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++) {
        const uint32_t wide = kind & 1 ? wavelet->width - lows : lows;
        wavelet->band_stride[kind] = ((size_t)wide + 31) & ~(size_t)31;
        const size_t row_size = wavelet->band_stride[kind] * element;
        strips->band_at[kind] = size;
        size += rows * row_size;
        blocks += (size_t)strips->resolution->precinct[0]->band[kind - 1].grid.wide;
        strips->seam[kind] = arena_allocate(arena, strips->count, 2 * SEAM * row_size);
        if (!strips->seam[kind])
            return false;
    }
    size = (size + 63) & ~(size_t)63;
    strips->blocks_at = size;
    size += (strips->strip >> strips->resolution->grid.block_height_log2) * blocks * sizeof(struct block_target);
    strips->memory_size = (size + 63) & ~(size_t)63;
    strips->memory = arena_allocate(arena, strips->memory_size, pool_threads(strips->plan->decode->codec->pool));
    return strips->memory != NULL;
}

enum mist_status decode_strips(const struct decode_plan *plan, const struct component_plan *component,
                               const struct plane *low, struct mist_error *error)
{
    const struct codec_kernels *kernels = &plan->decode->codec->kernels;
    const struct resolution *resolution = &component->component->resolution[component->levels - 1];
    struct tile_output *output = component->output;
    struct strips strips = {
        .plan = plan,
        .resolution = resolution,
        .level = &component->level[component->levels - 1],
        .lane = component->lane,
        .element = codec_lane_size(component->lane),
        .wavelet = {.width = rect_width(resolution->rect), .height = rect_height(resolution->rect)},
        .store = {.wavelet = kernels->wavelet53_inverse[component->lane],
                  .kernel = kernels->store[component->lane],
                  .job = output->store,
                  .x = output->window.x0,
                  .y = output->window.y0},
        .strip = parts_strip_height(resolution),
        .count = parts_strip_count(resolution),
    };
    strips.wavelet.band[BAND_LL] = plane_at(low, 0, 0);
    strips.wavelet.band_stride[BAND_LL] = low->stride;
    if (!lay_out(&strips))
        return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding a tile");
    enum mist_status status = pool_share(plan->decode->codec->pool, strips.count, do_strip, &strips, error);
    if (!status)
        status = pool_share(plan->decode->codec->pool, strips.count - 1, do_seam, &strips, error);
    output->stored = true;
    output->fits = !atomic_load(&strips.outside);
    return status;
}
