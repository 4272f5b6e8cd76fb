/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Items that are open: a viewer asks for the frames of a series one by one, and to open an item is to read its whole
 * map. They are told apart by what file they are (device, inode, size, time), so an item that was encoded anew is
 * another one. The least recently used are closed when there are too many or their maps take too much memory.
 */
#ifndef HOST_CACHE_H
#define HOST_CACHE_H

#include <mist/item.h>
#include <pthread.h>
#include <stdint.h>

enum { CACHE_MAX_ITEMS = 64 };
#define CACHE_MAX_BYTES ((uint64_t)256 << 20) /* of maps and headers; the files themselves are only mapped */

struct cached_item {
    mist_item *item;     /* read-only, for any number of threads */
    const uint8_t *data; /* the item file, mapped */
    uint64_t size;

    /* Of the cache alone. */
    uint64_t device, inode, seconds, nanoseconds;
    uint64_t cost, used; /* bytes; when it was last asked for */
    unsigned references;
    struct cached_item *next;
};

struct item_cache {
    pthread_mutex_t lock;
    struct cached_item *first;
    unsigned count;
    uint64_t cost, clock;
};

void cache_start(struct item_cache *cache);
/* Closes all items, none of which may be in use. */
void cache_stop(struct item_cache *cache);

/*
 * The item in an open file, which is closed here whatever happens. To be given back with cache_release().
 * `name` is for messages.
 */
enum mist_status cache_open(struct item_cache *cache, int descriptor, const char *name, struct cached_item **item,
                            struct mist_error *error);
void cache_release(struct item_cache *cache, struct cached_item *item);

#endif
