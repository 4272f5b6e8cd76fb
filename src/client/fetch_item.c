/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/fetch.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

/* One item on its way. */
struct work {
    struct transport *transport;
    const struct cache *cache;
    const struct mist_catalog_item *item;
    struct verifier verifier;
    char remote[PATH_ROOM + sizeof "items/.mist"]; /* "items/PATH.mist" */
    int descriptor;                                /* of the file that is being written */
    uint64_t base;                                 /* the byte of the item that is byte 0 of it */
    uint64_t position;                             /* of the next byte in the item */
};

void fetched_free(struct fetched *fetched)
{
    memory_free(fetched->path);
    memory_free(fetched->tail_path);
    *fetched = (struct fetched){0};
}

/* ---- bytes coming in ---- */

/* The head has arrived: takes it from the file. */
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
    return status;
}

static enum mist_status take_bytes(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct work *work = context;
    enum mist_status status = file_write_at(work->descriptor, work->position - work->base, bytes, size, error);
    if (status)
        return error_prefix(error, status, "%s", work->item->path);
    uint64_t start = work->position, head_end = work->item->head_end;
    work->position += size;
    if (!work->verifier.started) {
        if (work->position < head_end)
            return MIST_OK;
        status = start_verifier(work, error);
        if (status)
            return status;
        bytes += head_end - start;
        size -= (size_t)(head_end - start);
    }
    return verifier_feed(&work->verifier, bytes, size, error);
}

/* Cuts the file where what is good of it ends, and goes there. */
static enum mist_status rewind_to(struct work *work, uint64_t position, struct mist_error *error)
{
    work->position = position;
    if (ftruncate(work->descriptor, (off_t)(position - work->base)) != 0)
        return error_set_errno(error, errno, "%s", work->item->path);
    return MIST_OK;
}

/* Cuts off what failed the check. */
static void drop_bad(struct work *work)
{
    if (!work->verifier.started) {
        rewind_to(work, work->base, NULL);
        return;
    }
    verifier_seek(&work->verifier, work->verifier.chunk_start);
    rewind_to(work, work->verifier.position, NULL);
}

/* Fetches bytes of the item up to `end`. */
static enum mist_status fetch_range(struct work *work, uint64_t end, struct mist_error *error)
{
    for (int tries = 0;; tries++) {
        struct mist_error failure = {0};
        uint64_t first = work->position;
        struct transport_request request = {.path = work->remote,
                                            .name = work->item->path,
                                            .first = first,
                                            .end = end,
                                            .size = work->item->size,
                                            .sink = take_bytes,
                                            .context = work};
        enum mist_status status = first < end ? transport_fetch(work->transport, &request, &failure) : MIST_OK;
        bool wrong = status == MIST_ERROR_CHECKSUM || status == MIST_ERROR_CORRUPT || status == MIST_ERROR_TRUNCATED ||
                     status == MIST_ERROR_UNSUPPORTED;
        if (wrong)
            drop_bad(work);
        /* The wrong chunk may have begun with bytes that an earlier run left and that were never checked. */
        if (status == MIST_ERROR_CHECKSUM && tries == 0 && work->position < first)
            continue;
        return status ? error_set(error, status, "%s", failure.message) : MIST_OK;
    }
}

/* ---- the prefix ---- */

/* A complete file that is long enough: checks it. *good is false if it has to be mended. */
static enum mist_status use_complete(struct work *work, const struct needs *needs, bool *good, struct mist_error *error)
{
    char name[CACHE_NAME_MAX];
    uint64_t checked = 0;
    *good = false;
    cache_name(work->item, false, name);
    int descriptor = confined_open(work->cache->items, name, O_RDONLY);
    if (descriptor < 0)
        return MIST_OK;
    enum mist_status status = cache_check(descriptor, needs->end, work->item, &work->verifier, &checked, error);
    *good = !status && checked == needs->end;
    if (!*good)
        verifier_free(&work->verifier);
    close(descriptor);
    return status;
}

/* Opens the part file on what is here already. */
static enum mist_status open_part(struct work *work, const struct cached *cached, struct mist_error *error)
{
    char name[CACHE_NAME_MAX], part[CACHE_NAME_MAX];
    const struct cache *cache = work->cache;
    struct stat about;
    uint64_t good = 0;
    cache_name(work->item, false, name);
    cache_name(work->item, true, part);
    enum mist_status status = MIST_OK;
    if (cached->form == CACHED_NOTHING)
        cache_forget(cache, work->item);
    else if (cached->form == CACHED_COMPLETE)
        status = confined_rename(cache->items, name, cache->items, part, error);
    if (!status)
        status = confined_open_writable(cache->items, part, &work->descriptor, error);
    if (status)
        return status;
    work->base = 0;
    if (fstat(work->descriptor, &about) == 0)
        status = cache_check(work->descriptor, (uint64_t)about.st_size, work->item, &work->verifier, &good, error);
    return status ? status : rewind_to(work, good, error);
}

