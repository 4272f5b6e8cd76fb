/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing an item file: coded units go in stream by stream in their order, ranges are spooled and joined at the end. */
#ifndef ITEM_WRITE_H
#define ITEM_WRITE_H

#include "coder/coder.h"
#include "item/chunk_map.h"
#include "item/layout.h"
#include "item/manifest.h"
#include "item/spool.h"
#include "item/tail.h"

/* What one stream has been given so far. */
struct stream_writer {
    struct chunk_lengths lengths;
    struct spool spool[LAYOUT_MAX_RANGES]; /* by range; started when its first byte comes */
    uint32_t unit;                         /* the next one */
};

struct item_writer {
    const char *path;
    struct manifest *manifest;
    struct layout layout;
    struct stream_writer *stream; /* [manifest->streams] */
    struct spool tail;
    struct tail_writer archive;
};

/*
 * The manifest, whose streams say what will come, must outlive the writer, which notes unit headers and groups of the
 * tail in it. On failure nothing needs to be freed.
 */
enum mist_status item_writer_start(struct item_writer *writer, const char *path, struct manifest *manifest,
                                   unsigned levels, unsigned steps, struct mist_error *error);
/* The next unit of a stream. */
enum mist_status item_writer_unit(struct item_writer *writer, unsigned stream, const struct coder_coded *coded,
                                  struct mist_error *error);
/* The next source file's archive. */
enum mist_status item_writer_file(struct item_writer *writer, const struct tail_record *record,
                                  struct mist_error *error);
/* Bytes of all chunks so far. */
uint64_t item_writer_bytes(const struct item_writer *writer);
/* Writes the item file aside and renames it to `path`. */
enum mist_status item_writer_finish(struct item_writer *writer, struct mist_error *error);
/* Removes what was spooled. */
void item_writer_free(struct item_writer *writer);

#endif
