/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/pyramid.h"

#include "base/error.h"
#include "base/memory.h"
#include "coder/pyramid_samples.h"

#include <string.h>

/* The grids of all frames at a level, each with margins. */
struct level {
    int32_t *memory;
    uint32_t width, height;
    size_t stride, frame; /* in samples */
};

struct unit {
    const struct pyramid_shape *shape;
    struct pyramid_coder coder;
    struct level levels[MIST_MAX_LEVELS];
};

static unsigned sample_bits(enum mist_sample_type type)
{
    return 8 * (unsigned)mist_sample_size(type);
}

static enum mist_status check_shape(const struct pyramid_shape *shape, struct mist_error *error)
{
    enum mist_sample_type type = shape->type;
    if (type != MIST_U8 && type != MIST_S8 && type != MIST_U16 && type != MIST_S16)
        return error_set(error, MIST_ERROR_ARGUMENT, "a pyramid is of 8 or 16-bit integers");
    if (shape->width == 0 || shape->height == 0 || shape->frames == 0 || shape->width > MIST_MAX_SIDE ||
        shape->height > MIST_MAX_SIDE || shape->levels == 0 || shape->levels > MIST_MAX_LEVELS ||
        (uint64_t)shape->width * shape->height > PYRAMID_MAX_UNIT_SAMPLES / shape->frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "a pyramid of %u frames of %ux%u in %u levels is not possible",
                         shape->frames, shape->width, shape->height, shape->levels);
    return MIST_OK;
}

static enum mist_status check_views(const struct pyramid_shape *shape, const struct mist_view *views, unsigned reduce,
                                    struct mist_error *error)
{
    for (uint32_t i = 0; i < shape->frames; i++)
        if (views[i].type != shape->type || views[i].components != 1 ||
            views[i].width != mist_reduced_size(shape->width, reduce) ||
            views[i].height != mist_reduced_size(shape->height, reduce))
            return error_set(error, MIST_ERROR_ARGUMENT, "frame %u of a pyramid is not of its type or size", i);
    return MIST_OK;
}

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "not enough memory for a pyramid");
}

static void unit_free(struct unit *unit)
{
    if (!unit)
        return;
    for (unsigned level = 0; level < MIST_MAX_LEVELS; level++)
        memory_free(unit->levels[level].memory);
    memory_free(unit);
}

/* NULL if memory is short. */
static struct unit *unit_make(const struct pyramid_shape *shape, bool decoding)
{
    struct unit *unit = memory_allocate_zeroed(1, sizeof *unit);
    if (!unit)
        return NULL;
    unsigned bits = sample_bits(shape->type);
    bool is_signed = mist_sample_is_signed(shape->type);
    unit->shape = shape;
    unit->coder.decoding = decoding;
    unit->coder.least = is_signed ? -(1 << (bits - 1)) : 0;
    unit->coder.most = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
    pyramid_coder_start(&unit->coder);
    return unit;
}

/* Grids of nothing but the background; one more than frames, which stands before the first. false if memory is short.
 */
static bool make_level(struct unit *unit, unsigned level)
{
    const struct pyramid_shape *shape = unit->shape;
    struct level *made = &unit->levels[level];
    size_t count;
    made->width = mist_reduced_size(shape->width, shape->levels - 1 - level);
    made->height = mist_reduced_size(shape->height, shape->levels - 1 - level);
    made->stride = made->width + 2 * (size_t)PYRAMID_MARGIN;
    made->frame = made->stride * (made->height + 2 * (size_t)PYRAMID_MARGIN);
    if (!size_multiply(made->frame, shape->frames + (size_t)1, &count))
        return false;
    made->memory = memory_allocate_array(count, sizeof *made->memory);
    for (size_t i = 0; made->memory && i < count; i++)
        made->memory[i] = unit->coder.ground;
    return made->memory;
}

/* Frame -1 is the background alone. */
static struct pyramid_grid grid_of(const struct unit *unit, unsigned level, int64_t frame)
{
    const struct level *of = &unit->levels[level];
    size_t at = (size_t)(frame + 1) * of->frame + PYRAMID_MARGIN * of->stride + PYRAMID_MARGIN;
    return (struct pyramid_grid){of->memory + at, (ptrdiff_t)of->stride, of->width, of->height};
}

static void code_level(struct unit *unit, unsigned level)
{
    for (int64_t frame = 0; frame < unit->shape->frames; frame++) {
        struct pyramid_grid grid = grid_of(unit, level, frame), before = grid_of(unit, level, frame - 1);
        if (level == 0) {
            pyramid_code_first(&unit->coder, &grid, &before);
        } else {
            struct pyramid_grid means = grid_of(unit, level - 1, frame);
            pyramid_code_blocks(&unit->coder, &means, &grid, &before);
        }
    }
}

/* ---- Samples in views ---- */

static void *view_at(const struct mist_view *view, uint32_t x, uint32_t y)
{
    return (uint8_t *)view->data + x * view->column_stride + y * view->row_stride;
}

static int32_t get_sample(const struct mist_view *view, uint32_t x, uint32_t y)
{
    const void *at = view_at(view, x, y);
    switch (view->type) {
    case MIST_U8:
        return *(const uint8_t *)at;
    case MIST_S8:
        return *(const int8_t *)at;
    case MIST_U16:
        return *(const uint16_t *)at;
    default:
        return *(const int16_t *)at;
    }
}

