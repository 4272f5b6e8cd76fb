/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is taken of a dataset: which entries, at which resolution, and which bytes of each item. The host's plan, the
 * client's dry run and what is then transferred all ask here.
 */
#ifndef SOURCE_SELECT_H
#define SOURCE_SELECT_H

#include "source/selection.h"

/* What is asked for. Texts and lists are the caller's. */
struct select {
    struct mist_resolution_request resolution;
    const char *format;          /* NULL: that of the source; one of mist_export_formats(); "mist": the items */
    struct selection *selection; /* which entries; owned: select_start(), select_end() */
    uint64_t max_memory;         /* what decoding one frame may take; 0: no limit */
    unsigned least_reduce;       /* at least so many levels are dropped: select_budget_choose() */
};

/* MIST_ERROR_ARGUMENT where resolution and format do not fit together. */
enum mist_status select_check(const struct select *select, struct mist_error *error);
/*
 * With everything above set: `selection` is made of `which`. MIST_ERROR_ARGUMENT where it does not fit together. What
 * is left to be done before select_takes() is said in source/selection.h.
 */
enum mist_status select_start(struct select *select, const struct mist_selection *which, struct mist_error *error);
/* Safe on a zeroed one. */
void select_end(struct select *select);

/* Whether an item or attachment is among what is asked for. */
bool select_takes(const struct select *select, const struct mist_catalog_entry *entry);

/* One item as it is taken. */
struct selected {
    struct mist_choice written; /* what is made of it */
    struct mist_choice fetched; /* what that takes: more, where label maps are put on another grid */
    bool tail;                  /* and the tail: its original headers are needed for that */
    uint64_t bytes;             /* of all that */
    bool between_slices;        /* slices are made that lie between its own */
    uint64_t memory;            /* that decoding and writing one of its frames takes, about; 0 where none is decoded */
};
/* Reads item->files where it has several. */
struct selected select_item(const struct select *select, const struct mist_catalog_item *item);

/*
 * What the catalog tells before anything of the item is fetched. MIST_ERROR_LIMIT with a sentence where a frame of it
 * takes more memory than allowed: a few hundred bytes can be a picture of gigabytes. MIST_ERROR_ARGUMENT where it
 * cannot be written as asked for.
 */
enum mist_status select_check_item(const struct select *select, const struct mist_catalog_item *item,
                                   const struct selected *selected, struct mist_error *error);

/* How an item so taken is written out; `threads` is left 0. */
struct mist_export_options select_export(const struct select *select, const struct selected *selected);

/* Whether the items themselves are asked for. */
bool select_wants_items(const struct select *select);

/* Whether a smaller size would have been chosen if the item had more levels; and why it has not: never NULL then. */
const char *select_not_reduced(const struct select *select, const struct mist_catalog_item *item,
                               const struct selected *selected);

/* Whether less than everything is asked for, so that an image which is an attachment comes larger than that. */
bool select_reduces(const struct select *select);

/* ---- at most so many bytes: start zeroed, add all entries, then choose ---- */

struct select_budget {
    uint64_t bytes[MIST_MAX_LEVELS]; /* by least_reduce */
};
/* Adds what a download from nothing takes of an entry; nothing where it is not taken. */
void select_budget_add(const struct select *select, const struct mist_catalog_entry *entry,
                       struct select_budget *budget);
/* Sets select->least_reduce; MIST_ERROR_LIMIT if even the smallest levels take more. */
enum mist_status select_budget_choose(struct select *select, const struct select_budget *budget, uint64_t max_bytes,
                                      struct mist_error *error);

#endif
