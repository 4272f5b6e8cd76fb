/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunks for tests/coder/reader.py: coder_tool lattice WIDTH HEIGHT SLICES LEVELS STEPS SYMBOLS < ranks (u16), or
 * coder_tool pyramid WIDTH HEIGHT FRAMES LEVELS TYPE < samples. Writes each chunk behind its size (u32).
 */
#include "coder/lattice.h"
#include "coder/pyramid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHUNKS = LATTICE_MAX_LEVELS * (LATTICE_MAX_STEPS + 1), MAX_FRAMES = 64 };

static struct mist_buffer chunks[MAX_CHUNKS];

static void *read_input(size_t size)
{
    void *bytes = malloc(size);
    if (!bytes || fread(bytes, 1, size, stdin) != size)
        exit(2);
    return bytes;
}

static size_t run_lattice(uint32_t *numbers)
{
    struct lattice_shape shape = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
    uint16_t *ranks = read_input((size_t)shape.width * shape.height * shape.slices * sizeof *ranks);
    if (lattice_encode(&shape, ranks, chunks, NULL) != MIST_OK)
        exit(3);
    free(ranks);
    return lattice_chunk(&shape, shape.levels, 0);
}

static size_t run_pyramid(const uint32_t *numbers, const char *type)
{
    struct pyramid_shape shape = {mist_sample_type_from_name(type), numbers[0], numbers[1], numbers[2], numbers[3]};
    struct mist_view views[MAX_FRAMES];
    size_t frame = mist_frame_bytes(shape.type, shape.width, shape.height, 1);
    uint8_t *samples = read_input(frame * shape.frames);
    for (uint32_t i = 0; i < shape.frames && i < MAX_FRAMES; i++)
        views[i] = mist_view_planar(samples + i * frame, shape.type, shape.width, shape.height, 1);
    if (shape.frames > MAX_FRAMES || pyramid_encode(&shape, views, chunks, NULL) != MIST_OK)
        exit(3);
    free(samples);
    return shape.levels;
}

int main(int count, char **arguments)
{
    uint32_t numbers[6] = {0};
    if (count < 7)
        return 1;
    for (int i = 2; i < count && i < 8; i++)
        numbers[i - 2] = (uint32_t)strtoul(arguments[i], NULL, 10);
    size_t number = strcmp(arguments[1], "lattice") ? run_pyramid(numbers, arguments[6]) : run_lattice(numbers);
    for (size_t i = 0; i < number; i++) {
        uint32_t size = (uint32_t)chunks[i].size;
        fwrite(&size, sizeof size, 1, stdout);
        fwrite(chunks[i].data, 1, size, stdout);
        mist_buffer_free(&chunks[i]);
    }
    return 0;
}
