/* SPDX-License-Identifier: BSD-2-Clause */
/* An open item, as the files of this module share it. */
#ifndef ITEM_ITEM_H
#define ITEM_ITEM_H

#include "base/file.h"
#include "item/frame_map.h"
#include "item/layout.h"
#include "item/manifest.h"
#include "item/tail.h"
#include "item/template.h"

#include <mist/item.h>

struct mist_item {
    char *name; /* for messages */
    struct file_map map, tail_map;
    const uint8_t *data; /* a prefix of the item file */
    size_t size;
    const uint8_t *tail; /* the archival tail, NULL where it is not here */
    struct layout layout;
    struct mist_buffer meta; /* manifest | source head | template | map */
    const uint8_t *source_head, *template;
    char *manifest_text;
    struct manifest manifest;
    struct manifest_coding coding;
    struct frame_map frames;
    struct mist_item_info info;
};

/* As mist_item_open(), of an open file, which the caller may close afterwards. `name` is for messages. */
enum mist_status item_open_descriptor(int descriptor, const char *name, mist_item **item, struct mist_error *error);

/*
 * A frame decoded at 1/2^reduce of what is coded: for labels only reduce 0. `out` as for mist_item_decode().
 */
enum mist_status item_decode_coded(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                   struct mist_view *out, struct mist_error *error);

/*
 * As mist_item_codestream(), byte for byte, but in pieces, of which those with packets lie in the item. Not for reduced
 * labels (MIST_ERROR_ARGUMENT). `headers` is overwritten and must live as long as the pieces.
 */
enum mist_status item_codestream_pieces(const mist_item *item, uint32_t frame, unsigned reduce,
                                        struct mist_buffer *headers, struct template_piece pieces[TEMPLATE_MAX_PIECES],
                                        unsigned *count, struct mist_error *error);

/* A view of memory that is allocated here; view->data is NULL when memory is short. Free with memory_free(data). */
struct mist_view item_new_view(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components);

#endif
