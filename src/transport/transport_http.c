/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges over HTTP: one libcurl handle, whose connection is used again and again. */
#include "transport/transport.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "transport/headers.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <mist/version.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    MAX_REDIRECTS = 5,
    STALL_BYTES = 100, /* a try that brings less than this a second, for as long as the time limit, is given up */
    MAX_HEADER_BYTES = 1 << 18,
    MAX_ERROR_BODY = 1 << 16, /* what is read of the page that comes with a 404, so that the connection can go on */
    PROGRESS_BYTES = 1 << 16, /* a try that brought at least this many bytes was no failure in a row */
    MAX_WAIT_SECONDS = 120    /* a Retry-After beyond this is not waited for */
};

struct http_transport {
    struct transport base;
    CURL *curl;
    unsigned random;
    char reason[CURL_ERROR_SIZE];
    char *url; /* of the request */
    /* one request */
    const struct transport_request *request;
    uint64_t position;              /* the next byte for the sink */
    struct curl_slist *headers;     /* If-Match, or NULL */
    char etag[TRANSPORT_ETAG_SIZE]; /* of the first answer; a later one with another belongs to another file */
    /* one try of it */
    bool checked; /* the answer's status and range have been looked at, and the body is for the sink */
    bool finished_early;
    uint64_t skip; /* of a whole file where a range was asked for */
    uint64_t header_bytes, body_bytes, ignored_bytes;
    double look_time; /* when there was last reason to believe that the host is alive, and how much had come then */
    uint64_t look_bytes;
    bool stalled;
    struct content_range range;
    bool has_range;
    bool encoded; /* the answer has a Content-Encoding: its bytes are not those of the file */
    bool range_broken;
    char try_etag[TRANSPORT_ETAG_SIZE];
    unsigned retry_after; /* seconds */
    struct mist_error problem;
};

/* ---- while a response comes in ---- */

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct http_transport *http = context;
    const char *value;
    size_t length;
    size *= count;
    http->header_bytes += size;
    if (http->header_bytes > MAX_HEADER_BYTES) {
        error_set(&http->problem, MIST_ERROR_NETWORK, "%s: the host's answer has endless headers", http->request->name);
        return 0;
    }
    if (size > 5 && memcmp(line, "HTTP/", 5) == 0) { /* an answer begins, maybe after a redirect */
        http->has_range = http->range_broken = http->encoded = false;
        http->retry_after = 0;
        http->try_etag[0] = '\0';
    } else if (header_match(line, size, "Content-Range", &value, &length)) {
        http->has_range = content_range_parse(value, length, &http->range);
        http->range_broken = !http->has_range;
    } else if (header_match(line, size, "Retry-After", &value, &length)) {
        retry_after_parse(value, length, (int64_t)time(NULL), &http->retry_after);
    } else if (header_match(line, size, "Content-Encoding", &value, &length)) {
        http->encoded = length > 0 && !(length == 8 && strncasecmp(value, "identity", 8) == 0);
    } else if (header_match(line, size, "ETag", &value, &length) && length < sizeof http->try_etag) {
        memcpy(http->try_etag, value, length);
        http->try_etag[length] = '\0';
    }
    return size;
}

static enum mist_status changed(struct http_transport *http, uint64_t size)
{
    return error_set(&http->problem, MIST_ERROR_CORRUPT,
                     "%s: it has %" PRIu64 " bytes on the host where the catalog says %" PRIu64
                     ": one of them has changed; run again",
                     http->request->name, size, http->request->size);
}

/* A 206: is it the range that was asked for? */
static enum mist_status check_range(struct http_transport *http)
{
    const struct transport_request *request = http->request;
    if (!http->has_range || http->range.first != http->position ||
        (request->end != TRANSPORT_TO_END && http->range.last != request->end - 1)) {
        if (http->has_range && http->range.total_known && request->size && http->range.total != request->size)
            return changed(http, http->range.total);
        return error_set(&http->problem, MIST_ERROR_NETWORK,
                         "%s: the host was asked for bytes from %" PRIu64 " and sent %s", request->name, http->position,
                         http->has_range      ? "others"
                         : http->range_broken ? "a Content-Range that makes no sense"
                                              : "a part without saying which");
    }
    if (request->size && http->range.total_known && http->range.total != request->size)
        return changed(http, http->range.total);
    return MIST_OK;
}

