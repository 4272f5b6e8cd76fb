/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "item/compress.h"
#include "item/tail.h"
#include "item/tail_flags.h"

static enum mist_status corrupt(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the archival tail is damaged: %s", what);
}

static uint32_t index_files(const struct tail_reader *reader, uint32_t group)
{
    return load_le32(reader->index + TAIL_INDEX_ENTRY * (size_t)group);
}
static uint32_t index_content(const struct tail_reader *reader, uint32_t group)
{
    return load_le32(reader->index + TAIL_INDEX_ENTRY * (size_t)group + 4);
}
static uint32_t index_stored(const struct tail_reader *reader, uint32_t group)
{
    return load_le32(reader->index + TAIL_INDEX_ENTRY * (size_t)group + 8);
}

enum mist_status tail_reader_start(struct tail_reader *reader, const uint8_t *data, size_t size, uint32_t files,
                                   const uint8_t *source_head, size_t source_head_size, struct mist_error *error)
{
    *reader = (struct tail_reader){
        .data = data, .size = size, .source_head = source_head, .source_head_size = source_head_size, .files = files};
    if (size < 4)
        return corrupt(error, "it has no index");
    reader->groups = load_le32(data + size - 4);
    uint64_t index_size = (uint64_t)reader->groups * TAIL_INDEX_ENTRY + 4;
    if (reader->groups > files || index_size > size)
        return corrupt(error, "it says that it has more groups than there can be");
    reader->index = data + size - index_size;
    uint64_t all_files = 0, all_bytes = index_size;
    for (uint32_t group = 0; group < reader->groups; group++) {
        if (index_content(reader, group) > TAIL_MAX_GROUP || index_stored(reader, group) > TAIL_MAX_GROUP ||
            index_files(reader, group) == 0)
            return corrupt(error, "a group of a size that there cannot be");
        all_files += index_files(reader, group);
        all_bytes += index_stored(reader, group);
    }
    if (all_files != files || all_bytes != size)
        return corrupt(error, "its groups do not add up");
    return MIST_OK;
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
    while (file - reader->first_file >= index_files(reader, reader->group)) {
        reader->first_file += index_files(reader, reader->group);
        reader->offset += index_stored(reader, reader->group);
        reader->group++;
        reader->loaded = false;
    }
    reader->next_file = reader->first_file;
    reader->at = 0;
    if (reader->loaded)
        return MIST_OK;
    enum mist_status status = decompress_bytes(reader->data + reader->offset, index_stored(reader, reader->group),
                                               index_content(reader, reader->group), &reader->content, error);
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
    if (bytes.failed || (flags & ~(unsigned)TAIL_FLAGS) || ((flags & TAIL_PREFIX_IS_HEAD) && prefix))
        return corrupt(error, "a record makes no sense");
    if (flags & TAIL_PREFIX_IS_HEAD) {
        archive->prefix.data = (uint8_t *)(uintptr_t)reader->source_head;
        archive->prefix.size = reader->source_head_size;
    }
    reader->at = reader->content.size - reader_left(&bytes);
    reader->next_file++;
    bool last = reader->next_file - reader->first_file == index_files(reader, reader->group);
    if (last && reader_left(&bytes))
        return corrupt(error, "a group is longer than its records");
    return MIST_OK;
}

enum mist_status tail_reader_get(struct tail_reader *reader, uint32_t file, struct tail_record *record,
                                 struct mist_error *error)
{
    if (file >= reader->files)
        return error_set(error, MIST_ERROR_ARGUMENT, "file %u of %u", file, reader->files);
    bool here =
        reader->loaded && file >= reader->next_file && file - reader->first_file < index_files(reader, reader->group);
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
