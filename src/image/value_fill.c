/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/value_fill.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/value_bits.h"

/* Grids from half the size down to one cell; NAN: not known. */
enum { MAX_GRIDS = 17 };
struct grid {
    uint32_t width, height;
    float *cell;
};

struct fill {
    const struct mist_view *coded, *holes;
    uint32_t c;
    struct grid grid[MAX_GRIDS];
    unsigned grids;
};

static void pull_coded(const struct fill *fill)
{
    const struct grid *to = &fill->grid[0];
    for (uint32_t y = 0; y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++) {
            double sum = 0;
            unsigned known = 0;
            for (uint32_t v = 2 * y; v <= 2 * y + 1 && v < fill->coded->height; v++)
                for (uint32_t u = 2 * x; u <= 2 * x + 1 && u < fill->coded->width; u++)
                    if (!pattern_load(2, sample_at(fill->holes, v, fill->c) + u * fill->holes->column_stride)) {
                        sum += (double)code_load(fill->coded->type,
                                                 sample_at(fill->coded, v, fill->c) + u * fill->coded->column_stride);
                        known++;
                    }
            to->cell[(size_t)y * to->width + x] = known ? (float)(sum / known) : NAN;
        }
}

static void pull(const struct grid *from, const struct grid *to)
{
    for (uint32_t y = 0; y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++) {
            double sum = 0;
            unsigned known = 0;
            for (uint32_t v = 2 * y; v <= 2 * y + 1 && v < from->height; v++)
                for (uint32_t u = 2 * x; u <= 2 * x + 1 && u < from->width; u++) {
                    float cell = from->cell[(size_t)v * from->width + u];
                    if (!isnan(cell)) {
                        sum += cell;
                        known++;
                    }
                }
            to->cell[(size_t)y * to->width + x] = known ? (float)(sum / known) : NAN;
        }
}

/* The coarser grid at the centre of cell (x, y) of the finer one: weights 9, 3, 3, 1 of 16. */
static double between(const struct grid *grid, uint32_t x, uint32_t y)
{
    uint32_t u = x / 2, v = y / 2;
    uint32_t beside = x % 2 ? (u + 1 < grid->width ? u + 1 : u) : (u ? u - 1 : u);
    uint32_t across = y % 2 ? (v + 1 < grid->height ? v + 1 : v) : (v ? v - 1 : v);
    const float *row = grid->cell + (size_t)v * grid->width, *other = grid->cell + (size_t)across * grid->width;
    return (9.0 * row[u] + 3.0 * row[beside] + 3.0 * other[u] + other[beside]) / 16;
}

static void push(const struct grid *from, const struct grid *to)
{
    for (uint32_t y = 0; y < to->height; y++)
        for (uint32_t x = 0; x < to->width; x++) {
            float *cell = &to->cell[(size_t)y * to->width + x];
            if (isnan(*cell))
                *cell = (float)between(from, x, y);
        }
}

static void push_coded(const struct fill *fill, int64_t lowest, int64_t highest)
{
    for (uint32_t y = 0; y < fill->coded->height; y++) {
        const char *mark = sample_at(fill->holes, y, fill->c);
        char *at = sample_at(fill->coded, y, fill->c);
        for (uint32_t x = 0; x < fill->coded->width;
             x++, mark += fill->holes->column_stride, at += fill->coded->column_stride) {
            if (!pattern_load(2, mark))
                continue;
            double value = rint(between(&fill->grid[0], x, y));
            code_store(fill->coded->type, at,
                       value <= (double)lowest    ? lowest
                       : value >= (double)highest ? highest
                                                  : (int64_t)value);
        }
    }
}

static float *make_grids(struct fill *fill)
{
    uint32_t width = fill->coded->width, height = fill->coded->height;
    size_t cells = 0;
    do {
        width = (width + 1) / 2;
        height = (height + 1) / 2;
        fill->grid[fill->grids++] = (struct grid){width, height, NULL};
        cells += (size_t)width * height;
    } while (width > 1 || height > 1);
    float *memory = memory_allocate_array(cells, sizeof *memory), *at = memory;
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
    float *memory = make_grids(&fill);
    if (!memory)
        return error_set(error, MIST_ERROR_MEMORY, "filling holes: out of memory");
    pull_coded(&fill);
    for (unsigned i = 1; i < fill.grids; i++)
        pull(&fill.grid[i - 1], &fill.grid[i]);
    struct grid *last = &fill.grid[fill.grids - 1];
    if (isnan(last->cell[0])) /* nothing but holes */
        last->cell[0] = (float)(lowest > 0 ? lowest : highest < 0 ? highest : 0);
    for (unsigned i = fill.grids - 1; i > 0; i--)
        push(&fill.grid[i], &fill.grid[i - 1]);
    push_coded(&fill, lowest, highest);
    memory_free(memory);
    return MIST_OK;
}
