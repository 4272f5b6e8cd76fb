/* SPDX-License-Identifier: BSD-2-Clause */
#include "convert/original.h"

#include "base/error.h"
#include "base/memory.h"
#include "item/decoder.h"

enum mist_status original_start(const mist_item *item, uint32_t first, const struct tail_record *record,
                                struct original_reader *reader, struct mist_error *error)
{
    const struct coder_stream *original = manifest_stream(&item->manifest, CODER_ORIGINAL);
    const uint8_t *rebuild = record->rebuild.data ? record->rebuild.data : (const uint8_t *)"";
    *reader = (struct original_reader){.item = item,
                                       .stream = original ? original : &item->manifest.stream[0],
                                       .whole = original != NULL,
                                       .rebuild = byte_reader_start(rebuild, record->rebuild.size),
                                       .frame = first,
                                       .parts = memory_allocate(sizeof *reader->parts)};
    return reader->parts ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
}

static enum mist_status next_piece(struct original_reader *reader, struct coder_piece *piece, struct mist_error *error)
{
    const uint64_t size = read_varint(&reader->rebuild);
    *piece = (struct coder_piece){reader_take(&reader->rebuild, (size_t)size), (size_t)size};
    reader->frame++;
    return piece->data ? MIST_OK
                       : error_set(error, MIST_ERROR_CORRUPT, "%s: the archival tail is damaged", reader->item->name);
}

enum mist_status original_skip(struct original_reader *reader, struct mist_error *error)
{
    struct coder_piece piece;
    return next_piece(reader, &piece, error);
}

enum mist_status original_next(struct original_reader *reader, struct mist_buffer *out, struct mist_error *error)
{
    const mist_item *item = reader->item;
    struct coder_piece piece;
    const uint32_t frame = reader->frame;
    enum mist_status status = next_piece(reader, &piece, error);
    out->size = 0;
    if (status)
        return status;
    const struct coder_piece *first = &reader->parts->piece[0];
    item_unit_parts(item, (unsigned)(reader->stream - item->manifest.stream), frame, reader->parts);
    if (!reader->whole)
        return coder_original(reader->stream, reader->parts, piece, out, error);
    if (!first->data)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: its highest level is not here", item->name);
    return buffer_append(out, first->data, first->size)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
}

void original_end(struct original_reader *reader)
{
    memory_free(reader->parts);
    *reader = (struct original_reader){0};
}
