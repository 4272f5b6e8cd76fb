/* SPDX-License-Identifier: BSD-2-Clause */
/* Images as pyramids of means: lossless, every reduced level is the rounded mean of the next, from its own chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/memory.h"
#include "coder/pyramid.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct mist_buffer chunks[MIST_MAX_LEVELS];
static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

/* Frames of one size in one block of memory, with a gap behind each row. */
struct frames {
    uint8_t *memory;
    struct mist_view *views;
    uint32_t count;
};

enum { GAP = 4, UNTOUCHED = 0x5a };

static struct frames frames_of(const struct pyramid_shape *shape, unsigned reduce)
{
    uint32_t width = mist_reduced_size(shape->width, reduce), height = mist_reduced_size(shape->height, reduce);
    size_t row = width * mist_sample_size(shape->type) + GAP, frame = row * height;
    struct frames frames = {malloc(frame * shape->frames), calloc(shape->frames, sizeof *frames.views), shape->frames};
    assert_true(frames.memory && frames.views);
    memset(frames.memory, UNTOUCHED, frame * shape->frames);
    for (uint32_t i = 0; i < shape->frames; i++) {
        frames.views[i] = mist_view_planar(frames.memory + i * frame, shape->type, width, height, 1);
        frames.views[i].row_stride = row;
    }
    return frames;
}

static void frames_free(struct frames *frames)
{
    free(frames->memory);
    free(frames->views);
}

static int64_t get(const struct mist_view *view, uint32_t x, uint32_t y)
{
    const uint8_t *at = (const uint8_t *)view->data + x * view->column_stride + y * view->row_stride;
    uint16_t word;
    if (view->type == MIST_U8 || view->type == MIST_S8)
        return view->type == MIST_U8 ? *at : (int8_t)*at;
    memcpy(&word, at, sizeof word);
    return view->type == MIST_U16 ? word : (int16_t)word;
}

static void put(const struct mist_view *view, uint32_t x, uint32_t y, int64_t value)
{
    uint8_t *at = (uint8_t *)view->data + x * view->column_stride + y * view->row_stride;
    uint16_t word = (uint16_t)value;
    if (mist_sample_size(view->type) == 1)
        *at = (uint8_t)value;
    else
        memcpy(at, &word, sizeof word);
}

enum content { CONSTANT, NOISE, EXTREMES, SPARSE, CONTENTS };

static int64_t value_of(const struct pyramid_shape *shape, enum content content, uint32_t x, uint32_t y, uint32_t z)
{
    uint32_t values = 1u << 8 * mist_sample_size(shape->type);
    int64_t least = mist_sample_is_signed(shape->type) ? -(int64_t)(values / 2) : 0;
    int64_t dx = (int64_t)x - shape->width / 2, dy = (int64_t)y - shape->height / 3;
    if (content == CONSTANT)
        return least + 77;
    if (content == NOISE)
        return least + random_below(values);
    if (content == EXTREMES)
        return least + (random_below(2) ? values - 1 : 0);
    bool inside = dx * dx + dy * dy < (int64_t)(shape->width * shape->width / (9 + 3 * z));
    return inside ? least + 60 + random_below(40) : least;
}

/* The means of the next level's frames, by their definition. */
static struct frames means_of(const struct pyramid_shape *shape, const struct frames *fine, unsigned reduce)
{
    struct frames means = frames_of(shape, reduce);
    for (uint32_t i = 0; i < shape->frames; i++)
        for (uint32_t y = 0; y < means.views[i].height; y++)
            for (uint32_t x = 0; x < means.views[i].width; x++) {
                int64_t sum = 0, count = 0;
                for (uint32_t v = 2 * y; v < 2 * y + 2 && v < fine->views[i].height; v++)
                    for (uint32_t u = 2 * x; u < 2 * x + 2 && u < fine->views[i].width; u++, count++)
                        sum += get(&fine->views[i], u, v);
                int64_t twice = 2 * sum + count, mean = twice / (2 * count); /* halves go up, also below zero */
                put(&means.views[i], x, y, mean - (twice < 0 && twice % (2 * count) != 0));
            }
    return means;
}

