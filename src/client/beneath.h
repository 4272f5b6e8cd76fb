/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files below an open directory by paths that come from elsewhere (checked by path_is_safe()): no symbolic link on the
 * way is followed, so that nothing is read or written outside.
 */
#ifndef CLIENT_BENEATH_H
#define CLIENT_BENEATH_H

#include <mist/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Opens the directory that holds `path`; with `make` it and its parents are made. *name is the last part of `path`. The
 * caller closes *parent.
 */
enum mist_status beneath_parent(int root, const char *path, bool make, int *parent, const char **name,
                                struct mist_error *error);

/* As openat() with O_NOFOLLOW on every part; -1 where something is missing, in the way or no regular file. */
int beneath_open(int root, const char *path, int flags);
/* Opens a file for reading and writing, made if it is not there. */
enum mist_status beneath_open_writable(int root, const char *path, int *descriptor, struct mist_error *error);
/* Whether there is a regular file; *about is filled then. */
bool beneath_stat(int root, const char *path, struct stat *about);
/* Fine if there is none. */
void beneath_remove(int root, const char *path);
/* Removes a file, and the directories below `root` that this leaves empty. */
enum mist_status beneath_remove_tidily(int root, const char *path, struct mist_error *error);
/* Moves a file; what was at `to` is replaced, but for directories. Parents of `to` are made. */
enum mist_status beneath_rename(int from_root, const char *from, int to_root, const char *to, struct mist_error *error);
/* Opens a directory, made if it is not there. */
enum mist_status beneath_directory(int root, const char *path, int *descriptor, struct mist_error *error);
/* Removes all that is below a directory, which stays. */
void beneath_clear(int root);

#endif
