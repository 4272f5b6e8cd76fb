/* SPDX-License-Identifier: BSD-2-Clause */
/* One mist_get(): what all its threads share. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/cache.h"
#include "client/state.h"
#include "source/select.h"
#include "transport/transport.h"

#include <mist/client.h>

/* In the output directory only what belongs to us goes below this name; no file of a dataset may. */
#define SESSION_AREA ".mist"

enum { SESSION_DEFAULT_TIMEOUT = 30 /* seconds */ };

struct session {
    const struct mist_get_options *options;
    struct transport_shared shared;
    struct transport_settings settings;
    struct transport *transport; /* which fetched the lists; NULL: not made yet, or given to a worker */
    uint8_t *catalog;            /* mapped */
    size_t catalog_size;
    struct mist_dataset_info dataset;
    /* directories; -1 where they are not there (in a dry run) */
    int root;    /* the output directory */
    int base;    /* the cache */
    int area;    /* CACHE/DATASET */
    int staging; /* files are written there, and moved when an item is complete: on the output's file system */
    int parts;   /* attachments that are being fetched; likewise */
    int lock;
    char *base_path;
    char *staging_path;
    char *delivered_path; /* a description of the last download */
    struct cache cache;
    struct state *state;
    bool record_is_new;   /* nothing is known of what earlier runs wrote */
    bool plan_only;       /* nothing will be fetched */
    bool output_is_new;   /* there was no output directory */
    struct select select; /* what of the catalog is wanted, and how */
    struct mist_get_report report;
};

/* Checks the options and fetches the catalog. Freed with session_close() whatever comes back. */
enum mist_status session_open(struct session *session, const struct mist_get_options *options,
                              struct mist_error *error);
/* Opens the output directory and the cache; with `make` they are made and locked. */
enum mist_status session_open_directory(struct session *session, bool make, struct mist_error *error);
/* Describes this download in JSON, for whoever finds its files. */
enum mist_status session_say_what_was_delivered(const struct session *session, struct mist_error *error);
/* Once all is written and in its place: waits until the disk has the output directory, too, as it has the files. */
enum mist_status session_sync(const struct session *session, struct mist_error *error);
void session_close(struct session *session);

/* Fetches a list of the dataset (its catalog ...) into a mapping, freed by session_free_list(); `size` where it is
 * known, else 0. It counts as catalog_bytes. */
enum mist_status session_fetch_list(struct session *session, const char *path, uint64_t size, uint8_t **data,
                                    size_t *got, struct mist_error *error);
void session_free_list(uint8_t *data, size_t size);

/* Visits every entry of the catalog; not MIST_OK stops. */
typedef enum mist_status session_visit(void *context, const struct mist_catalog_entry *entry, struct mist_error *error);
enum mist_status session_each(const struct session *session, session_visit *visit, void *context,
                              struct mist_error *error);

/* Whether a path of the dataset may be written: safe, and not in our own area. */
bool session_path_is_ours_to_write(const char *path);

#endif
