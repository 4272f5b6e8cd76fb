/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives the DICOM format for test_dicom.py:
 *   dicom_tool group FILE...                     one line per file: series UID, key; or "! status: message"
 *   dicom_tool detect FILE...                    what format_detect() says: "dicom" or "other"
 *   dicom_tool describe FILE...                  what a series is, as JSON
 *   dicom_tool write REDUCE native|keep|center|WxH DIRECTORY FILE...
 *       writes each file of a series at another size; its samples are samples of the original: (x << r, y << r), or for
 *       WxH the one at the same fraction, so that the reader knows what to expect
 *   dicom_tool samples OUT FILE...               what a series is, as JSON, and the samples of all frames, interleaved,
 * to OUT dicom_tool streams DIRECTORY FILE            writes the file again from its codestreams dicom_tool frames FILE
 * what the file says of each frame, one JSON object a line dicom_tool hostile SEED COUNT DIRECTORY FILE damages a file
 * in COUNT ways; prints how often opening it succeeded dicom_tool starve REDUCE DIRECTORY FILE...   as write, with the
 * 1st, 2nd ... allocation failing until none does
 */
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_reading.h"
#include "format/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct mist_error *error)
{
    printf("! %s: %s\n", mist_status_name(error->status), error->message);
    return 1;
}

static int group(int count, char **paths)
{
    int result = 0;
    for (int i = 0; i < count; i++) {
        struct format_group found;
        struct mist_error error = {0};
        const struct format_input input = format_input_path(paths[i]);
        if (format_look(FORMAT_DICOM, &input, &found, &error))
            result = fail(&error);
        else
            printf("%s %s\n", found.series, found.key);
    }
    return result;
}

static enum mist_status open_series(char **paths, int count, struct format_source **source, struct mist_error *error)
{
    struct format_input *inputs = calloc((size_t)count, sizeof *inputs);
    for (int i = 0; inputs && i < count; i++)
        inputs[i] = format_input_path(paths[i]);
    enum mist_status status = format_open(FORMAT_DICOM, inputs, (uint32_t)count, source, error);
    free(inputs);
    return status;
}

static const char *const colors[] = {"grey", "grey-inverted", "palette", "rgb", "ybr", "ybr-partial", "other"};
static const char *const streams[] = {"none", "jpeg",  "jpeg-12", "jpeg-lossless", "jpeg-ls",
                                      "j2k",  "htj2k", "rle",     "deflate",       "wrapped"};

static void describe_more(const struct format_source *source)
{
    printf("], \"color\": \"%s\", \"stream\": \"%s\", \"lossy\": %s, \"warning\": \"%s\", \"holes\": [",
           colors[source->color], streams[source->stream], source->stream_lossy ? "true" : "false", source->warning);
    for (uint32_t i = 0; i < source->hole_count; i++)
        printf("%s[%.17g, %.17g]", i ? ", " : "", source->hole[i].low, source->hole[i].high);
    printf("]}\n");
}

static int describe_source(const struct format_source *source);

static int describe(int count, char **paths)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (open_series(paths, count, &source, &error))
        return fail(&error);
    describe_source(source);
    format_close(&source);
    return 0;
}

static int describe_source(const struct format_source *source)
{
    const struct mist_image_info *info = &source->info;
    printf("{\"type\": \"%s\", \"precision\": %u, \"width\": %u, \"height\": %u, \"components\": %u, \"frames\": %u, "
           "\"label\": %s, \"spacing\": [%.9g, %.9g, %.9g], \"affine\": ",
           mist_sample_name(info->type), info->precision, info->width, info->height, info->components, info->frames,
           info->label ? "true" : "false", info->geometry.spacing[0], info->geometry.spacing[1],
           info->geometry.spacing[2]);
    for (int i = 0; i < 16 && info->geometry.has_affine; i++)
        printf("%s%.9g", i ? ", " : "[", info->geometry.affine[i / 4][i % 4]);
    printf("%s, \"order\": [", info->geometry.has_affine ? "]" : "null");
    for (uint32_t i = 0; i < source->files; i++)
        printf("%s%u", i ? ", " : "", source->file_order[i]);
    describe_more(source);
    return 0;
}

