/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/connection.h"

#include "base/clock.h"
#include "base/memory.h"
#include "host/server.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { WATCH_INTERVAL = 250000000 }; /* nanoseconds */

/* Whether the client has closed its side, or all of it, and nothing is left to read. */
static bool has_left(const struct connection *connection)
{
    char byte;
    return recv(connection->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/*
 * Shuts down what has waited too long, or in vain: libmicrohttpd 0.9.75 can miss a client's FIN that arrives while an
 * answer is made. It then sees the end of the connection. The lock is held.
 */
static void shut_down_late(struct connections *connections)
{
    double now = clock_seconds();
    for (struct connection *connection = connections->first; connection; connection = connection->next) {
        if (!connection->waiting || connection->shut_down)
            continue;
        bool late = now - connection->since >= (double)connections->timeout_seconds;
        if (!late && !has_left(connection))
            continue;
        connection->shut_down = true;
        shutdown(connection->descriptor, SHUT_RDWR);
        if (late)
            atomic_fetch_add(connections->timed_out, 1);
    }
}

static void *watch(void *context)
{
    struct connections *connections = context;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCH_INTERVAL;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&connections->stop_asked, &connections->lock, &until);
        shut_down_late(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

bool connections_start(struct connections *connections, unsigned timeout_seconds, _Atomic uint64_t *timed_out)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&connections->lock, NULL);
    pthread_cond_init(&connections->stop_asked, &attributes);
    pthread_condattr_destroy(&attributes);
    connections->timeout_seconds = timeout_seconds;
    connections->timed_out = timed_out;
    connections->watching = pthread_create(&connections->watcher, NULL, watch, connections) == 0;
    return connections->watching;
}

void connections_stop(struct connections *connections)
{
    if (!connections->watching)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    pthread_cond_signal(&connections->stop_asked);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
    connections->watching = false;
    pthread_cond_destroy(&connections->stop_asked);
    pthread_mutex_destroy(&connections->lock);
}

struct connection *connection_open(struct connections *connections, int descriptor, const void *address)
{
    struct connection *connection = memory_allocate(sizeof *connection);
    if (!connection)
        return NULL;
    const struct sockaddr *socket_address = address;
    socklen_t length = socket_address && socket_address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                               : sizeof(struct sockaddr_in);
    if (!socket_address || getnameinfo(socket_address, length, connection->client, sizeof connection->client, NULL, 0,
                                       NI_NUMERICHOST) != 0)
        snprintf(connection->client, sizeof connection->client, "-");
    connection->descriptor = descriptor;
    connection->waiting = true;
    connection->shut_down = false;
    connection->since = clock_seconds();
    connection->too_long = false;
    connection->target[0] = '\0';
    connection->previous = NULL;
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next)
        connection->next->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connection_close(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&connections->lock);
    memory_free(connection);
}

void connection_set_waiting(struct connections *connections, struct connection *connection, bool waiting)
{
    pthread_mutex_lock(&connections->lock);
    connection->waiting = waiting;
    connection->since = clock_seconds();
    pthread_mutex_unlock(&connections->lock);
}
