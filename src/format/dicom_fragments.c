/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_fragments.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#define ITEM 0xfffee000u
#define SEQUENCE_END 0xfffee0ddu
#define ITEM_HEADER 8u

/* Tag and length at `at`, always little endian (A.4); false if they are not there. */
static bool read_item(const uint8_t *data, size_t size, size_t at, uint32_t *tag, uint32_t *length)
{
    if (size < at || size - at < ITEM_HEADER)
        return false;
    *tag = (uint32_t)load_le16(data + at) << 16 | load_le16(data + at + 2);
    *length = load_le32(data + at + 4);
    return true;
}

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory for the fragments of a DICOM file");
}

static bool add_fragment(struct dicom_fragments *fragments, size_t *room, size_t offset, uint32_t size)
{
    if (fragments->count == *room) {
        *room = *room ? *room * 2 : 16;
        void *more = memory_resize(fragments->fragment, *room, sizeof *fragments->fragment);
        if (!more)
            return false;
        fragments->fragment = more;
    }
    fragments->fragment[fragments->count++] = (struct dicom_fragment){offset, size};
    return true;
}

/* The Basic Offset Table and all fragments up to the delimiter or what is no fragment. */
static enum mist_status list_fragments(const uint8_t *data, size_t size, size_t at, struct dicom_fragments *fragments,
                                       struct mist_error *error)
{
    size_t room = 0;
    uint32_t tag, length;
    for (bool table = true; read_item(data, size, at, &tag, &length) && tag == ITEM; table = false) {
        at += ITEM_HEADER;
        if (length > size - at)
            return error_set(error, MIST_ERROR_TRUNCATED, "the DICOM file ends within the fragment at byte %zu", at);
        if (table) {
            fragments->table = at;
            fragments->table_size = length;
        } else if (fragments->count == UINT32_MAX || !add_fragment(fragments, &room, at, length)) {
            return out_of_memory(error);
        }
        at += length;
    }
    fragments->end = at;
    if (!fragments->table || fragments->count == 0)
        return error_set(error, MIST_ERROR_CORRUPT, "DICOM pixel data without a fragment");
    return MIST_OK;
}

/* An offset of table entry n: counted from the first fragment's item. */
static uint64_t table_entry(const uint8_t *table, unsigned entry_size, uint32_t n)
{
    const uint8_t *at = table + (size_t)n * entry_size;
    return entry_size == 8 ? load_le64(at) : load_le32(at);
}

/* By a table of offsets, which ascend from 0 and each of which must be that of a fragment. */
static bool assign_by_table(struct dicom_fragments *fragments, const uint8_t *table, size_t table_size,
                            unsigned entry_size)
{
    if (table_size / entry_size < fragments->frames)
        return false;
    size_t base = fragments->fragment[0].offset;
    uint32_t at = 0;
    for (uint32_t frame = 0; frame < fragments->frames; frame++) {
        uint64_t offset = table_entry(table, entry_size, frame);
        while (at < fragments->count && fragments->fragment[at].offset - base < offset)
            at++;
        if (at == fragments->count || fragments->fragment[at].offset - base != offset ||
            (frame && at == fragments->first[frame - 1]) || (frame == 0 && at != 0))
            return false;
        fragments->first[frame] = at;
    }
    return true;
}

/* By the first bytes of fragments: those of JPEG (10918-1, B.2.1), JPEG 2000 (15444-1, A.3) and JP2. */
static bool assign_by_start(struct dicom_fragments *fragments, const uint8_t *data)
{
    uint32_t frame = 0;
    for (uint32_t i = 0; i < fragments->count; i++) {
        const uint8_t *start = data + fragments->fragment[i].offset;
        if (fragments->fragment[i].size < 4)
            continue;
        uint32_t word = load_be32(start);
        if (word >> 8 != 0xffd8ff && word != 0xff4fff51 && word != 12)
            continue;
        if (frame == fragments->frames || (frame == 0 && i != 0))
            return false;
        fragments->first[frame++] = i;
    }
    return frame == fragments->frames;
}

static bool assign(struct dicom_fragments *fragments, const uint8_t *data, const struct dicom_layout *layout)
{
    if (fragments->frames == 1) {
        fragments->first[0] = 0;
        return true;
    }
    if (layout->offsets && assign_by_table(fragments, data + layout->offsets, layout->offset_bytes, 8))
        return true;
    if (assign_by_table(fragments, data + fragments->table, fragments->table_size, 4))
        return true;
    for (uint32_t i = 0; i < fragments->frames && fragments->count == fragments->frames; i++)
        fragments->first[i] = i;
    return fragments->count == fragments->frames || assign_by_start(fragments, data);
}

enum mist_status dicom_fragments_read(const uint8_t *data, size_t size, const struct dicom_layout *layout,
                                      uint32_t frames, struct dicom_fragments *fragments, struct mist_error *error)
{
    *fragments = (struct dicom_fragments){0};
    enum mist_status status = list_fragments(data, size, layout->pixels, fragments, error);
    if (status)
        return status;
    if (frames == 0 || frames > fragments->count)
        return error_set(error, MIST_ERROR_CORRUPT, "%u DICOM frames in %u fragments", frames, fragments->count);
    fragments->frames = frames;
    fragments->first = memory_allocate_array((size_t)frames + 1, sizeof *fragments->first);
    if (!fragments->first)
        return out_of_memory(error);
    fragments->first[frames] = fragments->count;
    if (!assign(fragments, data, layout))
        return error_set(error, MIST_ERROR_CORRUPT, "nothing says which of %u fragments belong to which of %u frames",
                         fragments->count, frames);
    return MIST_OK;
}

void dicom_fragments_free(struct dicom_fragments *fragments)
{
    memory_free(fragments->fragment);
    memory_free(fragments->first);
    *fragments = (struct dicom_fragments){0};
}

enum mist_status dicom_fragments_join(const struct dicom_fragments *fragments, uint32_t frame, const uint8_t *data,
                                      size_t size, struct mist_buffer *buffer, const uint8_t **stream,
                                      size_t *stream_size, struct mist_error *error)
{
    uint32_t first = fragments->first[frame], last = fragments->first[frame + 1];
    buffer->size = 0;
    for (uint32_t i = first; i < last; i++) {
        const struct dicom_fragment *fragment = &fragments->fragment[i];
        if (fragment->offset > size || fragment->size > size - fragment->offset)
            return error_set(error, MIST_ERROR_TRUNCATED, "the DICOM file became shorter while it was being read");
        *stream = data + fragment->offset;
        *stream_size = fragment->size;
        if (last - first == 1)
            return MIST_OK;
        if (!buffer_append(buffer, *stream, *stream_size))
            return out_of_memory(error);
    }
    *stream = buffer->data;
    *stream_size = buffer->size;
    return MIST_OK;
}
