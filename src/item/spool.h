/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one stream has in one range of an item file, or the tail, while it is being written: kept in memory while small,
 * else in an unlinked temporary file.
 */
#ifndef ITEM_SPOOL_H
#define ITEM_SPOOL_H

#include <mist/buffer.h>
#include <mist/status.h>
#include <stdint.h>
#include <stdio.h>

struct spool {
    const char *near; /* path beside which the temporary file is made; must outlive the spool */
    int descriptor;   /* -1 while everything is in `pending` */
    uint64_t size;
    uint64_t written;           /* of these, in the temporary file */
    struct mist_buffer pending; /* the rest */
};

void spool_start(struct spool *spool, const char *near);
enum mist_status spool_append(struct spool *spool, const void *bytes, size_t size, struct mist_error *error);
/* Hands out all bytes, in order, in pieces. */
typedef enum mist_status spool_take(void *context, const uint8_t *bytes, size_t size, struct mist_error *error);
enum mist_status spool_read(const struct spool *spool, spool_take *take, void *context, struct mist_error *error);
/* Safe on a zeroed spool. */
void spool_free(struct spool *spool);

#endif