/* Looks at the final answer's status line and headers, once; failures other than statuses go to http->problem. */
static enum mist_status check_answer(struct http_transport *http, long code)
{
    curl_off_t length = -1;
    if (http->checked)
        return MIST_OK;
    http->checked = true;
    http->skip = 0;
    if (http->encoded)
        return error_set(&http->problem, MIST_ERROR_NETWORK,
                         "%s: the host compressed its answer though it was asked not to; switch that off there for "
                         ".mist and .zst files",
                         http->request->name);
    if (!http->etag[0])
        memcpy(http->etag, http->try_etag, sizeof http->etag);
    else if (http->try_etag[0] && strcmp(http->etag, http->try_etag) != 0)
        return error_set(&http->problem, MIST_ERROR_CORRUPT,
                         "%s: it changed on the host while it was fetched; run again", http->request->name);
    if (code == 206)
        return check_range(http);
    /* The server knows no ranges, or sends everything because everything was asked for. */
    http->skip = http->position;
    curl_easy_getinfo(http->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (http->request->size && length >= 0 && (uint64_t)length != http->request->size)
        return changed(http, (uint64_t)length);
    return MIST_OK;
}

/* Bytes of the body behind what is skipped. False: no more of them are wanted. */
static bool deliver(struct http_transport *http, const uint8_t *bytes, size_t size, long code)
{
    const struct transport_request *request = http->request;
    bool to_end = request->end == TRANSPORT_TO_END;
    uint64_t room = (to_end ? request->limit : request->end) - http->position;
    size_t take = size < room ? size : (size_t)room;
    if (take) {
        if (request->sink(request->context, bytes, take, &http->problem))
            return false;
        http->position += take;
        atomic_fetch_add(&http->base.settings->shared->received, take);
    }
    if (take == size)
        return true;
    if (to_end)
        error_set(&http->problem, MIST_ERROR_LIMIT, "%s: more than %" PRIu64 " bytes; no more are taken", request->name,
                  request->limit);
    else if (code == 206)
        error_set(&http->problem, MIST_ERROR_NETWORK, "%s: the host sent more bytes than it was asked for",
                  request->name);
    else
        http->finished_early = true;
    return false;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_transport *http = context;
    const uint8_t *bytes = (const uint8_t *)data;
    long code = 0;
    size *= count;
    http->body_bytes += size;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) {
        http->ignored_bytes += size;
        return http->ignored_bytes > MAX_ERROR_BODY ? 0 : size;
    }
    if (check_answer(http, code))
        return 0;
    size_t skip = http->skip < size ? (size_t)http->skip : size;
    http->skip -= skip;
    if (skip < size && !deliver(http, bytes + skip, size - skip, code))
        return 0;
    return size;
}

/*
 * Called by libcurl at least about once a second. (Its own limit of this kind looks at an average over some seconds
 * more, and has nothing to say on whether the host had begun to answer.)
 */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    struct http_transport *http = context;
    const struct transport_settings *settings = http->base.settings;
    uint64_t bytes = http->header_bytes + http->body_bytes;
    double time = clock_seconds();
    if (bytes - http->look_bytes >= (uint64_t)STALL_BYTES * settings->timeout) {
        http->look_bytes = bytes;
        http->look_time = time;
    } else if (time - http->look_time >= settings->timeout) {
        http->stalled = true;
    }
    return http->stalled || atomic_load(&settings->shared->stop);
}

/* ---- one try ---- */

static void set_range(struct http_transport *http)
{
    char range[64];
    const struct transport_request *request = http->request;
    if (request->end != TRANSPORT_TO_END)
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, http->position, request->end - 1);
    else
        snprintf(range, sizeof range, "%" PRIu64 "-", http->position);
    bool whole = request->end == TRANSPORT_TO_END && http->position == 0;
    curl_easy_setopt(http->curl, CURLOPT_RANGE, whole ? NULL : range);
}

