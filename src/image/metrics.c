/* SPDX-License-Identifier: BSD-2-Clause */
/* How far two images are apart. */
#include <mist/image.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"

#include <math.h>

void mist_range(const struct mist_view *view, double *minimum, double *maximum)
{
    enum { CHUNK = 1024 };
    double row[CHUNK], low = INFINITY, high = -INFINITY;
    for (uint32_t y = 0; y < view->height; y++)
        for (uint32_t c = 0; c < view->components; c++)
            for (uint32_t x = 0; x < view->width; x += CHUNK) {
                struct mist_view part = *view;
                part.data = (char *)view->data + x * view->column_stride;
                part.width = view->width - x < CHUNK ? view->width - x : CHUNK;
                row_load(&part, y, c, row);
                for (uint32_t i = 0; i < part.width; i++)
                    if (isfinite(row[i])) {
                        low = row[i] < low ? row[i] : low;
                        high = row[i] > high ? row[i] : high;
                    }
            }
    *minimum = low <= high ? low : 0;
    *maximum = low <= high ? high : 0;
}

static enum mist_status check_pair(const struct mist_view *a, const struct mist_view *b, double data_range,
                                   struct mist_error *error)
{
    enum mist_status status = view_check(a, "the first image", error);
    if (!status)
        status = view_check(b, "the second image", error);
    if (!status && (a->width != b->width || a->height != b->height || a->components != b->components))
        status = error_set(error, MIST_ERROR_ARGUMENT, "images of %u x %u x %u and %u x %u x %u cannot be compared",
                           a->width, a->height, a->components, b->width, b->height, b->components);
    if (!status && !(data_range > 0 && isfinite(data_range)))
        status = error_set(error, MIST_ERROR_ARGUMENT, "images cannot be compared on a range of %g", data_range);
    return status;
}

enum mist_status mist_mad(const struct mist_view *a, const struct mist_view *b, double data_range, double *mad,
                          struct mist_error *error)
{
    enum mist_status status = check_pair(a, b, data_range, error);
    if (status)
        return status;
    double *rows = memory_allocate_array(2 * (size_t)a->width, sizeof *rows);
    if (!rows)
        return error_set(error, MIST_ERROR_MEMORY, "comparing images: out of memory");
    double sum = 0;
    uint64_t count = 0;
    for (uint32_t y = 0; y < a->height; y++)
        for (uint32_t c = 0; c < a->components; c++) {
            row_load(a, y, c, rows);
            row_load(b, y, c, rows + a->width);
            double row_sum = 0;
            for (uint32_t x = 0; x < a->width; x++) {
                double difference = fabs(rows[x] - rows[a->width + x]);
                if (isfinite(difference)) {
                    row_sum += difference;
                    count++;
                }
            }
            sum += row_sum;
        }
    memory_free(rows);
    if (count == 0)
        return error_set(error, MIST_ERROR_RANGE, "the images have no finite samples to compare");
    *mad = sum / (double)count / data_range;
    return MIST_OK;
}

/* ---- SSIM ---- */

enum { WINDOW = 11, MOMENTS = 5 /* a, b, a a, b b, a b */ };

/*
 * The Gaussian window is separable: rows are filtered along x as they come, the last `side` of them are kept in a ring,
 * and each ring full of rows is filtered along y.
 */
struct ssim {
    const struct mist_view *a;
    const struct mist_view *b;
    int side;
    uint32_t columns; /* window positions in a row */
    double weights[WINDOW];
    /*
     * Subtracted from all samples before they are squared, since variances do not depend on it: keeps 32-bit images
     * with a small spread from losing their variance to rounding.
     */
    double origin;
    double least; /* the value that counts as 0 */
    double c1, c2;
    double *rows; /* one row of a, one of b */
    double *ring; /* [side][MOMENTS][columns] */
    double sum;
    uint64_t count;
};

