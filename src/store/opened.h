/* SPDX-License-Identifier: BSD-2-Clause */
/* An open store, as the files that look things up in it share it. */
#ifndef STORE_OPENED_H
#define STORE_OPENED_H

#include "source/catalog.h"
#include "store/database.h"

#include <mist/store.h>
#include <pthread.h>

struct mist_store {
    struct database database;
    int root;             /* the directory, open */
    pthread_mutex_t lock; /* of the database and of what is below */
    struct catalog_row row;
};

#endif
