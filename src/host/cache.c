/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/cache.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void cache_start(struct item_cache *cache)
{
    *cache = (struct item_cache){0};
    pthread_mutex_init(&cache->lock, NULL);
}

static void close_item(struct cached_item *item)
{
    mist_item_close(&item->item);
    if (item->data)
        munmap((void *)(uintptr_t)item->data, (size_t)item->size);
    memory_free(item);
}

void cache_stop(struct item_cache *cache)
{
    while (cache->first) {
        struct cached_item *item = cache->first;
        cache->first = item->next;
        close_item(item);
    }
    pthread_mutex_destroy(&cache->lock);
}

/* Takes the item out of the list and gives it to the caller. The lock is held. */
static void remove_item(struct item_cache *cache, struct cached_item **link)
{
    struct cached_item *item = *link;
    *link = item->next;
    item->next = NULL;
    cache->count--;
    cache->cost -= item->cost;
}

/* Closes the least recently used ones that nobody uses until the limits are kept. The lock is held. */
static void trim(struct item_cache *cache)
{
    while (cache->count > CACHE_MAX_ITEMS || cache->cost > CACHE_MAX_BYTES) {
        struct cached_item **oldest = NULL;
        for (struct cached_item **link = &cache->first; *link; link = &(*link)->next)
            if ((*link)->references == 0 && (!oldest || (*link)->used < (*oldest)->used))
                oldest = link;
        if (!oldest)
            return;
        struct cached_item *item = *oldest;
        remove_item(cache, oldest);
        close_item(item);
    }
}

/* The item of this file, if it is here. */
static struct cached_item *find(struct item_cache *cache, const struct stat *about)
{
    pthread_mutex_lock(&cache->lock);
    struct cached_item *item = cache->first;
    while (item &&
           (item->inode != about->st_ino || item->device != about->st_dev || item->size != (uint64_t)about->st_size ||
            item->seconds != (uint64_t)about->st_mtim.tv_sec || item->nanoseconds != (uint64_t)about->st_mtim.tv_nsec))
        item = item->next;
    if (item) {
        item->references++;
        item->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->lock);
    return item;
}

static enum mist_status open_new(int descriptor, const struct stat *about, const char *name,
                                 struct cached_item **result, struct mist_error *error)
{
    if (about->st_size <= 0)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: the item file is empty", name);
    struct cached_item *item = memory_allocate_zeroed(1, sizeof *item);
    if (!item)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    enum mist_status status = MIST_OK;
    void *data = mmap(NULL, (size_t)about->st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED) {
        status = error_set_errno(error, errno, "%s", name);
    } else {
        item->data = data;
        item->size = (uint64_t)about->st_size;
        status = mist_item_open_memory(item->data, (size_t)item->size, name, &item->item, error);
    }
    if (status) {
        close_item(item);
        return status;
    }
    const struct mist_item_info *info = mist_item_info(item->item);
    item->device = about->st_dev;
    item->inode = about->st_ino;
    item->seconds = (uint64_t)about->st_mtim.tv_sec;
    item->nanoseconds = (uint64_t)about->st_mtim.tv_nsec;
    /* An offset of 8 bytes and a length of 4 for each entry of the map, and meta, which is at most the head unpacked.
     */
    item->cost = 12 * (uint64_t)info->levels * (info->image.frames + (uint64_t)1) + 4 * info->head_end;
    item->references = 1;
    *result = item;
    return MIST_OK;
}

enum mist_status cache_open(struct item_cache *cache, int descriptor, const char *name, struct cached_item **item,
                            struct mist_error *error)
{
    struct stat about;
    enum mist_status status = MIST_OK;
    *item = NULL;
    if (fstat(descriptor, &about) != 0)
        status = error_set_errno(error, errno, "%s", name);
    if (!status)
        *item = find(cache, &about);
    if (!status && !*item) {
        /* Two threads may open the same one; the second stays until it is the least recently used. */
        status = open_new(descriptor, &about, name, item, error);
        if (!status) {
            pthread_mutex_lock(&cache->lock);
            (*item)->used = ++cache->clock;
            (*item)->next = cache->first;
            cache->first = *item;
            cache->count++;
            cache->cost += (*item)->cost;
            trim(cache);
            pthread_mutex_unlock(&cache->lock);
        }
    }
    close(descriptor);
    return status;
}

void cache_release(struct item_cache *cache, struct cached_item *item)
{
    pthread_mutex_lock(&cache->lock);
    item->references--;
    trim(cache);
    pthread_mutex_unlock(&cache->lock);
}
