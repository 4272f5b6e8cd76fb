/* SPDX-License-Identifier: BSD-2-Clause */
/* An open item, as the files of this module share it. */
#ifndef ITEM_ITEM_H
#define ITEM_ITEM_H

#include "base/file.h"
#include "codec/packets.h"
#include "item/chunk_map.h"
#include "item/layout.h"
#include "item/manifest.h"
#include "item/tail.h"

#include <mist/item.h>

struct mist_item {
    char *name;      /* for messages */
    uint64_t serial; /* no two items of a process have the same: names it in a decoder's cache */
    struct file_map map;
    struct mist_item_piece *piece; /* [pieces] what is here of the item file, ascending, apart from one another */
    size_t pieces;
    struct layout layout;
    struct manifest manifest;
    struct chunk_map chunks;
    bool table_damaged; /* the table of values is here, and no table */
    struct mist_item_info info;
};

/* As mist_item_open(), of an open file, which the caller may close afterwards. `name` is for messages. */
enum mist_status item_open_descriptor(int descriptor, const char *name, mist_item **item, struct mist_error *error);

/*
 * The bytes [offset, offset + size) of the item file in memory; NULL where they are not here, in one piece. No bytes
 * are always here.
 */
const uint8_t *item_bytes(const mist_item *item, uint64_t offset, uint64_t size);
/* The archival tail, or NULL. */
const uint8_t *item_tail(const mist_item *item);

/* A frame's place: MIST_ERROR_NOT_FOUND if there is no such frame or level. */
enum mist_status item_check_frame(const mist_item *item, uint32_t frame, unsigned reduce, struct mist_error *error);

/*
 * As mist_item_codestream(), byte for byte, but in pieces, of which those with packets lie in the item. Only where
 * item_has_codestreams(), else MIST_ERROR_UNSUPPORTED. `headers` is overwritten and must live as long as the pieces.
 */
bool item_has_codestreams(const mist_item *item);
enum mist_status item_codestream_pieces(const mist_item *item, uint32_t frame, unsigned reduce,
                                        struct mist_buffer *headers, struct codec_piece pieces[CODEC_MAX_PIECES],
                                        unsigned *count, struct mist_error *error);

/* A view of memory that is allocated here; view->data is NULL when memory is short. Free with memory_free(data). */
struct mist_view item_new_view(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components);

#endif
