/* SPDX-License-Identifier: BSD-2-Clause */
/* The request header fields that ask for a part, a version or a type of something (RFC 9110). */
#ifndef HOST_FIELDS_H
#define HOST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum range_kind {
    RANGE_WHOLE,        /* none, or one that is to be ignored: another unit, malformed, several ranges */
    RANGE_PART,         /* bytes [first, first + size) */
    RANGE_UNSATISFIABLE /* it lies behind the end */
};

/* A Range field's value (NULL: there is none) on a body of `total` bytes; RFC 9110, 14.1.2 and 14.2. */
enum range_kind range_parse(const char *value, uint64_t total, uint64_t *first, uint64_t *size);

/*
 * Whether a list of entity tags (If-Match, If-None-Match) names `etag`, which is quoted and strong, or is "*". With
 * `weak`, weak tags of the list count too, as If-None-Match compares (RFC 9110, 8.8.3.2).
 */
bool etag_listed(const char *list, const char *etag, bool weak);

/*
 * The best of `count` types for an Accept field's value (NULL: any will do) by its weights, of equals the first; -1 if
 * none is acceptable. RFC 9110, 12.5.1; parameters other than q are ignored.
 */
int accept_choose(const char *value, const char *const *types, unsigned count);

/* Whether an Accept-Encoding field (NULL: none) has "gzip", or "*" and no "gzip", with a weight above 0 (RFC 9110,
 * 12.5.3). */
bool gzip_accepted(const char *encodings);

/* Of an X-Forwarded-For field (NULL: none) the last address, which the nearest proxy wrote; false where it is none. */
enum { FORWARDED_SIZE = 64 };
bool forwarded_client(const char *value, char address[FORWARDED_SIZE]);

/* What was seen of a request's header fields, one after the other; starts zeroed. */
struct field_check {
    bool host, length;
    const char *wrong; /* one sentence on what RFC 9112 forbids, or NULL */
};
/*
 * Looks at one field: names are tokens (no space before the colon, RFC 9112, 5.1), values have no control characters
 * (RFC 9110, 5.5), and there is one Host (RFC 9112, 3.2) and one Content-Length (6.3): where a proxy in front takes the
 * other one, two requests would become one. `value` may be NULL.
 */
void field_look(struct field_check *check, const char *name, size_t name_size, const char *value, size_t value_size);

#endif
