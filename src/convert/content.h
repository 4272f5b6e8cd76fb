/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a source file was: its archive and checksums for the tail, and the proof that the archive and the samples make
 * the file again, byte for byte, before the import is done.
 */
#ifndef ITEM_CONTENT_H
#define ITEM_CONTENT_H

#include "format/format.h"
#include "format/turn.h"
#include "item/tail.h"

struct content {
    const struct format_source *source;
    uint32_t file; /* of the source, in frame order */
    const char *path;
    struct tail_record record;
    struct checksum_state *samples;
    struct checksum_state *again; /* of the file put together again; raw archives only */
    uint64_t again_size;
    bool kept;                        /* frames are proved by their compressed bytes */
    struct turner *turner;            /* brings them into the order of the file; NULL where they are in it */
    struct format_restorer *restorer; /* makes its bytes of frames; raw archives only */
    struct mist_buffer packed;        /* one frame as the file has it */
};

/* Reads the archive of a source's n-th file (in frame order), which is at `path`. */
enum mist_status content_start(struct content *content, struct format_source *source, uint32_t file, const char *path,
                               bool kept, struct mist_error *error);
/* The file's frames in order, tightly packed, components interleaved. */
enum mist_status content_frame(struct content *content, const struct mist_view *frame, struct mist_error *error);
/*
 * Of sources that are kept as they came compressed, besides content_frame(): the frame's bytes, and what gives them
 * back from its chunks.
 */
enum mist_status content_kept(struct content *content, const struct mist_buffer *bytes,
                              const struct mist_buffer *rebuild, struct mist_error *error);
/* Completes content->record; fails if the file would not come back as it was. */
enum mist_status content_finish(struct content *content, struct mist_error *error);
/* Safe on a zeroed content. */
void content_free(struct content *content);

#endif
