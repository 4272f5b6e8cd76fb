/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers: status, header fields and body, made on any thread and sent by server.c. */
#ifndef HOST_REPLY_H
#define HOST_REPLY_H

#include "host/server.h"

/* {"error": "..."}: one sentence. */
void reply_error(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * What a library call failed with. What the client can mend (not found, a bad argument) is told to it; about anything
 * else it gets a 500, or 503 where memory is short, and the host's owner the sentence.
 */
void reply_failure(struct request *request, const struct mist_error *error);

/* 503 with Retry-After: too much of what takes long is asked for at the same time. Counted. */
void reply_busy(struct request *request);

/* A short text made here; `text` is taken over and empty afterwards. */
void reply_text(struct request *request, const char *type, struct mist_buffer *text);
/* The same, which no cache may keep: it opens what is private. */
void reply_secret(struct request *request, const char *type, struct mist_buffer *text);

enum { ETAG_SIZE = 96 };

/* The bytes of a resource whose length is known. */
struct body {
    const char *type;     /* Content-Type */
    char etag[ETAG_SIZE]; /* quoted, strong */
    bool negotiated;      /* the type depends on Accept */
    bool silent;          /* 416 has no body: there are viewers that take it for a part of the picture */
    uint64_t size;

    /* Either a stretch of a file ... */
    int descriptor; /* closed by reply_body(); -1: none */
    uint64_t offset;
    /* ... or pieces of memory one after the other. */
    const struct MHD_IoVec *pieces;
    unsigned piece_count;

    void (*release)(void *owner); /* called once when no byte is needed any more; may be NULL */
    void *owner;
};

/* Answers with the body or a part of it: Range, If-Range, If-Match and If-None-Match are looked at. Takes it over. */
void reply_body(struct request *request, struct body *body);

/*
 * A body whose length nobody knows yet, sent in chunks. `produce` is called on the sending thread and appends some
 * bytes to `out` (which need not stay small, but should); it returns 1 if there are more, 0 if these were the last, -1
 * if something failed (the connection is then cut off, so that the client sees that not all came).
 */
struct stream {
    const char *type;
    char etag[ETAG_SIZE]; /* "": none */
    int (*produce)(void *owner, struct request *request, struct mist_buffer *out);
    void (*release)(void *owner);
    void *owner;
};
void reply_stream(struct request *request, const struct stream *stream);

/* Frees the answer, sent or not. */
void reply_free(struct request *request);

#endif
