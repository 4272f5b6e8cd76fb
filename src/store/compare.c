/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/compare.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/format.h"
#include "format/wrapping.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK = 1 << 16 };

/* What wraps a file besides gzip. */
static enum format_wrapping wrapping_of(const char *path)
{
    struct file_map map = {0};
    enum format_wrapping wrapping = WRAPPING_NONE;
    if (!file_map_open(path, &map, NULL)) {
        wrapping = wrapping_detect(map.data, map.size);
        file_map_close(&map);
    }
    return wrapping == WRAPPING_GZIP ? WRAPPING_NONE : wrapping;
}

/* The content of two files that are wrapped otherwise. */
static enum mist_status same_unpacked(const char *original, const char *copy, bool *same, struct mist_error *error)
{
    const struct format_input inputs[2] = {format_input_path(original), format_input_path(copy)};
    struct file_map maps[2] = {{0}};
    enum mist_status status = MIST_OK;
    for (int i = 0; i < 2 && !status; i++) {
        const enum format_wrapping wrapping = wrapping_of(inputs[i].path);
        status = wrapping ? wrapping_open(&inputs[i], wrapping, &maps[i], error)
                          : file_map_open(inputs[i].path, &maps[i], error);
    }
    *same = !status && maps[0].size == maps[1].size && memcmp(maps[0].data, maps[1].data, maps[0].size) == 0;
    file_map_close(&maps[0]);
    file_map_close(&maps[1]);
    return status;
}

/* gzopen() passes over what is not gzip unchanged. */
static enum mist_status same_inside_gzip(const char *original, const char *copy, bool *same, struct mist_error *error)
{
    uint8_t *bytes = memory_allocate(2 * CHUNK);
    gzFile a = gzopen(original, "rbe"), b = gzopen(copy, "rbe");
    enum mist_status status = MIST_OK;
    if (!bytes)
        status = error_set(error, MIST_ERROR_MEMORY, "comparing files: out of memory");
    else if (!a || !b)
        status = error_set(error, MIST_ERROR_IO, "%s: cannot be read again", a ? copy : original);
    *same = !status;
    while (!status && *same) {
        int first = gzread(a, bytes, CHUNK), second = gzread(b, bytes + CHUNK, CHUNK);
        if (first < 0 || second < 0)
            status = error_set(error, MIST_ERROR_IO, "%s: cannot be read again", first < 0 ? original : copy);
        else if (first != second || memcmp(bytes, bytes + CHUNK, (size_t)first) != 0)
            *same = false;
        else if (first == 0)
            break;
    }
    if (a)
        gzclose(a);
    if (b)
        gzclose(b);
    memory_free(bytes);
    return status;
}

/* As bytes, both unpacked where they are wrapped. Damaged ones are not the same. */
static enum mist_status same_bytes(const char *original, const char *copy, bool *same, struct mist_error *error)
{
    *same = false;
    if (!wrapping_of(original) && !wrapping_of(copy))
        return same_inside_gzip(original, copy, same, error);
    enum mist_status status = same_unpacked(original, copy, same, error);
    return status == MIST_ERROR_CORRUPT ? MIST_OK : status;
}

static enum mist_status open_image(const char *path, struct format_source **source, struct mist_error *error)
{
    enum format_kind kind;
    const struct format_input input = format_input_path(path);
    enum mist_status status = format_detect(&input, &kind, error);
    if (!status && kind == FORMAT_UNKNOWN)
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "%s: not an image", path);
    return status ? status : format_open(kind, &input, 1, source, error);
}

static bool same_shape(const struct mist_image_info *a, const struct mist_image_info *b)
{
    return a->type == b->type && a->width == b->width && a->height == b->height && a->components == b->components &&
           a->frames == b->frames;
}

