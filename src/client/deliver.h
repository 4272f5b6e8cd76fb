/* SPDX-License-Identifier: BSD-2-Clause */
/* Making one item's or attachment's files where they belong. */
#ifndef CLIENT_DELIVER_H
#define CLIENT_DELIVER_H

#include "client/fetch.h"
#include "client/plan.h"

/* The files of one item, written in a directory of their own, on their way to their places. */
struct delivery {
    const struct mist_catalog_item *item;
    char how[PLAN_HOW_SIZE];
    int directory;            /* -1: none */
    char *path;               /* of it */
    struct mist_buffer paths; /* relative to it, each with its NUL */
    size_t count;
    bool failed; /* no memory */
};

/* Writes the files of an item that was fetched into such a directory, which `worker` (< 1000) names. Whatever comes
 * back, delivery_free() is due, before the item's catalog entry goes. */
enum mist_status deliver_write(struct session *session, const struct mist_catalog_item *item,
                               const struct selected *selected, const struct fetched *fetched, unsigned worker,
                               unsigned threads, struct delivery *delivery, struct mist_error *error);
/* Waits until the disk has them, moves them to their places and records them. */
enum mist_status deliver_place(struct session *session, const struct delivery *delivery, struct mist_error *error);
void delivery_free(struct delivery *delivery);

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
