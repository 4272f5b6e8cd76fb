/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the formats for the Python tests:
 *   format_tool detect FILE...            the name of each file's format, or "-"
 *   format_tool look FILE                 whether there is an image in it: "image", or the sentence why not
 *   format_tool describe FILE [FILE]      what it is, as JSON
 *   format_tool samples FILE [FILE]       all samples, as the machine has them, on standard output
 *   format_tool memory FILE               opens it by its path and from its bytes: "KIND: same"
 *   format_tool write KIND REDUCE native|center|WxH|head OUT FILE
 *       writes the file again (KIND "nifti.gz" is nifti with gzip); reduced samples are every 2^r-th one, on the
 *       centred grid too, so that the reader knows what to expect; WxH: the nearest ones. "head": reduce 0 without the
 *       archive.
 *   format_tool copy REDUCE GRID OUT FILE              as write, in the file's own format, with the archive
 *   format_tool window KIND WINDOW OUT FILE            as write at full size, with what --window takes
 *   format_tool bytes OUT FILE                         the file again, of what its codestreams are
 *   format_tool hostile SEED COUNT DIRECTORY FILE      damages a file in COUNT ways and opens, reads and writes each
 *   format_tool starve KIND REDUCE OUT FILE            as write, with the 1st, 2nd ... allocation failing until none
 * does Errors are printed as "! status: message", exit status 1.
 */
#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static int fail(const struct mist_error *error)
{
    printf("! %s: %s\n", mist_status_name(error->status), error->message);
    return 1;
}

static enum mist_status open_file(const char *path, struct format_source **source, struct mist_error *error)
{
    enum format_kind kind;
    const struct format_input input = format_input_path(path);
    *source = NULL;
    enum mist_status status = format_detect(&input, &kind, error);
    return status ? status : format_open(kind, &input, 1, source, error);
}

/* A header and its samples. */
static enum mist_status open_pair(const char *header, const char *other, struct format_source **source,
                                  struct mist_error *error)
{
    enum format_kind kind;
    const struct format_input inputs[2] = {format_input_path(header), format_input_path(other)};
    *source = NULL;
    enum mist_status status = format_detect(inputs, &kind, error);
    return status ? status : format_open(kind, inputs, 2, source, error);
}

static struct mist_view new_frame(const struct mist_image_info *info)
{
    return mist_view_interleaved(malloc(mist_frame_bytes(info->type, info->width, info->height, info->components)),
                                 info->type, info->width, info->height, info->components);
}

static int detect(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        enum format_kind kind;
        struct mist_error error = {0};
        const struct format_input input = format_input_path(paths[i]);
        if (format_detect(&input, &kind, &error))
            return fail(&error);
        printf("%s\n", format_name(kind) ? format_name(kind) : "-");
    }
    return 0;
}

static int look(const char *path)
{
    enum format_kind kind;
    struct format_group group;
    struct mist_error error = {0};
    const struct format_input input = format_input_path(path);
    enum mist_status status = format_detect(&input, &kind, &error);
    if (!status)
        status = format_look(kind, &input, &group, &error);
    if (status)
        return fail(&error);
    printf("image\n");
    return 0;
}

static int describe(const char *path, const char *other)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (other ? open_pair(path, other, &source, &error) : open_file(path, &source, &error))
        return fail(&error);
    const struct mist_image_info *info = &source->info;
    printf("{\"type\": \"%s\", \"precision\": %u, \"width\": %u, \"height\": %u, \"components\": %u, \"frames\": %u, "
           "\"slices\": %u, \"label\": %s, \"spacing\": [%.17g, %.17g, %.17g], \"head\": %zu, \"affine\": ",
           mist_sample_name(info->type), info->precision, info->width, info->height, info->components, info->frames,
           info->slices, info->label ? "true" : "false", info->geometry.spacing[0], info->geometry.spacing[1],
           info->geometry.spacing[2], source->head.size);
    for (int i = 0; i < 16 && info->geometry.has_affine; i++)
        printf("%s%.17g", i ? ", " : "[", info->geometry.affine[i / 4][i % 4]);
    printf("%s}\n", info->geometry.has_affine ? "]" : "null");
    format_close(&source);
    return 0;
}

