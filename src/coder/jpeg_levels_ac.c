/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AC coefficients of a band, block by block: how many are not 0, then one after the other in the context of the same
 * coefficient in the blocks around and of lower ones in the block itself.
 */
#include "coder/jpeg_levels.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTS = 11, LOWER = 6, LEFT = 8, AROUND = 8, INSIDE = 6, EXPONENTS = 15, SIGNS = 9 };
struct jpeg_ac_models {
    bin_model count[JPEG_GROUPS][3][COUNTS][LOWER][64];
    bin_model zero[JPEG_GROUPS][64][LEFT][AROUND][INSIDE];
    bin_model exponent[JPEG_GROUPS][64][AROUND][EXPONENTS];
    bin_model mantissa[JPEG_GROUPS][64][EXPONENTS][2];
    bin_model sign[JPEG_GROUPS][64][SIGNS][3];
};

struct jpeg_ac_models *jpeg_ac_models_new(void)
{
    struct jpeg_ac_models *models = memory_allocate(sizeof *models);
    if (models)
        bins_models((bin_model *)models, sizeof *models / sizeof(bin_model));
    return models;
}

/* Place -> row * 8 + column. */
static const uint8_t natural[64] = {
    0,  1,  8,  9,  16, 2,  3,  10, 17, 24, 25, 18, 11, 19, 26, 27, 32, 4,  5,  12, 33, 40,
    48, 41, 34, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* Places of the coefficients above, left, and both; 0 (the DC, which counts as 0) where there is none. */
struct near {
    uint8_t up[64], left[64], corner[64];
};

static struct near near_places(void)
{
    struct near near;
    uint8_t place[64];
    memset(&near, 0, sizeof near);
    for (unsigned p = 0; p < 64; p++)
        place[natural[p]] = (uint8_t)p;
    for (unsigned p = 1; p < 64; p++) {
        unsigned at = natural[p];
        near.up[p] = at >= 8 ? place[at - 8] : 0;
        near.left[p] = at & 7 ? place[at - 1] : 0;
        near.corner[p] = at >= 8 && (at & 7) ? place[at - 9] : 0;
    }
    return near;
}

/* 0, 1, 2, 3, then by halves of octaves: 4 .. 5, 6 .. 7, 8 .. 11, 12 .. 15, 16 .. 23 ... */
static inline unsigned class_of(unsigned amount, unsigned classes)
{
    unsigned class = amount;
    if (amount >= 4) {
        unsigned bits = 31u - (unsigned)__builtin_clz(amount);
        class = 2 * bits + (amount >> (bits - 1) & 1);
    }
    return class < classes ? class : classes - 1;
}

struct band_job {
    struct bins *bins;
    struct jpeg_ac_models *models;
    struct near near;
    unsigned group, band, first, end; /* places first .. end - 1 */
    const uint16_t *quant;            /* by place */
    uint16_t quant_of_place[64];
    const struct jpeg_plane *plane;
};

/* The block and those around it; blocks beyond the edge are all 0. */
struct around {
    int16_t *block;
    const int16_t *left, *up, *corner, *right;
    int predicted[64]; /* of places 1 .. 5, from the DC around, in quarters; else 0 */
};

/* What the DC of the blocks around says of the lowest coefficients: the weights of T.81, K.8 (in units of 1/256). */
static void predict(const struct band_job *job, struct around *around, uint32_t x, uint32_t y)
{
    const struct jpeg_plane *plane = job->plane;
    int dc[3][3];
    for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++) {
            bool in_x = (i >= 0 || x) && (i <= 0 || x + 1 < plane->wide);
            bool in_y = (j >= 0 || y) && (j <= 0 || y + 1 < plane->high);
            ptrdiff_t offset = (in_y ? j : 0) * (ptrdiff_t)plane->wide + (in_x ? i : 0);
            dc[j + 1][i + 1] = around->block[offset * (ptrdiff_t)plane->stride];
        }
    const int values[6] = {0,
                           36 * (dc[1][0] - dc[1][2]),
                           36 * (dc[0][1] - dc[2][1]),
                           5 * (dc[0][0] - dc[0][2] - dc[2][0] + dc[2][2]),
                           9 * (dc[0][1] + dc[2][1] - 2 * dc[1][1]),
                           9 * (dc[1][0] + dc[1][2] - 2 * dc[1][1])};
    for (unsigned p = 1; p < 6; p++)
        around->predicted[p] = (int)((int64_t)values[p] * job->quant_of_place[0] / (64 * (int)job->quant_of_place[p]));
}

static inline unsigned sign_class(int value)
{
    return value > 0 ? 2 : value < 0 ? 0 : 1;
}

/* One coefficient that is known not to be 0. */
static int code_nonzero(const struct band_job *job, const struct around *around, unsigned p, unsigned amount, int value)
{
    struct jpeg_ac_models *models = job->models;
    unsigned around_signs = 3 * sign_class(around->left[p]) + sign_class(around->up[p]);
    if (p < 6)
        around_signs = class_of((unsigned)abs(around->predicted[p]), SIGNS);
    bin_model *sign = &models->sign[job->group][p][around_signs][sign_class(around->predicted[p])];
    bool negative = bin(job->bins, sign, value < 0);
    unsigned class = class_of(amount, AROUND * 2) / 2;
    bin_model *exponent = models->exponent[job->group][p][class];
    unsigned magnitude = (unsigned)abs(value), bits = 0, size = 31u - (unsigned)__builtin_clz(magnitude | 1);
    while (bits < EXPONENTS - 1 && bin(job->bins, &exponent[bits], bits < size))
        bits++;
    unsigned result = 1;
    for (unsigned i = bits; i-- > 0;)
        result =
            result << 1 | bin(job->bins, &models->mantissa[job->group][p][bits][i + 1 != bits], magnitude >> i & 1);
    return negative ? -(int)result : (int)result;
}

