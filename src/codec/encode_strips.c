/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/encode_frame.h"
#include "codec/parts.h"

#include "base/error.h"

#include <string.h>

struct strips {
    struct encoder *encoder;
    const struct resolution *resolution;
    struct transfer_job load;
    struct wavelet_job wavelet; /* of the whole level; the high bands are each worker's own */
    uint32_t steps;             /* of the wavelet in all */
    uint32_t strip, chunk;      /* steps in a strip, and at a time */
    /* Each worker's memory: the wavelet's scratch, rows of the frame, a strip of each high band. */
    unsigned char *memory;
    size_t memory_size, rows_at, band_at[4];
};

bool encode_in_strips(const struct encoder *encoder, const struct resolution *resolution)
{
    const struct rect area = resolution->rect;
    return !resolution->grid.lowest && !encoder->options->irreversible &&
           !encoder->setup.header.style.component_transform && resolution->precincts == 1 && !area.x0 && !area.y0 &&
           rect_height(area) > 1 && parts_strip_count(resolution) >= pool_threads(encoder->codec->pool);
}

/* Rows of the frame from which steps first .. end - 1 come. */
static uint32_t first_row_of(uint32_t first)
{
    return first ? 2 * first - 2 : 0;
}
static uint32_t end_row_of(const struct strips *strips, uint32_t end)
{
    return strips->wavelet.height - 1 > 2 * end ? 2 * end + 1 : strips->wavelet.height;
}

/* Puts rows from..end-1 of the component into the worker's rows, which begin with row `first`. */
static bool load_rows(const struct strips *strips, unsigned char *rows, uint32_t first, uint32_t from, uint32_t end)
{
    const struct encoder *encoder = strips->encoder;
    struct transfer_job job = strips->load;
    struct mist_view view = *job.view;
    if (from >= end)
        return true;
    view.data = (char *)view.data + from * view.row_stride;
    view.height = end - from;
    job.view = &view;
    job.plane = rows + (size_t)(from - first) * job.stride * codec_lane_size(encoder->lane);
    return encoder->kernels->load[encoder->lane](&job);
}

/* Loads and transforms the rows of one strip. */
static bool transform_strip(const struct strips *strips, uint32_t first, uint32_t end, unsigned char *memory)
{
    const struct encoder *encoder = strips->encoder;
    const size_t row_size = strips->load.stride * codec_lane_size(encoder->lane);
    unsigned char *rows = memory + strips->rows_at;
    struct wavelet_job wavelet = strips->wavelet;
    wavelet.scratch = memory;
    wavelet.plane = rows;
    for (unsigned kind = BAND_HL; kind <= BAND_HH; kind++) {
        wavelet.band[kind] = memory + strips->band_at[kind];
        wavelet.first_band_row[kind] = first;
    }
    uint32_t loaded = 0; /* rows up to this one */
    for (uint32_t step = first; step < end; step = wavelet.end_step) {
        wavelet.first_step = step;
        wavelet.end_step = end - step > strips->chunk ? step + strips->chunk : end;
        const uint32_t begin = first_row_of(step), behind = end_row_of(strips, wavelet.end_step);
        if (loaded > begin) /* the last rows of the chunk before are the first of this one */
            memmove(rows, rows + (begin - wavelet.first_row) * row_size, (loaded - begin) * row_size);
        if (!load_rows(strips, rows, begin, loaded > begin ? loaded : begin, behind))
            return false;
        wavelet.first_row = begin;
        loaded = behind;
        encoder->kernels->wavelet53_forward[encoder->lane](&wavelet);
    }
    return true;
}

static enum mist_status code_strip(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    const struct strips *strips = context;
    struct encoder *encoder = strips->encoder;
    const struct resolution *resolution = strips->resolution;
    const uint32_t first = (uint32_t)index * strips->strip;
    const uint32_t end = strips->steps - first > strips->strip ? first + strips->strip : strips->steps;
    unsigned char *memory = strips->memory + worker * strips->memory_size;
    if (!transform_strip(strips, first, end, memory))
        return encode_out_of_range(encoder, error);
    enum mist_status status = MIST_OK;
    for (unsigned b = 0; b < 3 && !status; b++) {
        const struct precinct_band *part = &resolution->precinct[0]->band[b];
        struct block_row row = {.resolution = resolution,
                                .band = &resolution->band[b],
                                .part = part,
                                .samples = memory + strips->band_at[b + 1],
                                .first_row = first,
                                .stride = strips->wavelet.band_stride[b + 1]};
        const unsigned block = resolution->grid.block_height_log2;
        const uint32_t behind = part->grid.wide ? part->grid.high : 0;
        for (row.row = first >> block; row.row < behind && row.row << block < end && !status; row.row++)
            status = encode_block_row(encoder, &row, worker, error);
    }
    return status;
}

/* Sizes and strides of everything, and the memory for it. */
static bool lay_out(struct strips *strips, struct band_plane *low)
{
    struct encoder *encoder = strips->encoder;
    struct wavelet_job *wavelet = &strips->wavelet;
    const size_t element = codec_lane_size(encoder->lane);
    const uint32_t lows = wavelet_low(wavelet->height, false);
    const uint32_t rows = lows < strips->strip ? lows : strips->strip; /* of a band at a time */
    size_t size = (wavelet_scratch_size(wavelet->width, element) + 63) & ~(size_t)63;
    strips->chunk = parts_steps_in_cache(strips->load.stride * element, (size_t)1 << 17);
    strips->rows_at = size;
    size += (2 * (size_t)strips->chunk + 3) * strips->load.stride * element;
    for (unsigned kind = BAND_LL; kind <= BAND_HH; kind++) {
        uint32_t wide = wavelet_low(wavelet->width, false);
        wide = kind & 1 ? wavelet->width - wide : wide;
        wavelet->band_stride[kind] = ((size_t)wide + 31) & ~(size_t)31;
        strips->band_at[kind] = size;
        if (kind != BAND_LL)
            size += rows * wavelet->band_stride[kind] * element;
    }
    strips->memory_size = size;
    strips->memory = arena_allocate(encoder->arena, size, pool_threads(encoder->codec->pool));
    low->stride = wavelet->band_stride[BAND_LL];
    low->data = arena_allocate(encoder->arena, low->stride * lows, element);
    wavelet->band[BAND_LL] = low->data;
    return strips->memory && low->data;
}

enum mist_status encode_strips(struct encoder *encoder, uint32_t c, struct resolution *resolution,
                               struct band_plane *low)
{
    struct strips strips = {
        .encoder = encoder,
        .resolution = resolution,
        .load = encode_transfer(encoder, c),
        .wavelet = {.width = rect_width(resolution->rect), .height = rect_height(resolution->rect)},
        .strip = parts_strip_height(resolution),
    };
    strips.steps = wavelet_low(strips.wavelet.height, false); /* one more, of an even height, would do nothing */
    strips.wavelet.plane_stride = strips.load.stride;
    if (!lay_out(&strips, low))
        return encode_no_memory(encoder, encoder->error);
    return pool_share(encoder->codec->pool, parts_strip_count(resolution), code_strip, &strips, encoder->error);
}