static int samples(const char *out, int count, char **paths)
{
    struct format_source *source;
    struct mist_error error = {0};
    if (open_series(paths, count, &source, &error))
        return fail(&error);
    const struct mist_image_info *info = &source->info;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    struct mist_view view =
        mist_view_interleaved(malloc(bytes), info->type, info->width, info->height, info->components);
    FILE *file = fopen(out, "wb");
    int result = file && view.data ? 0 : 2;
    for (uint32_t i = 0; i < info->frames && !result; i++) {
        if (source->ops->read_frame(source, i, &view, &error))
            result = fail(&error);
        else if (fwrite(view.data, 1, bytes, file) != bytes)
            result = 2;
    }
    if (!result)
        describe_source(source);
    if (file)
        fclose(file);
    free(view.data);
    format_close(&source);
    return result;
}

/* The original of one file, from its codestreams. */
static int write_streams(const char *directory, char *path)
{
    struct format_source *source;
    struct format_archive archive = {0};
    struct format_writer *writer = NULL;
    struct mist_buffer bytes = {0};
    struct mist_error error = {0};
    if (open_series(&path, 1, &source, &error))
        return fail(&error);
    const char *slash = strrchr(path, '/');
    char *out = path_join(directory, slash ? slash + 1 : path);
    struct format_target target = {.kind = FORMAT_DICOM, .source_kind = FORMAT_DICOM, .path = out};
    target.source = &source->info;
    target.info = source->info;
    target.archive = &archive;
    enum mist_status status = source->ops->read_archive(source, 0, &archive, &error);
    if (!status)
        status = format_writer_open(&target, &writer, &error);
    for (uint32_t i = 0; i < source->info.frames && !status; i++) {
        enum format_stream stream;
        status = source->ops->codestream(source, i, &bytes, &stream, &error);
        if (!status)
            status = format_writer_bytes(writer, bytes.data, bytes.size, &error);
    }
    if (!status)
        status = format_writer_finish(&writer, &error);
    format_writer_cancel(&writer);
    format_archive_free(&archive);
    mist_buffer_free(&bytes);
    memory_free(out);
    format_close(&source);
    return status ? fail(&error) : 0;
}

static void put_real(const char *name, double value)
{
    if (value == value)
        printf(", \"%s\": %.12g", name, value);
    else
        printf(", \"%s\": null", name);
}

static int frames(char *path)
{
    const struct format_input input = format_input_path(path);
    struct dicom_bytes bytes;
    struct dicom_layout layout;
    struct dicom_reading reading = {0};
    struct dicom_header header;
    struct dicom_frames said = {0};
    struct mist_error error = {0};
    enum mist_status status = dicom_bytes_open(&input, &bytes, &layout, &error);
    if (!status)
        status = dicom_reading_open(&bytes, &layout, &reading, &header, &said, &error);
    for (uint32_t i = 0; i < said.count && !status; i++) {
        const struct dicom_frame_info *info = &said.info[i];
        printf("{\"frame\": %u, \"slope\": %.12g, \"intercept\": %.12g, \"units\": \"%s\", \"position\": ", i,
               info->slope, info->intercept, info->units);
        if (info->has_position)
            printf("[%.9g, %.9g, %.9g]", info->position[0], info->position[1], info->position[2]);
        else
            printf("null");
        put_real("spacing", info->spacing[0]);
        put_real("thickness", info->slice_thickness);
        put_real("acquisition_time", info->acquisition_time);
        put_real("echo_time", info->echo_time);
        printf(", \"instance\": %d, \"in_stack\": %d, \"dimensions\": %u}\n", info->instance, info->in_stack_position,
               info->dimensions);
    }
    dicom_reading_close(&reading);
    dicom_frames_free(&said);
    dicom_bytes_close(&input, &bytes);
    return status ? fail(&error) : 0;
}

