/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetching one item or attachment: what is missing of it, checked as it comes. */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "client/cache.h"
#include "client/transport.h"

struct fetched {
    char *path;      /* a prefix of the item that holds what was asked for */
    char *tail_path; /* its tail, or NULL */
};
void fetched_free(struct fetched *fetched);

/*
 * Brings the levels of `reduce` and, with `tail`, the archival tail of an item into the cache. On failure what is good
 * of it stays there for another time.
 */
enum mist_status fetch_item(struct transport *transport, const struct cache *cache,
                            const struct mist_catalog_item *item, unsigned reduce, bool tail, struct fetched *fetched,
                            struct mist_error *error);

/* Brings an attachment into the file `name` below `directory`; bytes of an earlier try that are there already stay. */
enum mist_status fetch_attachment(struct transport *transport, int directory, const char *name,
                                  const struct mist_catalog_attachment *attachment, struct mist_error *error);

#endif
