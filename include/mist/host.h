/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP server of a store. What it answers to what is docs/http.md. */
#ifndef MIST_HOST_H
#define MIST_HOST_H

#include <mist/status.h>
#include <mist/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A running server. */
typedef struct mist_host mist_host;

/* One request that was answered, or broken off. Texts are valid until the log function returns. */
struct mist_host_access {
    /* Numeric address: "127.0.0.1", "::1"; of a connection of one of `proxies` what X-Forwarded-For says last. */
    const char *client;
    const char *method;
    const char *target;                /* as it was sent, at most 8192 bytes; may hold any byte but NUL */
    unsigned status;                   /* of the answer */
    uint64_t bytes;                    /* of the answer's body; 0 if it was broken off */
    double seconds;                    /* from the end of the request's header to the end of the answer */
    bool complete;                     /* false: the client went away, or was too slow */
    const char *referrer, *user_agent; /* header fields as they were sent; NULL: none */
};

struct mist_host_options {
    const char *listen; /* "HOST:PORT", "[IPV6]:PORT"; port 0: a free one; default "127.0.0.1:8080" */
    unsigned threads;   /* that move bytes, each with its own epoll; 0: 2, or one a core if that is more */
    unsigned workers;   /* that open and list, and as many that decode and make pictures; 0: as many */
    /*
     * Connections at the same time, default 1024; of one address, 0: half of these. Beyond either the one that has been
     * idle for longest goes, of all or of that address; where none is idle, the new one.
     */
    unsigned connections;
    unsigned connections_of_address;
    const char *const *proxies; /* [proxy_count] numeric addresses whose connections are not counted so */
    unsigned proxy_count;
    /* Datasets that DICOMweb says nothing of: [no_dicom_web_count] names; copied. All else is published as ever. */
    const char *const *no_dicom_web;
    unsigned no_dicom_web_count;
    /*
     * A file of lines "DATASETS SHA256-OF-TOKEN [LAST-DAY]" (docs/http.md, section 3): the datasets that it names are
     * read with a token only. NULL: all are public. `link_key`: a file of 16 bytes or more that makes the key of links
     * (/v1/datasets/NAME/link); NULL: one that ends with the host. MIST_ERROR_ARGUMENT where they make no sense.
     */
    const char *access;
    const char *link_key;
    unsigned header_seconds;  /* for a request's header to arrive; default 10, at most timeout_seconds */
    unsigned timeout_seconds; /* for the next request, and without any progress; default 30 */
    /* Pictures and other answers that take long: how many may wait (more get 503; 0: 32 for each worker), and bytes
     * that all in the making and on their way may take (0: 288 MiB). */
    unsigned queue;
    uint64_t picture_memory;
    unsigned drain_seconds; /* that mist_host_stop() gives the requests in flight; default 10 */
    /* Called after each request, from one thread at a time; NULL: no access log. */
    void (*log)(void *context, const struct mist_host_access *access);
    /* Something is wrong with the store or this machine (a client got a 500 or 503): one sentence. NULL: not told. */
    void (*problem)(void *context, const char *sentence);
    void *context; /* for both */
};

MIST_API struct mist_host_options mist_host_options_default(void);

/*
 * Starts to serve. Returns once requests are accepted; the answering happens on threads of the host's own. The store
 * must stay open until mist_host_stop() has returned; the texts and the structure of options are copied. The soft limit
 * of open files is raised where `connections` need it, and `connections` lowered where the hard limit forbids.
 * MIST_ERROR_ARGUMENT: `listen` makes no sense; MIST_ERROR_IO: the address cannot be listened on (in use, ...).
 */
MIST_API enum mist_status mist_host_start(mist_store *store, const struct mist_host_options *options, mist_host **host,
                                          struct mist_error *error);

/* Reads options->access again; where that fails, who may read what stays as it was. Thread-safe. */
MIST_API enum mist_status mist_host_reload(mist_host *host, struct mist_error *error);

/* The port that is listened on, and "http://127.0.0.1:8080/", owned by the host. Thread-safe. */
MIST_API unsigned mist_host_port(const mist_host *host);
MIST_API const char *mist_host_url(const mist_host *host);

/*
 * Accepts no more connections, lets what is in flight finish (for at most drain_seconds), closes all connections, frees
 * the host and nulls the pointer. Safe on a pointer to NULL. Not to be called from a signal handler or log function.
 */
MIST_API void mist_host_stop(mist_host **host);

/*
 * Writes the host's page beside the files of a store, for web servers that run no program: index.html, datasets.json
 * (the datasets of now) and mist-page/. MIST_ERROR_ARGUMENT where a dataset has that name; MIST_ERROR_UNSUPPORTED where
 * the library was built without the page's decoder.
 */
MIST_API enum mist_status mist_page_write(const char *store, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
