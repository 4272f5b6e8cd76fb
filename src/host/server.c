/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd's callbacks; starting and stopping. */
#include "host/server.h"
#include "host/fields.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "host/listen.h"
#include "host/fields.h"
#include "host/reply.h"
#include "host/router.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_MEMORY = 32 << 10, SPARE_FILES = 64 };

/* ---- one request ---- */

static enum method method_of(const char *name)
{
    return strcmp(name, "GET") == 0       ? METHOD_GET
           : strcmp(name, "HEAD") == 0    ? METHOD_HEAD
           : strcmp(name, "OPTIONS") == 0 ? METHOD_OPTIONS
                                          : METHOD_OTHER;
}

static struct request *new_request(struct mist_host *host, struct MHD_Connection *mhd, const char *method)
{
    struct request *request = memory_allocate(sizeof *request);
    if (!request)
        return NULL;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    memset(request, 0, offsetof(struct request, target));
    memset((char *)request + offsetof(struct request, started), 0, sizeof *request - offsetof(struct request, started));
    request->host = host;
    request->mhd = mhd;
    request->connection = info->socket_context;
    request->method_name = method;
    request->method = method_of(method);
    request->started = clock_seconds();
    connection_set_waiting(&host->connections, request->connection, false);
    atomic_fetch_add(&host->metrics.in_flight, 1);
    return request;
}

/* Requests with a body are refused before it is sent: none of the methods here has a use for one. */
static bool has_body(const struct request *request)
{
    const char *length = request_field(request, "Content-Length");
    return (length && strcmp(length, "0") != 0) || request_field(request, "Transfer-Encoding");
}

static enum MHD_Result look_at_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                     const char *value, size_t value_size)
{
    (void)kind;
    field_look(context, name, name_size, value, value ? value_size : 0);
    return MHD_YES;
}

/* The first look, when the header is there. True if it was answered. */
static bool refuse_at_once(struct request *request)
{
    struct field_check check = {0};
    MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, look_at_field, &check);
    if (check.wrong)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "%s", check.wrong);
    else if (has_body(request) && request->method != METHOD_OTHER)
        reply_error(request, MHD_HTTP_BAD_REQUEST, "a %s request here has no body", request->method_name);
    else if (request->connection->too_long)
        reply_error(request, MHD_HTTP_URI_TOO_LONG, "the URL is longer than %d bytes", TARGET_MAX);
    else if (request->method == METHOD_OTHER)
        route(request), request->answer(request, NULL);
    else
        return false;
    if (request->response)
        MHD_add_response_header(request->response, "Connection", "close");
    return true;
}

static enum MHD_Result send_answer(struct request *request)
{
    /* Without an answer memory is short: then the connection is closed. */
    return request->response ? MHD_queue_response(request->mhd, request->status, request->response) : MHD_NO;
}

/* Too much is waiting, or the host is about to stop: the connection is suspended, and goes on with this answer. */
static void turn_away(struct request *request, enum work_taken taken)
{
    if (taken == WORK_FULL)
        reply_busy(request);
    else
        reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "this host is about to stop");
    MHD_resume_connection(request->mhd);
}

static void queue(struct request *request)
{
    struct mist_host *host = request->host;
    request->queued = clock_seconds();
    const enum work_taken taken =
        work_add(request->cost == COST_RENDER ? &host->renders : &host->looks, &request->work);
    if (taken != WORK_TAKEN)
        turn_away(request, taken);
}

/* The first worker may have cut the target to pieces. */
static void move_on(struct request *request)
{
    request->moves_on = false;
    target_parse(request->connection->target, &request->target);
    route(request);
    request->cost = COST_RENDER;
    queue(request);
}

/* A client that has gone, as far as can be seen, and that had time to: it is made no picture. */
static bool has_gone(const struct request *request)
{
    const double patience = 1; /* seconds: one that only has ended its own sending waits no longer than this mostly */
    return request->cost == COST_RENDER && clock_seconds() - request->queued > patience &&
           connection_has_left(request->connection);
}

/* A worker's turn. */
static void work_on(struct work_item *item, struct worker *worker)
{
    struct request *request = (struct request *)((char *)item - offsetof(struct request, work));
    if (has_gone(request))
        atomic_fetch_add(&request->host->metrics.cancelled, 1);
    else
        request->answer(request, worker);
    if (request->moves_on)
        move_on(request);
    else
        MHD_resume_connection(request->mhd);
}

/* The request is all here: answers it, or has it answered. */
static enum MHD_Result dispatch(struct request *request)
{
    const char *problem = target_parse(request->connection->target, &request->target);
    if (problem) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "the URL %s", problem);
        return send_answer(request);
    }
    route(request);
    if (request->cost == COST_FILE) {
        request->answer(request, NULL);
        return send_answer(request);
    }
    request->routed = true; /* on_request() hands it over when it is called again */
    return MHD_YES;
}

