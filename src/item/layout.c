/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/layout.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"

#include <string.h>

uint64_t layout_all_checksums(const struct layout *layout)
{
    uint64_t count = 0;
    for (unsigned range = 0; range <= layout_ranges(layout); range++)
        count += layout_checksums(layout_range_size(layout, range), layout->chunk_log2);
    return count;
}

static enum mist_status corrupt(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the head of the item file is damaged: %s", what);
}

enum mist_status layout_read(const uint8_t *data, size_t size, struct layout *layout, struct mist_error *error)
{
    size_t known = size < 8 ? size : 8;
    if (memcmp(data, LAYOUT_MAGIC, known) != 0)
        return error_set(error, MIST_ERROR_CORRUPT, "not a MIST item file");
    if (size < LAYOUT_PROLOGUE_SIZE)
        return error_set(error, MIST_ERROR_TRUNCATED, "the item file ends within its head");
    uint32_t version = load_le32(data + LAYOUT_VERSION_AT);
    if (version != LAYOUT_VERSION)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "an item file of version %u; this program reads version %u",
                         version, LAYOUT_VERSION);
    *layout = (struct layout){
        .id = load_le64(data + LAYOUT_CHECKSUM_AT),
        .head_size = load_le32(data + LAYOUT_HEAD_SIZE_AT),
        .meta_stored = load_le32(data + LAYOUT_META_STORED_AT),
        .meta_size = load_le32(data + LAYOUT_META_SIZE_AT),
    };
    if (layout->head_size > LAYOUT_MAX_HEAD || layout->head_size < LAYOUT_PROLOGUE_SIZE ||
        layout->meta_size > LAYOUT_MAX_META || layout->meta_stored > layout->head_size - LAYOUT_PROLOGUE_SIZE)
        return corrupt(error, "its sizes are beyond the limits");
    if (size < layout->head_size)
        return error_set(error, MIST_ERROR_TRUNCATED, "the item file ends within its head (%zu of %u bytes)", size,
                         layout->head_size);
    size_t covered = LAYOUT_CHECKSUM_AT + 8;
    if (checksum(data + covered, layout->head_size - covered) != layout->id)
        return error_set(error, MIST_ERROR_CHECKSUM, "the head of the item file is damaged: its checksum differs");
    return MIST_OK;
}

void layout_write(const struct layout *layout, uint8_t out[LAYOUT_PROLOGUE_SIZE])
{
    memset(out, 0, LAYOUT_PROLOGUE_SIZE);
    memcpy(out + LAYOUT_MAGIC_AT, LAYOUT_MAGIC, 8);
    store_le32(out + LAYOUT_VERSION_AT, LAYOUT_VERSION);
    store_le32(out + LAYOUT_HEAD_SIZE_AT, layout->head_size);
    store_le32(out + LAYOUT_META_STORED_AT, layout->meta_stored);
    store_le32(out + LAYOUT_META_SIZE_AT, layout->meta_size);
}
