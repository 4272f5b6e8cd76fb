/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files were written, of which content and how: .mist/DATASET/written.sqlite. A file counts as there and
 * unchanged while its size and modification time are those it was written with. May be used by several threads.
 */
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <mist/buffer.h>
#include <mist/store.h>

struct state;

/* One file that was written. */
struct state_file {
    const char *path; /* relative to the output directory */
    uint64_t size;
    int64_t time; /* modification, in ns since 1970 */
};

/* An item or attachment; `id` names its content, `how` the form that it was written in. */
struct state_key {
    enum mist_catalog_kind kind;
    const char *path;
    uint64_t id;
    const char *how;
};

/*
 * Opens the file; `root` is the output directory. Without `make` a missing file gives *state NULL, which the functions
 * below take as one that knows nothing.
 */
enum mist_status state_open(const char *path, int root, bool make, struct state **state, struct mist_error *error);
void state_close(struct state **state);

/* *current: it was written so, and all its files are there as they were left. */
enum mist_status state_is_current(struct state *state, const struct state_key *key, bool *current,
                                  struct mist_error *error);
/* MIST_ERROR_IO if another item or attachment, written in the same form, has a file of this path. */
enum mist_status state_check_owner(struct state *state, const struct state_key *key, const char *path,
                                   struct mist_error *error);
/* Takes the place of what was recorded for this item or attachment before. */
enum mist_status state_record(struct state *state, const struct state_key *key, const struct state_file *files,
                              size_t count, struct mist_error *error);
/*
 * Forgets it, before its files are replaced. Appends to `stale` (each with its NUL) the paths of those files that were
 * made in the same format of a content that is no longer the item's, and are still as they were left.
 */
enum mist_status state_forget(struct state *state, const struct state_key *key, struct mist_buffer *stale,
                              struct mist_error *error);
/* Whether a file of this path is recorded for anything. */
enum mist_status state_knows(struct state *state, const char *path, bool *known, struct mist_error *error);

#endif
