/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/fetch.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

/* One item on its way. */
struct work {
    struct transport *transport;
    const struct cache *cache;
    const struct mist_catalog_item *item;
    struct verifier verifier;
    struct held held;
    char remote[PATH_ROOM + sizeof "items/.mist"]; /* "items/PATH.mist" */
    char etag[TRANSPORT_ETAG_SIZE];                /* of the host's file */
    int descriptor;                                /* of the part file */
    uint64_t position;                             /* of the next byte in the item */
};

void fetched_free(struct fetched *fetched)
{
    memory_free(fetched->path);
    *fetched = (struct fetched){0};
}

/* ---- the head ---- */

/* The head is here: takes it from the file. */
static enum mist_status start_verifier(struct work *work, struct mist_error *error)
{
    const struct mist_catalog_item *item = work->item;
    uint8_t *head = memory_allocate((size_t)item->head_end);
    if (!head)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    enum mist_status status = file_read_at(work->descriptor, 0, head, (size_t)item->head_end, error);
    if (!status)
        status = verifier_start(&work->verifier, item->path, item, head, error);
    memory_free(head);
    if (status)
        verifier_free(&work->verifier);
    return status;
}

/* ---- bytes that are here ---- */

/* Feeds bytes of the file up to `end`. MIST_ERROR_CHECKSUM where a chunk is wrong. */
static enum mist_status feed_file(struct work *work, uint64_t end, uint8_t *buffer, struct mist_error *error)
{
    struct verifier *verifier = &work->verifier;
    enum mist_status status = MIST_OK;
    while (!status && verifier->position < end) {
        uint64_t left = end - verifier->position;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        status = file_read_at(work->descriptor, verifier->position, buffer, size, error);
        if (!status)
            status = verifier_feed(verifier, buffer, size, error);
    }
    return status;
}

/* Checks the complete chunks of [start, end) that are here; those that are wrong are no longer held. */
static enum mist_status check_range(struct work *work, uint64_t start, uint64_t end, uint8_t *buffer,
                                    struct mist_error *error)
{
    struct verifier *verifier = &work->verifier;
    enum mist_status status = MIST_OK;
    for (uint64_t at = start; !status && (at = held_next(&work->held, at)) < end;) {
        uint64_t first = verifier_seek(verifier, at), last = verifier->chunk_end;
        if (first < at && held_until(&work->held, first) < at) /* it begins in the middle: of no use */
            held_remove(&work->held, at, last);
        else if (held_until(&work->held, at) >= last) {
            status = feed_file(work, last, buffer, error);
            if (status == MIST_ERROR_CHECKSUM) {
                held_remove(&work->held, first, last);
                status = MIST_OK;
            }
        }
        at = last;
    }
    return status;
}

/* Checks what is here of what is wanted. */
static enum mist_status check_held(struct work *work, const struct fetched *wanted, struct mist_error *error)
{
    const uint64_t head_end = work->item->head_end;
    if (held_until(&work->held, 0) < head_end) {
        held_remove(&work->held, held_until(&work->held, 0), UINT64_MAX); /* nothing can be checked without the head */
        return MIST_OK;
    }
    if (start_verifier(work, NULL)) {
        work->held.count = 0;
        return MIST_OK;
    }
    uint8_t *buffer = memory_allocate(CHUNK);
    enum mist_status status = buffer ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    for (unsigned i = 0; i < wanted->count && !status; i++) {
        uint64_t start = wanted->range[i].start < head_end ? head_end : wanted->range[i].start;
        status = check_range(work, start, wanted->range[i].end, buffer, error);
    }
    memory_free(buffer);
    return status;
}

/* ---- bytes coming in ---- */

static enum mist_status take_bytes(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct work *work = context;
    enum mist_status status = file_write_at(work->descriptor, work->position, bytes, size, error);
    if (status)
        return error_prefix(error, status, "%s", work->item->path);
    uint64_t start = work->position, head_end = work->item->head_end;
    work->position += size;
    held_add(&work->held, start, work->position);
    if (!work->verifier.started && work->position >= head_end) {
        status = start_verifier(work, error);
        if (status)
            return status;
        bytes += head_end - start;
        size -= (size_t)(head_end - start);
    }
    if (work->verifier.started)
        status = verifier_feed(&work->verifier, bytes, size, error);
    return status ? status : cache_write_list(work->descriptor, work->item, &work->held, error);
}

/* No longer holds what failed the check. */
static void drop_bad(struct work *work)
{
    if (work->verifier.started)
        held_remove(&work->held, work->verifier.chunk_start, work->position);
    else
        work->held.count = 0;
}

/* Goes to a byte, from which on bytes come in: the chunk that it is in began before. */
static enum mist_status go_to(struct work *work, uint64_t at, struct mist_error *error)
{
    work->position = at;
    if (!work->verifier.started)
        return MIST_OK;
    uint64_t first = verifier_seek(&work->verifier, at);
    if (first == at)
        return MIST_OK;
    if (held_until(&work->held, first) < at) {
        work->position = first;
        return MIST_OK;
    }
    uint8_t *buffer = memory_allocate(CHUNK);
    enum mist_status status = buffer ? feed_file(work, at, buffer, error)
                                     : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", work->item->path);
    memory_free(buffer);
    return status;
}