static enum mist_status same_frames(struct format_source *a, struct format_source *b, bool *same,
                                    struct mist_error *error)
{
    const struct mist_image_info *info = &a->info;
    size_t size = mist_frame_bytes(info->type, info->width, info->height, info->components);
    uint8_t *samples[2] = {memory_allocate_aligned(size), memory_allocate_aligned(size)};
    enum mist_status status = MIST_OK;
    if (size == 0 || !samples[0] || !samples[1])
        status = error_set(error, MIST_ERROR_MEMORY, "comparing images: out of memory");
    *same = true;
    for (uint32_t frame = 0; frame < info->frames && !status && *same; frame++) {
        struct format_source *sources[2] = {a, b};
        for (int i = 0; i < 2 && !status; i++) {
            struct mist_view view =
                mist_view_interleaved(samples[i], info->type, info->width, info->height, info->components);
            status = sources[i]->ops->read_frame(sources[i], frame, &view, error);
        }
        *same = !status && memcmp(samples[0], samples[1], size) == 0;
    }
    memory_free(samples[0]);
    memory_free(samples[1]);
    return status;
}

static enum mist_status same_pixels(const char *original, const char *copy, bool *same, struct mist_error *error)
{
    struct format_source *a = NULL, *b = NULL;
    *same = false;
    enum mist_status status = open_image(original, &a, error);
    if (!status)
        status = open_image(copy, &b, error);
    if (!status && same_shape(&a->info, &b->info))
        status = same_frames(a, b, same, error);
    format_close(&a);
    format_close(&b);
    return status;
}

enum mist_status compare_files(const char *original, const char *copy, enum mist_lossless *result,
                               struct mist_error *error)
{
    bool same = false;
    *result = MIST_LOSSLESS_NO;
    enum mist_status status = same_bytes(original, copy, &same, error);
    if (!status && same) {
        *result = MIST_LOSSLESS_FILES;
    } else if (!status) {
        status = same_pixels(original, copy, &same, error);
        if (!status && same)
            *result = MIST_LOSSLESS_PIXELS;
    }
    return status;
}

/* ---- in more detail ---- */

/* Byte for byte, as they are on disk. */
static enum mist_status same_on_disk(const char *original, const char *copy, bool *same, struct mist_error *error)
{
    struct file_map a = {0}, b = {0};
    *same = false;
    enum mist_status status = file_map_open(original, &a, error);
    if (!status)
        status = file_map_open(copy, &b, error);
    if (!status)
        *same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    file_map_close(&a);
    file_map_close(&b);
    return status;
}

/* Whether both are zlib streams (RFC 1950) of the same bytes. */
static bool same_inflated(const struct file_map *a, const struct file_map *b)
{
    const struct file_map *file[2] = {a, b};
    uint8_t *bytes = memory_allocate(2 * CHUNK);
    z_stream stream[2] = {{0}};
    bool same = bytes != NULL, more = true;
    int result[2] = {Z_OK, Z_OK};
    for (int i = 0; i < 2; i++) {
        same = same && file[i]->size <= UINT32_MAX && inflateInit2(&stream[i], 15) == Z_OK;
        stream[i].next_in = (Bytef *)(uintptr_t)file[i]->data;
        stream[i].avail_in = (uInt)file[i]->size;
    }
    while (same && more) {
        for (int i = 0; i < 2; i++) {
            stream[i].next_out = bytes + i * CHUNK;
            stream[i].avail_out = CHUNK;
            if (result[i] == Z_OK)
                result[i] = inflate(&stream[i], Z_NO_FLUSH);
        }
        const size_t got = CHUNK - stream[0].avail_out;
        same = got == CHUNK - stream[1].avail_out && memcmp(bytes, bytes + CHUNK, got) == 0 && result[0] == result[1] &&
               (result[0] == Z_OK || result[0] == Z_STREAM_END);
        more = result[0] == Z_OK && got > 0;
    }
    same = same && result[0] == Z_STREAM_END;
    inflateEnd(&stream[0]);
    inflateEnd(&stream[1]);
    memory_free(bytes);
    return same;
}

/* The next line of a header, but those that say how many bytes deflated samples have; its length, 0 at the end. */
static size_t next_line(const struct file_map *file, size_t *at, const uint8_t **line)
{
    static const char size[] = "CompressedDataSize";
    for (;;) {
        *line = file->data + *at;
        const size_t left = file->size - *at;
        const uint8_t *end = left ? memchr(*line, '\n', left) : NULL;
        const size_t length = end ? (size_t)(end + 1 - *line) : left;
        *at += length;
        if (length < sizeof size || memcmp(*line, size, sizeof size - 1) != 0)
            return length;
    }
}

