/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/turn.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 15, CHUNK_BYTES = 1 << 20 };

bool turn_is_needed(const struct mist_image_info *info)
{
    return (info->axes[0] || info->axes[1] || info->axes[2]) && (info->axes[0] != 0 || info->axes[1] != 1);
}

#define COPY(type)                                        \
    for (size_t n = 0; n < count; n++) {                  \
        type value;                                       \
        memcpy(&value, in + n * in_step, sizeof value);   \
        memcpy(out + n * out_step, &value, sizeof value); \
    }

/* `count` pixels that lie in_step bytes apart, to out_step bytes apart. */
static void copy_pixels(uint8_t *out, size_t out_step, const uint8_t *in, size_t in_step, size_t count, size_t pixel)
{
    if (pixel == 1) {
        COPY(uint8_t)
    } else if (pixel == 2) {
        COPY(uint16_t)
    } else if (pixel == 4) {
        COPY(uint32_t)
    } else if (pixel == 8) {
        COPY(uint64_t)
    } else {
        for (size_t n = 0; n < count; n++)
            memcpy(out + n * out_step, in + n * in_step, pixel);
    }
}

/* Rows of a block that stays in the nearest cache. */
static size_t block_rows(uint32_t slices, size_t pixel)
{
    size_t rows = BLOCK_BYTES / (slices * pixel);
    return rows < 8 ? 8 : rows;
}

struct turner {
    struct mist_image_info info;
    struct turn_sink sink;
    int spool;
    uint32_t planes; /* of the volume, so far */
    size_t pixel;
    size_t plane;   /* bytes */
    uint8_t *chunk; /* what goes to the sink at once */
};

enum mist_status turner_new(const struct mist_image_info *info, const char *near, const struct turn_sink *sink,
                            struct turner **result, struct mist_error *error)
{
    *result = NULL;
    struct turner *turner = memory_allocate_zeroed(1, sizeof *turner);
    if (!turner)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    *turner = (struct turner){.info = *info,
                              .sink = *sink,
                              .pixel = mist_sample_size(info->type) * info->components,
                              .plane = mist_frame_bytes(info->type, info->width, info->height, info->components)};
    size_t least = 8 * turner->pixel * info->slices; /* as block_rows() */
    turner->chunk = memory_allocate(least > CHUNK_BYTES ? least : CHUNK_BYTES);
    struct mist_error why = {0};
    turner->spool = turner->chunk ? file_open_spool(near, &why) : -1;
    if (turner->spool >= 0) {
        *result = turner;
        return MIST_OK;
    }
    enum mist_status status = turner->chunk ? error_set(error, why.status, "%s", why.message)
                                            : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    turner_free(&turner);
    return status;
}

/* Planes along the file's second axis (axes {0, 2, 1}): whole rows change places. */
static void emit_rows(struct turner *turner, const uint8_t *planes)
{
    const struct mist_image_info *info = &turner->info;
    const size_t row = turner->pixel * info->width;
    size_t used = 0;
    for (uint32_t k = 0; k < info->height; k++)
        for (uint32_t j = 0; j < info->slices; j++) {
            if (used + row > CHUNK_BYTES && used) {
                turner->sink.take(turner->sink.context, turner->chunk, used);
                used = 0;
            }
            const uint8_t *from = planes + j * turner->plane + k * row;
            if (row > CHUNK_BYTES) {
                turner->sink.take(turner->sink.context, from, row);
                continue;
            }
            memcpy(turner->chunk + used, from, row);
            used += row;
        }
    if (used)
        turner->sink.take(turner->sink.context, turner->chunk, used);
}

/* Planes along the file's first axis (axes {1, 2, 0}): a transposition. */
static void emit_pixels(struct turner *turner, const uint8_t *planes)
{
    const struct mist_image_info *info = &turner->info;
    const size_t pixel = turner->pixel, rows = (size_t)info->width * info->height, wide = pixel * info->slices;
    const size_t block = block_rows(info->slices, pixel);
    for (size_t start = 0; start < rows; start += block) {
        size_t count = rows - start < block ? rows - start : block;
        for (uint32_t i = 0; i < info->slices; i++)
            copy_pixels(turner->chunk + i * pixel, wide, planes + i * turner->plane + start * pixel, pixel, count,
                        pixel);
        turner->sink.take(turner->sink.context, turner->chunk, count * wide);
    }
}

enum mist_status turner_plane(struct turner *turner, const uint8_t *packed, struct mist_error *error)
{
    enum mist_status status =
        file_write_at(turner->spool, (uint64_t)turner->planes * turner->plane, packed, turner->plane, error);
    if (status || ++turner->planes < turner->info.slices)
        return status;
    size_t size = turner->plane * turner->info.slices;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, turner->spool, 0);
    if (map == MAP_FAILED)
        return error_set_errno(error, errno, "turning a volume");
    if (turner->info.axes[2] == 0)
        emit_pixels(turner, map);
    else
        emit_rows(turner, map);
    munmap(map, size);
    turner->planes = 0;
    return MIST_OK;
}

void turner_free(struct turner **turner)
{
    if (!*turner)
        return;
    if ((*turner)->spool >= 0)
        close((*turner)->spool);
    memory_free((*turner)->chunk);
    memory_free(*turner);
    *turner = NULL;
}

static void turn_volume(const struct mist_image_info *info, const uint8_t *in, uint8_t *out)
{
    const size_t pixel = mist_sample_size(info->type) * info->components, wide = pixel * info->slices;
    const size_t rows = (size_t)info->width * info->height, block = block_rows(info->slices, pixel);
    for (size_t start = 0; start < rows; start += block) {
        size_t count = rows - start < block ? rows - start : block;
        for (uint32_t i = 0; i < info->slices; i++)
            copy_pixels(out + (i * rows + start) * pixel, pixel, in + start * wide + i * pixel, wide, count, pixel);
    }
}

enum mist_status turn_volumes(const struct mist_image_info *info, const uint8_t *samples, const char *near,
                              uint8_t **planes, struct mist_error *error)
{
    const size_t plane = mist_frame_bytes(info->type, info->width, info->height, info->components);
    const size_t size = plane * info->frames, volume = plane * info->slices;
    struct mist_error why = {0};
    int spool = file_open_spool(near, &why);
    if (spool < 0)
        return error_set(error, why.status, "%s", why.message);
    /* Room is taken before it is mapped: a full disk is an error here, not a signal later. */
    int full = posix_fallocate(spool, 0, (off_t)size);
    void *map = full ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, spool, 0);
    enum mist_status status = MIST_OK;
    if (map == MAP_FAILED)
        status = error_set_errno(error, full ? full : errno, "turning a volume");
    close(spool);
    if (status)
        return status;
    for (size_t at = 0; at < size; at += volume)
        turn_volume(info, samples + at, (uint8_t *)map + at);
    *planes = map;
    return MIST_OK;
}