/* Fetches [first, end), of which nothing is held. */
static enum mist_status fetch_range(struct work *work, uint64_t first, uint64_t end, struct mist_error *error)
{
    for (int tries = 0;; tries++) {
        struct mist_error failure = {0};
        enum mist_status status = go_to(work, first, &failure);
        struct transport_request request = {.path = work->remote,
                                            .name = work->item->path,
                                            .first = work->position,
                                            .end = end,
                                            .size = work->item->size,
                                            .etag = work->etag,
                                            .sink = take_bytes,
                                            .context = work};
        if (!status)
            status = transport_fetch(work->transport, &request, &failure);
        bool wrong = status == MIST_ERROR_CHECKSUM || status == MIST_ERROR_CORRUPT || status == MIST_ERROR_TRUNCATED ||
                     status == MIST_ERROR_UNSUPPORTED;
        if (wrong)
            drop_bad(work);
        /* What is wrong may have begun with bytes that an earlier run left and that were never checked, or have been
         * changed on the way: the chunk comes once more. */
        if (wrong && tries == 0) {
            first = work->verifier.started ? work->verifier.chunk_start : 0;
            continue;
        }
        return status ? error_set(error, status, "%s", failure.message) : MIST_OK;
    }
}

static enum mist_status fetch_missing(struct work *work, const struct fetched *wanted, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < wanted->count && !status; i++) {
        uint64_t at = wanted->range[i].start, end = wanted->range[i].end;
        while (!status && (at = held_until(&work->held, at)) < end) {
            uint64_t next = held_next(&work->held, at);
            status = fetch_range(work, at, next < end ? next : end, error);
        }
    }
    return status;
}

/* ---- files ---- */

static enum mist_status open_part(struct work *work, struct mist_error *error)
{
    char name[CACHE_NAME_MAX], part[CACHE_NAME_MAX];
    const struct cache *cache = work->cache;
    uint64_t whole = 0;
    struct stat about;
    cache_name(work->item, false, name);
    cache_name(work->item, true, part);
    enum mist_status status = MIST_OK;
    cache_look(cache, work->item, &work->held);
    /* A smaller item becomes the beginning of the larger one. */
    if (cache_has_whole(cache, work->item, &whole) && held_bytes(&work->held, 0, UINT64_MAX) <= whole) {
        status = confined_rename(cache->items, name, cache->items, part, error);
        work->held.count = 0;
        held_add(&work->held, 0, whole);
    }
    if (!status)
        status = confined_open_writable(cache->items, part, &work->descriptor, error);
    if (status)
        return status;
    /* Of another item, or of another version of this one: nothing of it may stay. */
    bool stale = work->held.count == 0 && fstat(work->descriptor, &about) == 0 && about.st_size > 0;
    if (stale && ftruncate(work->descriptor, 0) != 0)
        status = error_set_errno(error, errno, "%s", work->item->path);
    return status;
}

/* The prefix that was asked for, or a longer one that is here, becomes PATH.mist. */
static enum mist_status finish_whole(struct work *work, uint64_t end, struct mist_error *error)
{
    char name[CACHE_NAME_MAX], part[CACHE_NAME_MAX];
    const struct mist_catalog_item *item = work->item;
    uint64_t here = held_until(&work->held, 0);
    for (unsigned level = 0; level < item->levels; level++)
        if (item->level_end[level] <= here && item->level_end[level] > end)
            end = item->level_end[level];
    if (here == item->size)
        end = here;
    cache_name(item, false, name);
    cache_name(item, true, part);
    if (ftruncate(work->descriptor, (off_t)end) != 0)
        return error_set_errno(error, errno, "%s", item->path);
    return confined_rename(work->cache->items, part, work->cache->items, name, error);
}

static enum mist_status bring(struct work *work, const struct fetched *wanted, struct mist_error *error)
{
    enum mist_status status = open_part(work, error);
    if (!status)
        status = check_held(work, wanted, error);
    if (!status) /* so that it is known whose file this is before anything is fetched into it */
        status = cache_write_list(work->descriptor, work->item, &work->held, error);
    if (!status) {
        status = fetch_missing(work, wanted, error);
        enum mist_status listed = cache_write_list(work->descriptor, work->item, &work->held, status ? NULL : error);
        status = status ? status : listed;
    }
    if (!status && work->cache->whole)
        status = finish_whole(work, wanted->range[wanted->count - 1].end, error);
    return status;
}

enum mist_status fetch_item(struct transport *transport, const struct cache *cache,
                            const struct mist_catalog_item *item, const struct selected *selected,
                            struct fetched *fetched, struct mist_error *error)
{
    struct work *work = memory_allocate_zeroed(1, sizeof *work);
    char name[CACHE_NAME_MAX];
    *fetched = (struct fetched){0};
    if (!work)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    *work = (struct work){.transport = transport, .cache = cache, .item = item, .descriptor = -1};
    snprintf(work->remote, sizeof work->remote, "items/%s.mist", item->path);
    fetched->count = mist_catalog_item_ranges(item, selected->fetched, selected->tail, fetched->range);
    enum mist_status status = bring(work, fetched, error);
    if (work->descriptor >= 0 && close(work->descriptor) != 0 && !status)
        status = error_set_errno(error, errno, "%s", item->path);
    verifier_free(&work->verifier);
    memory_free(work);
    cache_name(item, !cache->whole, name);
    if (!status && !(fetched->path = path_join(cache->items_path, name)))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    if (status)
        fetched_free(fetched);
    return status;
}
