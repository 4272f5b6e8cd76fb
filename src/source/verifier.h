/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the bytes of an item file, in order and as they come, against the checksums in its head. */
#ifndef SOURCE_VERIFIER_H
#define SOURCE_VERIFIER_H

#include "item/layout.h"

#include <mist/source.h>
#include <stdbool.h>

/* Start zeroed; free with verifier_free(). */
struct verifier {
    bool started; /* the head is known and is what the catalog says */
    struct layout layout;
    uint64_t *sums; /* one for each chunk of all levels and the tail */
    struct checksum_state *state;
    const char *name;     /* for messages; the caller's */
    uint64_t position;    /* next byte */
    uint64_t chunk_start; /* of the chunk that the next byte belongs to: everything before, back to where it began, is
                             good */
    uint64_t chunk_end;
    uint64_t chunk; /* its number */
};

/* What the catalog says of an item, within the limits of the format? Else a sentence about it is in `error`. */
enum mist_status verifier_check_entry(const struct mist_catalog_item *item, struct mist_error *error);

/* Takes the head: `head` holds item->head_end bytes. MIST_ERROR_CORRUPT if it is not the item of the catalog. */
enum mist_status verifier_start(struct verifier *verifier, const char *name, const struct mist_catalog_item *item,
                                const uint8_t *head, struct mist_error *error);
/* Goes to the start of the chunk that holds the byte at `offset`, and returns where it is. offset >= head_end. */
uint64_t verifier_seek(struct verifier *verifier, uint64_t offset);
/* The next bytes. MIST_ERROR_CHECKSUM at the first chunk that is not what was stored; it begins at chunk_start. */
enum mist_status verifier_feed(struct verifier *verifier, const uint8_t *bytes, size_t size, struct mist_error *error);
void verifier_free(struct verifier *verifier);

#endif
