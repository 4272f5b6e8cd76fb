/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open connections. libmicrohttpd's timeout starts anew with every byte, so a client that sends its header a byte at a
 * time would hold a connection for ever; here a connection that has not had a whole request in time is shut down. And
 * who holds all connections keeps others out: here the one that has been idle for longest makes room for a new one.
 */
#ifndef HOST_CONNECTION_H
#define HOST_CONNECTION_H

#include "host/names.h"

#include "host/target.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct connection {
    struct connection *previous, *next;
    struct connection *next_alike; /* of the same bucket */
    unsigned bucket;               /* by its address */
    bool counted;                  /* among those of its address: it is no proxy's */
    int descriptor;
    bool waiting; /* for a whole request header, since `since`; else one is being answered */
    bool reading; /* ... of which something has come, or must: it is the first one */
    bool shut_down;
    double since;
    bool too_long; /* the target was longer than TARGET_MAX, and is cut off */
    char client[64];
    char target[TARGET_MAX + 1]; /* of the request that is being read or answered, as it was sent */
};

enum { CONNECTION_BUCKETS = 1024 };

struct connections {
    pthread_mutex_t lock;
    pthread_cond_t stop_asked;
    pthread_t watcher;
    bool watching, stopping;
    struct connection *first;
    struct connection *bucket[CONNECTION_BUCKETS];
    unsigned count;
    struct name_list proxies;
    /* Set before connections_start(). */
    unsigned header_seconds, timeout_seconds;
    unsigned most, most_of_address;
    _Atomic uint64_t *timed_out, *evicted; /* count them */
};

/* Starts a thread that watches the timeouts; false if none can be started. `proxies` is copied. */
bool connections_start(struct connections *connections, const char *const *proxies, unsigned proxy_count);
/* Ends the thread. All connections must be closed. Safe if it was not started. */
void connections_stop(struct connections *connections);

/* A connection begins, waiting; NULL when memory is short. `address` is a struct sockaddr. Where there are too many,
 * the idlest is shut down, or the new one. */
struct connection *connection_open(struct connections *connections, int descriptor, const void *address);
/* It ends; its descriptor is still open. */
void connection_close(struct connections *connections, struct connection *connection);
/* The first line of a request has arrived: the rest must follow in time. */
void connection_began(struct connections *connections, struct connection *connection);
/* Whether the client has closed its side, or all of it, and nothing is left to read. */
bool connection_has_left(const struct connection *connection);
/* A whole request header has arrived (waiting: false), or its answer is done (true). */
void connection_set_waiting(struct connections *connections, struct connection *connection, bool waiting);

#endif
