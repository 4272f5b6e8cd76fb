/* SPDX-License-Identifier: BSD-2-Clause */
/* Every file below a directory of a store. */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include <mist/status.h>

/*
 * Calls visit(context, path, error) with the path, relative to `root`, of each regular file below it; links to
 * directories are not followed. No such directory: nothing. Paths that are not safe are left out.
 */
enum mist_status tree_walk(const char *root,
                           enum mist_status (*visit)(void *context, const char *path, struct mist_error *error),
                           void *context, struct mist_error *error);

#endif
