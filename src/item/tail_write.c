/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "item/compress.h"
#include "item/tail.h"

#include <string.h>

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the archival tail: out of memory");
}

static enum mist_status close_group(struct tail_writer *writer, struct mist_error *error)
{
    if (writer->group_files == 0)
        return MIST_OK;
    struct manifest *manifest = writer->manifest;
    enum mist_status status = pack_bytes(&writer->group, &writer->compressed, error);
    if (status)
        return status;
    if (writer->group.size > TAIL_MAX_GROUP)
        return error_set(error, MIST_ERROR_LIMIT, "the archival tail: a group of %zu bytes", writer->group.size);
    struct manifest_group *grown =
        memory_resize(manifest->group, manifest->groups + (size_t)1, sizeof *manifest->group);
    if (!grown)
        return out_of_memory(error);
    manifest->group = grown;
    manifest->group[manifest->groups++] =
        (struct manifest_group){writer->group_files, (uint32_t)writer->group.size, (uint32_t)writer->compressed.size};
    writer->group.size = 0;
    writer->group_files = 0;
    return spool_append(writer->out, writer->compressed.data, writer->compressed.size, error);
}

/* The fixed part of a record and its sizes. */
static bool append_fields(struct tail_writer *writer, const struct tail_record *record, bool shared)
{
    const struct format_archive *archive = &record->archive;
    uint8_t bytes[TAIL_RECORD_FIXED + 50];
    bytes[0] = (uint8_t)((archive->raw ? TAIL_RAW : 0) | (archive->big_endian ? TAIL_BIG_ENDIAN : 0) |
                         (archive->planar ? TAIL_PLANAR : 0) | (shared ? TAIL_PREFIX_IS_HEAD : 0) |
                         (archive->extra.size ? TAIL_EXTRA : 0) | (record->rebuild.size ? TAIL_REBUILD : 0));
    store_le64(bytes + 1, record->content_checksum);
    store_le64(bytes + 9, record->samples_checksum);
    size_t size = TAIL_RECORD_FIXED;
    size += store_varint(bytes + size, record->content_size);
    size += store_varint(bytes + size, shared ? 0 : archive->prefix.size);
    size += store_varint(bytes + size, archive->suffix.size);
    if (archive->extra.size)
        size += store_varint(bytes + size, archive->extra.size);
    if (record->rebuild.size)
        size += store_varint(bytes + size, record->rebuild.size);
    return buffer_append(&writer->group, bytes, size);
}

enum mist_status tail_writer_add(struct tail_writer *writer, const struct tail_record *record, struct mist_error *error)
{
    const struct format_archive *archive = &record->archive;
    const struct mist_buffer *head = &writer->manifest->source_head;
    bool shared = archive->prefix.size && archive->prefix.size == head->size &&
                  memcmp(archive->prefix.data, head->data, head->size) == 0;
    size_t prefix = shared ? 0 : archive->prefix.size, suffix = archive->suffix.size;
    if (prefix > TAIL_MAX_GROUP / 4 || suffix > TAIL_MAX_GROUP / 4 || archive->extra.size > TAIL_MAX_GROUP / 4 ||
        record->rebuild.size > TAIL_MAX_GROUP / 4)
        return error_set(error, MIST_ERROR_LIMIT, "metadata of %zu bytes in one file; at most %u can be kept",
                         prefix > suffix ? prefix : suffix, TAIL_MAX_GROUP / 4);
    if (!append_fields(writer, record, shared) || !buffer_append(&writer->group, archive->prefix.data, prefix) ||
        !buffer_append(&writer->group, archive->suffix.data, suffix) ||
        !buffer_append(&writer->group, archive->extra.data, archive->extra.size) ||
        !buffer_append(&writer->group, record->rebuild.data, record->rebuild.size))
        return out_of_memory(error);
    writer->group_files++;
    if (writer->group_files == TAIL_GROUP_FILES || writer->group.size >= TAIL_GROUP_BYTES)
        return close_group(writer, error);
    return MIST_OK;
}

enum mist_status tail_writer_finish(struct tail_writer *writer, struct mist_error *error)
{
    return close_group(writer, error);
}

void tail_writer_free(struct tail_writer *writer)
{
    mist_buffer_free(&writer->group);
    mist_buffer_free(&writer->compressed);
    *writer = (struct tail_writer){0};
}
