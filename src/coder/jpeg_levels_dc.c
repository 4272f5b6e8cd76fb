/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sums of DC coefficients over 2^d x 2^d blocks: the lowest depth in rows, each finer one as the way in which a sum
 * divides. Sums, and not means, lose nothing: a reduced sample is the exact mean of the blocks that it stands for.
 */
#include "coder/jpeg_levels.h"

#include <stdlib.h>

enum { ACTIVITIES = 14 };
struct jpeg_dc_models {
    struct bin_number base[JPEG_GROUPS][ACTIVITIES];
    struct bin_number split[JPEG_GROUPS][2][ACTIVITIES]; /* into rows; a row into columns */
};

struct jpeg_dc_models *jpeg_dc_models_new(void)
{
    struct jpeg_dc_models *models = memory_allocate(sizeof *models);
    if (models)
        bins_models((bin_model *)models, sizeof *models / sizeof(bin_model));
    return models;
}

/* 0, 1, 2 .. 3, 4 .. 7, ... */
static unsigned activity_of(int64_t amount)
{
    uint64_t size = (uint64_t)llabs(amount);
    unsigned bits = size ? 64u - (unsigned)__builtin_clzll(size) : 0;
    return bits < ACTIVITIES ? bits : ACTIVITIES - 1;
}

static int64_t median(int64_t left, int64_t up, int64_t corner)
{
    int64_t low = left < up ? left : up, high = left < up ? up : left;
    return corner >= high ? low : corner <= low ? high : left + up - corner;
}

/* Codes value - predicted; in decoding sets *value, false if it is more than `limit`. */
static bool code_value(struct bins *bins, struct bin_number *number, int64_t predicted, int64_t limit, int32_t *value)
{
    int64_t result = predicted + bin_signed(bins, number, bins->decoding ? 0 : (int32_t)(*value - predicted));
    *value = (int32_t)result;
    return llabs(result) <= limit;
}

bool jpeg_dc_base(struct bins *bins, struct jpeg_dc_models *models, unsigned group, struct jpeg_sums *sums)
{
    int64_t limit = (int64_t)JPEG_COEFFICIENT_LIMIT << 2 * sums->depth;
    for (uint32_t y = 0; y < sums->high; y++) {
        int32_t *row = sums->sum + (size_t)y * sums->wide;
        const int32_t *above = y ? row - sums->wide : row;
        for (uint32_t x = 0; x < sums->wide; x++) {
            int64_t left = x ? row[x - 1] : y ? above[x] : 0;
            int64_t up = y ? above[x] : left;
            int64_t corner = x && y ? above[x - 1] : y ? up : left;
            int64_t right = y && x + 1 < sums->wide ? above[x + 1] : up;
            unsigned activity = activity_of((llabs(left - corner) + llabs(up - corner) + llabs(up - right)) / 2);
            if (!code_value(bins, &models->base[group][activity], median(left, up, corner), limit, &row[x]) ||
                bins->failed)
                return false;
        }
    }
    return true;
}

/* A coarse sum as if it were one of 2 x 2: those at the right and lower edge may be of fewer. */
static int64_t full_sum(const struct jpeg_sums *coarse, const struct jpeg_sums *fine, uint32_t x, uint32_t y)
{
    int64_t sum = coarse->sum[(size_t)y * coarse->wide + x];
    return sum * (1 + (2 * x + 1 >= fine->wide)) * (1 + (2 * y + 1 >= fine->high));
}

struct cell {
    int64_t sum, left, right, up, down; /* full sums; those beyond the edge are this one's */
    uint32_t x, y;
    unsigned activity;
};

static struct cell look_at(const struct jpeg_sums *coarse, const struct jpeg_sums *fine, uint32_t x, uint32_t y)
{
    struct cell cell = {.x = x, .y = y, .sum = full_sum(coarse, fine, x, y)};
    cell.left = x ? full_sum(coarse, fine, x - 1, y) : cell.sum;
    cell.up = y ? full_sum(coarse, fine, x, y - 1) : cell.sum;
    cell.right = x + 1 < coarse->wide ? full_sum(coarse, fine, x + 1, y) : cell.sum;
    cell.down = y + 1 < coarse->high ? full_sum(coarse, fine, x, y + 1) : cell.sum;
    cell.activity = activity_of((llabs(cell.sum - cell.left) + llabs(cell.sum - cell.right) +
                                 llabs(cell.sum - cell.up) + llabs(cell.sum - cell.down)) /
                                8);
    return cell;
}

/*
 * How the cell's sum divides into its upper and lower row: a slope is taken between the row above (fine, known) and the
 * cell below (coarse).
 */
static bool code_rows(struct bins *bins, struct jpeg_dc_models *models, unsigned group, const struct cell *cell,
                      const struct jpeg_sums *fine, int64_t limit, int32_t rows[2])
{
    int64_t slope = cell->down - cell->sum;
    bool wide = 2 * cell->x + 1 < fine->wide;
    if (cell->y) {
        const int32_t *above = fine->sum + (size_t)(2 * cell->y - 1) * fine->wide + 2 * cell->x;
        int64_t sum = wide ? (int64_t)above[0] + above[1] : 2 * (int64_t)above[0];
        slope = (slope * 3 + (cell->sum - 2 * sum) * 4) / 3;
    }
    int64_t total = wide ? cell->sum : cell->sum / 2;
    int64_t predicted = (total >> 1) - (wide ? slope : slope / 2) / 16;
    bool good = code_value(bins, &models->split[group][0][cell->activity], predicted, limit, &rows[0]);
    rows[1] = (int32_t)(total - rows[0]);
    return good && llabs(total - rows[0]) <= limit;
}

/* How a row's sum divides into its left and right. */
static bool code_columns(struct bins *bins, struct jpeg_dc_models *models, unsigned group, const struct cell *cell,
                         int32_t row, int64_t limit, int32_t *at)
{
    int64_t slope = cell->right - cell->sum;
    if (cell->x)
        slope = (slope * 3 + ((int64_t)row - 2 * (int64_t)at[-1]) * 8) / 3;
    int64_t predicted = (row >> 1) - slope / 32;
    bool good = code_value(bins, &models->split[group][1][cell->activity], predicted, limit, &at[0]);
    at[1] = row - at[0];
    return good && llabs((int64_t)row - at[0]) <= limit;
}

bool jpeg_dc_refine(struct bins *bins, struct jpeg_dc_models *models, unsigned group, const struct jpeg_sums *coarse,
                    struct jpeg_sums *fine)
{
    int64_t limit = (int64_t)JPEG_COEFFICIENT_LIMIT << 2 * fine->depth;
    for (uint32_t y = 0; y < coarse->high; y++)
        for (uint32_t x = 0; x < coarse->wide; x++) {
            struct cell cell = look_at(coarse, fine, x, y);
            int32_t *at = fine->sum + (size_t)2 * y * fine->wide + 2 * x;
            bool wide = 2 * x + 1 < fine->wide, high = 2 * y + 1 < fine->high, good = true;
            int32_t rows[2] = {coarse->sum[(size_t)y * coarse->wide + x], 0};
            if (!bins->decoding && high)
                rows[0] = at[0] + (wide ? at[1] : 0);
            if (high)
                good = code_rows(bins, models, group, &cell, fine, limit * (1 + wide), rows);
            for (unsigned i = 0; i < 1u + high && good; i++, at += fine->wide) {
                if (wide)
                    good = code_columns(bins, models, group, &cell, rows[i], limit, at);
                else
                    good = llabs((int64_t)(at[0] = rows[i])) <= limit;
            }
            if (!good || bins->failed)
                return false;
        }
    return true;
}
