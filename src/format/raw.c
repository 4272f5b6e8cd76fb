/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/raw.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/copy.h"

struct raw_source {
    struct format_source base;
    struct format_input input;
    struct file_map map;
    struct raw_layout layout;
    size_t frame_bytes;
};

static enum mist_status raw_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                       struct mist_error *error)
{
    const struct raw_source *source = (const struct raw_source *)base;
    if (frame >= base->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no frame %u", source->input.name, frame);
    copy_unpack(source->map.data + source->layout.offset + source->frame_bytes * frame,
                (struct copy_packing){.big_endian = source->layout.big_endian}, out);
    return MIST_OK;
}

static enum mist_status raw_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                         struct mist_error *error)
{
    const struct raw_source *source = (const struct raw_source *)base;
    const size_t behind = source->layout.offset + source->frame_bytes * base->info.frames;
    (void)file;
    *archive = (struct format_archive){.raw = true, .big_endian = source->layout.big_endian};
    return format_archive_around(archive, base->head.data, base->head.size, source->map.data + behind,
                                 source->map.size - behind, source->input.name, error);
}

static void raw_close(struct format_source *base)
{
    struct raw_source *source = (struct raw_source *)base;
    input_unmap(&source->input, &source->map);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

/* Whether the file holds what its head says. */
static enum mist_status check(struct raw_source *source, struct mist_error *error)
{
    const struct mist_image_info *info = &source->layout.info;
    const size_t size = source->map.size, offset = source->layout.offset;
    source->frame_bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (!source->frame_bytes || !info->frames || info->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%u frames of %u x %u x %u samples are beyond the limits",
                         info->frames, info->width, info->height, info->components);
    if (offset > RAW_MAX_HEAD)
        return error_set(error, MIST_ERROR_LIMIT, "a head of %zu bytes is beyond the limits", offset);
    if (offset > size || (size - offset) / source->frame_bytes < info->frames)
        return error_set(error, MIST_ERROR_TRUNCATED, "the file ends before the samples do");
    if (size - offset - source->frame_bytes * info->frames > RAW_MAX_SUFFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%zu bytes behind the samples",
                         size - offset - source->frame_bytes * info->frames);
    return MIST_OK;
}

enum mist_status raw_open(const struct format_input *input, enum format_kind kind,
                          enum mist_status (*parse)(const uint8_t *data, size_t size, struct raw_layout *layout,
                                                    struct mist_error *error),
                          struct format_source **result, struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = raw_read_frame, .read_archive = raw_read_archive, .close = raw_close};
    struct raw_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(input));
    enum mist_status status = MIST_OK;
    bool good = format_source_init(&source->base, &ops, kind, 1) && input_copy(input, &source->input);
    if (!good)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(input));
    if (!status)
        status = input_map(&source->input, &source->map, error);
    if (!status) {
        status = parse(source->map.data, source->map.size, &source->layout, error);
        if (!status)
            status = check(source, error);
        if (!status && !buffer_append(&source->base.head, source->map.data, source->layout.offset))
            status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
        if (status)
            error_prefix(error, status, "%s", input_name(input));
    }
    if (status) {
        raw_close(&source->base);
        return status;
    }
    source->base.info = source->layout.info;
    source->base.file_frames[0] = source->layout.info.frames;
    *result = &source->base;
    return MIST_OK;
}
