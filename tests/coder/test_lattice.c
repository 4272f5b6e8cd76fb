/* SPDX-License-Identifier: BSD-2-Clause */
/* Label maps as nested lattices: every prefix is plain subsampling, from the chunks that it may read and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/memory.h"
#include "coder/lattice.h"

#include <cmocka.h>
#include <mist/image.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHUNKS = LATTICE_MAX_LEVELS * (LATTICE_MAX_STEPS + 1) };

static struct mist_buffer chunks[MAX_CHUNKS];

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static size_t sample_count(const struct lattice_shape *shape)
{
    return (size_t)shape->width * shape->height * shape->slices;
}

/* What the samples are made of. */
enum content { CONSTANT, NOISE, SPECKS, BALLS, CONTENTS };

/* Overlapping balls: what label maps look like. */
static uint16_t ball_at(const struct lattice_shape *shape, uint32_t x, uint32_t y, uint32_t z)
{
    int64_t found = 0;
    for (uint32_t i = 1; i < 6; i++) {
        int64_t dx = (int64_t)x - (int64_t)(i * 7919 % shape->width),
                dy = (int64_t)y - (int64_t)(i * 104729 % shape->height);
        int64_t dz = (int64_t)z - (int64_t)(i * 1299709 % shape->slices), r = shape->width / (i + 1) + 2;
        if (dx * dx + dy * dy + 2 * dz * dz < r * r)
            found = i * 12345;
    }
    return (uint16_t)(found % shape->symbols);
}

static uint16_t *make(const struct lattice_shape *shape, enum content content)
{
    size_t at = 0;
    uint16_t *ranks = malloc(sample_count(shape) * sizeof *ranks);
    assert_non_null(ranks);
    for (uint32_t z = 0; z < shape->slices; z++)
        for (uint32_t y = 0; y < shape->height; y++)
            for (uint32_t x = 0; x < shape->width; x++)
                ranks[at++] = content == CONSTANT ? (uint16_t)(shape->symbols - 1)
                              : content == NOISE  ? (uint16_t)random_below(shape->symbols)
                              : content == SPECKS ? (uint16_t)(random_below(40) ? 0 : random_below(shape->symbols))
                                                  : ball_at(shape, x, y, z);
    return ranks;
}

/* The chunks that a reader of the prefix may look at; the others are where nothing can be read. */
static void allow(const struct lattice_shape *shape, unsigned reduce, unsigned step, struct coder_piece *pieces)
{
    for (unsigned level = 0; level < shape->levels; level++)
        for (unsigned class = 0; class <= shape->steps; class ++) {
            size_t i = lattice_chunk(shape, level, class);
            bool allowed = level + reduce < shape->levels && class >= step;
            uint8_t *copy = allowed ? malloc(chunks[i].size ? chunks[i].size : 1) : NULL;
            if (allowed && chunks[i].size)
                memcpy(copy, chunks[i].data, chunks[i].size);
            pieces[i].data = allowed ? copy : (const uint8_t *)(uintptr_t)16;
            pieces[i].size = allowed ? chunks[i].size : 1000;
        }
}

static void release(const struct lattice_shape *shape, unsigned reduce, unsigned step, struct coder_piece *pieces)
{
    for (unsigned level = 0; level + reduce < shape->levels; level++)
        for (unsigned class = step; class <= shape->steps; class ++)
            free((void *)(uintptr_t)pieces[lattice_chunk(shape, level, class)].data);
}

static void check_prefix(const struct lattice_shape *shape, const uint16_t *ranks, unsigned reduce, unsigned step)
{
    struct coder_piece pieces[MAX_CHUNKS];
    uint32_t width = mist_reduced_size(shape->width, reduce), height = mist_reduced_size(shape->height, reduce);
    uint32_t slices = mist_reduced_size(shape->slices, step);
    uint16_t *out = malloc((size_t)width * height * slices * sizeof *out);
    const uint16_t *at = out;
    allow(shape, reduce, step, pieces);
    assert_int_equal(lattice_decode(shape, pieces, reduce, step, out, NULL), MIST_OK);
    for (uint32_t z = 0; z < slices; z++)
        for (uint32_t y = 0; y < height; y++)
            for (uint32_t x = 0; x < width; x++, at++) {
                uint16_t right = ranks[(((size_t)z << step) * shape->height + ((size_t)y << reduce)) * shape->width +
                                       ((size_t)x << reduce)];
                if (*at != right)
                    fail_msg("%ux%ux%u, %u levels, %u steps, %u symbols, reduced by %u and %u: %u at %u,%u,%u is %u",
                             shape->width, shape->height, shape->slices, shape->levels, shape->steps, shape->symbols,
                             reduce, step, right, x, y, z, *at);
            }
    release(shape, reduce, step, pieces);
    free(out);
}