/*
 * Suspends the connection and gives the request to a worker. Not from the call in which the header was complete: there
 * libmicrohttpd (0.9.75) still is about to read, and would do so on resuming; of a client that has shut down its side
 * (which it may: RFC 9112, 9.6) it then reads the end, and closes the connection without an answer.
 */
static void hand_over(struct request *request)
{
    request->handed_over = true;
    MHD_suspend_connection(request->mhd);
    queue(request);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct request *request = *state;
    (void)url, (void)version, (void)upload;
    if (!request) {
        request = *state = new_request(context, mhd, method);
        if (!request)
            return MHD_NO;
        return refuse_at_once(request) ? send_answer(request) : MHD_YES;
    }
    if (*upload_size) { /* of a request that was refused already */
        *upload_size = 0;
        return MHD_YES;
    }
    if (request->handed_over)
        return send_answer(request);
    if (!request->routed)
        return dispatch(request);
    hand_over(request);
    return MHD_YES;
}

static void tell(const struct request *request, uint64_t bytes, bool complete)
{
    struct mist_host *host = request->host;
    if (!host->options.log)
        return;
    char behind[FORWARDED_SIZE];
    const char *client = request->connection->client;
    if (name_list_has(&host->connections.proxies, client) &&
        forwarded_client(request_field(request, "X-Forwarded-For"), behind))
        client = behind;
    const struct mist_host_access access = {
        .client = client,
        .method = request->method_name,
        .target = request->connection->target,
        .status = request->status,
        .bytes = bytes,
        .seconds = clock_seconds() - request->started,
        .complete = complete,
        .referrer = request_field(request, "Referer"),
        .user_agent = request_field(request, "User-Agent"),
    };
    pthread_mutex_lock(&host->log_lock);
    host->options.log(host->options.context, &access);
    pthread_mutex_unlock(&host->log_lock);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
    struct mist_host *host = context;
    struct request *request = *state;
    (void)mhd;
    if (!request)
        return;
    *state = NULL;
    bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->response;
    uint64_t bytes = 0;
    if (complete && request->method != METHOD_HEAD)
        bytes = request->body_size + atomic_load(&request->streamed);
    atomic_fetch_add(&host->metrics.by_status[request->status < 600 ? request->status : 0], 1);
    atomic_fetch_add(&host->metrics.body_bytes, bytes);
    if (!complete)
        atomic_fetch_add(&host->metrics.broken, 1);
    if (request->ready > 0)
        metrics_add_answer(&host->metrics, request->cost, request->ready - request->started);
    tell(request, bytes, complete);
    reply_free(request);
    name_list_free(&request->hidden);
    connection_set_waiting(&host->connections, request->connection, true);
    memory_free(request);
    atomic_fetch_sub(&host->metrics.in_flight, 1);
}

/* ---- connections ---- */

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct mist_host *host = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *descriptor = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        const union MHD_ConnectionInfo *address = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *socket_context = connection_open(&host->connections, descriptor->connect_fd, address->client_addr);
        atomic_fetch_add(&host->metrics.connections_open, 1);
        atomic_fetch_add(&host->metrics.connections_total, 1);
    } else {
        connection_close(&host->connections, *socket_context);
        *socket_context = NULL;
        atomic_fetch_sub(&host->metrics.connections_open, 1);
    }
}

/* The target as it was sent, before libmicrohttpd takes it apart. */
static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info->socket_context;
    if (!connection)
        return NULL;
    size_t length = strnlen(target, TARGET_MAX + 1);
    connection_began(&((struct mist_host *)context)->connections, connection);
    connection->too_long = length > TARGET_MAX;
    length = connection->too_long ? TARGET_MAX : length;
    memcpy(connection->target, target, length);
    connection->target[length] = '\0';
    return NULL;
}

/* libmicrohttpd's own decoding of the target, which nothing here looks at, is switched off. */
static size_t leave_escaped(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context, (void)mhd;
    return strlen(text);
}

/* ---- starting and stopping ---- */

struct mist_host_options mist_host_options_default(void)
{
    return (struct mist_host_options){.listen = "127.0.0.1:8080",
                                      .connections = 1024,
                                      .header_seconds = 10,
                                      .timeout_seconds = 30,
                                      .drain_seconds = 10};
}

unsigned mist_host_port(const mist_host *host)
{
    return host->port;
}

const char *mist_host_url(const mist_host *host)
{
    return host->url;
}

/* A connection takes a socket and, while it is answered, a file. */
static void provide_files(struct mist_host_options *options)
{
    struct rlimit limit;
    rlim_t needed = 2 * (rlim_t)options->connections + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < needed)
        options->connections = limit.rlim_cur > SPARE_FILES + 16 ? (unsigned)(limit.rlim_cur - SPARE_FILES) / 2 : 8;
}

