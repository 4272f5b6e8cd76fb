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

bool connection_has_left(const struct connection *connection)
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
        const unsigned seconds = connection->reading ? connections->header_seconds : connections->timeout_seconds;
        bool late = now - connection->since >= (double)seconds;
        if (!late && !connection_has_left(connection))
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

bool connections_start(struct connections *connections, const char *const *proxies, unsigned proxy_count)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&connections->lock, NULL);
    pthread_cond_init(&connections->stop_asked, &attributes);
    pthread_condattr_destroy(&attributes);
    connections->watching = name_list_copy(&connections->proxies, proxies, proxy_count) &&
                            pthread_create(&connections->watcher, NULL, watch, connections) == 0;
    return connections->watching;
}

void connections_stop(struct connections *connections)
{
    name_list_free(&connections->proxies);
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

/* ---- too many ---- */

static unsigned bucket_of(const char *client)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *client; client++)
        hash = (hash ^ (unsigned char)*client) * 16777619u;
    return hash % CONNECTION_BUCKETS;
}

static bool is_proxy(const struct connections *connections, const char *client)
{
    return name_list_has(&connections->proxies, client);
}

/* Shuts one down: the one that has waited for longest, of `alike`'s address if it is not NULL; else the new one. */
static void evict(struct connections *connections, struct connection *new, const struct connection *alike)
{
    struct connection *idlest = NULL;
    for (struct connection *one = alike ? connections->bucket[alike->bucket] : connections->first; one;
         one = alike ? one->next_alike : one->next)
        if (one != new && one->waiting && !one->shut_down && (!idlest || one->since < idlest->since) &&
            (!alike || (one->counted && strcmp(one->client, alike->client) == 0)))
            idlest = one;
    if (!idlest)
        idlest = new;
    idlest->shut_down = true;
    shutdown(idlest->descriptor, SHUT_RDWR);
    atomic_fetch_add(connections->evicted, 1);
}

/* The lock is held. Those that are shut down already are as good as gone. */
static void make_room(struct connections *connections, struct connection *new)
{
    unsigned alike = 0, open = connections->count;
    if (open > connections->most) {
        open = 0;
        for (const struct connection *one = connections->first; one; one = one->next)
            open += !one->shut_down;
    }
    if (open > connections->most)
        evict(connections, new, NULL);
    for (const struct connection *one = connections->bucket[new->bucket]; new->counted &&one; one = one->next_alike)
        alike += !one->shut_down && one->counted && strcmp(one->client, new->client) == 0;
    if (!new->shut_down && alike > connections->most_of_address)
        evict(connections, new, new);
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
    connection->waiting = connection->reading = true;
    connection->shut_down = false;
    connection->counted = !is_proxy(connections, connection->client);
    connection->bucket = bucket_of(connection->client);
    connection->since = clock_seconds();
    connection->too_long = false;
    connection->target[0] = '\0';
    connection->previous = NULL;
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next)
        connection->next->previous = connection;
    connections->first = connection;
    connection->next_alike = connections->bucket[connection->bucket];
    connections->bucket[connection->bucket] = connection;
    connections->count++;
    make_room(connections, connection);
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
    struct connection **alike = &connections->bucket[connection->bucket];
    while (*alike != connection)
        alike = &(*alike)->next_alike;
    *alike = connection->next_alike;
    connections->count--;
    pthread_mutex_unlock(&connections->lock);
    memory_free(connection);
}

void connection_set_waiting(struct connections *connections, struct connection *connection, bool waiting)
{
    pthread_mutex_lock(&connections->lock);
    connection->waiting = waiting;
    connection->reading = false;
    connection->since = clock_seconds();
    pthread_mutex_unlock(&connections->lock);
}

void connection_began(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    if (!connection->reading) {
        connection->reading = true;
        connection->since = clock_seconds();
    }
    pthread_mutex_unlock(&connections->lock);
}