static int samples(const char *path, const char *other)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (other ? open_pair(path, other, &source, &error) : open_file(path, &source, &error))
        return fail(&error);
    const struct mist_image_info *info = &source->info;
    struct mist_view frame = new_frame(info);
    for (uint32_t i = 0; i < info->frames; i++) {
        if (source->ops->read_frame(source, i, &frame, &error))
            return fail(&error);
        fwrite(frame.data, 1, mist_frame_bytes(info->type, info->width, info->height, info->components), stdout);
    }
    free(frame.data);
    format_close(&source);
    return 0;
}

static bool same_bytes(const struct mist_buffer *a, const struct mist_buffer *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* Whether two sources give the same frames and the same archive. */
static bool same_content(struct format_source *a, struct format_source *b, struct mist_error *error)
{
    if (memcmp(&a->info, &b->info, sizeof a->info) != 0 || !same_bytes(&a->head, &b->head))
        return false;
    struct mist_view one = new_frame(&a->info), other = new_frame(&a->info);
    const size_t bytes = mist_frame_bytes(one.type, one.width, one.height, one.components);
    bool same = true;
    for (uint32_t i = 0; i < a->info.frames && same; i++)
        same = a->ops->read_frame(a, i, &one, error) == MIST_OK && b->ops->read_frame(b, i, &other, error) == MIST_OK &&
               memcmp(one.data, other.data, bytes) == 0;
    free(one.data);
    free(other.data);
    struct format_archive first = {0}, second = {0};
    same = same && a->ops->read_archive(a, 0, &first, error) == MIST_OK &&
           b->ops->read_archive(b, 0, &second, error) == MIST_OK && same_bytes(&first.prefix, &second.prefix) &&
           same_bytes(&first.suffix, &second.suffix);
    format_archive_free(&first);
    format_archive_free(&second);
    return same;
}

/* The same file by its path and by its bytes, which start at no particular alignment. */
static int memory(const char *path)
{
    struct mist_buffer bytes = {0};
    struct mist_error error = {0};
    struct format_source *by_path, *by_bytes;
    enum format_kind kind;
    struct format_group group, other_group;
    if (open_file(path, &by_path, &error) || !buffer_append(&bytes, "x", 1))
        return fail(&error);
    struct mist_buffer file = {0};
    if (file_read(path, (size_t)1 << 30, &file, &error) || !buffer_append(&bytes, file.data, file.size))
        return fail(&error);
    const struct format_input input = format_input_memory("bytes", bytes.data + 1, file.size);
    const struct format_input path_input = format_input_path(path);
    if (format_detect(&input, &kind, &error) || format_look(kind, &input, &group, &error) ||
        format_look(kind, &path_input, &other_group, &error) || format_open(kind, &input, 1, &by_bytes, &error))
        return fail(&error);
    bool same = kind == by_path->kind && memcmp(&group, &other_group, sizeof group) == 0 &&
                same_content(by_path, by_bytes, &error);
    printf("%s: %s %s\n", format_name(kind), same ? "same" : "different", error.message);
    format_close(&by_path);
    format_close(&by_bytes);
    mist_buffer_free(&bytes);
    mist_buffer_free(&file);
    return 0;
}

static enum mist_status write_frames(struct format_source *source, const struct format_target *target,
                                     struct mist_error *error)
{
    struct mist_view full = new_frame(&source->info), small = new_frame(&target->info);
    struct format_writer *writer = NULL;
    enum mist_status status = format_writer_open(target, &writer, error);
    bool by_level = small.width == mist_reduced_size(full.width, target->reduce) &&
                    small.height == mist_reduced_size(full.height, target->reduce);
    for (uint32_t i = 0; i < target->info.frames && !status; i++) {
        status = source->ops->read_frame(source, i, &full, error);
        if (!status)
            status = by_level ? mist_subsample(&full, target->reduce, &small, error)
                              : mist_resize(&full, &small, true, error);
        if (!status)
            status = format_writer_frame(writer, &small, error);
    }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    free(full.data);
    free(small.data);
    return status;
}

static struct format_window window; /* of what is written */

static enum mist_status write_file(const char *kind, unsigned reduce, const char *grid, bool keep, const char *out,
                                   const char *path, struct mist_error *error)
{
    struct format_source *source;
    enum mist_status status = open_file(path, &source, error);
    if (status)
        return status;
    struct format_target target = {
        .path = out, .source = &source->info, .info = source->info, .reduce = reduce, .window = window};
    target.gzip = strcmp(kind, "nifti.gz") == 0;
    target.kind = target.gzip ? FORMAT_NIFTI : format_from_name(kind);
    target.source_kind = source->kind;
    target.head = source->head.data;
    target.head_size = source->head.size;
    target.resampled = strcmp(grid, "native") != 0 && strcmp(grid, "head") != 0;
    if (sscanf(grid, "%ux%u", &target.info.width, &target.info.height) == 2) {
        target.sampling =
            sampling_resize(source->info.width, source->info.height, target.info.width, target.info.height);
    } else {
        target.info.width = mist_reduced_size(source->info.width, reduce);
        target.info.height = mist_reduced_size(source->info.height, reduce);
        target.sampling = sampling_reduce(reduce, 0, target.resampled);
    }
    target.info.geometry = sampling_geometry(&target.sampling, &source->info.geometry);
    struct format_archive archive = {0};
    if (keep || (reduce == 0 && strcmp(grid, "native") == 0)) {
        status = source->ops->read_archive(source, 0, &archive, error);
        target.archive = &archive;
    }
    if (!status)
        status = write_frames(source, &target, error);
    format_archive_free(&archive);
    format_close(&source);
    return status;
}

static enum mist_status copy_file(unsigned reduce, const char *grid, const char *out, const char *path,
                                  struct mist_error *error)
{
    enum format_kind kind;
    const struct format_input input = format_input_path(path);
    enum mist_status status = format_detect(&input, &kind, error);
    bool gzip = strlen(out) > 3 && strcmp(out + strlen(out) - 3, ".gz") == 0;
    if (!status && kind == FORMAT_UNKNOWN)
        return format_open(kind, &input, 1, &(struct format_source *){NULL}, error);
    return status ? status : write_file(gzip ? "nifti.gz" : format_name(kind), reduce, grid, true, out, path, error);
}

static enum mist_status write_bytes(const char *out, const char *path, struct mist_error *error)
{
    struct format_source *source;
    struct format_writer *writer = NULL;
    struct format_archive archive = {0};
    struct mist_buffer bytes = {0};
    enum format_stream stream;
    enum mist_status status = open_file(path, &source, error);
    if (status)
        return status;
    status = source->ops->read_archive(source, 0, &archive, error);
    const struct format_target target = {.kind = source->kind,
                                         .path = out,
                                         .info = source->info,
                                         .source = &source->info,
                                         .source_kind = source->kind,
                                         .archive = &archive};
    if (!status)
        status = format_writer_open(&target, &writer, error);
    for (uint32_t i = 0; i < source->info.frames && !status; i++) {
        status = source->ops->codestream(source, i, &bytes, &stream, error);
        if (!status)
            status = format_writer_bytes(writer, bytes.data, bytes.size, error);
    }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    mist_buffer_free(&bytes);
    format_archive_free(&archive);
    format_close(&source);
    return status;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* One way of damaging bytes: cut, flip bits anywhere or in the first 600 bytes, or write extreme values there. */
static void damage(struct mist_buffer *bytes, uint64_t *state)
{
    uint64_t kind = next_random(state) % 4;
    size_t start = bytes->size < 600 ? bytes->size : 600;
    if (kind == 0) {
        bytes->size = next_random(state) % bytes->size;
        return;
    }
    for (uint64_t n = next_random(state) % 4 + 1; n > 0; n--) {
        size_t at = next_random(state) % (kind == 3 ? bytes->size : start);
        if (kind == 2)
            bytes->data[at] = (uint8_t[]){0xff, 0x7f, 0x80, 0x00}[next_random(state) % 4];
        else
            bytes->data[at] ^= (uint8_t)(1u << next_random(state) % 8);
    }
}

/* Makes the checksums of a PNG's chunks right again, so that damage gets past them. */
static void mend_png(struct mist_buffer *bytes)
{
    for (size_t at = 8; at + 12 <= bytes->size;) {
        size_t length = load_be32(bytes->data + at);
        if (length > bytes->size - at - 12)
            return;
        store_be32(bytes->data + at + 8 + length, (uint32_t)crc32(0, bytes->data + at + 4, (uInt)length + 4));
        at += length + 12;
    }
}

static bool said_well(const struct mist_error *error, const char *path)
{
    return error->status != MIST_OK && strstr(error->message, path) && !strchr(error->message, '\n');
}

static int hostile(uint64_t seed, unsigned count, const char *directory, const char *original)
{
    unsigned opened = 0, written = 0;
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    char *path = path_join(directory, "damaged"), *out = path_join(directory, "out");
    enum format_kind kind;
    const struct format_input input = format_input_path(original);
    if (format_detect(&input, &kind, NULL))
        return 2;
    for (unsigned i = 0; i < count; i++) {
        struct mist_buffer bytes = {0};
        struct mist_error error = {0};
        if (file_read(original, (size_t)1 << 30, &bytes, &error))
            return fail(&error);
        const bool png = load_be32(bytes.data) == 0x89504e47u;
        damage(&bytes, &state);
        if (png && i % 2)
            mend_png(&bytes);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0)
            return 2;
        mist_buffer_free(&bytes);
        struct format_source *source = NULL;
        bool fine = open_file(path, &source, &error) == MIST_OK;
        if (!fine && !said_well(&error, path)) {
            printf("damage %u: no good sentence: %s\n", i, error.message);
            return 1;
        }
        opened += fine;
        /* A size that still makes sense may be very large: reading it is the business of the limits. */
        bool small = fine && (uint64_t)source->info.width * source->info.height * source->info.frames < 1u << 24;
        format_close(&source);
        error = (struct mist_error){0};
        if (small &&
            write_file(format_name(kind), i % 3, i % 2 ? "native" : "center", i % 5 == 0, out, path, &error) == MIST_OK)
            written++;
        else if (small && error.message[0] == '\0') {
            printf("damage %u: no sentence from reading or writing\n", i);
            return 1;
        }
    }
    printf("%u damaged: %u opened, %u written\n", count, opened, written);
    memory_free(path);
    memory_free(out);
    return 0;
}

static int starve(const char *kind, unsigned reduce, const char *out, const char *path)
{
    for (uint64_t nth = 1; nth < 1000; nth++) {
        struct mist_error error = {0};
        memory_fail_at(nth);
        enum mist_status status = write_file(kind, reduce, "native", true, out, path, &error);
        memory_fail_at(0);
        if (status == MIST_OK) {
            printf("%u allocations\n", (unsigned)nth - 1);
            return 0;
        }
        if (status != MIST_ERROR_MEMORY)
            return fail(&error);
    }
    return 1;
}

int main(int count, char **arguments)
{
    struct mist_error error = {0};
    const char *command = count > 2 ? arguments[1] : "";
    if (strcmp(command, "detect") == 0)
        return detect(count - 2, arguments + 2);
    if (strcmp(command, "describe") == 0)
        return describe(arguments[2], count > 3 ? arguments[3] : NULL);
    if (strcmp(command, "memory") == 0)
        return memory(arguments[2]);
    if (strcmp(command, "samples") == 0)
        return samples(arguments[2], count > 3 ? arguments[3] : NULL);
    if (strcmp(command, "write") == 0 && count == 7)
        return write_file(arguments[2], (unsigned)atoi(arguments[3]), arguments[4], false, arguments[5], arguments[6],
                          &error)
                   ? fail(&error)
                   : 0;
    if (strcmp(command, "copy") == 0 && count == 6)
        return copy_file((unsigned)atoi(arguments[2]), arguments[3], arguments[4], arguments[5], &error) ? fail(&error)
                                                                                                         : 0;
    if (strcmp(command, "look") == 0)
        return look(arguments[2]);
    if (strcmp(command, "window") == 0 && count == 6 && format_window_parse(arguments[3], &window))
        return write_file(arguments[2], 0, "native", false, arguments[4], arguments[5], &error) ? fail(&error) : 0;
    if (strcmp(command, "bytes") == 0 && count == 4)
        return write_bytes(arguments[2], arguments[3], &error) ? fail(&error) : 0;
    if (strcmp(command, "hostile") == 0 && count == 6)
        return hostile(strtoull(arguments[2], NULL, 10), (unsigned)atoi(arguments[3]), arguments[4], arguments[5]);
    if (strcmp(command, "starve") == 0 && count == 6)
        return starve(arguments[2], (unsigned)atoi(arguments[3]), arguments[4], arguments[5]);
    fprintf(stderr, "format_tool: see the comment at its top\n");
    return 2;
}
