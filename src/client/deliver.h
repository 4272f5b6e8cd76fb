/* SPDX-License-Identifier: BSD-2-Clause */
/* Making one item's or attachment's files where they belong. */
#ifndef CLIENT_DELIVER_H
#define CLIENT_DELIVER_H

#include "client/fetch.h"
#include "client/plan.h"

/*
 * Writes the files of an item that was fetched into a directory of its own (worker < 1000 names it), then moves them
 * to their places and records them. *files is how many.
 */
enum mist_status deliver_item(struct session *session, const struct mist_catalog_item *item,
                              const struct selected *selected, const struct fetched *fetched, unsigned worker,
                              unsigned threads, uint64_t *files, struct mist_error *error);

/* Moves a fetched attachment (plan_part_name()) to its place and records it. */
enum mist_status deliver_attachment(struct session *session, const struct mist_catalog_attachment *attachment,
                                    struct mist_error *error);
/* Records an attachment that was there already. */
enum mist_status deliver_known(struct session *session, const struct mist_catalog_attachment *attachment,
                               struct mist_error *error);
/* Records an item that is itself what was asked for, once it has been fetched. */
enum mist_status deliver_item_itself(struct session *session, const struct mist_catalog_item *item,
                                     struct mist_error *error);

#endif
