/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/reply.h"

#include "base/clock.h"
#include "base/memory.h"
#include "host/fields.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What every answer carries. A type is never guessed, and pages of any origin may read what is public anyway. */
static void add_common(struct request *request, struct MHD_Response *response)
{
    MHD_add_response_header(response, "Server", "mist");
    MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
    MHD_add_response_header(response, "Access-Control-Expose-Headers",
                            "Content-Range, Content-Length, Accept-Ranges, ETag");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (atomic_load(&request->host->draining))
        MHD_add_response_header(response, "Connection", "close");
}

/* Makes the response the request's answer; NULL (memory is short) leaves it without one, which closes the connection.
 */
static struct MHD_Response *take(struct request *request, unsigned status, struct MHD_Response *response,
                                 uint64_t body_size)
{
    if (!response)
        return NULL;
    add_common(request, response);
    request->status = status;
    request->ready = clock_seconds();
    request->response = response;
    request->body_size = body_size;
    return response;
}

static void reply_buffer(struct request *request, unsigned status, const char *type, struct mist_buffer *text)
{
    /* The buffer's memory is the C library's: memory_allocate() is malloc(). */
    struct MHD_Response *response =
        text->size ? MHD_create_response_from_buffer_with_free_callback(text->size, text->data, memory_free)
                   : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!response || !text->size)
        mist_buffer_free(text);
    *text = (struct mist_buffer){0};
    if (!take(request, status, response, 0))
        return;
    if (type)
        MHD_add_response_header(response, "Content-Type", type);
}

void reply_error(struct request *request, unsigned status, const char *format, ...)
{
    char sentence[600];
    struct mist_buffer text = {0};
    va_list list;
    va_start(list, format);
    vsnprintf(sentence, sizeof sentence, format, list);
    va_end(list);
    if (!json_put(&text, "{\"error\": ") || !json_put_string(&text, sentence) || !json_put(&text, "}\n"))
        mist_buffer_free(&text);
    uint64_t size = text.size;
    reply_buffer(request, status, "application/json", &text);
    request->body_size = size;
    if (!request->response)
        return;
    MHD_add_response_header(request->response, "Cache-Control", "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(request->response, "Allow", "GET, HEAD, OPTIONS");
}

void reply_busy(struct request *request)
{
    atomic_fetch_add(&request->host->metrics.turned_away, 1);
    reply_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                "this host is asked for more pictures than it makes at the same time; try again");
    if (request->response)
        MHD_add_response_header(request->response, "Retry-After", "2");
}

void reply_failure(struct request *request, const struct mist_error *error)
{
    struct mist_host *host = request->host;
    if (error->status == MIST_ERROR_NOT_FOUND) {
        reply_error(request, MHD_HTTP_NOT_FOUND, "%s", error->message);
    } else if (error->status == MIST_ERROR_ARGUMENT) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "%s", error->message);
    } else {
        bool memory = error->status == MIST_ERROR_MEMORY;
        if (host->options.problem) {
            pthread_mutex_lock(&host->log_lock);
            host->options.problem(host->options.context, error->message);
            pthread_mutex_unlock(&host->log_lock);
        }
        reply_error(request, memory ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_INTERNAL_SERVER_ERROR, "%s",
                    memory ? "this host is short of memory; try again later"
                           : "this host cannot read what was asked for; its log says why");
    }
}

static void reply_made(struct request *request, const char *type, struct mist_buffer *text, const char *caching)
{
    uint64_t size = text->size;
    reply_buffer(request, MHD_HTTP_OK, type, text);
    request->body_size = size;
    if (request->response)
        MHD_add_response_header(request->response, "Cache-Control", caching);
}

void reply_text(struct request *request, const char *type, struct mist_buffer *text)
{
    reply_made(request, type, text, "no-cache");
}

void reply_secret(struct request *request, const char *type, struct mist_buffer *text)
{
    reply_made(request, type, text, "no-store");
}

/* ---- bodies ---- */

static void body_release(struct body *body)
{
    if (body->descriptor >= 0)
        close(body->descriptor);
    if (body->release)
        body->release(body->owner);
}

/* The pieces from `first` on, `size` bytes of them. The response owns the body's owner from then on. */
static struct MHD_Response *slice_pieces(struct body *body, uint64_t first, uint64_t size)
{
    struct MHD_IoVec *slice = memory_allocate_array(body->piece_count, sizeof *slice);
    unsigned count = 0;
    for (unsigned i = 0; slice && i < body->piece_count && size > 0; i++) {
        uint64_t length = body->pieces[i].iov_len;
        if (first >= length) {
            first -= length;
            continue;
        }
        uint64_t taken = length - first < size ? length - first : size;
        slice[count++] = (struct MHD_IoVec){(const char *)body->pieces[i].iov_base + first, (size_t)taken};
        size -= taken;
        first = 0;
    }
    struct MHD_Response *response =
        slice ? MHD_create_response_from_iovec(slice, count, body->release, body->owner) : NULL;
    memory_free(slice);
    if (!response)
        body_release(body);
    return response;
}

