/* SPDX-License-Identifier: BSD-2-Clause */
/* One request on its way through the server (server.h). */
#ifndef HOST_REQUEST_H
#define HOST_REQUEST_H

#include "host/names.h"
#include "host/target.h"
#include "host/work.h"

#include <microhttpd.h>
#include <mist/mist.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mist_host;
struct connection;
enum method { METHOD_GET, METHOD_HEAD, METHOD_OPTIONS, METHOD_OTHER };

struct worker;
struct request;

/*
 * Answers a request: calls exactly one of the functions of reply.h on it; or none where request_renders() says no, and
 * then undoes what it has done.
 */
typedef void answer(struct request *request, struct worker *worker);

/* What an answer takes, and so who makes it. */
enum cost {
    COST_FILE,  /* no more than opening a file: the thread that moves its bytes */
    COST_LOOK,  /* a look into the index or an item's head: workers that nobody waits for long */
    COST_RENDER /* decoding: workers of their own, behind a queue of bounded length */
};

struct request {
    struct mist_host *host;
    struct connection *connection;
    struct MHD_Connection *mhd;
    const char *method_name;
    enum method method;
    struct target target;
    double started;
    double ready; /* when there was an answer; 0: there was none */

    /* What the router found. */
    answer *answer;
    enum cost cost;
    const char *parameters;     /* of the route: names with spaces between, NULL where any is passed over */
    const struct route *routes; /* the table that it was found in */
    bool routed;                /* for a worker, when the connection may be suspended */
    bool handed_over;           /* to one */
    bool moves_on;              /* from one that looks to one that renders */
    double queued;              /* when it was handed over */
    char dataset[MIST_DATASET_NAME_MAX + 1]; /* "" where the path has none */
    const char *link;                        /* by which it may be read (access.h), or NULL */
    struct name_list hidden;                 /* datasets that it may not be told of; of access_find_hidden() */
    const char *path;                        /* of an item or attachment: the rest of target.path, or NULL */

    /* What reply.h made. */
    unsigned status;
    struct MHD_Response *response; /* NULL: not answered yet, or memory is short */
    uint64_t body_size;            /* 0 where it is not known before */
    _Atomic uint64_t streamed;     /* bytes that a streamed body has had so far */

    struct work_item work;
};

/*
 * Whether the worker is one that may decode. If not, the answer is to end without a reply: it will be called again, on
 * one that is.
 */
bool request_renders(struct request *request, struct worker *worker);

/* A header field's value, or NULL. */
const char *request_field(const struct request *request, const char *name);

#endif
