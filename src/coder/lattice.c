/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/lattice.h"

#include "base/error.h"
#include "base/memory.h"
#include "coder/lattice_samples.h"

#include <string.h>

#define MAX_UNIT_SAMPLES ((uint64_t)1 << 40)

/* The slices of a unit at one level, each with a margin of rank 0, which stands for everything outside. */
struct planes {
    uint16_t *memory;
    uint32_t width, height;
    size_t stride, slice; /* in samples */
};

/* The margins are zeros, the samples whatever they are. false if memory is short. */
static bool planes_allocate(struct planes *planes, uint32_t width, uint32_t height, uint32_t slices)
{
    size_t count, columns = (width + (size_t)LATTICE_BLOCK - 1) / LATTICE_BLOCK * LATTICE_BLOCK;
    planes->width = width;
    planes->height = height;
    planes->stride = columns + 2 * LATTICE_MARGIN;
    planes->slice = planes->stride * (height + 2 * (size_t)LATTICE_MARGIN);
    planes->memory = NULL;
    if (!size_multiply(planes->slice, slices, &count))
        return false;
    planes->memory = memory_allocate_array(count, sizeof *planes->memory);
    if (!planes->memory)
        return false;
    size_t beside = (planes->stride - width) * sizeof *planes->memory;
    size_t beyond = LATTICE_MARGIN * planes->stride;
    for (uint32_t z = 0; z < slices; z++) {
        uint16_t *slice = planes->memory + z * planes->slice;
        memset(slice, 0, (beyond + LATTICE_MARGIN) * sizeof *slice);
        for (uint32_t y = 0; y + 1 < height; y++)
            memset(slice + beyond + y * planes->stride + LATTICE_MARGIN + width, 0, beside);
        size_t last = beyond + (height - 1) * planes->stride + LATTICE_MARGIN + width;
        memset(slice + last, 0, (planes->slice - last) * sizeof *slice);
    }
    return true;
}

static uint16_t *planes_row(const struct planes *planes, uint32_t z, uint32_t y)
{
    return planes->memory + z * planes->slice + (y + (size_t)LATTICE_MARGIN) * planes->stride + LATTICE_MARGIN;
}

/* A unit on its way, in either direction. */
struct unit {
    const struct lattice_shape *shape;
    uint32_t slices;      /* of those that are coded: every 2^step-th */
    unsigned step, steps; /* classes that are left out, number of the last class that is not */
    struct lattice_coder coder;
    struct lattice_model saved; /* as it was behind the last class of the level before */
    struct planes planes;       /* of the level */
};

static enum mist_status check_shape(const struct lattice_shape *shape, struct mist_error *error)
{
    if (shape->width == 0 || shape->height == 0 || shape->slices == 0 || shape->width > MIST_MAX_SIDE ||
        shape->height > MIST_MAX_SIDE || (uint64_t)shape->width * shape->height > MAX_UNIT_SAMPLES / shape->slices)
        return error_set(error, MIST_ERROR_ARGUMENT, "a label map of %ux%ux%u samples is not possible", shape->width,
                         shape->height, shape->slices);
    if (shape->levels == 0 || shape->levels > LATTICE_MAX_LEVELS || shape->steps > LATTICE_MAX_STEPS ||
        shape->symbols == 0 || shape->symbols > LATTICE_MAX_SYMBOLS)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "a label map of %u levels, %u slice steps, %u labels is not possible", shape->levels,
                         shape->steps, shape->symbols);
    return MIST_OK;
}

static void unit_free(struct unit **unit)
{
    if (!*unit)
        return;
    memory_free((*unit)->planes.memory);
    memory_free((*unit)->coder.differs);
    memory_free((*unit)->coder.model);
    mist_buffer_free(&(*unit)->coder.runs);
    memory_free(*unit);
    *unit = NULL;
}

/* NULL if memory is short. */
static struct unit *unit_make(const struct lattice_shape *shape, unsigned step)
{
    struct unit *unit = memory_allocate_zeroed(1, sizeof *unit);
    if (!unit)
        return NULL;
    unit->shape = shape;
    unit->step = step;
    unit->steps = shape->steps - step;
    unit->slices = mist_reduced_size(shape->slices, step);
    unit->coder.symbols = shape->symbols;
    while ((shape->symbols - 1) >> unit->coder.rank_bits)
        unit->coder.rank_bits++;
    unit->coder.differs = memory_allocate_array(shape->width / 64 + 1, sizeof *unit->coder.differs);
    unit->coder.model = memory_allocate(sizeof *unit->coder.model);
    if (!unit->coder.differs || !unit->coder.model) {
        unit_free(&unit);
        return NULL;
    }
    adaptive_tables_make(&unit->coder.tables);
    lattice_model_start(unit->coder.model);
    return unit;
}

