/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes into the decoder of label maps: they decode to ranks that there are, and a prefix is the same samples as
 * they are in the whole. What came out is encoded and comes back. The input is
 *   width - 1, height - 1, slices - 1 (1 byte each, modulo 70, 70, 20), levels - 1 (1, modulo 9), steps (1, modulo 5),
 *   symbols - 1 (2), reduce, step (1 each, modulo what there are), then for each chunk its size (1) and bytes.
 */
#include "fuzz.h"

#include "coder/lattice.h"

#include <mist/image.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FUZZ_CHUNKS = 9 * 5 };

static uint16_t *samples(const struct lattice_shape *shape, unsigned reduce, unsigned step)
{
    size_t count = (size_t)mist_reduced_size(shape->width, reduce) * mist_reduced_size(shape->height, reduce) *
                   mist_reduced_size(shape->slices, step);
    uint16_t *found = malloc(count * sizeof *found); /* of exactly that size, so that a sanitizer sees one too many */
    fuzz_require(found);
    return found;
}

static void check_prefix(const struct lattice_shape *shape, const struct coder_piece *pieces, const uint16_t *whole,
                         unsigned reduce, unsigned step)
{
    uint32_t width = mist_reduced_size(shape->width, reduce), height = mist_reduced_size(shape->height, reduce);
    uint16_t *out = samples(shape, reduce, step), *at = out;
    fuzz_require(lattice_decode(shape, pieces, reduce, step, out, NULL) == MIST_OK);
    for (uint32_t z = 0; z < mist_reduced_size(shape->slices, step); z++)
        for (uint32_t y = 0; y < height; y++)
            for (uint32_t x = 0; x < width; x++)
                fuzz_require(
                    *at++ ==
                    whole[(((size_t)z << step) * shape->height + (y << reduce)) * shape->width + (x << reduce)]);
    free(out);
}

static void check_again(const struct lattice_shape *shape, const uint16_t *whole)
{
    struct mist_buffer chunks[MAX_FUZZ_CHUNKS] = {{0}};
    struct coder_piece pieces[MAX_FUZZ_CHUNKS];
    uint16_t *out = samples(shape, 0, 0);
    fuzz_require(lattice_encode(shape, whole, chunks, NULL) == MIST_OK);
    for (size_t i = 0; i < lattice_chunk(shape, shape->levels, 0); i++)
        pieces[i] = (struct coder_piece){chunks[i].data, chunks[i].size};
    fuzz_require(lattice_decode(shape, pieces, 0, 0, out, NULL) == MIST_OK);
    fuzz_require(!memcmp(out, whole, (size_t)shape->width * shape->height * shape->slices * sizeof *out));
    for (size_t i = 0; i < MAX_FUZZ_CHUNKS; i++)
        mist_buffer_free(&chunks[i]);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lattice_shape shape;
    struct coder_piece pieces[MAX_FUZZ_CHUNKS];
    uint8_t *copies[MAX_FUZZ_CHUNKS] = {0};
    shape.width = 1 + (uint32_t)fuzz_take(&data, &size, 1) % 70;
    shape.height = 1 + (uint32_t)fuzz_take(&data, &size, 1) % 70;
    shape.slices = 1 + (uint32_t)fuzz_take(&data, &size, 1) % 20;
    shape.levels = 1 + (unsigned)fuzz_take(&data, &size, 1) % 9;
    shape.steps = (unsigned)fuzz_take(&data, &size, 1) % 5;
    shape.symbols = 1 + (uint32_t)fuzz_take(&data, &size, 2);
    unsigned reduce = (unsigned)fuzz_take(&data, &size, 1) % shape.levels;
    unsigned step = (unsigned)fuzz_take(&data, &size, 1) % (shape.steps + 1);
    for (size_t i = 0; i < lattice_chunk(&shape, shape.levels, 0); i++) {
        size_t count = (size_t)fuzz_take(&data, &size, 1);
        count = count > size ? size : count;
        copies[i] = malloc(count ? count : 1);
        fuzz_require(copies[i]);
        if (count)
            memcpy(copies[i], data, count);
        data += count;
        size -= count;
        pieces[i] = (struct coder_piece){copies[i], count};
    }
    uint16_t *whole = samples(&shape, 0, 0);
    fuzz_require(lattice_decode(&shape, pieces, 0, 0, whole, NULL) == MIST_OK);
    check_prefix(&shape, pieces, whole, reduce, step);
    check_again(&shape, whole); /* which refuses ranks that there are not */
    for (size_t i = 0; i < MAX_FUZZ_CHUNKS; i++)
        free(copies[i]);
    free(whole);
    return 0;
}