static enum mist_status fill_options(struct mist_host_options *options, struct mist_error *error)
{
    unsigned cores = pool_default_threads();
    if (options->threads == 0)
        options->threads = cores > 2 ? cores : 2;
    if (options->workers == 0)
        options->workers = cores > 2 ? cores : 2;
    if (options->threads > 256 || options->workers > 256 || options->connections == 0 ||
        options->connections > 1000000 || options->timeout_seconds == 0 || options->timeout_seconds > 86400)
        return error_set(
            error, MIST_ERROR_ARGUMENT,
            "a host has 1 to 256 threads and workers, 1 to 1000000 connections, a timeout of 1 to 86400 s");
    if (options->threads == 1)
        options->threads = 2; /* a pool of libmicrohttpd's has at least two */
    if (options->header_seconds == 0 || options->header_seconds > options->timeout_seconds)
        options->header_seconds = options->timeout_seconds;
    if (options->queue == 0)
        options->queue = 32 * options->workers;
    if (options->picture_memory == 0)
        options->picture_memory = (uint64_t)288 << 20;
    options->listen = NULL;
    provide_files(options);
    if (options->connections_of_address == 0)
        options->connections_of_address = (options->connections + 1) / 2;
    return MIST_OK;
}

static struct MHD_Daemon *start_daemon(struct mist_host *host)
{
    const struct mist_host_options *options = &host->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    /* Beyond `connections` the idlest goes (connection.c), for which the new one must have been accepted; and each
     * thread has its share of the limit, however uneven. */
    unsigned connections = options->connections + options->connections / 4 + 32 * options->threads;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, host, MHD_OPTION_LISTEN_SOCKET, host->listener,
                            MHD_OPTION_THREAD_POOL_SIZE, options->threads, MHD_OPTION_CONNECTION_LIMIT, connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)HEADER_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, host, MHD_OPTION_NOTIFY_CONNECTION, on_connection, host,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, host, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
                            host, MHD_OPTION_END);
}

/* Threads that are started here take no signals: those are for the program that runs the host. */
static enum mist_status start_threads(struct mist_host *host, struct mist_error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const struct mist_host_options *options = &host->options;
    host->connections.header_seconds = options->header_seconds;
    host->connections.timeout_seconds = options->timeout_seconds;
    host->connections.most = options->connections;
    host->connections.most_of_address = options->connections_of_address;
    host->connections.timed_out = &host->metrics.connections_timed_out;
    host->connections.evicted = &host->metrics.connections_evicted;
    host->renders.most = options->queue;
    host->renders.background = true;
    bool good = name_list_copy(&host->no_dicom_web, options->no_dicom_web, options->no_dicom_web_count) &&
                connections_start(&host->connections, options->proxies, options->proxy_count) &&
                work_start(&host->looks, options->workers, work_on) &&
                work_start(&host->renders, options->workers, work_on);
    host->options.proxies = host->options.no_dicom_web = NULL;
    if (good)
        host->daemon = start_daemon(host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return host->daemon ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the server's threads could not be started");
}

enum mist_status mist_host_start(mist_store *store, const struct mist_host_options *options, mist_host **result,
                                 struct mist_error *error)
{
    *result = NULL;
    struct mist_host *host = memory_allocate_zeroed(1, sizeof *host);
    if (!host)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    host->store = store;
    host->options = *options;
    host->listener = -1;
    pthread_mutex_init(&host->log_lock, NULL);
    cache_start(&host->cache);
    enum mist_status status = access_start(&host->access, options->access, options->link_key, error);
    if (!status)
        status = fill_options(&host->options, error);
    budget_start(&host->budget, host->options.picture_memory);
    if (!status)
        status = listen_open(options->listen, &host->listener, &host->port, host->url, sizeof host->url, error);
    if (!status)
        status = start_threads(host, error);
    host->options.access = host->options.link_key = NULL;
    if (status)
        mist_host_stop(&host);
    *result = host;
    return status;
}

enum mist_status mist_host_reload(mist_host *host, struct mist_error *error)
{
    return access_reload(&host->access, error);
}

/* Gives the requests in flight their time. */
static void drain(struct mist_host *host)
{
    double until = clock_seconds() + (double)host->options.drain_seconds;
    const struct timespec pause = {0, 10000000};
    MHD_quiesce_daemon(host->daemon);
    while (atomic_load(&host->metrics.in_flight) > 0 && clock_seconds() < until)
        nanosleep(&pause, NULL);
}

void mist_host_stop(mist_host **pointer)
{
    struct mist_host *host = *pointer;
    if (!host)
        return;
    *pointer = NULL;
    atomic_store(&host->draining, true);
    if (host->daemon)
        drain(host);
    budget_end(&host->budget);
    work_end(&host->looks); /* first: they may hand over to the others */
    work_end(&host->renders);
    if (host->daemon)
        MHD_stop_daemon(host->daemon);
    work_free(&host->looks);
    work_free(&host->renders);
    budget_stop(&host->budget);
    connections_stop(&host->connections);
    name_list_free(&host->no_dicom_web);
    access_stop(&host->access);
    cache_stop(&host->cache);
    pthread_mutex_destroy(&host->log_lock);
    if (host->listener >= 0)
        close(host->listener);
    memory_free(host);
}
