/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that an earlier call wrote and that the host no longer has. */
#ifndef CLIENT_PRUNE_H
#define CLIENT_PRUNE_H

#include "client/session.h"

/*
 * After plan_all() and the download, while no other thread is at work: counts them, and with options->prune and
 * `remove` removes them; only counts what would be removed without `remove`. After a run in which something failed none
 * is removed: what came in its place may be what failed.
 */
enum mist_status prune(struct session *session, bool remove, struct mist_error *error);

#endif
