/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resampling. All of it but nearest sampling is separable: an axis is a list of taps for each output sample, made once,
 * and one loop applies two axes in double.
 */
#include "image/resample.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"

#include <math.h>
#include <string.h>

/* Weights of the input samples first .. first + count - 1 in an output sample, to be divided by total. */
struct taps {
    uint32_t first;
    uint32_t count;
    double *weights;
    double total;
};

/* The taps of all output samples of an axis. */
struct axis {
    struct taps *taps;
    double *weights;
};

static void axis_free(struct axis *axis)
{
    memory_free(axis->taps);
    memory_free(axis->weights);
}

static bool axis_allocate(struct axis *axis, uint32_t outputs, size_t weights)
{
    axis->taps = memory_allocate_zeroed(outputs, sizeof *axis->taps);
    axis->weights = memory_allocate_array(weights, sizeof *axis->weights);
    return axis->taps && axis->weights;
}

/* Means of whole blocks of 2^reduce samples, the last one of what is left. */
static bool axis_blocks(struct axis *axis, uint32_t inputs, uint32_t outputs, unsigned reduce)
{
    if (!axis_allocate(axis, outputs, inputs))
        return false;
    for (uint32_t i = 0; i < inputs; i++)
        axis->weights[i] = 1;
    for (uint32_t n = 0; n < outputs; n++) {
        uint64_t first = (uint64_t)n << reduce, end = first + ((uint64_t)1 << reduce);
        uint32_t count = (uint32_t)((end < inputs ? end : inputs) - first);
        axis->taps[n] = (struct taps){(uint32_t)first, count, axis->weights + first, count};
    }
    return true;
}

/*
 * Area averaging. Input i covers [i, i + 1) * pitch.src and output n covers [n, n + 1) * pitch.dst: all weights are
 * integers, and sums of integers up to 16 bits stay exact (below 2^48), so that ties are ties.
 */
static bool axis_area(struct axis *axis, uint32_t inputs, uint32_t outputs, const struct resample_pitch *pitch)
{
    if (pitch->src == pitch->dst && inputs == outputs) /* nothing to round, whatever the type */
        return axis_blocks(axis, inputs, outputs, 0);
    if (!axis_allocate(axis, outputs, (size_t)inputs + outputs)) /* an input is shared by two outputs at most */
        return false;
    double *weights = axis->weights;
    for (uint32_t n = 0; n < outputs; n++) {
        uint64_t start = n * pitch->dst, end = start + pitch->dst, all = inputs * pitch->src;
        start = start < all ? start : all - 1; /* beyond the edge there is the edge */
        end = end < all ? end : all;
        uint32_t first = (uint32_t)(start / pitch->src), last = (uint32_t)((end - 1) / pitch->src);
        axis->taps[n] = (struct taps){first, last - first + 1, weights, (double)(end - start)};
        for (uint32_t i = first; i <= last; i++) {
            uint64_t from = i * pitch->src, to = from + pitch->src;
            *weights++ = (double)((to < end ? to : end) - (from > start ? from : start));
        }
    }
    return true;
}

