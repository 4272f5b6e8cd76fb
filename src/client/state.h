/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files were written, of which content and how: CACHE/DATASET/written.sqlite. A file counts as there and
 * unchanged while its size and modification time are those it was written with. May be used by several threads, but for
 * what is said below.
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include "base/file.h"

#include <mist/buffer.h>
#include <mist/store.h>

struct state;

/* One file that was written. */
struct state_file {
    const char *path; /* relative to the output directory */
    uint64_t size;
    int64_t time; /* modification, in ns since 1970 */
};

/* Of each kind an item or attachment has one record. */
enum state_kind {
    STATE_ITEM = MIST_CATALOG_ITEM, /* files made of an item */
    STATE_ATTACHMENT = MIST_CATALOG_ATTACHMENT,
    STATE_ITEM_FILE /* the item itself */
};

/* An attachment that was there before, not written by us, is recorded as written in this form. */
#define STATE_FOUND "found"
/* The form of other attachments. */
#define STATE_AS_IT_IS "file"

/* An item or attachment; `id` names its content, `how` the form that it was written in: a format, and more. */
struct state_key {
    enum state_kind kind;
    const char *path;
    uint64_t id;
    const char *how;
};

/*
 * What the functions below change is kept together, in a transaction that state_end() ends: a process that is killed
 * before loses the records since the last one, and the files of these are written again, from what was fetched.
 *
 * Opens the file; `root` is the output directory, `format` the one that this run writes items in. One that is damaged,
 * half-made or of another version is made again, empty; *is_new says whether there was none to go on with. Without
 * `make` that gives *state NULL, which the functions below take as one that knows nothing.
 */
enum mist_status state_open(const char *path, int root, const char *format, bool make, struct state **state,
                            bool *is_new, struct mist_error *error);
void state_close(struct state **state);
/* May be called at any time; state_close() does it, too, but has nobody to tell of a failure. */
enum mist_status state_end(struct state *state, struct mist_error *error);

/* *current: it was written so, and all its files are there as they were left. */
enum mist_status state_is_current(struct state *state, const struct state_key *key, bool *current,
                                  struct mist_error *error);
/*
 * To be called before files are moved to `paths` (`count` texts, each with its NUL). MIST_ERROR_IO if one of them is
 * claimed by an attachment, or by another item in this run's format, unless the catalog has that one no longer or with
 * another content (state_compare()). Else they are claimed, and what was recorded for this one before is forgotten.
 * Appends to `stale` (each with its NUL) the paths of those files that were made in the same format of a content that
 * is no longer the item's, and are still as they were left.
 */
enum mist_status state_claim(struct state *state, const struct state_key *key, const char *paths, size_t count,
                             struct mist_buffer *stale, struct mist_error *error);
/* Takes the place of what was recorded for this item or attachment before. */
enum mist_status state_record(struct state *state, const struct state_key *key, const struct state_file *files,
                              size_t count, struct mist_error *error);
/* Removes the file of this path unless something claims it. */
void state_discard(struct state *state, const char *path);

/* ---- links, and files as a tree list names them ---- */

/* *ours: a record names a file of this path, and it is as it was left. */
enum mist_status state_file_is_ours(struct state *state, const char *path, bool *ours, struct mist_error *error);
/* Its time was set: it counts as left so. */
enum mist_status state_file_retime(struct state *state, const char *path, struct mist_error *error);

/* From now on no link has been seen. */
enum mist_status state_link_start(struct state *state, struct mist_error *error);
/* The dataset has a link of this path. */
enum mist_status state_link_see(struct state *state, const char *path, struct mist_error *error);
/* The target with which a link was made, in PATH_ROOM bytes; "" where none was. */
enum mist_status state_link_get(struct state *state, const char *path, char *target, struct mist_error *error);
enum mist_status state_link_put(struct state *state, const char *path, const char *target, struct mist_error *error);
enum mist_status state_link_forget(struct state *state, const char *path, struct mist_error *error);
/* The next link behind `path` that was made and not seen: into `path` and `target`, of PATH_ROOM bytes each. */
enum mist_status state_link_next_unseen(struct state *state, char *path, char *target, bool *any,
                                        struct mist_error *error);

/* ---- what the host no longer has; for one thread, while no other uses the state ---- */

/*
 * To be called for each entry of the catalog in its order, with its id or checksum, and then once with
 * MIST_CATALOG_END: so records are told from which the catalog has gone on.
 */
enum mist_status state_compare(struct state *state, enum mist_catalog_kind kind, const char *path, uint64_t id,
                               struct mist_error *error);
/* After that: the files recorded for what the catalog no longer has; *any says whether there are some. */
enum mist_status state_find_vanished(struct state *state, bool *any, struct mist_error *error);
/* In which forms those that were made of items were written: the next one behind `how` (at first ""). */
#define STATE_HOW_SIZE 96
enum mist_status state_next_vanished_how(struct state *state, char how[STATE_HOW_SIZE], bool *any,
                                         struct mist_error *error);
/* A file that the host has, under whatever item: it has not vanished. */
enum mist_status state_has_not_vanished(struct state *state, const char *path, struct mist_error *error);
/* The same for all files of items whose paths begin so. */
enum mist_status state_none_has_vanished(struct state *state, const char *beginning, struct mist_error *error);

struct state_vanished {
    char path[PATH_ROOM];
    bool found;   /* it was here before, and not written by us */
    bool as_left; /* as it was written; else it is another now, or not there */
};
/* The next one behind vanished->path (which is "" for the first); *any is false at the end. */
enum mist_status state_next_vanished(struct state *state, struct state_vanished *vanished, bool *any,
                                     struct mist_error *error);
/* No longer records the file. */
enum mist_status state_forget_vanished(struct state *state, const char *path, struct mist_error *error);
/* The same for items that the catalog no longer has: behind `path`, which is replaced. */
enum mist_status state_next_gone_item(struct state *state, char path[PATH_ROOM], bool *any, struct mist_error *error);
/* No longer records what has gone and has no files that are recorded. */
enum mist_status state_forget_gone(struct state *state, struct mist_error *error);

#endif
