/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing an item file: codestreams go in frame by frame, levels are spooled and joined at the end. */
#ifndef ITEM_WRITE_H
#define ITEM_WRITE_H

#include "item/layout.h"
#include "item/manifest.h"
#include "item/spool.h"
#include "item/tail.h"

struct item_writer {
    const char *path;
    const struct manifest *manifest;
    const struct mist_buffer *source_head;
    struct layout layout;
    struct spool level[MIST_MAX_LEVELS];
    struct spool tail;
    struct tail_writer archive;
    struct mist_buffer template; /* of the first frame; the others must equal it */
    struct mist_buffer header;   /* scratch */
    uint32_t *lengths;           /* [coded levels][frames] */
    uint32_t frame;              /* the next one */
};

/* The arguments must outlive the writer. On failure nothing needs to be freed. */
enum mist_status item_writer_start(struct item_writer *writer, const char *path, const struct manifest *manifest,
                                   const struct mist_buffer *source_head, struct mist_error *error);
/* The next frame, as mist_encode() made it. */
enum mist_status item_writer_frame(struct item_writer *writer, const struct mist_buffer *codestream,
                                   struct mist_error *error);
/* The next source file's archive. */
enum mist_status item_writer_file(struct item_writer *writer, const struct tail_record *record,
                                  struct mist_error *error);
/* Writes the item file aside and renames it to `path`. */
enum mist_status item_writer_finish(struct item_writer *writer, struct mist_error *error);
/* Removes what was spooled. */
void item_writer_free(struct item_writer *writer);

#endif
