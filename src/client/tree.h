/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tree of a dataset has besides files: empty directories and links, and with options->times modes and times.
 */
#ifndef CLIENT_TREE_H
#define CLIENT_TREE_H

#include "client/session.h"

/*
 * After all files are written: fetches the dataset's tree list, if something in it is wanted, makes what was selected,
 * and looks for links that an earlier run made and that the dataset no longer has (removed with options->prune). What
 * cannot be made is counted in the report, or noted and counted as failed.
 */
enum mist_status tree_apply(struct session *session, struct mist_error *error);

#endif
