/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/cache.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/confined.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

void cache_name(const struct mist_catalog_item *item, bool part, char name[CACHE_NAME_MAX])
{
    snprintf(name, CACHE_NAME_MAX, "%s.mist%s", item->path, part ? ".part" : "");
}

static uint64_t body_end(const struct mist_catalog_item *item)
{
    return item->level_end[item->levels - 1];
}

/* ---- checking ---- */

/* Feeds file bytes [from, to) of a file whose byte 0 is byte `base` of the item. MIST_ERROR_CHECKSUM is no failure. */
static enum mist_status feed_file(int descriptor, uint64_t base, uint64_t to, struct verifier *verifier,
                                  struct mist_error *error)
{
    uint8_t *chunk = memory_allocate(CHUNK);
    enum mist_status status = chunk ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    while (!status && base + to > verifier->position) {
        uint64_t at = verifier->position - base;
        size_t size = to - at < CHUNK ? (size_t)(to - at) : CHUNK;
        status = file_read_at(descriptor, at, chunk, size, error);
        if (!status)
            status = verifier_feed(verifier, chunk, size, error);
    }
    memory_free(chunk);
    if (status != MIST_ERROR_CHECKSUM)
        return status;
    verifier_seek(verifier, verifier->chunk_start);
    return MIST_OK;
}

enum mist_status cache_check(int descriptor, uint64_t size, const struct mist_catalog_item *item,
                             struct verifier *verifier, uint64_t *good, struct mist_error *error)
{
    *good = 0;
    if (size < item->head_end)
        return MIST_OK;
    uint8_t *head = memory_allocate((size_t)item->head_end);
    if (!head)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    enum mist_status status = file_read_at(descriptor, 0, head, (size_t)item->head_end, error);
    bool mine = !status && verifier_start(verifier, item->path, item, head, NULL) == MIST_OK;
    memory_free(head);
    if (!mine) {
        verifier_free(verifier);
        return status;
    }
    status = feed_file(descriptor, 0, size < item->size ? size : item->size, verifier, error);
    *good = verifier->position;
    return status;
}

enum mist_status cache_check_tail(int descriptor, uint64_t size, struct verifier *verifier, uint64_t *good,
                                  struct mist_error *error)
{
    uint64_t base = layout_body_end(&verifier->layout);
    verifier_seek(verifier, base);
    enum mist_status status = feed_file(descriptor, base, size, verifier, error);
    *good = verifier->position - base;
    return status;
}

/* ---- looking ---- */

/* Whether the file starts as the item does: magic and id. */
static bool has_id(int descriptor, const struct mist_catalog_item *item)
{
    uint8_t start[LAYOUT_CHECKSUM_AT + 8];
    return pread(descriptor, start, sizeof start, 0) == (ssize_t)sizeof start &&
           memcmp(start + LAYOUT_MAGIC_AT, LAYOUT_MAGIC, 8) == 0 && load_le64(start + LAYOUT_CHECKSUM_AT) == item->id;
}

static uint64_t size_of(int descriptor)
{
    struct stat about;
    return fstat(descriptor, &about) == 0 ? (uint64_t)about.st_size : 0;
}

/* An end of the head or of a level, or the item's own end: where a complete file may end. */
static bool is_end(const struct mist_catalog_item *item, uint64_t size)
{
    bool end = size == item->size;
    for (unsigned level = 0; level < item->levels; level++)
        end = end || size == item->level_end[level];
    return end;
}

static void look_at_prefix(const struct cache *cache, const struct mist_catalog_item *item, struct cached *cached)
{
    char name[CACHE_NAME_MAX];
    cache_name(item, false, name);
    int descriptor = confined_open(cache->items, name, O_RDONLY);
    if (descriptor >= 0) {
        cached->have = size_of(descriptor);
        if (is_end(item, cached->have) && has_id(descriptor, item))
            cached->form = CACHED_COMPLETE;
        close(descriptor);
    }
    if (cached->form == CACHED_COMPLETE)
        return;
    cached->have = 0;
    cache_name(item, true, name);
    descriptor = confined_open(cache->items, name, O_RDONLY);
    if (descriptor < 0)
        return;
    struct verifier verifier = {0};
    if (has_id(descriptor, item))
        cache_check(descriptor, size_of(descriptor), item, &verifier, &cached->have, NULL);
    if (cached->have)
        cached->form = CACHED_PART;
    verifier_free(&verifier);
    close(descriptor);
}

void cache_look(const struct cache *cache, const struct mist_catalog_item *item, struct cached *cached)
{
    char name[CACHE_NAME_MAX];
    struct stat about;
    *cached = (struct cached){0};
    look_at_prefix(cache, item, cached);
    if (cached->form == CACHED_NOTHING)
        return; /* a tail without its head cannot be told from another item's */
    uint64_t tail_size = item->size - body_end(item);
    cache_name(item, false, name);
    if (confined_stat(cache->tails, name, &about) && (uint64_t)about.st_size == tail_size) {
        cached->tail_form = CACHED_COMPLETE;
        cached->tail_have = tail_size;
        return;
    }
    cache_name(item, true, name);
    if (confined_stat(cache->tails, name, &about) && (uint64_t)about.st_size <= tail_size) {
        cached->tail_form = CACHED_PART;
        cached->tail_have = (uint64_t)about.st_size;
    }
}

struct needs cache_needs(const struct mist_catalog_item *item, const struct cached *cached, unsigned reduce, bool tail)
{
    bool whole = tail && reduce == 0;
    struct needs needs = {.end = mist_catalog_item_bytes(item, reduce, whole)};
    needs.tail_joins = whole && cached->tail_form == CACHED_COMPLETE && cached->have <= body_end(item);
    uint64_t fetch_to = needs.tail_joins ? body_end(item) : needs.end;
    needs.prefix_missing = fetch_to > cached->have ? fetch_to - cached->have : 0;
    needs.tail_apart = tail && !whole && cached->have < item->size;
    needs.tail_missing = needs.tail_apart ? item->size - body_end(item) - cached->tail_have : 0;
    return needs;
}

void cache_forget(const struct cache *cache, const struct mist_catalog_item *item)
{
    char name[CACHE_NAME_MAX];
    for (int part = 0; part < 2; part++) {
        cache_name(item, part, name);
        confined_remove(cache->items, name);
        confined_remove(cache->tails, name);
    }
}