static void filter_row(struct ssim *ssim, uint32_t y, uint32_t c)
{
    double *a = ssim->rows, *b = ssim->rows + ssim->a->width;
    double *out = ssim->ring + (size_t)(y % (unsigned)ssim->side) * MOMENTS * ssim->columns;
    size_t columns = ssim->columns;
    row_load(ssim->a, y, c, a);
    row_load(ssim->b, y, c, b);
    for (uint32_t x = 0; x < ssim->a->width; x++) {
        a[x] -= ssim->origin;
        b[x] -= ssim->origin;
    }
    for (size_t x = 0; x < columns; x++) {
        double moments[MOMENTS] = {0};
        for (int i = 0; i < ssim->side; i++) {
            double w = ssim->weights[i], va = a[x + (size_t)i], vb = b[x + (size_t)i];
            moments[0] += w * va;
            moments[1] += w * vb;
            moments[2] += w * va * va;
            moments[3] += w * vb * vb;
            moments[4] += w * va * vb;
        }
        for (int m = 0; m < MOMENTS; m++)
            out[(size_t)m * columns + x] = moments[m];
    }
}

/* The index at all windows whose last row is y. */
static void add_windows(struct ssim *ssim, uint32_t y)
{
    size_t columns = ssim->columns;
    for (size_t x = 0; x < columns; x++) {
        double moments[MOMENTS] = {0};
        for (int i = 0; i < ssim->side; i++) {
            uint32_t row = y - (unsigned)(ssim->side - 1 - i);
            const double *from = ssim->ring + (size_t)(row % (unsigned)ssim->side) * MOMENTS * columns + x;
            for (int m = 0; m < MOMENTS; m++)
                moments[m] += ssim->weights[i] * from[(size_t)m * columns];
        }
        double variances = moments[2] - moments[0] * moments[0] + moments[3] - moments[1] * moments[1];
        double covariance = moments[4] - moments[0] * moments[1];
        double shift = ssim->origin - ssim->least, mean_a = moments[0] + shift, mean_b = moments[1] + shift;
        double index = (2 * mean_a * mean_b + ssim->c1) * (2 * covariance + ssim->c2) /
                       ((mean_a * mean_a + mean_b * mean_b + ssim->c1) * (variances + ssim->c2));
        if (isfinite(index)) { /* a window with a NaN or infinity in it says nothing */
            ssim->sum += index;
            ssim->count++;
        }
    }
}

static void set_up(struct ssim *ssim, double data_range)
{
    uint32_t smaller = ssim->a->width < ssim->a->height ? ssim->a->width : ssim->a->height;
    ssim->side = smaller >= WINDOW ? WINDOW : (int)(smaller - (smaller % 2 == 0));
    ssim->columns = ssim->a->width - (unsigned)ssim->side + 1;
    double total = 0, low, high;
    for (int i = 0; i < ssim->side; i++) {
        double distance = i - ssim->side / 2;
        ssim->weights[i] = exp(-distance * distance / (2 * 1.5 * 1.5));
        total += ssim->weights[i];
    }
    for (int i = 0; i < ssim->side; i++)
        ssim->weights[i] /= total;
    ssim->c1 = 0.01 * data_range * 0.01 * data_range;
    ssim->c2 = 0.03 * data_range * 0.03 * data_range;
    mist_range(ssim->a, &low, &high);
    ssim->origin = low + (high - low) / 2;
}

enum mist_status mist_ssim(const struct mist_view *a, const struct mist_view *b, double least, double data_range,
                           double *ssim, struct mist_error *error)
{
    enum mist_status status = check_pair(a, b, data_range, error);
    if (status)
        return status;
    struct ssim state = {.a = a, .b = b, .least = least};
    set_up(&state, data_range);
    state.rows = memory_allocate_array(2 * (size_t)a->width, sizeof *state.rows);
    state.ring = memory_allocate_array((size_t)state.side * MOMENTS * state.columns, sizeof *state.ring);
    if (!state.rows || !state.ring)
        status = error_set(error, MIST_ERROR_MEMORY, "comparing images: out of memory");
    for (uint32_t c = 0; c < a->components && !status; c++)
        for (uint32_t y = 0; y < a->height; y++) {
            filter_row(&state, y, c);
            if (y + 1 >= (unsigned)state.side)
                add_windows(&state, y);
        }
    memory_free(state.rows);
    memory_free(state.ring);
    if (!status && state.count == 0)
        status = error_set(error, MIST_ERROR_RANGE, "the images have no finite samples to compare");
    if (!status)
        *ssim = state.sum / (double)state.count;
    return status;
}
