/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/cache.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/confined.h"
#include "base/error.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The list, at the item's size: magic, u64 id, u64 count, (u64 start, u64 end) each, u64 XXH3-64 of all that. */
#define LIST_MAGIC "MISTpart"
enum { LIST_HEAD = 24, LIST_MAX = LIST_HEAD + 16 * HELD_MAX + 8 };

void cache_name(const struct mist_catalog_item *item, bool part, char name[CACHE_NAME_MAX])
{
    snprintf(name, CACHE_NAME_MAX, "%s.mist%s", item->path, part ? "-part" : "");
}

/* ---- the list ---- */

static size_t list_size(const struct held *held)
{
    return LIST_HEAD + 16 * (size_t)held->count + 8;
}

enum mist_status cache_write_list(int descriptor, const struct mist_catalog_item *item, const struct held *held,
                                  struct mist_error *error)
{
    uint8_t list[LIST_MAX];
    const size_t size = list_size(held);
    memcpy(list, LIST_MAGIC, 8);
    store_le64(list + 8, item->id);
    store_le64(list + 16, held->count);
    for (unsigned i = 0; i < held->count; i++) {
        store_le64(list + LIST_HEAD + 16 * i, held->range[i].start);
        store_le64(list + LIST_HEAD + 16 * i + 8, held->range[i].end);
    }
    store_le64(list + size - 8, checksum(list, size - 8));
    enum mist_status status = file_write_at(descriptor, item->size, list, size, error);
    return status ? error_prefix(error, status, "%s", item->path) : MIST_OK;
}

void cache_read_list(int descriptor, const struct mist_catalog_item *item, struct held *held)
{
    uint8_t list[LIST_MAX];
    held->count = 0;
    ssize_t got = pread(descriptor, list, sizeof list, (off_t)item->size);
    if (got < LIST_HEAD + 8 || memcmp(list, LIST_MAGIC, 8) != 0 || load_le64(list + 8) != item->id)
        return;
    uint64_t count = load_le64(list + 16), behind = 0;
    if (count > HELD_MAX || (size_t)got < LIST_HEAD + 16 * count + 8 ||
        load_le64(list + LIST_HEAD + 16 * count) != checksum(list, LIST_HEAD + 16 * count))
        return;
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = load_le64(list + LIST_HEAD + 16 * i), end = load_le64(list + LIST_HEAD + 16 * i + 8);
        if (start < behind || end <= start || end > item->size)
            break;
        held_add(held, start, end);
        behind = end;
    }
}

/* ---- looking ---- */

/* Whether the file starts as the item does: magic and id. */
static bool has_id(int descriptor, const struct mist_catalog_item *item)
{
    uint8_t start[LAYOUT_CHECKSUM_AT + 8];
    return pread(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start &&
           memcmp(start + LAYOUT_MAGIC_AT, LAYOUT_MAGIC, 8) == 0 && load_le64(start + LAYOUT_CHECKSUM_AT) == item->id;
}

/* An end of a level, or the item's own end: where a complete file may end. */
static bool is_end(const struct mist_catalog_item *item, uint64_t size)
{
    bool end = size == item->size;
    for (unsigned level = 0; level < item->levels; level++)
        end = end || size == item->level_end[level];
    return end;
}

bool cache_has_whole(const struct cache *cache, const struct mist_catalog_item *item, uint64_t *size)
{
    char name[CACHE_NAME_MAX];
    struct stat about;
    cache_name(item, false, name);
    int descriptor = cache->whole ? confined_open(cache->items, name, O_RDONLY) : -1;
    if (descriptor < 0)
        return false;
    bool good = fstat(descriptor, &about) == 0 && is_end(item, (uint64_t)about.st_size) && has_id(descriptor, item);
    *size = good ? (uint64_t)about.st_size : 0;
    close(descriptor);
    return good;
}

void cache_look(const struct cache *cache, const struct mist_catalog_item *item, struct held *held)
{
    char name[CACHE_NAME_MAX];
    uint64_t size;
    held->count = 0;
    cache_name(item, true, name);
    int descriptor = confined_open(cache->items, name, O_RDONLY);
    if (descriptor >= 0) {
        cache_read_list(descriptor, item, held);
        close(descriptor);
    }
    if (held->count == 0 && cache_has_whole(cache, item, &size))
        held_add(held, 0, size);
}

uint64_t cache_missing(const struct mist_catalog_item *item, const struct selected *selected, const struct held *held)
{
    struct mist_byte_range ranges[MIST_MAX_RANGES];
    unsigned count = mist_catalog_item_ranges(item, selected->fetched, selected->tail, ranges);
    uint64_t missing = 0;
    for (unsigned i = 0; i < count; i++)
        missing += ranges[i].end - ranges[i].start - held_bytes(held, ranges[i].start, ranges[i].end);
    return missing;
}

void cache_forget(const struct cache *cache, const struct mist_catalog_item *item)
{
    char name[CACHE_NAME_MAX];
    cache_name(item, true, name);
    confined_remove(cache->items, name);
}
