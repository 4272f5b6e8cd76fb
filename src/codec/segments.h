/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsing single marker segments into the structures of codestream.h. */
#ifndef CODEC_SEGMENTS_H
#define CODEC_SEGMENTS_H

#include "base/bytes.h"
#include "codec/codestream.h"

/* The header being parsed: the main header, or that of a tile whose main header is complete. */
struct segment_scope {
    struct codestream_header *header;      /* only read when `tile` is set */
    struct codestream_tile_header *tile;   /* NULL: main header */
    bool cod, qcd;                         /* seen */
    struct codestream_packed_headers *tlm; /* TLM payloads until segment_finish_tlm(); freed by the caller */
};

/* `payload` is what follows the length field. Unknown segments are skipped; those that change decoding are refused. */
enum mist_status segment_parse_main(struct segment_scope *scope, unsigned marker, struct byte_reader payload,
                                    struct mist_error *error);
enum mist_status segment_parse_tile(struct segment_scope *scope, unsigned marker, struct byte_reader payload,
                                    struct mist_error *error);
enum mist_status segment_finish_tlm(struct segment_scope *scope, struct mist_error *error);

#endif