/* What is known of other slices when slice z is coded: those 2^class before and behind it. */
static void set_references(const struct unit *unit, unsigned class, uint32_t z, struct lattice_row *row)
{
    const struct planes *planes = &unit->planes;
    uint64_t distance = (uint64_t)1 << class;
    row->references = 0;
    row->before = row->after = row->samples; /* not looked at, but never no place at all */
    if (z < distance)
        return;
    row->references = 1;
    row->before = planes_row(planes, z - (uint32_t)distance, 0);
    if (class < unit->steps && z + distance < unit->slices) {
        row->references = 2;
        row->after = planes_row(planes, z + (uint32_t)distance, 0);
    }
}

static void code_rows(struct unit *unit, struct lattice_row row, enum lattice_phase phase, uint32_t first,
                      uint32_t step)
{
    const struct planes *planes = &unit->planes;
    uint16_t *samples = row.samples;
    const uint16_t *before = row.before, *after = row.after;
    row.phase = phase;
    for (uint32_t y = first; y < planes->height; y += step) {
        size_t at = y * planes->stride;
        row.samples = samples + at;
        row.before = before + at;
        row.after = after + at;
        lattice_row_code(&unit->coder, &row);
    }
}

static void code_slice(struct unit *unit, unsigned level, unsigned class, uint32_t z)
{
    struct lattice_row row = {.samples = planes_row(&unit->planes, z, 0), .width = unit->planes.width};
    set_references(unit, class, z, &row);
    if (level == 0) {
        code_rows(unit, row, PHASE_FIRST, 0, 1);
        return;
    }
    code_rows(unit, row, PHASE_EVEN, 0, 2);
    code_rows(unit, row, PHASE_ODD, 1, 2);
}

/* `class` is that of the shape less those left out, as everything in a unit. */
static void code_slices(struct unit *unit, unsigned level, unsigned class)
{
    uint64_t distance = (uint64_t)1 << class;
    bool last = class == unit->steps;
    for (uint64_t z = last ? 0 : distance; z < unit->slices; z += last ? distance : 2 * distance)
        code_slice(unit, level, class, (uint32_t)z);
}

/*
 * What was learned goes from class to class of a level, and from the last class of a level to that of the next: every
 * reader has seen these. The contexts of the first phase are those of level 0 alone, the others begin with level 1, so
 * that nothing of them is to be copied before.
 */
static void copy_model(struct lattice_model *to, const struct lattice_model *from, bool contexts)
{
    to->shared = from->shared;
    if (contexts)
        memcpy(to->contexts + 1, from->contexts + 1, sizeof to->contexts - sizeof to->contexts[0]);
}

static void code_chunk(struct unit *unit, unsigned level, unsigned class, struct mist_buffer *chunk,
                       struct coder_piece piece)
{
    struct lattice_coder *coder = &unit->coder;
    if (chunk) {
        lattice_chunk_start(coder, LATTICE_COUNT, NULL, piece);
        code_slices(unit, level, class);
        lattice_chunk_end(coder);
        if (coder->failed)
            return;
    }
    lattice_chunk_start(coder, chunk ? LATTICE_ENCODE : LATTICE_DECODE, chunk, piece);
    code_slices(unit, level, class);
    lattice_chunk_end(coder);
}

/* The classes of a level, the coarsest first. */
static enum mist_status code_level(struct unit *unit, unsigned level, struct mist_buffer *chunks,
                                   const struct coder_piece *pieces, struct mist_error *error)
{
    struct lattice_coder *coder = &unit->coder;
    coder->stride = (ptrdiff_t)unit->planes.stride;
    if (level > 0 && unit->steps > 0)
        copy_model(coder->model, &unit->saved, level > 1);
    for (unsigned class = unit->steps + 1; class -- > 0 && !coder->failed;) {
        size_t i = lattice_chunk(unit->shape, level, class + unit->step);
        code_chunk(unit, level, class, chunks ? &chunks[i] : NULL, pieces ? pieces[i] : (struct coder_piece){0});
        if (class == unit->steps && class > 0)
            copy_model(&unit->saved, coder->model, level > 0);
    }
    return coder->failed ? error_set(error, MIST_ERROR_MEMORY, "not enough memory for a label map") : MIST_OK;
}

/* ---- Encoding ---- */

/* The samples of a level. false if memory is short. */
static bool take_level(struct unit *unit, const uint16_t *ranks, unsigned level)
{
    const struct lattice_shape *shape = unit->shape;
    unsigned reduce = shape->levels - 1 - level;
    struct planes *planes = &unit->planes;
    memory_free(planes->memory);
    if (!planes_allocate(planes, mist_reduced_size(shape->width, reduce), mist_reduced_size(shape->height, reduce),
                         shape->slices))
        return false;
    for (uint32_t z = 0; z < shape->slices; z++)
        for (uint32_t y = 0; y < planes->height; y++) {
            const uint16_t *from = ranks + ((size_t)z * shape->height + ((size_t)y << reduce)) * shape->width;
            uint16_t *row = planes_row(planes, z, y);
            for (uint32_t x = 0; x < planes->width; x++)
                row[x] = from[(size_t)x << reduce];
        }
    return true;
}

