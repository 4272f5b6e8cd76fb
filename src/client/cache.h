/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was fetched of each item: one sparse file ITEMS/PATH.mist-part with each byte at its own place, and behind the
 * item's end a list of the ranges that are here. Longer than an item can be, it is taken for none. Nothing here is
 * synced: what a power cut leaves is checked against the head's checksums before it is used, and fetched again where it
 * is wrong.
 */
#ifndef CLIENT_CACHE_H
#define CLIENT_CACHE_H

#include "base/file.h"
#include "client/held.h"
#include "source/select.h"
#include "source/verifier.h"

#include <stdbool.h>
#include <stdint.h>

struct cache {
    int items; /* a directory; -1 where there is none (yet) */
    char *items_path;
    bool whole; /* the items themselves are asked for: complete prefixes lie there as PATH.mist */
};

/* What is here of the item that the catalog names; of one with another id nothing is. Reads little of the files. */
void cache_look(const struct cache *cache, const struct mist_catalog_item *item, struct held *held);
/* Whether PATH.mist is the item, or a prefix of it that ends with a level; *size is how long it is. */
bool cache_has_whole(const struct cache *cache, const struct mist_catalog_item *item, uint64_t *size);

/* Bytes that are missing for what was selected. */
uint64_t cache_missing(const struct mist_catalog_item *item, const struct selected *selected, const struct held *held);

/* The list in an open file; nothing where there is none of this item. */
void cache_read_list(int descriptor, const struct mist_catalog_item *item, struct held *held);
enum mist_status cache_write_list(int descriptor, const struct mist_catalog_item *item, const struct held *held,
                                  struct mist_error *error);

/* "PATH.mist" or "PATH.mist-part" into `name`. */
#define CACHE_NAME_MAX (PATH_ROOM + sizeof ".mist-part")
void cache_name(const struct mist_catalog_item *item, bool part, char name[CACHE_NAME_MAX]);
/* Removes what is here of an item, but for PATH.mist. */
void cache_forget(const struct cache *cache, const struct mist_catalog_item *item);

#endif