/* Keys' cubic convolution kernel with a = -0.5 (third-order accurate). */
static double cubic(double distance)
{
    double t = fabs(distance);
    if (t < 1)
        return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

/* Output n interpolated at input position n * step + offset; positions beyond the edge see the edge's sample. */
static bool axis_cubic(struct axis *axis, uint32_t inputs, uint32_t outputs, double step, double offset)
{
    if (!axis_allocate(axis, outputs, (size_t)outputs * 4))
        return false;
    for (uint32_t n = 0; n < outputs; n++) {
        double position = n * step + offset, base = floor(position);
        double *weights = axis->weights + (size_t)n * 4;
        struct taps taps = {0, 0, weights, 1};
        for (int k = -1; k <= 2; k++) {
            double weight = cubic(position - (base + k)), at = base + k;
            uint32_t input = at < 0 ? 0 : at > inputs - 1 ? inputs - 1 : (uint32_t)at;
            if (taps.count && input == taps.first + taps.count - 1) {
                weights[taps.count - 1] += weight;  /* clamped onto the edge */
            } else if (taps.count || weight != 0) { /* a weight of 0 must not bring in a NaN */
                if (taps.count == 0)
                    taps.first = input;
                weights[taps.count++] = weight;
            }
        }
        while (taps.count > 1 && weights[taps.count - 1] == 0)
            taps.count--;
        axis->taps[n] = taps;
    }
    return true;
}

static enum mist_status check_pair(const struct mist_view *src, const struct mist_view *dst, struct mist_error *error)
{
    enum mist_status status = view_check(src, "the image to resample", error);
    if (!status)
        status = view_check(dst, "the resampled image", error);
    if (!status && (src->type != dst->type || src->components != dst->components))
        status = error_set(error, MIST_ERROR_ARGUMENT, "resampling keeps the sample type and the components");
    return status;
}

static enum mist_status check_reduced(const struct mist_view *src, unsigned reduce, const struct mist_view *dst,
                                      struct mist_error *error)
{
    enum mist_status status = check_pair(src, dst, error);
    if (!status &&
        (dst->width != mist_reduced_size(src->width, reduce) || dst->height != mist_reduced_size(src->height, reduce)))
        status = error_set(error, MIST_ERROR_ARGUMENT, "%u x %u reduced by %u is not %u x %u", src->width, src->height,
                           reduce, dst->width, dst->height);
    return status;
}

/* One component of one output row. Columns are summed first: they are read row by row, as they lie in memory. */
static void resample_row(const struct mist_view *src, uint32_t c, const struct taps *vertical, const struct axis *x,
                         uint32_t outputs, double *row, double *sums, double *out)
{
    for (uint32_t i = 0; i < vertical->count; i++) {
        double weight = vertical->weights[i];
        row_load(src, vertical->first + i, c, row);
        for (uint32_t k = 0; k < src->width; k++)
            sums[k] = i ? sums[k] + weight * row[k] : weight * row[k];
    }
    for (uint32_t n = 0; n < outputs; n++) {
        const struct taps *taps = &x->taps[n];
        double sum = 0;
        for (uint32_t i = 0; i < taps->count; i++)
            sum += taps->weights[i] * sums[taps->first + i];
        out[n] = sum / (taps->total * vertical->total);
    }
}

/* Applies both axes (which were made if `made`) and frees them. */
static enum mist_status resample(const struct mist_view *src, struct mist_view *dst, struct axis *x, struct axis *y,
                                 bool made, struct mist_error *error)
{
    size_t width = src->width, size = 2 * width + dst->width;
    double *scratch = made ? memory_allocate_array(size, sizeof *scratch) : NULL;
    for (uint32_t n = 0; scratch && n < dst->height; n++)
        for (uint32_t c = 0; c < dst->components; c++) {
            double *out = scratch + 2 * width;
            resample_row(src, c, &y->taps[n], x, dst->width, scratch, scratch + width, out);
            row_store(dst, n, c, out);
        }
    enum mist_status status = scratch ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "resampling: out of memory");
    memory_free(scratch);
    axis_free(x);
    axis_free(y);
    return status;
}

enum mist_status mist_area_resize(const struct mist_view *src, struct mist_view *dst, struct mist_error *error)
{
    enum mist_status status = check_pair(src, dst, error);
    if (status)
        return status;
    if (dst->width > src->width || dst->height > src->height)
        return error_set(error, MIST_ERROR_ARGUMENT, "area averaging cannot enlarge %u x %u to %u x %u", src->width,
                         src->height, dst->width, dst->height);
    struct axis x = {0}, y = {0};
    bool made = axis_area(&x, src->width, dst->width, &(struct resample_pitch){dst->width, src->width}) &&
                axis_area(&y, src->height, dst->height, &(struct resample_pitch){dst->height, src->height});
    return resample(src, dst, &x, &y, made, error);
}

enum mist_status mist_area_reduce(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                  struct mist_error *error)
{
    enum mist_status status = check_reduced(src, reduce, dst, error);
    if (status)
        return status;
    unsigned shift = reduce < 16 ? reduce : 16; /* a block of 2^16 holds any side */
    struct axis x = {0}, y = {0};
    bool made = axis_blocks(&x, src->width, dst->width, shift) && axis_blocks(&y, src->height, dst->height, shift);
    return resample(src, dst, &x, &y, made, error);
}

/* dst(x, y) = src(x + offset, y + offset), offset in samples of src. */
static enum mist_status shift_grid(const struct mist_view *src, double offset, struct mist_view *dst,
                                   struct mist_error *error)
{
    enum mist_status status = check_reduced(src, 0, dst, error);
    if (status)
        return status;
    struct axis x = {0}, y = {0};
    bool made =
        axis_cubic(&x, src->width, dst->width, 1, offset) && axis_cubic(&y, src->height, dst->height, 1, offset);
    return resample(src, dst, &x, &y, made, error);
}