/* Every so many samples of `full`, into `small`. */
static void sample(const struct mist_view *full, const struct format_target *target, struct mist_view *small)
{
    size_t size = mist_sample_size(full->type);
    bool native = small->width == mist_reduced_size(full->width, target->reduce) &&
                  small->height == mist_reduced_size(full->height, target->reduce);
    for (uint32_t y = 0; y < small->height; y++)
        for (uint32_t x = 0; x < small->width; x++)
            for (uint32_t c = 0; c < small->components; c++) {
                uint32_t from_x = native ? x << target->reduce : x * full->width / small->width;
                uint32_t from_y = native ? y << target->reduce : y * full->height / small->height;
                memcpy((char *)small->data + y * small->row_stride + x * small->column_stride +
                           c * small->component_stride,
                       (char *)full->data + from_y * full->row_stride + from_x * full->column_stride +
                           c * full->component_stride,
                       size);
            }
}

static enum mist_status write_file(struct format_source *source, struct format_target *target, struct mist_error *error)
{
    const struct mist_image_info *from = &source->info, *to = &target->info;
    struct format_archive archive = {0};
    struct format_writer *writer = NULL;
    struct mist_view full =
        mist_view_interleaved(malloc(mist_frame_bytes(from->type, from->width, from->height, from->components)),
                              from->type, from->width, from->height, from->components);
    struct mist_view small =
        mist_view_interleaved(malloc(mist_frame_bytes(to->type, to->width, to->height, to->components)), to->type,
                              to->width, to->height, to->components);
    enum mist_status status = source->ops->read_archive(source, target->file, &archive, error);
    target->archive = &archive;
    if (!status)
        status = format_writer_open(target, &writer, error);
    for (uint32_t i = 0; i < to->frames && !status; i++) {
        status = source->ops->read_frame(source, target->first_frame + i, &full, error);
        if (!status) {
            sample(&full, target, &small);
            status = format_writer_frame(writer, &small, error);
        }
    }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    format_archive_free(&archive);
    free(full.data);
    free(small.data);
    return status;
}

static enum mist_status write_all(unsigned reduce, const char *grid, const char *directory, char **paths, int count,
                                  struct mist_error *error)
{
    struct format_source *source;
    enum mist_status status = open_series(paths, count, &source, error);
    if (status)
        return status;
    struct format_target target = {.kind = FORMAT_DICOM, .source_kind = FORMAT_DICOM, .reduce = reduce};
    target.source = &source->info;
    target.info = source->info;
    target.keep_uids = strcmp(grid, "keep") == 0; /* native, under the identifiers of the original */
    target.resampled = strcmp(grid, "native") != 0 && !target.keep_uids;
    if (sscanf(grid, "%ux%u", &target.info.width, &target.info.height) == 2) {
        target.sampling =
            sampling_resize(source->info.width, source->info.height, target.info.width, target.info.height);
    } else {
        target.info.width = mist_reduced_size(source->info.width, reduce);
        target.info.height = mist_reduced_size(source->info.height, reduce);
        target.sampling = sampling_reduce(reduce, 0, target.resampled);
    }
    target.info.geometry = sampling_geometry(&target.sampling, &source->info.geometry);
    for (uint32_t i = 0; i < source->files && !status; i++) {
        const char *path = paths[source->file_order[i]], *slash = strrchr(path, '/');
        char out[4096];
        snprintf(out, sizeof out, "%s/%s", directory, slash ? slash + 1 : path);
        target.path = out;
        target.file = i;
        target.info.frames = source->file_frames[i];
        status = write_file(source, &target, error);
        target.first_frame += source->file_frames[i];
    }
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

/* One way of damaging bytes: cut, flip bits, or write a large length somewhere in the header. */
static void damage(struct mist_buffer *bytes, uint64_t *state)
{
    uint64_t kind = next_random(state) % 4;
    size_t header = bytes->size < 2048 ? bytes->size : 2048;
    if (kind == 0)
        bytes->size = next_random(state) % bytes->size;
    for (uint64_t n = kind ? next_random(state) % 8 + 1 : 0; n > 0; n--) {
        size_t at = next_random(state) % (kind == 3 ? bytes->size : header);
        if (kind == 1)
            bytes->data[at] ^= (uint8_t)(1u << next_random(state) % 8);
        else
            bytes->data[at] = next_random(state) % 2 ? 0xff : (uint8_t)next_random(state);
    }
}

static int hostile(uint64_t seed, unsigned count, const char *directory, char *original)
{
    unsigned opened = 0, written = 0;
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    char *path = path_join(directory, "damaged.dcm"), *out = path_join(directory, "out");
    for (unsigned i = 0; i < count; i++) {
        struct mist_buffer bytes = {0};
        struct mist_error error = {0};
        struct format_group found;
        if (file_read(original, (size_t)1 << 30, &bytes, &error))
            return fail(&error);
        damage(&bytes, &state);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0)
            return 2;
        dicom_layout_detect(bytes.data, bytes.size < 1024 ? bytes.size : 1024);
        mist_buffer_free(&bytes);
        const struct format_input input = format_input_path(path);
        bool fine = format_look(FORMAT_DICOM, &input, &found, &error) == MIST_OK;
        if (!fine && (error.message[0] == '\0' || error.status == MIST_OK || strchr(error.message, '\n'))) {
            printf("damage %u: no sentence\n", i);
            return 1;
        }
        opened += fine;
        error = (struct mist_error){0};
        fine = write_all((unsigned)(i % 3), i % 2 ? "native" : "center", out, &path, 1, &error) == MIST_OK;
        if (!fine && error.message[0] == '\0') {
            printf("damage %u: no sentence from the writer\n", i);
            return 1;
        }
        written += fine;
    }
    printf("%u damaged: %u opened, %u written\n", count, opened, written);
    memory_free(path);
    memory_free(out);
    return 0;
}

