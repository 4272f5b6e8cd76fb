/* SPDX-License-Identifier: BSD-2-Clause */
/* Which format a file has, and the way to the code that reads or writes it. */
#include "format/format.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/ops.h"
#include "format/wrapping.h"
#include "image/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of formats that are known by name only. */
const struct format_ops format_ops_none = {0};

#define FORMAT(kind, operations, ...) [FORMAT_##kind] = &format_ops_##operations,
static const struct format_ops *const all_ops[FORMAT_KINDS] = {
    [FORMAT_UNKNOWN] = &format_ops_none,
#include "kind/formats.def"
};
#undef FORMAT

static const struct format_ops *ops_of(enum format_kind kind)
{
    return all_ops[format_of(kind) ? kind : FORMAT_UNKNOWN];
}

enum { DETECT_BYTES = 1024 };

/* The first bytes of a regular file. */
static enum mist_status read_start(const char *path, uint8_t bytes[DETECT_BYTES], size_t *size,
                                   struct mist_error *error)
{
    *size = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, errno, "%s", path);
    struct stat about;
    enum mist_status status = MIST_OK;
    if (fstat(descriptor, &about) != 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (!S_ISREG(about.st_mode))
        status = error_set(error, MIST_ERROR_IO, "%s: not a regular file", path);
    while (!status && *size < DETECT_BYTES) {
        ssize_t got = read(descriptor, bytes + *size, DETECT_BYTES - *size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = error_set_errno(error, errno, "%s", path);
        if (got <= 0)
            break;
        *size += (size_t)got;
    }
    close(descriptor);
    return status;
}

/* The first bytes of an input. */
static enum mist_status input_start(const struct format_input *input, uint8_t bytes[DETECT_BYTES], size_t *size,
                                    struct mist_error *error)
{
    if (!input->data)
        return read_start(input->path, bytes, size, error);
    *size = input->size < DETECT_BYTES ? input->size : DETECT_BYTES;
    memcpy(bytes, input->data, *size);
    return MIST_OK;
}

enum mist_status format_detect(const struct format_input *input, enum format_kind *kind, struct mist_error *error)
{
    uint8_t bytes[DETECT_BYTES];
    size_t size;
    *kind = FORMAT_UNKNOWN;
    enum mist_status status = input_start(input, bytes, &size, error);
    if (status)
        return status;
    const enum format_wrapping wrapping = wrapping_detect(bytes, size);
    if (wrapping)
        wrapping_start(input, wrapping, bytes, sizeof bytes, &size);
    for (enum format_kind i = FORMAT_UNKNOWN + 1; i < FORMAT_KINDS && *kind == FORMAT_UNKNOWN; i++)
        if (all_ops[i]->detect && (!wrapping || format_of(i)->dataset) && all_ops[i]->detect(bytes, size))
            *kind = i;
    return MIST_OK;
}

/* ---- wrapped files ---- */

/* Unpacks an input that is wrapped: `inside` is then what the format is to read; else it is the input. */
static enum mist_status unpack(enum format_kind kind, const struct format_input *input, struct file_map *map,
                               struct format_input *inside, struct mist_error *error)
{
    uint8_t bytes[DETECT_BYTES];
    size_t size;
    *inside = *input;
    *map = (struct file_map){0};
    enum mist_status status = input_start(input, bytes, &size, error);
    const enum format_wrapping wrapping = status ? WRAPPING_NONE : wrapping_detect(bytes, size);
    if (!wrapping || (wrapping == WRAPPING_GZIP && format_of(kind) && format_of(kind)->gzip_inside))
        return status;
    status = wrapping_open(input, wrapping, map, error);
    inside->data = map->data;
    inside->size = map->size;
    return status;
}

static void free_unpacked(struct file_map *maps, uint32_t count)
{
    for (uint32_t i = 0; maps && i < count; i++)
        if (maps[i].data)
            file_map_close(&maps[i]);
    memory_free(maps);
}

bool format_is_unpacked(const struct format_source *source, uint32_t input)
{
    return source->unpacked && source->unpacked[input].data;
}

bool format_content(const struct format_source *source, uint32_t file, const uint8_t **data, size_t *size)
{
    if (source->ops->content && source->ops->content(source, file, data, size))
        return true;
    const uint32_t input = source->file_order[file];
    if (!format_is_unpacked(source, input))
        return false;
    *data = source->unpacked[input].data;
    *size = source->unpacked[input].size;
    return true;
}

void format_group_pair(struct format_group *group, const char *name)
{
    const size_t length = strlen(name);
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    bool below = length > 0 && length < sizeof group->partner && name[0] != '/' && name[strlen(name) - 1] != '/';
    for (const char *part = name; below && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        below = strncmp(part, "../", 3) != 0 && strcmp(part, "..") != 0;
    if (below)
        snprintf(group->partner, sizeof group->partner, "%s", name);
}

enum mist_status format_look(enum format_kind kind, const struct format_input *input, struct format_group *group,
                             struct mist_error *error)
{
    struct file_map map = {0};
    struct format_input inside;
    *group = (struct format_group){0};
    if (!ops_of(kind)->look)
        return MIST_OK;
    enum mist_status status = unpack(kind, input, &map, &inside, error);
    if (!status)
        status = ops_of(kind)->look(&inside, group, error);
    if (map.data) {
        group->partner[0] = '\0'; /* the files of a pair lie side by side unpacked, or are none */
        file_map_close(&map);
    }
    return status;
}

void format_appearance_read(enum format_kind kind, const uint8_t *head, size_t size,
                            struct format_appearance *appearance)
{
    *appearance = (struct format_appearance){0};
    if (ops_of(kind)->appearance && head)
        ops_of(kind)->appearance(head, size, appearance);
}

/* ---- sources ---- */

bool format_source_init(struct format_source *source, const struct format_source_ops *ops, enum format_kind kind,
                        uint32_t files)
{
    *source = (struct format_source){.ops = ops, .kind = kind, .files = files};
    source->file_order = memory_allocate_zeroed(files, sizeof *source->file_order);
    source->file_frames = memory_allocate_zeroed(files, sizeof *source->file_frames);
    return source->file_order && source->file_frames;
}

void format_source_clear(struct format_source *source)
{
    memory_free(source->file_order);
    memory_free(source->file_frames);
    mist_buffer_free(&source->head);
}

/* What a format need not say: all frames are slices of one volume, and axes are in the order of the file. */
static void complete_info(struct mist_image_info *info)
{
    if (info->slices == 0)
        info->slices = info->frames;
    if (info->axes[0] == info->axes[1])
        for (uint8_t axis = 0; axis < 3; axis++)
            info->axes[axis] = axis;
}

enum mist_status format_open(enum format_kind kind, const struct format_input *inputs, uint32_t count,
                             struct format_source **source, struct mist_error *error)
{
    *source = NULL;
    if (count == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "no image file was given");
    if (!ops_of(kind)->open)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: not in a format that can be read", input_name(inputs));
    if (count > 1 && !format_of(kind)->grouped && !(count == 2 && format_of(kind)->paired))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: an image of format '%s' is one file", input_name(inputs),
                         format_name(kind));
    struct file_map *maps = memory_allocate_zeroed(count, sizeof *maps);
    struct format_input *inside = memory_allocate_zeroed(count, sizeof *inside);
    enum mist_status status =
        maps && inside ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    bool any = false;
    const bool pair = count > 1 && !format_of(kind)->grouped; /* its header says how the samples' file is packed */
    for (uint32_t i = 0; i < count && !status; i++) {
        inside[i] = inputs[i];
        if (pair)
            continue;
        status = unpack(kind, &inputs[i], &maps[i], &inside[i], error);
        any |= maps[i].data != NULL;
    }
    if (!status)
        status = ops_of(kind)->open(inside, count, source, error);
    memory_free(inside);
    if (status || !any) {
        free_unpacked(maps, count);
        maps = NULL;
    }
    if (status)
        return status;
    (*source)->unpacked = maps;
    (*source)->inputs = count;
    complete_info(&(*source)->info);
    return MIST_OK;
}

void format_close(struct format_source **source)
{
    if (source && *source) {
        struct file_map *unpacked = (*source)->unpacked;
        const uint32_t inputs = (*source)->inputs;
        (*source)->ops->close(*source);
        free_unpacked(unpacked, inputs);
        *source = NULL;
    }
}

static bool same_bytes(const struct mist_buffer *a, const struct mist_buffer *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

enum mist_status format_same_metadata(struct format_source *source, struct format_source *other,
                                      char difference[FORMAT_DIFFERENCE_SIZE], struct mist_error *error)
{
    struct format_archive one = {0}, another = {0};
    *difference = '\0';
    if (source->ops->same_metadata)
        return source->ops->same_metadata(source, other, difference, error);
    enum mist_status status = source->ops->read_archive(source, 0, &one, error);
    if (!status)
        status = other->ops->read_archive(other, 0, &another, error);
    if (!status && !(same_bytes(&one.prefix, &another.prefix) && same_bytes(&one.suffix, &another.suffix)))
        snprintf(difference, FORMAT_DIFFERENCE_SIZE, "its metadata differs");
    format_archive_free(&one);
    format_archive_free(&another);
    return status;
}

enum mist_status format_writer_open(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error)
{
    *writer = NULL;
    const struct mist_image_info *info = &target->info;
    if (!ops_of(target->kind)->writer_open) {
        const char *name = format_name(target->kind);
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: files of format '%s' cannot be written", target->path,
                         name ? name : "unknown");
    }
    /* A header without samples is the first file of a pair. */
    const bool header_only = format_of(target->kind)->paired && target->head && target->file == 0;
    if (mist_frame_bytes(info->type, info->width, info->height, info->components) == 0 ||
        (info->frames == 0 && !header_only) || info->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u frames of %u x %u x %u samples cannot be written",
                         target->path, info->frames, info->width, info->height, info->components);
    struct format_target sampled = *target;
    for (unsigned axis = 0; axis < 3; axis++)
        if (!(sampled.sampling.factor[axis] > 0))
            sampled.sampling.factor[axis] = 1;
    return sampled.wrapping ? wrapping_writer_open(&sampled, writer, error)
                            : ops_of(target->kind)->writer_open(&sampled, writer, error);
}

enum mist_status format_writer_frame(struct format_writer *writer, const struct mist_view *frame,
                                     struct mist_error *error)
{
    if (!writer->ops->frame)
        return error_set(error, MIST_ERROR_ARGUMENT, "samples were given where a codestream is written");
    return writer->ops->frame(writer, frame, error);
}

enum mist_status format_writer_bytes(struct format_writer *writer, const uint8_t *bytes, size_t size,
                                     struct mist_error *error)
{
    if (!writer->ops->bytes)
        return error_set(error, MIST_ERROR_ARGUMENT, "a codestream was given where samples are written");
    return writer->ops->bytes(writer, bytes, size, error);
}

enum mist_status format_writer_finish(struct format_writer **writer, struct mist_error *error)
{
    enum mist_status status = (*writer)->ops->finish(*writer, error);
    format_writer_cancel(writer);
    return status;
}

void format_writer_cancel(struct format_writer **writer)
{
    if (writer && *writer) {
        (*writer)->ops->free(*writer);
        *writer = NULL;
    }
}

/* ---- restoring ---- */

/* Of formats whose archives say all there is to know. */
struct plain_restorer {
    struct format_restorer base;
    struct copy_packing packing;
};

static enum mist_status plain_frame(struct format_restorer *base, const struct mist_view *frame,
                                    struct mist_buffer *out, struct mist_error *error)
{
    const struct plain_restorer *restorer = (const struct plain_restorer *)base;
    size_t bytes = mist_frame_bytes(frame->type, frame->width, frame->height, frame->components);
    if (!buffer_reserve(out, out->size + bytes))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a frame");
    copy_pack(frame, restorer->packing, out->data + out->size);
    out->size += bytes;
    return MIST_OK;
}

static void plain_free(struct format_restorer *restorer)
{
    memory_free(restorer);
}

enum mist_status format_restorer_open(enum format_kind kind, const struct format_archive *archive,
                                      const struct mist_image_info *info, struct format_restorer **restorer,
                                      struct mist_error *error)
{
    static const struct format_restorer_ops ops = {plain_frame, NULL, plain_free};
    *restorer = NULL;
    if (ops_of(kind)->restorer_open)
        return ops_of(kind)->restorer_open(archive, info, restorer, error);
    struct plain_restorer *plain = memory_allocate(sizeof *plain);
    if (!plain)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a frame");
    *plain = (struct plain_restorer){{&ops}, {archive->big_endian, archive->planar}};
    *restorer = &plain->base;
    return MIST_OK;
}

enum mist_status format_restorer_frame(struct format_restorer *restorer, const struct mist_view *frame,
                                       struct mist_buffer *out, struct mist_error *error)
{
    return restorer->ops->frame(restorer, frame, out, error);
}

enum mist_status format_restorer_bytes(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                                       struct mist_buffer *out, struct mist_error *error)
{
    if (!restorer->ops->bytes)
        return error_set(error, MIST_ERROR_ARGUMENT, "files of this format are not made of codestreams");
    return restorer->ops->bytes(restorer, codestream, size, out, error);
}

void format_restorer_free(struct format_restorer **restorer)
{
    if (restorer && *restorer)
        (*restorer)->ops->free(*restorer);
    if (restorer)
        *restorer = NULL;
}

enum mist_status format_target_file(const struct format_target *target, struct file_writer *file,
                                    struct mist_error *error)
{
    enum mist_status status = file_writer_open(target->path, file, error);
    file->unsynced = !status && target->unsynced;
    return status;
}
