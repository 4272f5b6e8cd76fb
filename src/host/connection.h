/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open connections. libmicrohttpd's timeout starts anew with every byte, so a client that sends its header a byte at a
 * time would hold a connection for ever; here a connection that has not had a whole request in time is shut down.
 */
#ifndef HOST_CONNECTION_H
#define HOST_CONNECTION_H

#include "host/target.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct connection {
    struct connection *previous, *next;
    int descriptor;
    bool waiting; /* for a whole request header, since `since`; else one is being answered */
    bool shut_down;
    double since;
    bool too_long; /* the target was longer than TARGET_MAX, and is cut off */
    char client[64];
    char target[TARGET_MAX + 1]; /* of the request that is being read or answered, as it was sent */
};

struct connections {
    pthread_mutex_t lock;
    pthread_cond_t stop_asked;
    pthread_t watcher;
    bool watching, stopping;
    struct connection *first;
    unsigned timeout_seconds;
    _Atomic uint64_t *timed_out; /* counts them */
};

/* Starts a thread that watches the timeout; false if none can be started. */
bool connections_start(struct connections *connections, unsigned timeout_seconds, _Atomic uint64_t *timed_out);
/* Ends the thread. All connections must be closed. Safe if it was not started. */
void connections_stop(struct connections *connections);

/* A connection begins, waiting; NULL when memory is short. `address` is a struct sockaddr. */
struct connection *connection_open(struct connections *connections, int descriptor, const void *address);
/* It ends; its descriptor is still open. */
void connection_close(struct connections *connections, struct connection *connection);
/* A whole request header has arrived (waiting: false), or its answer is done (true). */
void connection_set_waiting(struct connections *connections, struct connection *connection, bool waiting);

#endif
