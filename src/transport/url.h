/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a dataset is: a web address or a directory. */
#ifndef SOURCE_URL_H
#define SOURCE_URL_H

#include <mist/status.h>
#include <stdbool.h>

enum url_kind { URL_HTTP, URL_HTTPS, URL_DIRECTORY };

struct url {
    enum url_kind kind;
    char *base; /* "https://host/prefix/DATASET" or a directory, without '/' at its end; nothing secret is in it */
    char *user; /* from "https://USER:PASSWORD@host", decoded, or NULL */
    char *password;
    /* Of S3, whose keys are user and password then: "aws:amz:REGION:s3", or NULL for anonymous requests; the session's
     * token, or NULL. */
    char *signer;
    char *session;
    bool s3;
};

/*
 * Takes http://, https://, s3:// (s3.h), file:/// (percent-encoding undone) or a path. Addresses with a query or a
 * fragment, which cannot be the start of other addresses, and other schemes are MIST_ERROR_ARGUMENT. Freed with
 * url_free().
 */
enum mist_status url_parse(const char *text, struct url *url, struct mist_error *error);
void url_free(struct url *url);

/* "BASE/PATH", percent-encoded (RFC 3986, 3.3) for web addresses; NULL when memory is short. Freed with memory_free().
 */
char *url_join(const struct url *url, const char *path);

#endif