/* A failure that may pass. */
static bool may_pass(const struct http_transport *http, CURLcode result, long code)
{
    if (http->stalled)
        result = CURLE_OPERATION_TIMEDOUT;
    switch (result) {
    case CURLE_OK:
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return !http->request->first_contact;
    case CURLE_OPERATION_TIMEDOUT:
        return !http->request->first_contact || http->header_bytes > 0;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
    return code == 408 || code == 425 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504 ||
           code == 200 || code == 206 /* which ended early */;
}

static enum mist_status answer_failure(struct http_transport *http, long code, struct mist_error *error)
{
    const char *name = http->request->name;
    switch (code) {
    case 404:
    case 410:
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: the host has no such file (it answered %ld)", name, code);
    case 401:
    case 403:
        if (http->base.settings->url.s3)
            return error_set(error, MIST_ERROR_NETWORK, "%s: the bucket refuses access (it answered %ld)%s", name, code,
                             http->base.settings->url.signer
                                 ? " to the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                                 : "; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
        return error_set(error, MIST_ERROR_NETWORK, "%s: the host refuses access (it answered %ld)%s", name, code,
                         http->base.settings->token ? " in spite of MIST_TOKEN" : "; MIST_TOKEN is not set");
    case 412:
        return error_set(error, MIST_ERROR_CORRUPT, "%s: it changed on the host while it was fetched; run again", name);
    case 416:
        return error_set(error, MIST_ERROR_CORRUPT,
                         "%s: it is shorter on the host than the catalog says: one of them has changed; run again",
                         name);
    case 200:
    case 206:
        if (http->request->end != TRANSPORT_TO_END)
            return error_set(error, MIST_ERROR_NETWORK, "%s: the host's answer ended at byte %" PRIu64 " of %" PRIu64,
                             name, http->position, http->request->end);
        return error_set(error, MIST_ERROR_NETWORK, "%s: the host's answer ended too early", name);
    case 301:
    case 307:
    case 400:
        if (http->base.settings->url.s3)
            return error_set(error, MIST_ERROR_NETWORK,
                             "%s: the bucket answered %ld; is it in the region that AWS_REGION names?", name, code);
        /* fall through */
    default:
        return error_set(error, MIST_ERROR_NETWORK, "%s: the host answered %ld", name, code);
    }
}

/* A transfer that broke off, or never began. */
static enum mist_status transfer_failure(struct http_transport *http, CURLcode result, struct mist_error *error)
{
    const struct transport_request *request = http->request;
    unsigned seconds = http->base.settings->timeout;
    const char *plural = seconds == 1 ? "" : "s";
    char what[160];
    if (http->stalled && http->header_bytes == 0)
        snprintf(what, sizeof what, "no answer in %u second%s", seconds, plural);
    else if (http->stalled && request->end != TRANSPORT_TO_END)
        snprintf(what, sizeof what, "next to nothing came in %u second%s, at byte %" PRIu64 " of %" PRIu64, seconds,
                 plural, http->position, request->end);
    else if (http->stalled)
        snprintf(what, sizeof what, "next to nothing came in %u second%s, at byte %" PRIu64, seconds, plural,
                 http->position);
    else
        snprintf(what, sizeof what, "%s", http->reason[0] ? http->reason : curl_easy_strerror(result));
    if (request->first_contact) /* whose name is the beginning of the address */
        return error_set(error, MIST_ERROR_NETWORK, "%.200s: %s", http->url, what);
    return error_set(error, MIST_ERROR_NETWORK, "%.120s: %.150s: %s", request->name, http->url, what);
}

/* Performs the request from http->position on. *again is set where another try may help. */
static enum mist_status try_once(struct http_transport *http, bool *again, struct mist_error *error)
{
    const struct transport_request *request = http->request;
    long code = 0;
    *again = http->checked = http->finished_early = false;
    http->header_bytes = http->body_bytes = http->ignored_bytes = http->look_bytes = 0;
    http->look_time = clock_seconds();
    http->stalled = false;
    http->problem = (struct mist_error){0};
    http->reason[0] = '\0';
    set_range(http);
    atomic_fetch_add(&http->base.settings->shared->requests, 1);
    CURLcode result = curl_easy_perform(http->curl);
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    if (atomic_load(&http->base.settings->shared->stop))
        return error_set(error, MIST_ERROR_CANCELLED, "stopped");
    bool good = code == 200 || code == 206;
    if (code == 429 || code == 503 || result == CURLE_COULDNT_CONNECT)
        atomic_fetch_add(&http->base.settings->shared->refused, 1);
    if (result == CURLE_OK && good && !http->problem.status) /* there may have been no body at all */
        check_answer(http, code);
    if (http->problem.status) {
        if (error)
            *error = http->problem;
        return http->problem.status;
    }
    if (good && request->end != TRANSPORT_TO_END && http->position == request->end)
        return MIST_OK;
    if (good && request->end == TRANSPORT_TO_END && result == CURLE_OK)
        return MIST_OK;
    if (!good && code && http->ignored_bytes > MAX_ERROR_BODY)
        result = CURLE_OK; /* ended by us; the status says what is wrong */
    *again = may_pass(http, result, code);
    if (result == CURLE_OK)
        return answer_failure(http, code, error);
    return transfer_failure(http, result, error);
}

/* ---- trying again ---- */

/* Sleeps; false if all is to stop. */
static bool wait_seconds(const struct http_transport *http, double seconds)
{
    for (; seconds > 0; seconds -= 0.05) {
        if (atomic_load(&http->base.settings->shared->stop))
            return false;
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    return true;
}

/* 1/4, 1/2, 1 ... 16 seconds, each up to a half longer so that many clients do not come back together. */
static double backoff(struct http_transport *http, unsigned failures)
{
    double seconds = 0.25 * (double)(1u << (failures < 6 ? failures : 6));
    seconds *= 1 + 0.5 * (double)rand_r(&http->random) / RAND_MAX;
    return seconds > http->retry_after ? seconds : http->retry_after;
}

/* The last word on a request that was given up, though another try might have helped. */
static enum mist_status give_up(const struct http_transport *http, unsigned failures, const struct mist_error *failure,
                                struct mist_error *error)
{
    const char *next = http->request->first_contact ? "nothing was downloaded" : "run again to go on";
    if (http->retry_after > MAX_WAIT_SECONDS)
        return error_set(error, failure->status, "%.380s and wants to be asked again in %u seconds", failure->message,
                         http->retry_after);
    if (failures > 1)
        return error_set(error, failure->status, "%.440s; tried %u times; %s", failure->message, failures, next);
    return error_set(error, failure->status, "%.460s; %s", failure->message, next);
}

static enum mist_status http_fetch_all(struct http_transport *http, struct mist_error *error)
{
    for (unsigned failures = 0;;) {
        uint64_t before = http->position;
        bool again;
        http->retry_after = 0;
        struct mist_error failure = {0};
        enum mist_status status = try_once(http, &again, &failure);
        if (!status)
            return MIST_OK;
        failures = http->position - before >= PROGRESS_BYTES ? 0 : failures + 1;
        bool unreached = http->request->first_contact && status == MIST_ERROR_NETWORK;
        if (!again && !unreached)
            return error_set(error, status, "%s", failure.message);
        if (!again || failures > http->base.settings->retries || http->retry_after > MAX_WAIT_SECONDS)
            return give_up(http, failures, &failure, error);
        if (!wait_seconds(http, backoff(http, failures)))
            return error_set(error, MIST_ERROR_CANCELLED, "stopped");
    }
}

static struct curl_slist *append_session(struct curl_slist *headers, const char *session)
{
    struct mist_buffer line = {0};
    struct curl_slist *longer = NULL;
    if (buffer_print(&line, "x-amz-security-token: %s", session) && buffer_append_zeros(&line, 1))
        longer = curl_slist_append(headers, (const char *)line.data);
    mist_buffer_free(&line);
    return longer ? longer : headers; /* without it the host refuses, and says so */
}

static enum mist_status http_fetch(struct transport *base, const struct transport_request *request,
                                   struct mist_error *error)
{
    struct http_transport *http = (struct http_transport *)base;
    http->url = url_join(&base->settings->url, request->path);
    http->request = request;
    http->position = request->first;
    snprintf(http->etag, sizeof http->etag, "%s", request->etag ? request->etag : "");
    enum mist_status status = MIST_OK;
    /* Weak tags never match (RFC 9110, 13.1.1); that they stay the same is looked at when the answer comes. */
    if (http->etag[0] == '"') {
        char line[TRANSPORT_ETAG_SIZE + 16];
        snprintf(line, sizeof line, "If-Match: %s", http->etag);
        http->headers = curl_slist_append(NULL, line);
    }
    http->headers = curl_slist_append(http->headers, "Accept-Encoding: identity");
    if (base->settings->url
            .signer) /* S3 wants it and libcurl 7.88 does not send it; what it has as a header it signs */
        http->headers = curl_slist_append(http->headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    if (base->settings->url.session)
        http->headers = append_session(http->headers, base->settings->url.session);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
    if (!http->url || curl_easy_setopt(http->curl, CURLOPT_URL, http->url) != CURLE_OK)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", request->name);
    if (!status)
        status = http_fetch_all(http, error);
    if (!status && request->etag)
        memcpy(request->etag, http->etag, sizeof http->etag);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(http->headers);
    http->headers = NULL;
    memory_free(http->url);
    http->url = NULL;
    return status;
}

/* ---- making one ---- */

static void http_free(struct transport *base)
{
    struct http_transport *http = (struct http_transport *)base;
    curl_easy_cleanup(http->curl);
    memory_free(http);
}

static bool set_options(struct http_transport *http)
{
    const struct transport_settings *settings = http->base.settings;
    /* A bucket's redirections are not followed: the session's token would go along. */
    const char *protocols = settings->url.kind == URL_HTTPS ? "https" : "http,https"; /* never down from https */
    CURL *curl = http->curl;
    const char *token = settings->url.s3 ? NULL : settings->token; /* a bucket is not who it is meant for */
    const bool known = settings->url.user || token || settings->url.s3;
    bool good = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, settings->url.s3 ? 0L : 1L) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS) == CURLE_OK &&
                curl_easy_setopt(curl, CURLOPT_USERAGENT, "mist/" MIST_VERSION) == CURLE_OK;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->reason);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)(settings->timeout + 1) / 2);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 1L << 17);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    if (settings->ca_file)
        good = good && curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca_file) == CURLE_OK;
    if (settings->certificate)
        good =
            good && curl_easy_setopt(curl, CURLOPT_SSLCERT, settings->certificate) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_SSLKEY,
                             settings->certificate_key ? settings->certificate_key : settings->certificate) == CURLE_OK;
    if (!known) /* what .netrc says of a host, where nothing nearer does */
        good = good && curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL) == CURLE_OK;
    if (settings->url.user) /* libcurl keeps these, too, from other hosts */
        good = good && curl_easy_setopt(curl, CURLOPT_USERNAME, settings->url.user) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_PASSWORD, settings->url.password) == CURLE_OK;
    if (settings->url.signer)
        good = good && curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, settings->url.signer) == CURLE_OK;
    if (token) /* libcurl keeps it from other hosts when it follows a redirect */
        good = good && curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, token) == CURLE_OK;
    return good;
}

static void start_libcurl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum mist_status transport_http_new(const struct transport_settings *settings, struct transport **result,
                                    struct mist_error *error)
{
    static const struct transport_ops ops = {http_fetch, http_free};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_libcurl);
    struct http_transport *http = memory_allocate_zeroed(1, sizeof *http);
    if (!http)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", settings->url.base);
    http->base = (struct transport){&ops, settings};
    http->random = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)http;
    http->curl = curl_easy_init();
    if (!http->curl || !set_options(http)) {
        http_free(&http->base);
        return error_set(error, MIST_ERROR_NETWORK, "%s: libcurl could not be set up", settings->url.base);
    }
    *result = &http->base;
    return MIST_OK;
}
