/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JPEG coder from outside, for the Python tests:
 *   jpeg_tool split FILE DIRECTORY          chunks as DIRECTORY/level0 ..., DIRECTORY/rebuild; prints what it found
 *   jpeg_tool rebuild DIRECTORY OUT         the file from these
 *   jpeg_tool decode DIRECTORY REDUCE OUT   samples, interleaved
 *   jpeg_tool standalone DIRECTORY REDUCE OUT
 *   jpeg_tool judge FILE                    SSIM and mean absolute difference to the full picture's averages by reduce
 *   jpeg_tool time FILE                     seconds of split, rebuild, and decode at every reduce
 */
#include "base/file.h"
#include "base/memory.h"
#include "coder/jpeg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct mist_error error;

static void need(enum mist_status status)
{
    if (!status)
        return;
    fprintf(stderr, "%s: %s\n", mist_status_name(status), error.message);
    exit(1);
}

static struct mist_buffer load(const char *path)
{
    struct mist_buffer bytes = {0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    uint8_t block[65536];
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;)
        if (!buffer_append(&bytes, block, got))
            exit(2);
    fclose(file);
    return bytes;
}

static void save(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) {
        perror(path);
        exit(2);
    }
}

struct loaded {
    struct jpeg_info info;
    struct jpeg_piece piece[MIST_MAX_LEVELS], rebuild;
    struct mist_buffer bytes[MIST_MAX_LEVELS + 1];
};

/* The levels that a reduce needs; `whole`: the rebuild blob, too. */
static void load_levels(const char *directory, unsigned reduce, bool whole, struct loaded *loaded)
{
    char path[4096];
    unsigned count = 1;
    for (unsigned level = 0; level < count; level++) {
        snprintf(path, sizeof path, "%s/level%u", directory, level);
        loaded->bytes[level] = load(path);
        loaded->piece[level] = (struct jpeg_piece){loaded->bytes[level].data, loaded->bytes[level].size};
        if (!level) {
            need(jpeg_pieces_info(&loaded->piece[0], &loaded->info, &error));
            count = reduce < loaded->info.levels ? loaded->info.levels - reduce : 1;
        }
    }
    if (!whole)
        return;
    snprintf(path, sizeof path, "%s/rebuild", directory);
    loaded->bytes[MIST_MAX_LEVELS] = load(path);
    loaded->rebuild = (struct jpeg_piece){loaded->bytes[MIST_MAX_LEVELS].data, loaded->bytes[MIST_MAX_LEVELS].size};
}

static void unload(struct loaded *loaded)
{
    for (unsigned i = 0; i <= MIST_MAX_LEVELS; i++)
        mist_buffer_free(&loaded->bytes[i]);
}

static void print_info(const struct jpeg_info *info)
{
    printf("{\"width\": %u, \"height\": %u, \"components\": %u, \"colour\": \"%s\", \"grey_as_rgb\": %s, "
           "\"progressive\": %s, \"orientation\": %u, \"levels\": %u, \"sampling\": [",
           info->width, info->height, info->components, jpeg_colour_name(info->colour),
           info->grey_as_rgb ? "true" : "false", info->progressive ? "true" : "false", info->orientation, info->levels);
    for (unsigned c = 0; c < info->components; c++)
        printf("%s[%u, %u]", c ? ", " : "", info->sampling[c][0], info->sampling[c][1]);
    printf("]}\n");
}

static void split(const char *file, const char *directory)
{
    struct mist_buffer bytes = load(file);
    struct jpeg_chunks chunks = {0};
    struct jpeg_info info;
    char path[4096];
    need(jpeg_info(bytes.data, bytes.size, &info, &error));
    need(jpeg_split(bytes.data, bytes.size, &chunks, &error));
    for (unsigned level = 0; level < chunks.info.levels; level++) {
        snprintf(path, sizeof path, "%s/level%u", directory, level);
        save(path, chunks.level[level].data, chunks.level[level].size);
    }
    snprintf(path, sizeof path, "%s/rebuild", directory);
    save(path, chunks.rebuild.data, chunks.rebuild.size);
    print_info(&info);
    jpeg_chunks_free(&chunks);
    mist_buffer_free(&bytes);
}

