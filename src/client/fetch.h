/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetching one item or attachment: what is missing of it, checked as it comes. */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "client/cache.h"
#include "transport/transport.h"

/* The file that holds what was asked for of an item, and where in it that is: as in the item. */
struct fetched {
    char *path;
    unsigned count;
    struct mist_byte_range range[MIST_MAX_RANGES];
};
void fetched_free(struct fetched *fetched);

/*
 * Brings what was selected of an item into the cache; of a cache of whole items, into PATH.mist. On failure what is
 * good of it stays there for another time.
 */
enum mist_status fetch_item(struct transport *transport, const struct cache *cache,
                            const struct mist_catalog_item *item, const struct selected *selected,
                            struct fetched *fetched, struct mist_error *error);

/* Brings an attachment into the file `name` below `directory`; bytes of an earlier try that are there already stay. */
enum mist_status fetch_attachment(struct transport *transport, int directory, const char *name,
                                  const struct mist_catalog_attachment *attachment, struct mist_error *error);

#endif