/* How far the conventional grid lies from the native one, in samples of the reduced image. */
static double centre_offset(unsigned reduce)
{
    return 0.5 - ldexp(0.5, -(int)reduce); /* (2^r - 1) / 2^(r+1) */
}

enum mist_status mist_grid_center(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                  struct mist_error *error)
{
    return shift_grid(src, centre_offset(reduce), dst, error);
}

enum mist_status mist_grid_native(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                  struct mist_error *error)
{
    return shift_grid(src, -centre_offset(reduce), dst, error);
}

/* dst(x, y) = src(from_x[x], from_y(y)) for any sample type. */
static void pick(const struct mist_view *src, struct mist_view *dst, const uint32_t *from_x, const uint32_t *from_y)
{
    size_t size = mist_sample_size(src->type);
    for (uint32_t y = 0; y < dst->height; y++)
        for (uint32_t c = 0; c < dst->components; c++) {
            const char *from = (const char *)src->data + from_y[y] * src->row_stride + c * src->component_stride;
            char *to = (char *)dst->data + y * dst->row_stride + c * dst->component_stride;
            for (uint32_t x = 0; x < dst->width; x++, to += dst->column_stride)
                memcpy(to, from + from_x[x] * src->column_stride, size);
        }
}

/* Two tables of input positions, x first; NULL when memory is short. */
static uint32_t *pick_tables(const struct mist_view *dst)
{
    return memory_allocate_array((size_t)dst->width + dst->height, sizeof(uint32_t));
}

enum mist_status mist_subsample(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                struct mist_error *error)
{
    enum mist_status status = check_reduced(src, reduce, dst, error);
    if (status)
        return status;
    uint32_t *from = pick_tables(dst);
    if (!from)
        return error_set(error, MIST_ERROR_MEMORY, "resampling: out of memory");
    unsigned shift = reduce < 16 ? reduce : 0; /* beyond 2^16 there is sample 0 only */
    for (uint32_t x = 0; x < dst->width; x++)
        from[x] = x << shift;
    for (uint32_t y = 0; y < dst->height; y++)
        from[dst->width + y] = y << shift;
    pick(src, dst, from, from + dst->width);
    memory_free(from);
    return MIST_OK;
}

/* The input sample whose area holds the centre of output n. */
static uint32_t nearest_input(uint32_t n, uint32_t inputs, const struct resample_pitch *pitch)
{
    uint64_t input = (2 * (uint64_t)n + 1) * pitch->dst / (2 * pitch->src);
    return input < inputs ? (uint32_t)input : inputs - 1;
}

static enum mist_status resize_nearest(const struct mist_view *src, struct mist_view *dst,
                                       const struct resample_pitch *along_x, const struct resample_pitch *along_y,
                                       struct mist_error *error)
{
    uint32_t *from = pick_tables(dst);
    if (!from)
        return error_set(error, MIST_ERROR_MEMORY, "resampling: out of memory");
    for (uint32_t x = 0; x < dst->width; x++)
        from[x] = nearest_input(x, src->width, along_x);
    for (uint32_t y = 0; y < dst->height; y++)
        from[dst->width + y] = nearest_input(y, src->height, along_y);
    pick(src, dst, from, from + dst->width);
    memory_free(from);
    return MIST_OK;
}

static bool axis_resize(struct axis *axis, uint32_t inputs, uint32_t outputs, const struct resample_pitch *pitch)
{
    if (pitch->src <= pitch->dst)
        return axis_area(axis, inputs, outputs, pitch);
    double step = (double)pitch->dst / (double)pitch->src;
    return axis_cubic(axis, inputs, outputs, step, step / 2 - 0.5);
}

enum mist_status resample_pitched(const struct mist_view *src, struct mist_view *dst, const struct resample_pitch *x,
                                  const struct resample_pitch *y, bool nearest, struct mist_error *error)
{
    enum mist_status status = check_pair(src, dst, error);
    if (status)
        return status;
    if (nearest)
        return resize_nearest(src, dst, x, y, error);
    struct axis across = {0}, down = {0};
    bool made = axis_resize(&across, src->width, dst->width, x) && axis_resize(&down, src->height, dst->height, y);
    return resample(src, dst, &across, &down, made, error);
}

enum mist_status mist_resize(const struct mist_view *src, struct mist_view *dst, bool nearest, struct mist_error *error)
{
    const struct resample_pitch x = {dst->width, src->width}, y = {dst->height, src->height};
    return resample_pitched(src, dst, &x, &y, nearest, error);
}
