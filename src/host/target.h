/* SPDX-License-Identifier: BSD-2-Clause */
/* Request targets: the path and the query, taken apart and percent-decoded (RFC 3986, RFC 9112 section 3.2). */
#ifndef HOST_TARGET_H
#define HOST_TARGET_H

#include <stdbool.h>
#include <stddef.h>

enum { TARGET_MAX = 8192, TARGET_MAX_PARAMETERS = 64 };

struct target {
    const char *path; /* decoded, starts with '/'; "*" for OPTIONS * */
    unsigned parameters;
    struct target_parameter {
        const char *name, *value;
    } parameter[TARGET_MAX_PARAMETERS];
    char text[TARGET_MAX + 2]; /* what the above points into */
};

/*
 * Takes the target apart. NULL, or what is wrong with it, as the rest of a sentence that starts with "the URL ". Both
 * the origin form (/path?query) and the absolute form (http://host/path?query) are taken.
 */
const char *target_parse(const char *raw, struct target *target);

/* The first parameter of a name, or NULL. */
const char *target_parameter(const struct target *target, const char *name);

#endif
