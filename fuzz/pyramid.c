/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes into the decoder of sparse images: they decode, and what came out is encoded and comes back. The input
 * is type (1 byte, modulo 4), width - 1, height - 1, frames - 1 (1 each, modulo 70, 70, 4), levels - 1 (1, modulo 9),
 *   reduce (1, modulo levels), then for each chunk its size (2) and bytes.
 */
#include "fuzz.h"

#include "coder/pyramid.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FUZZ_LEVELS = 9, MAX_FUZZ_FRAMES = 4 };

/* Views of packed frames, whose memory is of exactly their size. */
static void *make_views(const struct pyramid_shape *shape, unsigned reduce, struct mist_view *views)
{
    uint32_t width = mist_reduced_size(shape->width, reduce), height = mist_reduced_size(shape->height, reduce);
    size_t frame = mist_frame_bytes(shape->type, width, height, 1);
    uint8_t *samples = malloc(frame * shape->frames);
    fuzz_require(samples);
    for (uint32_t i = 0; i < shape->frames; i++)
        views[i] = mist_view_planar(samples + i * frame, shape->type, width, height, 1);
    return samples;
}

static void check_again(const struct pyramid_shape *shape, const struct mist_view *views, const void *samples)
{
    struct mist_buffer chunks[MAX_FUZZ_LEVELS] = {{0}};
    struct coder_piece pieces[MAX_FUZZ_LEVELS];
    struct mist_view out[MAX_FUZZ_FRAMES];
    void *decoded = make_views(shape, 0, out);
    fuzz_require(pyramid_encode(shape, views, chunks, NULL) == MIST_OK);
    for (unsigned level = 0; level < shape->levels; level++)
        pieces[level] = (struct coder_piece){chunks[level].data, chunks[level].size};
    fuzz_require(pyramid_decode(shape, pieces, 0, out, NULL) == MIST_OK);
    fuzz_require(!memcmp(decoded, samples, mist_frame_bytes(shape->type, shape->width, shape->height, shape->frames)));
    for (unsigned level = 0; level < MAX_FUZZ_LEVELS; level++)
        mist_buffer_free(&chunks[level]);
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum mist_sample_type types[] = {MIST_U8, MIST_S8, MIST_U16, MIST_S16};
    struct pyramid_shape shape;
    struct coder_piece pieces[MAX_FUZZ_LEVELS];
    struct mist_view views[MAX_FUZZ_FRAMES], reduced[MAX_FUZZ_FRAMES];
    uint8_t *copies[MAX_FUZZ_LEVELS] = {0};
    shape.type = types[fuzz_take(&data, &size, 1) % 4];
    shape.width = 1 + (uint32_t)fuzz_take(&data, &size, 1) % 70;
    shape.height = 1 + (uint32_t)fuzz_take(&data, &size, 1) % 70;
    shape.frames = 1 + (uint32_t)fuzz_take(&data, &size, 1) % MAX_FUZZ_FRAMES;
    shape.levels = 1 + (unsigned)fuzz_take(&data, &size, 1) % MAX_FUZZ_LEVELS;
    unsigned reduce = (unsigned)fuzz_take(&data, &size, 1) % shape.levels;
    for (unsigned level = 0; level < shape.levels; level++) {
        size_t count = (size_t)fuzz_take(&data, &size, 2);
        count = count > size ? size : count;
        copies[level] = malloc(count ? count : 1);
        fuzz_require(copies[level]);
        if (count)
            memcpy(copies[level], data, count);
        data += count;
        size -= count;
        pieces[level] = (struct coder_piece){copies[level], count};
    }
    void *whole = make_views(&shape, 0, views), *part = make_views(&shape, reduce, reduced);
    fuzz_require(pyramid_decode(&shape, pieces, 0, views, NULL) == MIST_OK);
    fuzz_require(pyramid_decode(&shape, pieces, reduce, reduced, NULL) == MIST_OK);
    check_again(&shape, views, whole);
    for (unsigned level = 0; level < MAX_FUZZ_LEVELS; level++)
        free(copies[level]);
    free(whole);
    free(part);
    return 0;
}