/* Headers of MetaImage whose samples are in files of their own. */
static bool same_header(const struct file_map *a, const struct file_map *b)
{
    size_t at[2] = {0};
    for (;;) {
        const uint8_t *one, *other;
        const size_t length = next_line(a, &at[0], &one);
        if (next_line(b, &at[1], &other) != length || memcmp(one, other, length) != 0)
            return false;
        if (length == 0)
            return true;
    }
}

/* The two files of a pair, which are no image each: MIST_RESTORED_NOT where nothing is known to be the same. */
static enum mist_status compare_parts(const char *original, const char *copy, enum mist_restored *how,
                                      struct mist_error *error)
{
    struct file_map a = {0}, b = {0};
    enum format_kind kind = FORMAT_UNKNOWN;
    const struct format_input input = format_input_path(original);
    enum mist_status status = format_detect(&input, &kind, error);
    if (!status)
        status = file_map_open(original, &a, error);
    if (!status)
        status = file_map_open(copy, &b, error);
    if (!status && kind == FORMAT_METAIMAGE && same_header(&a, &b))
        *how = MIST_RESTORED_PIXELS;
    else if (!status && kind == FORMAT_UNKNOWN && same_inflated(&a, &b))
        *how = MIST_RESTORED_CONTENT;
    file_map_close(&a);
    file_map_close(&b);
    return status;
}

static const char *shape_difference(const struct format_source *a, const struct format_source *b)
{
    if (a->kind != b->kind)
        return "it is of another format";
    if (a->info.type != b->info.type || a->info.precision != b->info.precision)
        return "its samples are of another type";
    if (!same_shape(&a->info, &b->info))
        return "it is of another size";
    return a->color != b->color ? "its samples are of another colour space" : NULL;
}

static enum mist_status compare_images(struct format_source *a, struct format_source *b, enum mist_restored *how,
                                       char why[COMPARE_WHY_SIZE], struct mist_error *error)
{
    bool same;
    const char *shape = shape_difference(a, b);
    if (shape) {
        snprintf(why, COMPARE_WHY_SIZE, "%s", shape);
        return MIST_OK;
    }
    enum mist_status status = same_frames(a, b, &same, error);
    char difference[FORMAT_DIFFERENCE_SIZE] = "";
    if (!status && same)
        status = format_same_metadata(a, b, difference, error);
    if (status)
        return status;
    if (same && !*difference)
        *how = MIST_RESTORED_PIXELS;
    snprintf(why, COMPARE_WHY_SIZE, "%s%s", same ? difference : "its samples differ",
             same && *difference ? ", though all samples are the same" : "");
    return MIST_OK;
}

enum mist_status compare_restored(const char *original, const char *copy, enum mist_restored *how,
                                  char why[COMPARE_WHY_SIZE], struct mist_error *error)
{
    struct format_source *a = NULL, *b = NULL;
    struct mist_error local = {0};
    bool same;
    *how = MIST_RESTORED_NOT;
    *why = '\0';
    enum mist_status status = same_on_disk(original, copy, &same, error);
    if (!status && same)
        *how = MIST_RESTORED_BYTES;
    if (status || same)
        return status;
    status = same_bytes(original, copy, &same, error);
    if (!status && same)
        *how = MIST_RESTORED_CONTENT;
    if (!status && !same)
        status = compare_parts(original, copy, how, error);
    if (status || *how != MIST_RESTORED_NOT)
        return status;
    status = open_image(original, &a, &local);
    if (!status)
        status = open_image(copy, &b, &local);
    if (!status)
        status = compare_images(a, b, how, why, &local);
    format_close(&a);
    format_close(&b);
    if (status == MIST_ERROR_MEMORY)
        return error_set(error, status, "%s", local.message);
    if (status)
        snprintf(why, COMPARE_WHY_SIZE, "its bytes differ, and as images they cannot be compared: %s", local.message);
    return MIST_OK;
}
