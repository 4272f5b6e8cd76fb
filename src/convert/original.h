/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as they came compressed: the bytes of a source that are kept in its item. */
#ifndef CONVERT_ORIGINAL_H
#define CONVERT_ORIGINAL_H

#include "coder/coder.h"
#include "item/item.h"

/* Reads the frames of one source file in order. */
struct original_reader {
    const mist_item *item;
    const struct coder_stream *stream;
    bool whole;                 /* the stream's chunks are the source's own bytes; else what is needed to make them */
    struct byte_reader rebuild; /* of the tail's record, which must stay */
    uint32_t frame;             /* of the item: the next one */
    struct coder_parts *parts;
};

/* `first` is the file's first frame, `record` its own with `rebuild`. original_end() whatever is returned. */
enum mist_status original_start(const mist_item *item, uint32_t first, const struct tail_record *record,
                                struct original_reader *reader, struct mist_error *error);
/* Passes over a frame, whose bytes are not wanted. */
enum mist_status original_skip(struct original_reader *reader, struct mist_error *error);
/* The next frame's bytes into `out`, which is overwritten. MIST_ERROR_TRUNCATED where its highest level is not here. */
enum mist_status original_next(struct original_reader *reader, struct mist_buffer *out, struct mist_error *error);
void original_end(struct original_reader *reader);

#endif
