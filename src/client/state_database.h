/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the state share: state.c (what was written) and vanished.c (what the host no longer has). */
#ifndef CLIENT_STATE_DATABASE_H
#define CLIENT_STATE_DATABASE_H

#include "client/state.h"
#include "store/database.h"

#include <pthread.h>
#include <stdbool.h>

enum state_query {
    Q_FIND,
    Q_FILE,
    Q_RETIME,
    Q_LINKS_UNSEE,
    Q_LINK_SEE,
    Q_LINK,
    Q_LINK_PUT,
    Q_LINK_DROP,
    Q_LINK_UNSEEN,
    Q_FIND_OLD,
    Q_FILES,
    Q_KNOWS,
    Q_OWNER,
    Q_DROP_FILES,
    Q_DROP,
    Q_ADD,
    Q_ADD_FILE,
    Q_RECORDED,
    Q_RECORDED_ITEM_FILES,
    Q_ADD_OUTDATED,
    Q_FILES_OF_GONE,
    Q_ADD_VANISHED,
    Q_COUNT_VANISHED,
    Q_STILL_THERE,
    Q_STILL_THERE_BELOW,
    Q_NEXT_HOW,
    Q_NEXT_VANISHED,
    Q_DROP_FILE,
    Q_NEXT_GONE,
    Q_DROP_GONE,
    STATE_QUERY_COUNT
};

/* Goes through the records of some kinds, in the order of the catalog. */
struct cursor {
    sqlite3_stmt *statement; /* NULL: not started */
    bool row;                /* it stands at one */
};

struct state {
    bool begun;       /* a transaction */
    unsigned changes; /* of times */
    struct database database;
    pthread_mutex_t lock;
    int root;
    const char *format; /* that this run writes items in */
    struct cursor written, item_files;
};

/* Whether the file is there with this size and time. */
bool state_is_as_left(const struct state *state, const char *path, int64_t size, int64_t time);

#endif
