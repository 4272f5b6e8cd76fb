/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running server.
 *
 * libmicrohttpd's threads (server.c) read requests and send answers. The router finds who answers; an answer that needs
 * no more than opening a file is made right there, every other one by the workers (work.c) while the connection is
 * suspended, so that a thread that moves bytes for hundreds of clients never waits for a decoder or a database. There
 * are two kinds of workers: those that look things up, and those that decode, behind a queue that may be full (503). An
 * answer that turns out to need decoding moves from one to the other.
 */
#ifndef HOST_SERVER_H
#define HOST_SERVER_H

#include "host/access.h"
#include "host/budget.h"
#include "host/cache.h"
#include "host/connection.h"
#include "host/metrics.h"
#include "host/request.h"
#include "host/work.h"

#include <microhttpd.h>
#include <mist/host.h>
#include <pthread.h>
#include <stdatomic.h>

struct mist_host {
    mist_store *store;
    struct mist_host_options options; /* `listen` points to nothing */
    char url[300];
    unsigned port;
    int listener;
    struct MHD_Daemon *daemon;
    struct connections connections;
    struct metrics metrics;
    struct item_cache cache;
    struct work_pool looks, renders;
    struct budget budget; /* of pictures */
    struct name_list no_dicom_web;
    struct access access;
    pthread_mutex_t log_lock;
    atomic_bool draining; /* stop was asked for: connections close after their answer */
};

#endif