static void put_sample(struct mist_view *view, uint32_t x, uint32_t y, int32_t value)
{
    void *at = view_at(view, x, y);
    if (mist_sample_size(view->type) == 1)
        *(uint8_t *)at = (uint8_t)value;
    else
        *(uint16_t *)at = (uint16_t)value;
}

/* ---- Encoding ---- */

/* The most frequent value of a type; the smallest of equals. false if memory is short. */
static bool find_ground(struct unit *unit, const struct mist_view *frames)
{
    uint64_t *counts = memory_allocate_zeroed(1 << 16, sizeof *counts);
    uint32_t best = 0;
    if (!counts)
        return false;
    for (uint32_t i = 0; i < unit->shape->frames; i++)
        for (uint32_t y = 0; y < frames[i].height; y++)
            for (uint32_t x = 0; x < frames[i].width; x++)
                counts[get_sample(&frames[i], x, y) - unit->coder.least]++;
    for (uint32_t i = 0; i < 1 << 16; i++)
        best = counts[i] > counts[best] ? i : best;
    unit->coder.ground = (int32_t)best + unit->coder.least;
    memory_free(counts);
    return true;
}

/* The means of a level from the level above it. */
static void make_means(const struct pyramid_grid *fine, const struct pyramid_grid *means)
{
    for (uint32_t y = 0; y < means->height; y++)
        for (uint32_t x = 0; x < means->width; x++) {
            int32_t columns = fine->width - 2 * x < 2 ? 1 : 2, rows = fine->height - 2 * y < 2 ? 1 : 2;
            const int32_t *at = fine->samples + 2 * (ptrdiff_t)y * fine->stride + 2 * x;
            int64_t sum = at[0];
            sum += columns == 2 ? at[1] : 0;
            sum += rows == 2 ? at[fine->stride] : 0;
            sum += columns == 2 && rows == 2 ? at[fine->stride + 1] : 0;
            means->samples[(ptrdiff_t)y * means->stride + x] = pyramid_mean(sum, columns * rows);
        }
}

/* All levels. false if memory is short. */
static bool take_frames(struct unit *unit, const struct mist_view *frames)
{
    unsigned last = unit->shape->levels - 1;
    for (unsigned level = 0; level <= last; level++)
        if (!make_level(unit, level))
            return false;
    for (uint32_t i = 0; i < unit->shape->frames; i++) {
        struct pyramid_grid grid = grid_of(unit, last, i);
        for (uint32_t y = 0; y < grid.height; y++)
            for (uint32_t x = 0; x < grid.width; x++)
                grid.samples[(ptrdiff_t)y * grid.stride + x] = get_sample(&frames[i], x, y);
        for (unsigned level = last; level > 0; level--) {
            struct pyramid_grid fine = grid_of(unit, level, i), means = grid_of(unit, level - 1, i);
            make_means(&fine, &means);
        }
    }
    return true;
}

enum mist_status pyramid_encode(const struct pyramid_shape *shape, const struct mist_view *frames,
                                struct mist_buffer *chunks, struct mist_error *error)
{
    enum mist_status status = check_shape(shape, error);
    if (status == MIST_OK)
        status = check_views(shape, frames, 0, error);
    if (status != MIST_OK)
        return status;
    struct unit *unit = unit_make(shape, false);
    bool good = unit && find_ground(unit, frames) && take_frames(unit, frames);
    for (unsigned level = 0; good && level < shape->levels; level++) {
        chunks[level].size = 0;
        range_encode_start(&unit->coder.encoder, &chunks[level]);
        if (level == 0)
            pyramid_code_ground(&unit->coder, sample_bits(shape->type));
        code_level(unit, level);
        good = range_encode_end(&unit->coder.encoder);
    }
    unit_free(unit);
    return good ? MIST_OK : no_memory(error);
}

/* ---- Decoding ---- */

static void give_frames(const struct unit *unit, unsigned level, struct mist_view *out)
{
    for (uint32_t i = 0; i < unit->shape->frames; i++) {
        struct pyramid_grid grid = grid_of(unit, level, i);
        for (uint32_t y = 0; y < grid.height; y++)
            for (uint32_t x = 0; x < grid.width; x++)
                put_sample(&out[i], x, y, grid.samples[(ptrdiff_t)y * grid.stride + x]);
    }
}

enum mist_status pyramid_decode(const struct pyramid_shape *shape, const struct coder_piece *pieces, unsigned reduce,
                                struct mist_view *out, struct mist_error *error)
{
    enum mist_status status = check_shape(shape, error);
    if (status != MIST_OK)
        return status;
    if (reduce >= shape->levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "a pyramid of %u levels, reduced by %u", shape->levels, reduce);
    status = check_views(shape, out, reduce, error);
    if (status != MIST_OK)
        return status;
    struct unit *unit = unit_make(shape, true);
    bool good = unit;
    for (unsigned level = 0; good && level < shape->levels - reduce; level++) {
        range_decode_start(&unit->coder.decoder, pieces[level]);
        if (level == 0)
            pyramid_code_ground(&unit->coder, sample_bits(shape->type));
        good = make_level(unit, level);
        if (good)
            code_level(unit, level);
        if (level > 0) {
            memory_free(unit->levels[level - 1].memory);
            unit->levels[level - 1].memory = NULL;
        }
    }
    if (good)
        give_frames(unit, shape->levels - 1 - reduce, out);
    unit_free(unit);
    return good ? MIST_OK : no_memory(error);
}
