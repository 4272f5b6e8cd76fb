/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the members of this library's structures lie: for bindings of languages that have no C compiler at hand. What
 * is built from this table goes on working with a library in which structures have grown.
 */
#ifndef MIST_STRUCTURES_H
#define MIST_STRUCTURES_H

#include <mist/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mist_structure_member {
    const char *structure; /* "mist_error", without "struct" */
    const char *member;    /* "message"; "" for the whole structure, which comes before its members */
    size_t offset;         /* bytes from the structure's beginning */
    size_t size;           /* bytes; of arrays all of them */
};

/* Row `index`, from 0, of the table; NULL behind the last one. Static. Thread-safe. */
MIST_API const struct mist_structure_member *mist_structure(size_t index);

#ifdef __cplusplus
}
#endif
#endif
