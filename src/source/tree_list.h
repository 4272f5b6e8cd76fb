/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree.jsonl.zst: what the tree that a dataset was made of has besides the content of its files: links, directories,
 * modes and times (docs/format.md, section 13).
 */
#ifndef SOURCE_TREE_LIST_H
#define SOURCE_TREE_LIST_H

#include "base/file.h"

#include <mist/source.h>

#define TREE_LIST_NAME "tree.jsonl.zst"

/* A line: a directory, a link, or a file that the catalog names. */
struct tree_entry {
    const char *path;
    const char *target; /* of a link: relative to its directory, escaped (base/escape.h); else NULL */
    bool directory;
    bool empty; /* a directory in which there is nothing */
    unsigned mode;
    int64_t mtime; /* ns since 1970 */
};

/* Both append to `out`, without a line end. */
bool tree_header_write(const struct mist_dataset_tree *tree, struct mist_buffer *out);
bool tree_entry_write(const struct tree_entry *entry, struct mist_buffer *out);

/* Reads the value of a member that is one of the counts, in a tree list's first line or a catalog's; false: it is none.
 */
struct json_reader;
bool tree_count_read(struct json_reader *json, const char *key, struct mist_dataset_tree *tree);

struct tree_list;
/* `data` must stay. The first line is read; *counts has what it says, without size and checksum. */
enum mist_status tree_list_open(const uint8_t *data, size_t size, struct tree_list **list,
                                struct mist_dataset_tree *counts, struct mist_error *error);
/* In ascending order of paths, all of which are safe, links not leading out of the dataset; path NULL at the end. */
enum mist_status tree_list_next(struct tree_list *list, struct tree_entry *entry, struct mist_error *error);
void tree_list_close(struct tree_list **list);

/* Where a link leads: a path of the dataset, "" for all of it. False where it leads out of it. */
bool tree_resolve(const char *link, const char *target, char path[PATH_ROOM]);

#endif