/* The tail's own file becomes the end of the item. Whatever is wrong with it, the network has it too. */
static void append_tail(struct work *work)
{
    char name[CACHE_NAME_MAX];
    cache_name(work->item, false, name);
    uint8_t *chunk = memory_allocate(CHUNK);
    int tail = confined_open(work->cache->tails, name, O_RDONLY);
    const uint64_t start = work->position;
    enum mist_status status = chunk && tail >= 0 ? MIST_OK : MIST_ERROR_IO;
    while (!status && work->position < work->item->size) {
        uint64_t left = work->item->size - work->position;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        status = file_read_at(tail, work->position - start, chunk, size, NULL);
        if (!status)
            status = take_bytes(work, chunk, size, NULL);
    }
    if (status)
        drop_bad(work);
    if (tail >= 0)
        close(tail);
    memory_free(chunk);
}

static enum mist_status bring_prefix(struct work *work, const struct cached *cached, const struct needs *needs,
                                     bool *complete, struct mist_error *error)
{
    char name[CACHE_NAME_MAX], part[CACHE_NAME_MAX];
    const struct mist_catalog_item *item = work->item;
    *complete = false;
    enum mist_status status = MIST_OK;
    if (cached->form == CACHED_COMPLETE && cached->have >= needs->end)
        status = use_complete(work, needs, complete, error);
    if (status || *complete)
        return status;
    status = open_part(work, cached, error);
    uint64_t body_end = item->level_end[item->levels - 1];
    if (!status && needs->tail_joins && work->position <= body_end) {
        status = fetch_range(work, body_end, error);
        if (!status)
            append_tail(work);
    }
    if (!status)
        status = fetch_range(work, needs->end, error);
    if (work->descriptor >= 0 && close(work->descriptor) != 0 && !status)
        status = error_set_errno(error, errno, "%s", item->path);
    work->descriptor = -1;
    cache_name(item, false, name);
    cache_name(item, true, part);
    if (status && !work->verifier.started)
        confined_remove(work->cache->items, part); /* nothing of it is known to be good */
    if (status || work->position > needs->end)
        return status; /* a part that goes beyond what is needed now stays one */
    *complete = true;
    if (needs->end == item->size)
        confined_remove(work->cache->tails, name);
    return confined_rename(work->cache->items, part, work->cache->items, name, error);
}

/* ---- the tail ---- */

static enum mist_status bring_tail(struct work *work, const struct cached *cached, struct mist_error *error)
{
    char name[CACHE_NAME_MAX], part[CACHE_NAME_MAX];
    const struct mist_catalog_item *item = work->item;
    int tails = work->cache->tails;
    const uint64_t size = item->size - item->level_end[item->levels - 1];
    struct stat about;
    uint64_t good = 0;
    cache_name(item, false, name);
    cache_name(item, true, part);
    enum mist_status status = MIST_OK;
    if (cached->tail_form == CACHED_COMPLETE) {
        int descriptor = confined_open(tails, name, O_RDONLY);
        if (descriptor >= 0) {
            status = cache_check_tail(descriptor, size, &work->verifier, &good, error);
            close(descriptor);
        }
        if (status || good == size)
            return status;
        status = confined_rename(tails, name, tails, part, error);
    }
    if (!status)
        status = confined_open_writable(tails, part, &work->descriptor, error);
    if (status)
        return status;
    work->base = item->size - size;
    uint64_t here = fstat(work->descriptor, &about) == 0 ? (uint64_t)about.st_size : 0;
    status = cache_check_tail(work->descriptor, here < size ? here : size, &work->verifier, &good, error);
    if (!status)
        status = rewind_to(work, work->base + good, error);
    if (!status)
        status = fetch_range(work, item->size, error);
    if (close(work->descriptor) != 0 && !status)
        status = error_set_errno(error, errno, "%s", item->path);
    work->descriptor = -1;
    return status ? status : confined_rename(tails, part, tails, name, error);
}

enum mist_status fetch_item(struct transport *transport, const struct cache *cache,
                            const struct mist_catalog_item *item, unsigned reduce, bool tail, struct fetched *fetched,
                            struct mist_error *error)
{
    struct work work = {.transport = transport, .cache = cache, .item = item, .descriptor = -1};
    struct cached cached;
    bool complete;
    char name[CACHE_NAME_MAX];
    *fetched = (struct fetched){0};
    snprintf(work.remote, sizeof work.remote, "items/%s.mist", item->path);
    cache_look(cache, item, &cached);
    struct needs needs = cache_needs(item, &cached, reduce, tail);
    enum mist_status status = bring_prefix(&work, &cached, &needs, &complete, error);
    if (!status && needs.tail_apart)
        status = bring_tail(&work, &cached, error);
    if (!status) {
        cache_name(item, !complete, name);
        fetched->path = path_join(cache->items_path, name);
        cache_name(item, false, name);
        fetched->tail_path = needs.tail_apart ? path_join(cache->tails_path, name) : NULL;
        if (!fetched->path || (needs.tail_apart && !fetched->tail_path))
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    }
    if (status)
        fetched_free(fetched);
    if (work.descriptor >= 0)
        close(work.descriptor);
    verifier_free(&work.verifier);
    return status;
}
