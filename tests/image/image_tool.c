/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the image functions for test_image.py. Samples come on standard input and go to standard output, interleaved,
 * as the machine has them; with PLANAR 1 the images in memory are planar with padded rows.
 *   image_tool subsample|area_reduce|grid_center TYPE W H C PLANAR REDUCE
 *   image_tool area_resize|resize|nearest TYPE W H C PLANAR NEW_W NEW_H
 *   image_tool range TYPE W H C PLANAR
 *   image_tool ssim|mad TYPE W H C PLANAR RANGE     (two images, one behind the other)
 */
#include <mist/image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An image in memory, in one of the two layouts that views can have. */
static struct mist_view new_image(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components,
                                  bool planar)
{
    size_t size = mist_sample_size(type);
    if (!planar)
        return mist_view_interleaved(calloc((size_t)width * height * components, size), type, width, height,
                                     components);
    struct mist_view view = mist_view_planar(NULL, type, width, height, components);
    view.row_stride += 3 * size;
    view.component_stride = view.row_stride * height + 5 * size;
    view.data = malloc(view.component_stride * components);
    memset(view.data, 0xee, view.component_stride * components);
    return view;
}

static char *sample_at(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t c)
{
    return (char *)view->data + x * view->column_stride + y * view->row_stride + c * view->component_stride;
}

static void read_image(struct mist_view *view)
{
    for (uint32_t y = 0; y < view->height; y++)
        for (uint32_t x = 0; x < view->width; x++)
            for (uint32_t c = 0; c < view->components; c++)
                if (fread(sample_at(view, x, y, c), mist_sample_size(view->type), 1, stdin) != 1)
                    exit(3);
}

static void write_image(const struct mist_view *view)
{
    for (uint32_t y = 0; y < view->height; y++)
        for (uint32_t x = 0; x < view->width; x++)
            for (uint32_t c = 0; c < view->components; c++)
                fwrite(sample_at(view, x, y, c), mist_sample_size(view->type), 1, stdout);
}

static enum mist_status compare(const char *operation, const struct mist_view *a, double range,
                                struct mist_error *error)
{
    struct mist_view b = new_image(a->type, a->width, a->height, a->components, true);
    double value = 0;
    read_image(&b);
    enum mist_status status = strcmp(operation, "ssim") == 0 ? mist_ssim(a, &b, 0, range, &value, error)
                                                             : mist_mad(a, &b, range, &value, error);
    printf("%.17g\n", value);
    free(b.data);
    return status;
}

static enum mist_status transform(const char *operation, const struct mist_view *src, struct mist_view *dst,
                                  unsigned reduce, struct mist_error *error)
{
    if (strcmp(operation, "subsample") == 0)
        return mist_subsample(src, reduce, dst, error);
    if (strcmp(operation, "area_reduce") == 0)
        return mist_area_reduce(src, reduce, dst, error);
    if (strcmp(operation, "grid_center") == 0)
        return mist_grid_center(src, reduce, dst, error);
    if (strcmp(operation, "area_resize") == 0)
        return mist_area_resize(src, dst, error);
    return mist_resize(src, dst, strcmp(operation, "nearest") == 0, error);
}

int main(int count, char **arguments)
{
    if (count < 7)
        return 2;
    const char *operation = arguments[1];
    bool planar = atoi(arguments[6]);
    struct mist_view src = new_image(mist_sample_type_from_name(arguments[2]), (uint32_t)atoi(arguments[3]),
                                     (uint32_t)atoi(arguments[4]), (uint32_t)atoi(arguments[5]), planar);
    struct mist_error error = {0};
    enum mist_status status = MIST_OK;
    read_image(&src);
    if (strcmp(operation, "range") == 0) {
        double low, high;
        mist_range(&src, &low, &high);
        printf("%.17g %.17g\n", low, high);
    } else if (strcmp(operation, "ssim") == 0 || strcmp(operation, "mad") == 0) {
        status = compare(operation, &src, atof(arguments[7]), &error);
    } else {
        unsigned reduce = count == 8 ? (unsigned)atoi(arguments[7]) : 0;
        bool same = strcmp(operation, "grid_center") == 0;
        uint32_t width = count == 9 ? (uint32_t)atoi(arguments[7]) : mist_reduced_size(src.width, same ? 0 : reduce),
                 height = count == 9 ? (uint32_t)atoi(arguments[8]) : mist_reduced_size(src.height, same ? 0 : reduce);
        struct mist_view dst = new_image(src.type, width, height, src.components, !planar);
        status = transform(operation, &src, &dst, reduce, &error);
        if (!status)
            write_image(&dst);
        free(dst.data);
    }
    free(src.data);
    if (status)
        fprintf(stderr, "%s: %s\n", mist_status_name(status), error.message);
    return status != MIST_OK;
}
