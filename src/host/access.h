/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may read which datasets. A file names datasets and the tokens that open them:
 *
 *     # datasets          SHA-256 of the token, in hexadecimal                              the last day (UTC), if any
 *     chest-ct,chest-xr   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08   2027-01-31
 *
 * "*" stands for all datasets. A dataset that some line names is private: it is read with a token of such a line
 * (Authorization: Bearer, RFC 6750), or by a link that was made with one and ends by itself; all others are public.
 * Thread-safe.
 */
#ifndef HOST_ACCESS_H
#define HOST_ACCESS_H

#include "host/names.h"
#include "host/request.h"

#include <pthread.h>

enum { ACCESS_HASH = 32, ACCESS_LINK_SIZE = 96 };

struct access_rule {
    struct name_list datasets;
    uint8_t hash[ACCESS_HASH]; /* of the token */
    int64_t end;               /* seconds since 1970 from which on it opens nothing; INT64_MAX: never */
};

struct access {
    pthread_rwlock_t lock; /* guards the rules */
    char *path;            /* of the file; NULL: all is public */
    struct access_rule *rule;
    unsigned rules;
    uint8_t key[ACCESS_HASH]; /* of links */
};

/* `path`: of the file, or NULL. `key`: of a file whose bytes (16 at least) make the key of links; NULL: one that ends
 * with this host. access_stop() is due whatever comes back. */
enum mist_status access_start(struct access *access, const char *path, const char *key, struct mist_error *error);
/* Reads the file again; where that fails, all stays as it was. */
enum mist_status access_reload(struct access *access, struct mist_error *error);
void access_stop(struct access *access);

/* Takes the link's parameter ("access") out of the target; before the target's parameters are looked at. */
void access_take_link(struct request *request);
/* Whether the request may read of a dataset, be it there or not. */
bool access_allows(struct request *request, const char *dataset);
/* Answers 401, RFC 6750. */
void access_refuse(struct request *request, struct worker *worker);
/* Into request->hidden: what DICOMweb may not tell this request of. Answers if that fails. */
bool access_find_hidden(struct request *request);

#endif
