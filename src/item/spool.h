/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One range of an item file (a level or the tail) while it is being written: kept in memory while small, else in an
 * unlinked temporary file, with the checksums of its chunks computed on the way.
 */
#ifndef ITEM_SPOOL_H
#define ITEM_SPOOL_H

#include <mist/buffer.h>
#include <mist/status.h>
#include <stdint.h>
#include <stdio.h>

struct checksum_state;

struct spool {
    const char *near; /* path beside which the temporary file is made; must outlive the spool */
    int descriptor;   /* -1 while everything is in `pending` */
    uint64_t size;
    uint64_t written;             /* of these, in the temporary file */
    struct mist_buffer pending;   /* the rest */
    struct mist_buffer checksums; /* XXH3-64 of each chunk, little-endian; complete after spool_finish() */
    struct checksum_state *chunk; /* of the chunk that is being filled */
};

enum mist_status spool_start(struct spool *spool, const char *near, struct mist_error *error);
enum mist_status spool_append(struct spool *spool, const void *bytes, size_t size, struct mist_error *error);
/* Closes the last chunk. */
enum mist_status spool_finish(struct spool *spool, struct mist_error *error);
/* Writes all bytes to `stream`, whose own errors are sticky. */
enum mist_status spool_copy(const struct spool *spool, FILE *stream, struct mist_error *error);
/* Safe on a zeroed spool. */
void spool_free(struct spool *spool);

#endif