static struct mist_view decode(const struct jpeg_info *info, const struct jpeg_piece *pieces, unsigned reduce)
{
    uint32_t width = mist_reduced_size(info->width, reduce), height = mist_reduced_size(info->height, reduce);
    void *samples = malloc((size_t)width * height * info->components);
    if (!samples)
        exit(2);
    struct mist_view view = mist_view_interleaved(samples, MIST_U8, width, height, info->components);
    need(jpeg_decode(pieces, reduce, &view, &error));
    return view;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void measure(const char *path)
{
    struct mist_buffer bytes = load(path), file = {0};
    struct jpeg_chunks chunks = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    double start = now();
    need(jpeg_split(bytes.data, bytes.size, &chunks, &error));
    printf("split %.3f", now() - start);
    for (unsigned level = 0; level < chunks.info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks.level[level].data, chunks.level[level].size};
    start = now();
    need(jpeg_rebuild(pieces, &(struct jpeg_piece){chunks.rebuild.data, chunks.rebuild.size}, &file, &error));
    printf(" rebuild %.3f decode", now() - start);
    for (unsigned reduce = 0; reduce < chunks.info.levels; reduce++) {
        start = now();
        struct mist_view view = decode(&chunks.info, pieces, reduce);
        printf(" %.3f", now() - start);
        free(view.data);
    }
    printf("\n");
    mist_buffer_free(&file);
    mist_buffer_free(&bytes);
    jpeg_chunks_free(&chunks);
}

/* Every level against averages of the full picture over each pixel's area. */
static void judge(const char *path)
{
    struct mist_buffer bytes = load(path);
    struct jpeg_chunks chunks = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    need(jpeg_split(bytes.data, bytes.size, &chunks, &error));
    for (unsigned level = 0; level < chunks.info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks.level[level].data, chunks.level[level].size};
    struct mist_view full = decode(&chunks.info, pieces, 0);
    for (unsigned reduce = 1; reduce < chunks.info.levels; reduce++) {
        struct mist_view view = decode(&chunks.info, pieces, reduce);
        size_t size = (size_t)view.height * view.row_stride;
        uint8_t *averages = malloc(size);
        struct mist_view area = mist_view_interleaved(averages, MIST_U8, view.width, view.height, view.components);
        double ssim, difference = 0;
        need(mist_area_reduce(&full, reduce, &area, &error));
        need(mist_ssim(&view, &area, 0, 255, &ssim, &error));
        for (size_t i = 0; i < size; i++)
            difference += abs((int)averages[i] - ((uint8_t *)view.data)[i]);
        printf("%.4f %.3f%s", ssim, difference / (double)size, reduce + 1 < chunks.info.levels ? "  " : "\n");
        free(averages);
        free(view.data);
    }
    free(full.data);
    mist_buffer_free(&bytes);
    jpeg_chunks_free(&chunks);
}

int main(int count, char **arguments)
{
    static struct loaded loaded;
    struct mist_buffer out = {0};
    const char *command = count > 2 ? arguments[1] : "";
    if (!strcmp(command, "split") && count == 4) {
        split(arguments[2], arguments[3]);
    } else if (!strcmp(command, "judge") && count == 3) {
        judge(arguments[2]);
    } else if (!strcmp(command, "time") && count == 3) {
        measure(arguments[2]);
    } else if (!strcmp(command, "rebuild") && count == 4) {
        load_levels(arguments[2], 0, true, &loaded);
        need(jpeg_rebuild(loaded.piece, &loaded.rebuild, &out, &error));
        save(arguments[3], out.data, out.size);
    } else if (!strcmp(command, "decode") && count == 5) {
        unsigned reduce = (unsigned)atoi(arguments[3]);
        load_levels(arguments[2], reduce, false, &loaded);
        struct mist_view view = decode(&loaded.info, loaded.piece, reduce);
        save(arguments[4], view.data, (size_t)view.height * view.row_stride);
        free(view.data);
    } else if (!strcmp(command, "standalone") && count == 5) {
        unsigned reduce = (unsigned)atoi(arguments[3]);
        load_levels(arguments[2], reduce, false, &loaded);
        need(jpeg_standalone(loaded.piece, reduce, &out, &error));
        save(arguments[4], out.data, out.size);
    } else {
        fprintf(stderr, "usage: see the head of jpeg_tool.c\n");
        return 2;
    }
    mist_buffer_free(&out);
    unload(&loaded);
    return 0;
}
