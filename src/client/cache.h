/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was fetched of each item: a prefix in ITEMS/PATH.mist, its tail in TAILS/PATH.mist; while being fetched they are
 * called PATH.mist.part. Nothing here is synced: what a power cut leaves is checked against the head's checksums before
 * it is used, and fetched again where it is wrong.
 */
#ifndef CLIENT_CACHE_H
#define CLIENT_CACHE_H

#include "base/file.h"
#include "client/verifier.h"

#include <mist/store.h>
#include <stdbool.h>
#include <stdint.h>

struct cache {
    int items, tails; /* directories; -1 where there is none (yet) */
    char *items_path, *tails_path;
};

enum cached_form { CACHED_NOTHING, CACHED_PART, CACHED_COMPLETE /* up to the end of a level, and checked once */ };

/* What is here of the item that the catalog names; of one with another id nothing is. */
struct cached {
    enum cached_form form;
    uint64_t have; /* bytes of the prefix */
    enum cached_form tail_form;
    uint64_t tail_have;
};
/* Reads of the files only what it must: of interrupted downloads everything. */
void cache_look(const struct cache *cache, const struct mist_catalog_item *item, struct cached *cached);

/* What has to be done to have a resolution of an item; all in bytes. */
struct needs {
    uint64_t end;            /* the prefix that must be here */
    uint64_t prefix_missing; /* to be fetched */
    bool tail_apart;         /* the tail must be here in a file of its own */
    bool tail_joins;         /* the tail's file, which is here, becomes the end of the prefix */
    uint64_t tail_missing;   /* to be fetched for tail_apart */
};
struct needs cache_needs(const struct mist_catalog_item *item, const struct cached *cached, unsigned reduce, bool tail);

/*
 * Checks the first `size` bytes of an item file. *good is how many of them may stay: up to the first wrong chunk (0:
 * the head is wrong or not all there). The verifier, started unless *good is 0, stands there.
 */
enum mist_status cache_check(int descriptor, uint64_t size, const struct mist_catalog_item *item,
                             struct verifier *verifier, uint64_t *good, struct mist_error *error);
/* The same for a file that holds the item's tail; the verifier has been started. *good counts from the tail's start. */
enum mist_status cache_check_tail(int descriptor, uint64_t size, struct verifier *verifier, uint64_t *good,
                                  struct mist_error *error);

/* "PATH.mist" or "PATH.mist.part" into `name`. */
#define CACHE_NAME_MAX (PATH_ROOM + sizeof ".mist.part")
void cache_name(const struct mist_catalog_item *item, bool part, char name[CACHE_NAME_MAX]);
/* Removes what is here of an item. */
void cache_forget(const struct cache *cache, const struct mist_catalog_item *item);

#endif
