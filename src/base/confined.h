/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files below an open directory by paths that come from elsewhere, which the caller has checked by path_is_safe():
 * nothing is read or written outside the directory.
 */
#ifndef BASE_CONFINED_H
#define BASE_CONFINED_H

#include <mist/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Opens a regular file for reading. Symbolic links are followed as long as they stay below `root`. Whatever is wrong:
 * MIST_ERROR_NOT_FOUND. The caller closes *descriptor.
 */
enum mist_status confined_open_following(int root, const char *path, int *descriptor, struct mist_error *error);

/* ---- What follows passes no symbolic link at all ---- */

/*
 * Opens the directory that holds `path`; with `make` it and its parents are made. *name is the last part of `path`. The
 * caller closes *parent.
 */
enum mist_status confined_parent(int root, const char *path, bool make, int *parent, const char **name,
                                 struct mist_error *error);

/* As openat() with O_NOFOLLOW on every part; -1 where something is missing, in the way or no regular file. */
int confined_open(int root, const char *path, int flags);
/* Opens a file for reading and writing, made if it is not there. */
enum mist_status confined_open_writable(int root, const char *path, int *descriptor, struct mist_error *error);
/* Whether there is a regular file; *about is filled then. */
bool confined_stat(int root, const char *path, struct stat *about);
/* Fine if there is none. */
void confined_remove(int root, const char *path);
/* Removes a file, and the directories below `root` that this leaves empty. */
enum mist_status confined_remove_tidily(int root, const char *path, struct mist_error *error);
/* Moves a file; what was at `to` is replaced, but for directories. Parents of `to` are made. */
enum mist_status confined_rename(int from_root, const char *from, int to_root, const char *to,
                                 struct mist_error *error);
/* Opens a directory, made if it is not there. */
enum mist_status confined_directory(int root, const char *path, int *descriptor, struct mist_error *error);
/* Removes all that is below a directory, which stays. */
void confined_clear(int root);

#endif