static void check_level(const struct pyramid_shape *shape, const struct frames *right, unsigned reduce)
{
    struct coder_piece pieces[MIST_MAX_LEVELS];
    struct frames out = frames_of(shape, reduce);
    for (unsigned level = 0; level < shape->levels; level++) {
        bool allowed = level + reduce < shape->levels;
        uint8_t *copy = allowed ? malloc(chunks[level].size ? chunks[level].size : 1) : NULL;
        if (allowed && chunks[level].size)
            memcpy(copy, chunks[level].data, chunks[level].size);
        pieces[level].data = allowed ? copy : (const uint8_t *)(uintptr_t)16;
        pieces[level].size = allowed ? chunks[level].size : 1000;
    }
    assert_int_equal(pyramid_decode(shape, pieces, reduce, out.views, NULL), MIST_OK);
    size_t bytes = out.views[0].row_stride * out.views[0].height * shape->frames;
    if (memcmp(out.memory, right->memory, bytes)) /* gaps included */
        fail_msg("%ux%ux%u of type %d in %u levels, reduced by %u", shape->width, shape->height, shape->frames,
                 shape->type, shape->levels, reduce);
    for (unsigned level = 0; level + reduce < shape->levels; level++)
        free((void *)(uintptr_t)pieces[level].data);
    frames_free(&out);
}

static struct frames make(const struct pyramid_shape *shape, enum content content)
{
    struct frames frames = frames_of(shape, 0);
    for (uint32_t i = 0; i < shape->frames; i++)
        for (uint32_t y = 0; y < shape->height; y++)
            for (uint32_t x = 0; x < shape->width; x++)
                put(&frames.views[i], x, y, value_of(shape, content, x, y, i));
    return frames;
}

static void check_shape(const struct pyramid_shape *shape)
{
    for (int content = CONSTANT; content < CONTENTS; content++) {
        struct frames frames = make(shape, (enum content)content);
        assert_int_equal(pyramid_encode(shape, frames.views, chunks, NULL), MIST_OK);
        for (unsigned reduce = 0; reduce < shape->levels; reduce++) {
            check_level(shape, &frames, reduce);
            struct frames means = means_of(shape, &frames, reduce + 1);
            frames_free(&frames);
            frames = means;
        }
        frames_free(&frames);
    }
}

static const enum mist_sample_type types[] = {MIST_U8, MIST_S8, MIST_U16, MIST_S16};

static void test_shapes(void **state)
{
    (void)state;
    static const uint32_t sizes[][4] = {{1, 1, 1, 1},   {1, 1, 2, 33},  {1, 17, 1, 4},  {17, 1, 3, 3},  {2, 2, 1, 2},
                                        {31, 33, 2, 3}, {64, 64, 2, 4}, {65, 63, 1, 7}, {100, 3, 2, 2}, {3, 100, 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned type = 0; type < 4; type++) {
            struct pyramid_shape shape = {types[type], sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]};
            check_shape(&shape);
        }
}

static void test_random_shapes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        struct pyramid_shape shape = {types[random_below(4)], 1 + random_below(60), 1 + random_below(60),
                                      1 + random_below(4), 1 + random_below(7)};
        check_shape(&shape);
    }
}

/* The background costs next to nothing, at whatever value it is. */
static void test_empty(void **state)
{
    (void)state;
    struct pyramid_shape shape = {MIST_S16, 512, 400, 3, 4};
    struct frames frames = frames_of(&shape, 0);
    for (int64_t ground = -2000; ground <= 0; ground += 1000) {
        for (uint32_t i = 0; i < shape.frames; i++)
            for (uint32_t y = 0; y < shape.height; y++)
                for (uint32_t x = 0; x < shape.width; x++)
                    put(&frames.views[i], x, y, ground);
        assert_int_equal(pyramid_encode(&shape, frames.views, chunks, NULL), MIST_OK);
        assert_in_range(chunks[0].size, 0, ground ? 3 : 0);
        for (unsigned level = 1; level < shape.levels; level++)
            assert_int_equal(chunks[level].size, 0);
    }
    frames_free(&frames);
}