static enum mist_status check_ranks(const struct lattice_shape *shape, const uint16_t *ranks, struct mist_error *error)
{
    size_t count = (size_t)shape->width * shape->height * shape->slices;
    uint16_t most = 0;
    for (size_t i = 0; i < count; i++)
        most = ranks[i] > most ? ranks[i] : most;
    if (most >= shape->symbols)
        return error_set(error, MIST_ERROR_ARGUMENT, "label number %u of a map of %u labels", most, shape->symbols);
    return MIST_OK;
}

enum mist_status lattice_encode(const struct lattice_shape *shape, const uint16_t *ranks, struct mist_buffer *chunks,
                                struct mist_error *error)
{
    enum mist_status status = check_shape(shape, error);
    if (status == MIST_OK)
        status = check_ranks(shape, ranks, error);
    if (status != MIST_OK)
        return status;
    for (size_t i = 0; i < lattice_chunk(shape, shape->levels, 0); i++)
        chunks[i].size = 0;
    if (shape->symbols == 1)
        return MIST_OK;
    struct unit *unit = unit_make(shape, 0);
    if (!unit)
        return error_set(error, MIST_ERROR_MEMORY, "not enough memory for a label map");
    for (unsigned level = 0; level < shape->levels && status == MIST_OK; level++)
        if (take_level(unit, ranks, level))
            status = code_level(unit, level, chunks, NULL, error);
        else
            status = error_set(error, MIST_ERROR_MEMORY, "not enough memory for a label map");
    unit_free(&unit);
    return status;
}

/* ---- Decoding ---- */

/* The planes of a level, with the samples of the level before at their places and right of them. false if memory is
 * short. */
static bool spread_level(struct unit *unit, unsigned level)
{
    const struct lattice_shape *shape = unit->shape;
    unsigned reduce = shape->levels - 1 - level;
    struct planes before = unit->planes, *planes = &unit->planes;
    if (!planes_allocate(planes, mist_reduced_size(shape->width, reduce), mist_reduced_size(shape->height, reduce),
                         unit->slices)) {
        memory_free(before.memory);
        return false;
    }
    for (uint32_t z = 0; before.memory && z < unit->slices; z++)
        for (uint32_t y = 0; y < before.height; y++) {
            const uint16_t *from = planes_row(&before, z, y);
            uint16_t *row = planes_row(planes, z, 2 * y);
            uint32_t pairs = planes->width / 2;
            for (uint32_t x = 0; x < pairs; x++)
                row[2 * x] = row[2 * x + 1] = from[x];
            if (planes->width % 2)
                row[2 * pairs] = from[pairs];
        }
    memory_free(before.memory);
    return true;
}

static void give_samples(const struct unit *unit, uint16_t *out)
{
    const struct planes *planes = &unit->planes;
    for (uint32_t z = 0; z < unit->slices; z++)
        for (uint32_t y = 0; y < planes->height; y++, out += planes->width)
            memcpy(out, planes_row(planes, z, y), planes->width * sizeof *out);
}

enum mist_status lattice_decode(const struct lattice_shape *shape, const struct coder_piece *pieces, unsigned reduce,
                                unsigned step, uint16_t *out, struct mist_error *error)
{
    enum mist_status status = check_shape(shape, error);
    if (status != MIST_OK)
        return status;
    if (reduce >= shape->levels || step > shape->steps)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "a label map of %u levels and %u slice steps, reduced by %u and %u", shape->levels,
                         shape->steps, reduce, step);
    if (shape->symbols == 1) {
        memset(out, 0,
               (size_t)mist_reduced_size(shape->width, reduce) * mist_reduced_size(shape->height, reduce) *
                   mist_reduced_size(shape->slices, step) * sizeof *out);
        return MIST_OK;
    }
    struct unit *unit = unit_make(shape, step);
    if (!unit)
        return error_set(error, MIST_ERROR_MEMORY, "not enough memory for a label map");
    for (unsigned level = 0; level < shape->levels - reduce && status == MIST_OK; level++)
        if (spread_level(unit, level))
            status = code_level(unit, level, NULL, pieces, error);
        else
            status = error_set(error, MIST_ERROR_MEMORY, "not enough memory for a label map");
    if (status == MIST_OK)
        give_samples(unit, out);
    unit_free(&unit);
    return status;
}