/* `count` of the band's coefficients are not 0. */
static bool code_coefficients(const struct band_job *job, struct around *around, unsigned count)
{
    int16_t *block = around->block;
    for (unsigned p = job->first; p < job->end && count; p++) {
        unsigned beside = 2u * ((unsigned)abs(around->left[p]) + (unsigned)abs(around->up[p])) +
                          (unsigned)abs(around->corner[p]) + (unsigned)abs(around->right[p]);
        unsigned inside = job->near.up[p] ? (unsigned)abs(block[job->near.up[p]]) : 0;
        inside += job->near.left[p] ? (unsigned)abs(block[job->near.left[p]]) : 0;
        inside = 2 * inside + (job->near.corner[p] ? (unsigned)abs(block[job->near.corner[p]]) : 0);
        if (p < 6)
            inside = (unsigned)abs(around->predicted[p]);
        if (count < job->end - p) {
            bin_model *zero = &job->models->zero[job->group][p][count < LEFT ? count - 1 : LEFT - 1]
                                                [class_of(beside, AROUND)][class_of(inside, 2 * INSIDE) / 2];
            if (bin(job->bins, zero, block[p] == 0))
                continue;
        }
        int value = code_nonzero(job, around, p, beside + inside, block[p]);
        if (abs(value) >= JPEG_COEFFICIENT_LIMIT)
            return false;
        block[p] = (int16_t)value;
        count--;
    }
    return true;
}

static unsigned count_nonzero(const int16_t *block, unsigned first, unsigned end)
{
    unsigned count = 0;
    for (unsigned p = first; p < end; p++)
        count += block[p] != 0;
    return count;
}

/* Codes how many coefficients of the band are not 0. */
static unsigned code_count(const struct band_job *job, const struct around *around, unsigned expected)
{
    unsigned size = job->end - job->first, bits = 32u - (unsigned)__builtin_clz(size), node = 1;
    unsigned count = job->bins->decoding ? 0 : count_nonzero(around->block, job->first, job->end);
    unsigned lower = 0;
    if (job->band == 1)
        lower = class_of((unsigned)abs(around->predicted[1]) + (unsigned)abs(around->predicted[2]), 2 * LOWER) / 2;
    else
        for (unsigned p = job->first / 4; p < job->first; p++)
            lower += around->block[p] != 0;
    if (job->band > 1)
        lower = class_of(lower, LOWER);
    bin_model *models = job->models->count[job->group][job->band - 1][class_of(expected, COUNTS)][lower];
    for (unsigned i = bits; i-- > 0;)
        node = node << 1 | bin(job->bins, &models[node], count >> i & 1);
    return node - (1u << bits);
}

static bool code_row(const struct band_job *job, uint32_t y, uint8_t *counts)
{
    static const int16_t nothing[64];
    const struct jpeg_plane *plane = job->plane;
    struct around around = {.corner = nothing};
    int16_t *row = plane->block + (size_t)y * plane->wide * plane->stride;
    size_t pitch = (size_t)plane->wide * plane->stride;
    for (uint32_t x = 0; x < plane->wide; x++) {
        around.block = row + (size_t)x * plane->stride;
        around.left = x ? around.block - plane->stride : nothing;
        around.up = y ? around.block - pitch : nothing;
        around.corner = x && y ? around.block - pitch - plane->stride : nothing;
        around.right = y && x + 1 < plane->wide ? around.block - pitch + plane->stride : nothing;
        if (job->band < 3)
            predict(job, &around, x, y);
        /* counts[x - 1] is this row's, counts[x] still that of the row above */
        unsigned left = x ? counts[x - 1] : counts[0], up = y ? counts[x] : left;
        unsigned count = code_count(job, &around, (y || x) ? left + up : 0);
        if (count > job->end - job->first || !code_coefficients(job, &around, count) || job->bins->failed)
            return false;
        counts[x] = (uint8_t)count;
    }
    return true;
}

bool jpeg_ac_band(struct bins *bins, struct jpeg_ac_models *models, unsigned group, unsigned band,
                  const uint16_t quant[64], struct jpeg_plane *plane)
{
    struct band_job job = {.bins = bins,
                           .models = models,
                           .near = near_places(),
                           .group = group,
                           .band = band,
                           .first = 1u << 2 * (band - 1),
                           .end = 1u << 2 * band,
                           .plane = plane};
    uint8_t *counts = memory_allocate_zeroed(plane->wide, 1);
    bool good = counts != NULL;
    bins->short_of_memory |= !good;
    for (unsigned k = 0; k < 64; k++)
        job.quant_of_place[jpeg_place[k]] = quant[k] ? quant[k] : 1;
    for (uint32_t y = 0; y < plane->high && good; y++)
        good = code_row(&job, y, counts);
    memory_free(counts);
    return good;
}
