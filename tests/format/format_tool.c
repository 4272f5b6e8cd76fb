/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the single-file formats for test_formats.py:
 *   format_tool detect FILE...                       the format of each, "-" for none
 *   format_tool copy REDUCE native|center OUT FILE   reads FILE and writes it as OUT in the same format, every
 * 2^REDUCE-th sample, with the geometry of that grid; OUT ending in .gz is gzipped format_tool hostile SEED COUNT
 * SCRATCH FILE      damages FILE in COUNT ways; prints how often it was read all the same
 */
#include "base/file.h"
#include "base/memory.h"
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct mist_error *error)
{
    printf("! %s: %s\n", mist_status_name(error->status), error->message);
    return 1;
}

static int detect(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        enum format_kind kind;
        struct mist_error error = {0};
        if (format_detect(paths[i], &kind, &error))
            return fail(&error);
        printf("%s\n", kind == FORMAT_UNKNOWN ? "-" : format_name(kind));
    }
    return 0;
}

static enum mist_status open_any(const char *path, struct format_source **source, struct mist_error *error)
{
    enum format_kind kind;
    enum mist_status status = format_detect(path, &kind, error);
    return status ? status : format_open(kind, &path, 1, source, error);
}

static struct mist_view new_view(const struct mist_image_info *info)
{
    void *samples = memory_allocate(mist_frame_bytes(info->type, info->width, info->height, info->components));
    return mist_view_interleaved(samples, info->type, info->width, info->height, info->components);
}

static enum mist_status copy_frames(struct format_source *source, const struct format_target *target,
                                    struct mist_error *error)
{
    struct mist_view full = new_view(&source->info), small = new_view(&target->info);
    struct format_writer *writer = NULL;
    enum mist_status status = format_writer_open(target, &writer, error);
    for (uint32_t frame = 0; !status && frame < source->info.frames; frame++) {
        status = source->ops->read_frame(source, frame, &full, error);
        if (!status)
            status = mist_subsample(&full, target->reduce, &small, error);
        if (!status)
            status = format_writer_frame(writer, &small, error);
    }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    memory_free(full.data);
    memory_free(small.data);
    return status;
}

static int copy(unsigned reduce, bool center, const char *out, const char *path)
{
    struct format_source *source = NULL;
    struct format_archive archive = {0};
    struct mist_error error = {0};
    enum mist_status status = open_any(path, &source, &error);
    if (!status)
        status = source->ops->read_archive(source, 0, &archive, &error);
    if (!status) {
        struct format_target target = {.kind = source->kind,
                                       .gzip = strlen(out) > 3 && strcmp(out + strlen(out) - 3, ".gz") == 0,
                                       .path = out,
                                       .info = source->info,
                                       .source = &source->info,
                                       .reduce = reduce,
                                       .resampled = center,
                                       .source_kind = source->kind,
                                       .head = source->head.data,
                                       .head_size = source->head.size,
                                       .archive = &archive};
        target.info.width = mist_reduced_size(source->info.width, reduce);
        target.info.height = mist_reduced_size(source->info.height, reduce);
        target.info.geometry = mist_geometry_reduce(&source->info.geometry, reduce, center);
        status = copy_frames(source, &target, &error);
    }
    format_archive_free(&archive);
    format_close(&source);
    return status ? fail(&error) : 0;
}

static bool reads(const char *path)
{
    struct format_source *source = NULL;
    struct mist_error error = {0};
    enum mist_status status = open_any(path, &source, &error);
    if (!status) {
        struct mist_view view = new_view(&source->info);
        for (uint32_t frame = 0; !status && frame < source->info.frames; frame++)
            status = view.data ? source->ops->read_frame(source, frame, &view, &error) : MIST_ERROR_MEMORY;
        memory_free(view.data);
    }
    format_close(&source);
    if (status && error.message[0] == '\0')
        exit(fail(&(struct mist_error){MIST_ERROR_CORRUPT, "a failure without a word"}));
    return status == MIST_OK;
}

static int hostile(unsigned seed, int count, const char *scratch, const char *path)
{
    struct mist_buffer original = {0};
    struct mist_error error = {0};
    int good = 0;
    if (file_read(path, (size_t)1 << 26, &original, &error))
        return fail(&error);
    srand(seed);
    for (int i = 0; i < count; i++) {
        struct mist_buffer damaged = {0};
        if (!buffer_append(&damaged, original.data, original.size))
            return 1;
        if (i % 3 == 0)
            damaged.size = (size_t)rand() % (damaged.size + 1);
        for (int k = 0; i % 3 && k < 1 + rand() % 4; k++) {
            size_t at = (size_t)rand() % (i % 3 == 1 && damaged.size > 400 ? 400 : damaged.size);
            damaged.data[at] = (uint8_t)(rand() % 2 ? 0xff : damaged.data[at] ^ (1 << rand() % 8));
        }
        if (file_write_whole(scratch, damaged.data, damaged.size, &error))
            return fail(&error);
        good += reads(scratch);
        mist_buffer_free(&damaged);
    }
    mist_buffer_free(&original);
    printf("%d of %d read\n", good, count);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "detect") == 0)
        return detect(argc - 2, argv + 2);
    if (argc == 6 && strcmp(argv[1], "copy") == 0)
        return copy((unsigned)atoi(argv[2]), strcmp(argv[3], "center") == 0, argv[4], argv[5]);
    if (argc == 6 && strcmp(argv[1], "hostile") == 0)
        return hostile((unsigned)atoi(argv[2]), atoi(argv[3]), argv[4], argv[5]);
    fprintf(stderr, "usage: see the top of format_tool.c\n");
    return 2;
}