/* Any bytes decode to some samples; a sanitizer would tell of reads and writes beyond. */
static void test_damaged(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct pyramid_shape shape = {types[round % 4], 37, 30, 2, 1 + round % 4};
        struct frames frames = make(&shape, round & 1 ? SPARSE : EXTREMES), out = frames_of(&shape, 0);
        struct coder_piece pieces[MIST_MAX_LEVELS];
        assert_int_equal(pyramid_encode(&shape, frames.views, chunks, NULL), MIST_OK);
        for (unsigned level = 0; level < shape.levels; level++) {
            size_t size = chunks[level].size;
            for (size_t k = 0; k < size; k++)
                if (random_below(20) == 0)
                    chunks[level].data[k] = (uint8_t)random_below(256);
            size = random_below(4) ? size : random_below((uint32_t)size + 1);
            uint8_t *copy = malloc(size ? size : 1);
            if (size)
                memcpy(copy, chunks[level].data, size);
            pieces[level] = (struct coder_piece){copy, size};
        }
        assert_int_equal(pyramid_decode(&shape, pieces, 0, out.views, NULL), MIST_OK);
        for (uint32_t y = 0; y < shape.height; y++) /* between the rows nothing was touched */
            assert_int_equal(out.memory[(y + 1) * out.views[0].row_stride - 1], UNTOUCHED);
        for (unsigned level = 0; level < shape.levels; level++)
            free((void *)(uintptr_t)pieces[level].data);
        frames_free(&frames);
        frames_free(&out);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    const struct pyramid_shape good = {MIST_U8, 4, 4, 2, 2};
    const struct pyramid_shape bad[] = {
        {MIST_F32, 4, 4, 2, 2},    {MIST_U32, 4, 4, 2, 2},        {MIST_U8, 0, 4, 2, 2},  {MIST_U8, 4, 0, 2, 2},
        {MIST_U8, 4, 4, 0, 2},     {MIST_U8, 4, 4, 2, 0},         {MIST_U8, 4, 4, 2, 34}, {MIST_U8, 65536, 4, 2, 2},
        {MIST_U8, 4, 65536, 2, 2}, {MIST_U8, 65535, 65535, 2, 2}, {MIST_U16, 4, 4, 2, 2}, {MIST_U8, 4, 5, 2, 2}};
    struct frames frames = make(&good, NOISE);
    struct coder_piece pieces[MIST_MAX_LEVELS] = {{0}};
    struct mist_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pyramid_encode(&bad[i], frames.views, chunks, &error), MIST_ERROR_ARGUMENT);
        assert_int_equal(pyramid_decode(&bad[i], pieces, 0, frames.views, &error), MIST_ERROR_ARGUMENT);
    }
    assert_int_equal(pyramid_decode(&good, pieces, 2, frames.views, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(pyramid_decode(&good, pieces, 1, frames.views, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(pyramid_decode(&good, pieces, 0, frames.views, &error), MIST_OK);
    frames_free(&frames);
}

/* Each allocation fails once: an error, and nothing is lost (valgrind finds leaks). */
static void test_memory(void **state)
{
    (void)state;
    struct pyramid_shape shape = {MIST_S16, 40, 33, 2, 3};
    struct frames frames = make(&shape, NOISE), out = frames_of(&shape, 0);
    struct coder_piece pieces[MIST_MAX_LEVELS];
    for (unsigned decoding = 0; decoding < 2; decoding++) {
        enum mist_status status = MIST_ERROR_MEMORY;
        for (uint64_t nth = 1; status != MIST_OK; nth++) {
            for (unsigned i = 0; !decoding && i < MIST_MAX_LEVELS; i++)
                mist_buffer_free(&chunks[i]);
            memory_fail_at(nth);
            status = decoding ? pyramid_decode(&shape, pieces, 0, out.views, NULL)
                              : pyramid_encode(&shape, frames.views, chunks, NULL);
            memory_fail_at(0);
            assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
            assert_true(nth > 4 || status != MIST_OK);
        }
        for (unsigned level = 0; level < shape.levels; level++)
            pieces[level] = (struct coder_piece){chunks[level].data, chunks[level].size};
    }
    assert_memory_equal(out.memory, frames.memory, out.views[0].row_stride * shape.height * shape.frames);
    frames_free(&frames);
    frames_free(&out);
}

static int free_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < MIST_MAX_LEVELS; i++)
        mist_buffer_free(&chunks[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),  cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_arguments),     cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, free_chunks);
}
