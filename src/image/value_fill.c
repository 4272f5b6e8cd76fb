/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/value_fill.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/value_bits.h"

/* Grids from half the size down to one cell. */
enum { MAX_GRIDS = 17 };
struct cell {
    int64_t value;  /* of the known samples, the mean; where there are none, what is filled in */
    uint32_t known; /* how many of the samples are: at most 65,535^2 */
};
struct grid {
    uint32_t width, height;
    struct cell *cell;
};

struct fill {
    const struct mist_view *coded, *holes;
    uint32_t c;
    struct grid grid[MAX_GRIDS];
    unsigned grids;
};

static bool is_hole(const struct fill *fill, uint32_t x, uint32_t y)
{
    return pattern_load(2, sample_at(fill->holes, y, fill->c) + x * fill->holes->column_stride) != 0;
}

static int64_t coded_at(const struct fill *fill, uint32_t x, uint32_t y)
{
    return code_load(fill->coded->type, sample_at(fill->coded, y, fill->c) + x * fill->coded->column_stride);
}

/* ---- from fine to coarse ---- */

static void pull_coded(const struct fill *fill)
{
    const struct grid *to = &fill->grid[0];
    for (uint32_t y = 0; y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++) {
            int64_t sum = 0;
            uint32_t known = 0;
            for (uint32_t v = 2 * y; v <= 2 * y + 1 && v < fill->coded->height; v++)
                for (uint32_t u = 2 * x; u <= 2 * x + 1 && u < fill->coded->width; u++)
                    if (!is_hole(fill, u, v)) {
                        sum += coded_at(fill, u, v);
                        known++;
                    }
            to->cell[(size_t)y * to->width + x] = (struct cell){known ? sum / known : 0, known};
        }
}

static void pull(const struct grid *from, const struct grid *to)
{
    for (uint32_t y = 0; y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++) {
            double sum = 0;
            uint32_t known = 0;
            for (uint32_t v = 2 * y; v <= 2 * y + 1 && v < from->height; v++)
                for (uint32_t u = 2 * x; u <= 2 * x + 1 && u < from->width; u++) {
                    const struct cell *cell = &from->cell[(size_t)v * from->width + u];
                    sum += (double)cell->value * cell->known;
                    known += cell->known;
                }
            to->cell[(size_t)y * to->width + x] = (struct cell){known ? (int64_t)rint(sum / known) : 0, known};
        }
}

/* ---- from coarse to fine ---- */

/* What the reversible 5/3 wavelet predicts between two samples; at an edge it mirrors. */
static int64_t middle(int64_t before, int64_t after)
{
    return (before + after) >> 1;
}

/*
 * Even rows before odd ones, even columns of even rows before odd ones, so that what is looked at is there.
 */
static void push(const struct grid *from, const struct grid *to)
{
    for (unsigned step = 0; step < 3; step++)
        for (uint32_t y = step == 2; y < to->height; y += 2)
            for (uint32_t x = step == 1; x < to->width; x += step == 2 ? 1 : 2) {
                struct cell *cell = &to->cell[(size_t)y * to->width + x];
                const struct cell *above = cell - (step == 2 ? to->width : 0);
                if (cell->known)
                    continue;
                if (step == 0)
                    cell->value = from->cell[(size_t)(y / 2) * from->width + x / 2].value;
                else if (step == 1)
                    cell->value = middle(cell[-1].value, cell[x + 1 < to->width ? 1 : -1].value);
                else
                    cell->value = middle(above->value, y + 1 < to->height ? cell[to->width].value : above->value);
            }
}

static void push_coded(const struct fill *fill)
{
    const struct grid *from = &fill->grid[0];
    uint32_t width = fill->coded->width, height = fill->coded->height;
    for (unsigned step = 0; step < 3; step++)
        for (uint32_t y = step == 2; y < height; y += 2)
            for (uint32_t x = step == 1; x < width; x += step == 2 ? 1 : 2) {
                int64_t value;
                if (!is_hole(fill, x, y))
                    continue;
                if (step == 0)
                    value = from->cell[(size_t)(y / 2) * from->width + x / 2].value;
                else if (step == 1)
                    value = middle(coded_at(fill, x - 1, y), coded_at(fill, x + 1 < width ? x + 1 : x - 1, y));
                else
                    value = middle(coded_at(fill, x, y - 1), coded_at(fill, x, y + 1 < height ? y + 1 : y - 1));
                code_store(fill->coded->type, sample_at(fill->coded, y, fill->c) + x * fill->coded->column_stride,
                           value);
            }
}

static struct cell *make_grids(struct fill *fill)
{
    uint32_t width = fill->coded->width, height = fill->coded->height;
    size_t cells = 0;
    do {
        width = (width + 1) / 2;
        height = (height + 1) / 2;
        fill->grid[fill->grids++] = (struct grid){width, height, NULL};
        cells += (size_t)width * height;
    } while (width > 1 || height > 1);
    struct cell *memory = memory_allocate_array(cells, sizeof *memory), *at = memory;
    for (unsigned i = 0; memory && i < fill->grids; i++) {
        fill->grid[i].cell = at;
        at += (size_t)fill->grid[i].width * fill->grid[i].height;
    }
    return memory;
}

enum mist_status value_fill_holes(struct mist_view *coded, const struct mist_view *holes, uint32_t c, int64_t lowest,
                                  int64_t highest, struct mist_error *error)
{
    struct fill fill = {.coded = coded, .holes = holes, .c = c};
    struct cell *memory = make_grids(&fill);
    if (!memory)
        return error_set(error, MIST_ERROR_MEMORY, "filling holes: out of memory");
    pull_coded(&fill);
    for (unsigned i = 1; i < fill.grids; i++)
        pull(&fill.grid[i - 1], &fill.grid[i]);
    struct grid *last = &fill.grid[fill.grids - 1];
    if (last->cell[0].known == 0) /* nothing but holes */
        last->cell[0].value = lowest > 0 ? lowest : highest < 0 ? highest : 0;
    for (unsigned i = fill.grids - 1; i > 0; i--)
        push(&fill.grid[i], &fill.grid[i - 1]);
    push_coded(&fill);
    memory_free(memory);
    return MIST_OK;
}