static int detect(int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        enum format_kind kind;
        struct mist_error error = {0};
        const struct format_input input = format_input_path(paths[i]);
        if (format_detect(&input, &kind, &error))
            return fail(&error);
        printf("%s\n", kind == FORMAT_DICOM ? "dicom" : "other");
    }
    return 0;
}

static int starve(unsigned reduce, const char *directory, char **paths, int count)
{
    for (uint64_t nth = 1; nth < 1000; nth++) {
        struct mist_error error = {0};
        memory_fail_at(nth);
        enum mist_status status = write_all(reduce, "native", directory, paths, count, &error);
        memory_fail_at(0);
        if (status == MIST_OK) {
            printf("%llu allocations failed\n", (unsigned long long)nth - 1);
            return 0;
        }
        if (status != MIST_ERROR_MEMORY || error.status != status || !*error.message) {
            printf("allocation %llu: ", (unsigned long long)nth);
            return fail(&error);
        }
    }
    return 1;
}

int main(int count, char **words)
{
    struct mist_error error = {0};
    if (count > 2 && strcmp(words[1], "group") == 0)
        return group(count - 2, words + 2);
    if (count > 2 && strcmp(words[1], "detect") == 0)
        return detect(count - 2, words + 2);
    if (count > 4 && strcmp(words[1], "starve") == 0)
        return starve((unsigned)atoi(words[2]), words[3], words + 4, count - 4);
    if (count > 2 && strcmp(words[1], "describe") == 0)
        return describe(count - 2, words + 2);
    if (count > 5 && strcmp(words[1], "write") == 0)
        return write_all((unsigned)atoi(words[2]), words[3], words[4], words + 5, count - 5, &error) ? fail(&error) : 0;
    if (count > 3 && strcmp(words[1], "samples") == 0)
        return samples(words[2], count - 3, words + 3);
    if (count == 4 && strcmp(words[1], "streams") == 0)
        return write_streams(words[2], words[3]);
    if (count == 3 && strcmp(words[1], "frames") == 0)
        return frames(words[2]);
    if (count == 6 && strcmp(words[1], "hostile") == 0)
        return hostile(strtoull(words[2], NULL, 10), (unsigned)atoi(words[3]), words[4], words[5]);
    fprintf(stderr, "usage: see the top of dicom_tool.c\n");
    return 2;
}
