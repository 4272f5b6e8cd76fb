/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes of the files of a dataset, by range: over HTTP with libcurl, or from a directory. What a server says is not
 * believed: no more than was asked for reaches the sink, in order, from the first byte on.
 */
#ifndef SOURCE_TRANSPORT_H
#define SOURCE_TRANSPORT_H

#include "transport/url.h"

#include <mist/status.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Set by whoever wants all transfers to end soon; counters of all of them together. */
struct transport_shared {
    atomic_bool stop;
    atomic_ullong received; /* bytes handed to sinks */
    atomic_ullong requests;
    atomic_ullong refused; /* by a host that has too much to do: 429, 503, no connection */
};

struct transport_settings {
    struct url url;
    const char *token; /* NULL: none */
    /* PEM files of https: who signs hosts' certificates; who we are, and its key. NULL: the system's, none. */
    const char *ca_file, *certificate, *certificate_key;
    unsigned retries;
    unsigned timeout; /* seconds, > 0: of a host that sends nothing; half of it for connecting */
    struct transport_shared *shared;
};

/* One connection; for one thread. Settings outlive it. */
struct transport;
enum mist_status transport_new(const struct transport_settings *settings, struct transport **transport,
                               struct mist_error *error);
void transport_free(struct transport **transport);

#define TRANSPORT_TO_END UINT64_MAX
enum { TRANSPORT_ETAG_SIZE = 128 };

struct transport_request {
    const char *path; /* below the dataset: "items/a.png.mist" */
    const char *name; /* for messages */
    uint64_t first;   /* bytes [first, end) */
    uint64_t end;     /* TRANSPORT_TO_END: all there is, at most `limit` bytes */
    uint64_t size;    /* of the whole file where it is known, else 0: a server that says another one has another file */
    uint64_t limit;   /* used with TRANSPORT_TO_END only: more is MIST_ERROR_LIMIT */
    /* NULL, or of TRANSPORT_ETAG_SIZE bytes, "" before the first request of a file: the entity tag that its first
     * answer had. The others are of the same version then, or fail. */
    char *etag;
    bool first_contact; /* nothing is known of the host yet: one that cannot be reached is not tried again */
    enum mist_status (*sink)(void *context, const uint8_t *bytes, size_t size, struct mist_error *error);
    void *context;
};

/*
 * Fetches; what failed in a way that may pass is tried again from where it stopped. A failure of the sink ends it and
 * is returned as it is. MIST_ERROR_NETWORK: the host could not be reached or answered something else;
 * MIST_ERROR_NOT_FOUND: it has no such file; MIST_ERROR_CANCELLED: shared->stop.
 */
enum mist_status transport_fetch(struct transport *transport, const struct transport_request *request,
                                 struct mist_error *error);

/* ---- the two kinds ---- */

struct transport_ops {
    enum mist_status (*fetch)(struct transport *transport, const struct transport_request *request,
                              struct mist_error *error);
    void (*free)(struct transport *transport);
};
struct transport {
    const struct transport_ops *ops;
    const struct transport_settings *settings;
};
enum mist_status transport_http_new(const struct transport_settings *settings, struct transport **transport,
                                    struct mist_error *error);
enum mist_status transport_directory_new(const struct transport_settings *settings, struct transport **transport,
                                         struct mist_error *error);

#endif
