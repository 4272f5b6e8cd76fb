/* SPDX-License-Identifier: BSD-2-Clause */
/* An open store, as the files that look things up in it share it. */
#ifndef STORE_OPENED_H
#define STORE_OPENED_H

#include "source/catalog.h"
#include "store/database.h"

#include <mist/store.h>
#include <pthread.h>

/* Which file something is. */
struct file_identity {
    uint64_t device, inode;
};

struct mist_store {
    char *directory;
    char *index;                      /* DIRECTORY/mist.sqlite; both stay the same as long as the store is open */
    pthread_rwlock_t root_lock;       /* of the two below; taken after `lock` where both are */
    int root;                         /* the directory, open */
    struct file_identity identity[2]; /* of the directory and of mist.sqlite, when they were opened */
    pthread_mutex_t lock;             /* of the database and of what is below */
    struct database database;
    struct catalog_row row;
};

/*
 * Takes the lock, which is given back with store_leave(). Where another store stands in the place of the one that was
 * opened (renamed, made anew by `mist index`), that one is opened. On failure (there is none now) the lock is not held.
 */
enum mist_status store_enter(mist_store *store, struct mist_error *error);
void store_leave(mist_store *store);

#endif
