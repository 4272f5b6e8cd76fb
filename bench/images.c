/* SPDX-License-Identifier: BSD-2-Clause */
/* The benchmark's images: real ones read through the library, and a synthetic one. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lowest precision that holds the samples; the item says it. */
static bool load(const char *path, const char *name, struct bench_image *image)
{
    if (access(path, R_OK) != 0)
        return false;
    char item_path[] = "/tmp/mist-bench-XXXXXX";
    int descriptor = mkstemp(item_path);
    if (descriptor < 0)
        return false;
    close(descriptor);
    const char *names[] = {name};
    struct mist_import_options options = {.paths = &path, .names = names, .count = 1};
    struct mist_error error = {0};
    mist_item *item = NULL;
    mist_codec *codec = mist_codec_new();
    bool loaded = false;
    if (mist_item_import(&options, item_path, NULL, NULL, &error) || mist_item_open(item_path, &item, &error)) {
        fprintf(stderr, "bench: %s\n", error.message);
    } else {
        const struct mist_image_info *info = &mist_item_info(item)->image;
        void *samples = malloc(mist_frame_bytes(info->type, info->width, info->height, info->components));
        image->view = mist_view_interleaved(samples, info->type, info->width, info->height, info->components);
        image->precision = info->precision;
        snprintf(image->name, sizeof image->name, "%s", name);
        loaded = samples && info->components == 1 && !mist_item_decode(item, codec, 0, 0, &image->view, &error);
        if (!loaded)
            free(samples);
    }
    mist_item_close(&item);
    mist_codec_free(&codec);
    unlink(item_path);
    return loaded;
}

/* 4096 x 4096, 12 bits: rings and edges, with noise of 5 bits. */
static bool synthesize(struct bench_image *image)
{
    enum { SIDE = 4096 };
    uint16_t *samples = malloc((size_t)SIDE * SIDE * sizeof *samples);
    if (!samples)
        return false;
    uint32_t random = 1;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int dx = x - SIDE / 2, dy = y - SIDE / 2;
            int ring = (int)(((int64_t)dx * dx + (int64_t)dy * dy) >> 13) & 1023;
            int edge = ((x >> 9) ^ (y >> 9)) & 1 ? 1500 : 0;
            random = random * 1664525u + 1013904223u;
            samples[(size_t)y * SIDE + x] = (uint16_t)(ring + edge + 500 + (int)(random >> 27));
        }
    image->view = mist_view_interleaved(samples, MIST_U16, SIDE, SIDE, 1);
    image->precision = 12;
    snprintf(image->name, sizeof image->name, "synthetic");
    return true;
}

size_t bench_images(const char *shared, const char *examples, struct bench_image *images, size_t limit)
{
    static const struct {
        const char *name, *path;
        bool example; /* below examples/data instead of ../shared/data */
    } files[] = {
        {"CT1", "dicom/wg04/CT1.UNC.dcm", false},      {"MR3", "dicom/wg04/MR3.UNC.dcm", false},
        {"XA1", "dicom/wg04/XA1.UNC.dcm", false},      {"RG3", "dicom/wg04/RG3.UNC.dcm", false},
        {"CXR", "cxr/images/00000061_012.png", false}, {"CT-head", "ct-head/I200", true},
        {"CXR-example", "cxr/00000061_012.png", true},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files && count < limit; i++) {
        char path[4096];
        if (files[i].example && count >= 5)
            break; /* the real table was there */
        snprintf(path, sizeof path, "%s/%s", files[i].example ? examples : shared, files[i].path);
        count += load(path, files[i].name, &images[count]);
    }
    if (count < limit)
        count += synthesize(&images[count]);
    return count;
}

void bench_image_free(struct bench_image *image)
{
    free(image->view.data);
    *image = (struct bench_image){0};
}
