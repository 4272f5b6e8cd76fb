/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files by paths that strangers give, without leaving a directory. */
#ifndef STORE_CONTAIN_H
#define STORE_CONTAIN_H

#include <mist/status.h>

/*
 * Opens the regular file `path`, whose parts the caller has checked by path_is_safe(), below the open directory `root`
 * for reading. Symbolic links are followed as long as they stay below it. Whatever is wrong: MIST_ERROR_NOT_FOUND.
 */
enum mist_status open_beneath(int root, const char *path, int *descriptor, struct mist_error *error);

#endif
