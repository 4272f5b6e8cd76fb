/* SPDX-License-Identifier: BSD-2-Clause */
/* The header fields of HTTP responses that the client acts on (RFC 9110). */
#ifndef SOURCE_HEADERS_H
#define SOURCE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content-Range: bytes FIRST-LAST/TOTAL (14.4). */
struct content_range {
    uint64_t first;
    uint64_t last; /* inclusive, >= first */
    uint64_t total;
    bool total_known; /* false: "*" */
};
/* Parses the field's value; false if it is not of this form, or does not fit together. */
bool content_range_parse(const char *value, size_t size, struct content_range *range);

/*
 * Retry-After (10.2.3): seconds from now, of a number of seconds or a date; false if it is neither. `now` is the time
 * in seconds since 1970.
 */
bool retry_after_parse(const char *value, size_t size, int64_t now, unsigned *seconds);

/*
 * If `line` is the header field `name` (case does not matter), sets *value to what follows the colon without spaces
 * around it, and returns true.
 */
bool header_match(const char *line, size_t size, const char *name, const char **value, size_t *value_size);

#endif