static void check_shape(const struct lattice_shape *shape)
{
    for (int content = CONSTANT; content < CONTENTS; content++) {
        uint16_t *ranks = make(shape, (enum content)content);
        assert_int_equal(lattice_encode(shape, ranks, chunks, NULL), MIST_OK);
        for (unsigned reduce = 0; reduce < shape->levels; reduce++)
            for (unsigned step = 0; step <= shape->steps; step++)
                check_prefix(shape, ranks, reduce, step);
        free(ranks);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct lattice_shape shapes[] = {
        {1, 1, 1, 1, 0, 2},      {1, 1, 1, 33, 31, 65536}, {1, 9, 2, 2, 1, 2},      {9, 1, 3, 3, 1, 3},
        {2, 2, 2, 2, 1, 1},      {17, 16, 1, 4, 0, 2},     {16, 17, 5, 1, 2, 300},  {33, 31, 7, 3, 2, 3},
        {64, 64, 9, 2, 3, 2},    {65, 63, 4, 9, 5, 65536}, {130, 7, 33, 3, 5, 300}, {7, 130, 16, 4, 4, 257},
        {128, 3, 17, 2, 0, 256}, {63, 65, 2, 7, 3, 5},     {5, 5, 40, 1, 3, 4},     {300, 200, 1, 3, 0, 2},
        {8, 8, 8, 5, 2, 65535},  {200, 100, 3, 2, 1, 129},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_shape(&shapes[i]);
}

static void test_random_shapes(void **state)
{
    (void)state;
    static const uint32_t symbols[] = {2, 3, 4, 17, 300, 65536};
    for (unsigned i = 0; i < 60; i++) {
        struct lattice_shape shape = {1 + random_below(70), 1 + random_below(40), 1 + random_below(12),
                                      1 + random_below(6),  random_below(4),      symbols[random_below(6)]};
        check_shape(&shape);
    }
}

/* What is as all its neighbours are takes no bytes at all. */
static void test_empty(void **state)
{
    (void)state;
    struct lattice_shape shape = {300, 200, 40, 3, 2, 5};
    uint16_t *ranks = calloc(sample_count(&shape), sizeof *ranks);
    assert_int_equal(lattice_encode(&shape, ranks, chunks, NULL), MIST_OK);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(chunks[i].size, 0);
    check_prefix(&shape, ranks, 0, 0);
    for (size_t i = 0; i < sample_count(&shape); i++)
        ranks[i] = 4;
    assert_int_equal(lattice_encode(&shape, ranks, chunks, NULL), MIST_OK);
    size_t sum = 0;
    for (size_t i = 0; i < 9; i++)
        sum += chunks[i].size;
    assert_in_range(sum, 1, 60);
    free(ranks);
}

/* Buffers are used again: a smaller map leaves nothing of the one before. */
static void test_again(void **state)
{
    (void)state;
    struct lattice_shape shape = {40, 30, 6, 2, 1, 9};
    uint16_t *noise = make(&shape, NOISE), *zeros = calloc(sample_count(&shape), sizeof *zeros);
    assert_int_equal(lattice_encode(&shape, noise, chunks, NULL), MIST_OK);
    assert_true(chunks[3].size > 100);
    assert_int_equal(lattice_encode(&shape, zeros, chunks, NULL), MIST_OK);
    check_prefix(&shape, zeros, 0, 0);
    free(noise);
    free(zeros);
}

/* Any bytes decode, to ranks that there are; read beyond the end of a chunk, a sanitizer would tell. */
static void test_damaged(void **state)
{
    (void)state;
    static const struct lattice_shape shapes[] = {{40, 33, 9, 3, 2, 3}, {33, 40, 1, 2, 0, 300}, {30, 5, 20, 1, 3, 2}};
    for (unsigned round = 0; round < 300; round++) {
        const struct lattice_shape *shape = &shapes[round % 3];
        struct coder_piece pieces[MAX_CHUNKS];
        uint16_t *ranks = make(shape, round & 1 ? SPECKS : BALLS);
        assert_int_equal(lattice_encode(shape, ranks, chunks, NULL), MIST_OK);
        for (unsigned i = 0; i < shape->levels * (shape->steps + 1); i++) {
            struct mist_buffer *chunk = &chunks[i];
            for (size_t k = 0; k < chunk->size; k++)
                if (random_below(20) == 0)
                    chunk->data[k] = (uint8_t)random_below(256);
            if (random_below(4) == 0)
                chunk->size = random_below((uint32_t)chunk->size + 1);
        }
        allow(shape, 0, 0, pieces);
        assert_int_equal(lattice_decode(shape, pieces, 0, 0, ranks, NULL), MIST_OK);
        release(shape, 0, 0, pieces);
        for (size_t i = 0; i < sample_count(shape); i++)
            assert_true(ranks[i] < shape->symbols);
        free(ranks);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    const struct lattice_shape good = {4, 4, 4, 2, 1, 3};
    const struct lattice_shape bad[] = {{0, 4, 4, 2, 1, 3},     {4, 0, 4, 2, 1, 3},          {4, 4, 0, 2, 1, 3},
                                        {4, 4, 4, 0, 1, 3},     {4, 4, 4, 34, 1, 3},         {4, 4, 4, 2, 32, 3},
                                        {4, 4, 4, 2, 1, 0},     {4, 4, 4, 2, 1, 65537},      {65536, 4, 4, 2, 1, 3},
                                        {4, 65536, 4, 2, 1, 3}, {65535, 65535, 257, 2, 1, 3}};
    uint16_t ranks[64] = {0};
    struct coder_piece pieces[4] = {{0}};
    struct mist_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(lattice_encode(&bad[i], ranks, chunks, &error), MIST_ERROR_ARGUMENT);
        assert_int_equal(lattice_decode(&bad[i], pieces, 0, 0, ranks, &error), MIST_ERROR_ARGUMENT);
    }
    assert_int_equal(lattice_decode(&good, pieces, 2, 0, ranks, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(lattice_decode(&good, pieces, 0, 2, ranks, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(lattice_decode(&good, pieces, 1, 1, ranks, &error), MIST_OK);
    ranks[63] = 3;
    assert_int_equal(lattice_encode(&good, ranks, chunks, &error), MIST_ERROR_ARGUMENT);
}

/* Each allocation fails once: an error, and nothing is lost (valgrind finds leaks). */
static void test_memory(void **state)
{
    (void)state;
    struct lattice_shape shape = {40, 33, 5, 3, 1, 300};
    struct coder_piece pieces[MAX_CHUNKS];
    uint16_t *ranks = make(&shape, NOISE), *out = malloc(sample_count(&shape) * sizeof *out);
    enum mist_status status = MIST_ERROR_MEMORY;
    for (uint64_t nth = 1; status != MIST_OK; nth++) {
        for (size_t i = 0; i < MAX_CHUNKS; i++)
            mist_buffer_free(&chunks[i]);
        memory_fail_at(nth);
        status = lattice_encode(&shape, ranks, chunks, NULL);
        memory_fail_at(0);
        assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
        assert_true(nth > 10 || status != MIST_OK);
    }
    allow(&shape, 0, 0, pieces);
    status = MIST_ERROR_MEMORY;
    for (uint64_t nth = 1; status != MIST_OK; nth++) {
        memory_fail_at(nth);
        status = lattice_decode(&shape, pieces, 0, 0, out, NULL);
        memory_fail_at(0);
        assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
        assert_true(nth > 5 || status != MIST_OK);
    }
    assert_memory_equal(out, ranks, sample_count(&shape) * sizeof *out);
    release(&shape, 0, 0, pieces);
    free(ranks);
    free(out);
}

static int free_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_CHUNKS; i++)
        mist_buffer_free(&chunks[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_empty),
        cmocka_unit_test(test_again),  cmocka_unit_test(test_damaged),       cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, free_chunks);
}
