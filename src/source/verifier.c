/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/verifier.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "item/item.h"

#include <inttypes.h>
#include <string.h>

enum mist_status verifier_check_entry(const struct mist_catalog_item *item, struct mist_error *error)
{
    if (item->head_end < LAYOUT_PROLOGUE_SIZE || item->head_end > LAYOUT_MAX_HEAD || item->size > LAYOUT_MAX_SIZE)
        return error_set(error, MIST_ERROR_CORRUPT, "%s: the catalog gives it a size that no item can have",
                         item->path);
    return MIST_OK;
}

/* The head's own numbers are those of the catalog, by which bytes are chosen. */
static bool matches(const struct mist_item_info *info, const struct mist_catalog_item *item)
{
    return info->id == item->id && info->head_end == item->head_end && info->levels == item->levels &&
           info->steps == item->steps && info->size == item->size &&
           memcmp(info->range_end, item->range_end, item->levels * (item->steps + 1) * sizeof *item->range_end) == 0;
}

enum mist_status verifier_start(struct verifier *verifier, const char *name, const struct mist_catalog_item *item,
                                const uint8_t *head, struct mist_error *error)
{
    struct layout *layout = &verifier->layout;
    verifier->name = name;
    mist_item *about;
    enum mist_status status = mist_item_open_memory(head, (size_t)item->head_end, name, &about, error);
    if (status)
        return error_prefix(error, status, "%s: not what the catalog promises", name);
    bool mine = matches(mist_item_info(about), item);
    *layout = about->layout;
    mist_item_close(&about);
    if (!mine)
        return error_set(error, MIST_ERROR_CORRUPT,
                         "%s: not the item that the catalog promises: one of them has changed; run again", name);
    uint64_t chunks = layout_all_checksums(layout); /* bounded by the head's size */
    verifier->sums = memory_allocate_array((size_t)chunks, sizeof *verifier->sums);
    verifier->state = checksum_start();
    if (!verifier->sums || !verifier->state)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    for (uint64_t i = 0; i < chunks; i++)
        verifier->sums[i] = load_le64(head + layout_checksums_at(layout) + 8 * i);
    verifier->started = true;
    verifier_seek(verifier, layout->head_size);
    return MIST_OK;
}

uint64_t verifier_seek(struct verifier *verifier, uint64_t offset)
{
    const struct layout *layout = &verifier->layout;
    uint64_t before = 0; /* chunks of the ranges before */
    checksum_restart(verifier->state);
    for (unsigned range = 0; range <= layout_ranges(layout); range++) {
        uint64_t start = layout_range_start(layout, range), size = layout_range_size(layout, range);
        if (offset < start + size) {
            uint64_t index = (offset - start) >> layout->chunk_log2, step = (uint64_t)1 << layout->chunk_log2;
            verifier->chunk = before + index;
            verifier->chunk_start = start + index * step;
            verifier->chunk_end = size - index * step < step ? start + size : verifier->chunk_start + step;
            return verifier->position = verifier->chunk_start;
        }
        before += layout_checksums(size, layout->chunk_log2);
    }
    return verifier->position = verifier->chunk_start = verifier->chunk_end = layout_size(layout);
}

enum mist_status verifier_feed(struct verifier *verifier, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    while (size) {
        uint64_t left = verifier->chunk_end - verifier->position;
        size_t take = size < left ? size : (size_t)left;
        if (take == 0)
            return error_set(error, MIST_ERROR_CORRUPT, "%s: bytes behind its end", verifier->name);
        checksum_add(verifier->state, bytes, take);
        verifier->position += take;
        bytes += take;
        size -= take;
        if (verifier->position < verifier->chunk_end)
            continue;
        if (checksum_value(verifier->state) != verifier->sums[verifier->chunk])
            return error_set(error, MIST_ERROR_CHECKSUM,
                             "%s: bytes %" PRIu64 " to %" PRIu64
                             " are not those that were stored: damaged on the way or on the host, or changed there",
                             verifier->name, verifier->chunk_start, verifier->chunk_end - 1);
        verifier_seek(verifier, verifier->chunk_end);
    }
    return MIST_OK;
}

void verifier_free(struct verifier *verifier)
{
    memory_free(verifier->sums);
    checksum_free(verifier->state);
    *verifier = (struct verifier){0};
}
