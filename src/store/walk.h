/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk through the sources, as walk.c (directories) and walk_archive.c (zip, tar) share it. */
#ifndef STORE_WALK_H
#define STORE_WALK_H

#include "store/archive.h"
#include "store/encode.h"

#include <sys/stat.h>

struct walk {
    struct encode *encode;
    struct stat store;
    const char *source; /* the source being walked, resolved */
    const char *base;   /* where it goes in the dataset: "" or its base name */
    bool several;       /* sources, each below its base name */
    uint64_t files;
};

/* A source file that was found. */
struct found_file {
    const char *path; /* in the dataset */
    const char *disk; /* on this machine; of an entry of an archive what messages call it */
    uint64_t size;
    int64_t mtime;
    unsigned mode;
    int64_t place; /* in an archive (unpack.h); 0: it is a file */
};

/* ---- walk_list.c ---- */

enum mist_status walk_add_file(struct walk *walk, const struct found_file *found, struct mist_error *error);
/* What dataset.json, read from `disk`, lists as labels below the directory that it is in. */
enum mist_status walk_read_listed(struct walk *walk, const char *directory, const char *disk, struct mist_error *error);

/* What else a tree has: a directory (`target` NULL), or a link with its target, relative to where it is, escaped. */
enum mist_status walk_add_place(struct walk *walk, const char *path, const char *target, unsigned mode, int64_t mtime,
                                struct mist_error *error);

/* Something that the dataset will not have: said, counted as failed; nothing is pruned then. */
void walk_leave_out(struct walk *walk, const char *path, const char *reason);

/* walk_archive.c: the entries of the archive walk->source. */
enum mist_status walk_archive(struct walk *walk, struct mist_error *error);

#endif
