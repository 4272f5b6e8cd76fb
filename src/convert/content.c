/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/content.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

/* More of the file put together again. */
static void take_again(void *context, const uint8_t *bytes, size_t size)
{
    struct content *content = context;
    checksum_add(content->again, bytes, size);
    content->again_size += size;
}

enum mist_status content_start(struct content *content, struct format_source *source, uint32_t file, const char *path,
                               bool kept, struct mist_error *error)
{
    content_free(content);
    *content = (struct content){.source = source,
                                .file = file,
                                .path = path,
                                .kept = kept,
                                .samples = checksum_start(),
                                .again = checksum_start()};
    if (!content->samples || !content->again)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    enum mist_status status = source->ops->read_archive(source, file, &content->record.archive, error);
    if (status)
        return status;
    /* A kept file of a format that is nothing but a codestream is that codestream. */
    const struct mist_buffer *prefix = &content->record.archive.prefix;
    bool bare = kept && format_of(source->kind)->bare_codestream;
    if (!bare)
        take_again(content, prefix->data, prefix->size);
    if ((!content->record.archive.raw && !kept) || bare)
        return MIST_OK;
    status = format_restorer_open(source->kind, &content->record.archive, &source->info, &content->restorer, error);
    if (status || !turn_is_needed(&source->info))
        return status;
    const struct turn_sink sink = {take_again, content};
    return turner_new(&source->info, NULL, &sink, &content->turner, error);
}

enum mist_status content_frame(struct content *content, const struct mist_view *frame, struct mist_error *error)
{
    const struct format_archive *archive = &content->record.archive;
    size_t bytes = mist_frame_bytes(frame->type, frame->width, frame->height, frame->components);
    checksum_add(content->samples, frame->data, bytes);
    if (!archive->raw || content->kept)
        return MIST_OK;
    content->packed.size = 0;
    enum mist_status status = format_restorer_frame(content->restorer, frame, &content->packed, error);
    if (status)
        return error_prefix(error, status, "%s", content->path);
    if (content->turner)
        return turner_plane(content->turner, content->packed.data, error);
    take_again(content, content->packed.data, content->packed.size);
    return MIST_OK;
}

enum mist_status content_kept(struct content *content, const struct mist_buffer *bytes,
                              const struct mist_buffer *rebuild, struct mist_error *error)
{
    uint8_t size[10];
    struct mist_buffer *all = &content->record.rebuild;
    if (!buffer_append(all, size, store_varint(size, rebuild->size)) ||
        !buffer_append(all, rebuild->data, rebuild->size))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", content->path);
    const struct mist_buffer *put = bytes;
    enum mist_status status = MIST_OK;
    if (content->restorer) {
        content->packed.size = 0;
        status = format_restorer_bytes(content->restorer, bytes->data, bytes->size, &content->packed, error);
        put = &content->packed;
    }
    if (!status)
        take_again(content, put->data, put->size);
    return status;
}

/* Size and checksum of the file's content. */
static enum mist_status measure(struct content *content, struct mist_error *error)
{
    struct tail_record *record = &content->record;
    const uint8_t *data;
    size_t size;
    if (format_content(content->source, content->file, &data, &size)) {
        record->content_size = size;
        record->content_checksum = checksum(data, size);
        return MIST_OK;
    }
    struct file_map map;
    enum mist_status status = file_map_open(content->path, &map, error);
    if (status)
        return status;
    record->content_size = map.size;
    record->content_checksum = checksum(map.data, map.size);
    file_map_close(&map);
    return MIST_OK;
}

enum mist_status content_finish(struct content *content, struct mist_error *error)
{
    struct tail_record *record = &content->record;
    record->samples_checksum = checksum_value(content->samples);
    enum mist_status status = measure(content, error);
    if (status || (!record->archive.raw && !content->kept))
        return status;
    if (!content->kept || content->restorer)
        take_again(content, record->archive.suffix.data, record->archive.suffix.size);
    if (content->again_size != record->content_size || checksum_value(content->again) != record->content_checksum)
        return error_set(error, MIST_ERROR_CORRUPT,
                         "%s: could not be put together again from its samples and header as it was", content->path);
    return MIST_OK;
}

void content_free(struct content *content)
{
    format_restorer_free(&content->restorer);
    turner_free(&content->turner);
    format_archive_free(&content->record.archive);
    mist_buffer_free(&content->record.rebuild);
    checksum_free(content->samples);
    checksum_free(content->again);
    mist_buffer_free(&content->packed);
    *content = (struct content){0};
}
