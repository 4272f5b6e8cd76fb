/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running server, and one request on its way through it.
 *
 * libmicrohttpd's threads (server.c) read requests and send answers. The router finds who answers; an answer that needs
 * no more than opening a file is made right there, every other one by the workers (work.c) while the connection is
 * suspended, so that a thread that moves bytes for hundreds of clients never waits for a decoder or a database.
 */
#ifndef HOST_SERVER_H
#define HOST_SERVER_H

#include "host/cache.h"
#include "host/connection.h"
#include "host/metrics.h"
#include "host/target.h"
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
    struct work_pool work;
    pthread_mutex_t log_lock;
    atomic_bool draining; /* stop was asked for: connections close after their answer */
};

enum method { METHOD_GET, METHOD_HEAD, METHOD_OPTIONS, METHOD_OTHER };

struct worker;
struct request;

/* Answers a request: calls exactly one of the functions of reply.h on it. */
typedef void answer(struct request *request, struct worker *worker);

struct request {
    struct mist_host *host;
    struct connection *connection;
    struct MHD_Connection *mhd;
    const char *method_name;
    enum method method;
    struct target target;
    double started;

    /* What the router found. */
    answer *answer;
    bool slow;                               /* for a worker */
    bool handed_over;                        /* to one */
    char dataset[MIST_DATASET_NAME_MAX + 1]; /* "" where the path has none */
    const char *path;                        /* of an item or attachment: the rest of target.path, or NULL */

    /* What reply.h made. */
    unsigned status;
    struct MHD_Response *response; /* NULL: not answered yet, or memory is short */
    uint64_t body_size;            /* 0 where it is not known before */
    _Atomic uint64_t streamed;     /* bytes that a streamed body has had so far */

    struct work_item work;
};

/* A header field's value, or NULL. */
const char *request_field(const struct request *request, const char *name);

#endif
