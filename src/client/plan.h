/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wanted of the catalog's entries, and what it takes. */
#ifndef CLIENT_PLAN_H
#define CLIENT_PLAN_H

#include "client/session.h"

/* How items so taken are written, for struct state_key. */
#define PLAN_HOW_SIZE 112
void plan_describe(const struct session *session, const struct selected *selected, char how[PLAN_HOW_SIZE]);

/* Chooses what is taken, and the levels that options->max_bytes allows; before select_takes() is asked. */
enum mist_status plan_choose(struct session *session, struct mist_error *error);

/*
 * Goes through the catalog: fills the report with what is selected, there already, and to be fetched; and tells the
 * state what the host has.
 */
enum mist_status plan_all(struct session *session, const struct mist_progress *progress, struct mist_error *error);

/* How an attachment is recorded, and whether it is there: as it was written, or with the right bytes from elsewhere. */
struct state_key plan_attachment_key(const struct mist_catalog_attachment *attachment);
enum mist_status plan_attachment_is_here(const struct session *session,
                                         const struct mist_catalog_attachment *attachment, bool *here,
                                         struct mist_error *error);
/* Whether an item's files are there as they are wanted. */
enum mist_status plan_item_is_here(const struct session *session, const struct mist_catalog_item *item,
                                   const struct selected *selected, bool *here, struct mist_error *error);
/* `how` of plan_describe() must live as long as the key. */
struct state_key plan_item_key(const struct mist_catalog_item *item, const char *how);

/* Name of the file in session->parts that an attachment is fetched into. */
#define PART_NAME_MAX 40
void plan_part_name(const struct mist_catalog_attachment *attachment, char name[PART_NAME_MAX]);

#endif