/* A stretch of the body. The body is taken over. */
static struct MHD_Response *create_part(struct body *body, uint64_t first, uint64_t size)
{
    struct MHD_Response *response;
    if (size == 0) {
        body_release(body);
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else if (body->descriptor >= 0) {
        response = MHD_create_response_from_fd_at_offset64(size, body->descriptor, body->offset + first);
        if (!response)
            close(body->descriptor);
    } else {
        response = slice_pieces(body, first, size);
    }
    return response;
}

/* Fields that an answer about this version of the resource carries, with or without its bytes. */
static void add_validators(struct MHD_Response *response, const char *etag, bool negotiated)
{
    if (etag[0])
        MHD_add_response_header(response, "ETag", etag);
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    if (negotiated)
        MHD_add_response_header(response, "Vary", "Accept");
}

/* If-Match and If-None-Match (RFC 9110, 13.2.2); true if they were the answer. */
static bool precondition_answers(struct request *request, const char *etag, bool negotiated)
{
    const char *match = request_field(request, "If-Match");
    if (match && !etag_listed(match, etag, false)) {
        reply_error(request, MHD_HTTP_PRECONDITION_FAILED, "what is here now is another version: %s", etag);
        return true;
    }
    const char *none_match = request_field(request, "If-None-Match");
    if (!none_match || !etag_listed(none_match, etag, true))
        return false;
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (take(request, MHD_HTTP_NOT_MODIFIED, response, 0))
        add_validators(response, etag, negotiated);
    return true;
}

static void reply_unsatisfiable(struct request *request, struct body *body)
{
    char range[64];
    body_release(body);
    snprintf(range, sizeof range, "bytes */%" PRIu64, body->size);
    if (body->silent)
        take(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT),
             0);
    else
        reply_error(request, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                    "the range lies behind the end; there are %" PRIu64 " bytes", body->size);
    if (request->response)
        MHD_add_response_header(request->response, "Content-Range", range);
}

void reply_body(struct request *request, struct body *body)
{
    char range_text[96];
    uint64_t first = 0, size = body->size;
    enum range_kind kind = RANGE_WHOLE;
    if (precondition_answers(request, body->etag, body->negotiated)) {
        body_release(body);
        return;
    }
    if (request->method == METHOD_GET) {
        const char *condition = request_field(request, "If-Range");
        if (!condition || strcmp(condition, body->etag) == 0)
            kind = range_parse(request_field(request, "Range"), body->size, &first, &size);
    }
    if (kind == RANGE_UNSATISFIABLE) {
        reply_unsatisfiable(request, body);
        return;
    }
    struct MHD_Response *response = create_part(body, first, size);
    if (!take(request, kind == RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, response, size))
        return;
    if (kind == RANGE_PART) {
        snprintf(range_text, sizeof range_text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, first + size - 1,
                 body->size);
        MHD_add_response_header(response, "Content-Range", range_text);
    }
    MHD_add_response_header(response, "Content-Type", body->type);
    MHD_add_response_header(response, "Accept-Ranges", "bytes");
    add_validators(response, body->etag, body->negotiated);
}

/* ---- streams ---- */

struct running_stream {
    struct stream stream;
    struct request *request;
    struct mist_buffer produced; /* of which `taken` bytes have been sent */
    size_t taken;
    bool ended;
};

static ssize_t read_stream(void *context, uint64_t position, char *out, size_t size)
{
    struct running_stream *running = context;
    (void)position;
    while (running->taken == running->produced.size) {
        if (running->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        running->taken = running->produced.size = 0;
        int more = running->stream.produce(running->stream.owner, running->request, &running->produced);
        if (more < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        running->ended = more == 0;
    }
    size_t left = running->produced.size - running->taken, given = left < size ? left : size;
    memcpy(out, running->produced.data + running->taken, given);
    running->taken += given;
    atomic_fetch_add(&running->request->streamed, given);
    return (ssize_t)given;
}

static void free_stream(void *context)
{
    struct running_stream *running = context;
    running->stream.release(running->stream.owner);
    mist_buffer_free(&running->produced);
    memory_free(running);
}

void reply_stream(struct request *request, const struct stream *stream)
{
    enum { BLOCK = 64 << 10 };
    if (stream->etag[0] && precondition_answers(request, stream->etag, false)) {
        stream->release(stream->owner);
        return;
    }
    struct running_stream *running = memory_allocate(sizeof *running);
    struct MHD_Response *response = NULL;
    if (running) {
        *running = (struct running_stream){.stream = *stream, .request = request};
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, running, free_stream);
    }
    if (!response) {
        memory_free(running);
        stream->release(stream->owner);
    }
    if (!take(request, MHD_HTTP_OK, response, 0))
        return;
    MHD_add_response_header(response, "Content-Type", stream->type);
    add_validators(response, stream->etag, false);
}

void reply_free(struct request *request)
{
    if (request->response)
        MHD_destroy_response(request->response);
    request->response = NULL;
}
