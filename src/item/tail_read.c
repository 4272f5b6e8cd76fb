/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "base/error.h"
#include "item/compress.h"
#include "item/tail.h"

static enum mist_status corrupt(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the archival tail is damaged: %s", what);
}

void tail_reader_start(struct tail_reader *reader, const uint8_t *data, const struct manifest *manifest)
{
    *reader = (struct tail_reader){.data = data, .manifest = manifest};
}

static const struct manifest_group *group_of(const struct tail_reader *reader)
{
    return &reader->manifest->group[reader->group];
}

/* Decompresses the group that holds `file`. */
static enum mist_status load(struct tail_reader *reader, uint32_t file, struct mist_error *error)
{
    if (!reader->loaded || file < reader->first_file) {
        reader->group = 0;
        reader->first_file = 0;
        reader->offset = 0;
        reader->loaded = false;
    }
    while (file - reader->first_file >= group_of(reader)->files) {
        reader->first_file += group_of(reader)->files;
        reader->offset += group_of(reader)->stored;
        reader->group++;
        reader->loaded = false;
    }
    reader->next_file = reader->first_file;
    reader->at = 0;
    if (reader->loaded)
        return MIST_OK;
    enum mist_status status = unpack_bytes(reader->data + reader->offset, group_of(reader)->stored,
                                           group_of(reader)->content, &reader->content, error);
    reader->loaded = !status;
    return status;
}

/* The record at `at`, which is moved behind it. */
static enum mist_status read_record(struct tail_reader *reader, struct tail_record *record, struct mist_error *error)
{
    struct byte_reader bytes = byte_reader_start(reader->content.data + reader->at, reader->content.size - reader->at);
    *record = (struct tail_record){0};
    unsigned flags = read_u8(&bytes);
    record->content_checksum = read_le64(&bytes);
    record->samples_checksum = read_le64(&bytes);
    record->content_size = read_varint(&bytes);
    uint64_t prefix = read_varint(&bytes), suffix = read_varint(&bytes);
    uint64_t extra = flags & TAIL_EXTRA ? read_varint(&bytes) : 0;
    uint64_t rebuild = flags & TAIL_REBUILD ? read_varint(&bytes) : 0;
    struct format_archive *archive = &record->archive;
    archive->raw = flags & TAIL_RAW;
    archive->big_endian = flags & TAIL_BIG_ENDIAN;
    archive->planar = flags & TAIL_PLANAR;
    archive->prefix.size = (size_t)prefix;
    archive->prefix.data = (uint8_t *)(uintptr_t)reader_take(&bytes, (size_t)prefix);
    archive->suffix.size = (size_t)suffix;
    archive->suffix.data = (uint8_t *)(uintptr_t)reader_take(&bytes, (size_t)suffix);
    archive->extra.size = (size_t)extra;
    archive->extra.data = (uint8_t *)(uintptr_t)reader_take(&bytes, (size_t)extra);
    record->rebuild.size = (size_t)rebuild;
    record->rebuild.data = (uint8_t *)(uintptr_t)reader_take(&bytes, (size_t)rebuild);
    if (bytes.failed || (flags & ~(unsigned)TAIL_FLAGS) || ((flags & TAIL_PREFIX_IS_HEAD) && prefix))
        return corrupt(error, "a record makes no sense");
    if (flags & TAIL_PREFIX_IS_HEAD) {
        archive->prefix.data = reader->manifest->source_head.data;
        archive->prefix.size = reader->manifest->source_head.size;
    }
    reader->at = reader->content.size - reader_left(&bytes);
    reader->next_file++;
    bool last = reader->next_file - reader->first_file == group_of(reader)->files;
    if (last && reader_left(&bytes))
        return corrupt(error, "a group is longer than its records");
    return MIST_OK;
}

enum mist_status tail_reader_get(struct tail_reader *reader, uint32_t file, struct tail_record *record,
                                 struct mist_error *error)
{
    if (file >= reader->manifest->files)
        return error_set(error, MIST_ERROR_ARGUMENT, "file %u of %u", file, reader->manifest->files);
    bool here = reader->loaded && file >= reader->next_file && file - reader->first_file < group_of(reader)->files;
    enum mist_status status = here ? MIST_OK : load(reader, file, error);
    while (!status && reader->next_file <= file)
        status = read_record(reader, record, error);
    return status;
}

void tail_reader_free(struct tail_reader *reader)
{
    mist_buffer_free(&reader->content);
    *reader = (struct tail_reader){0};
}
