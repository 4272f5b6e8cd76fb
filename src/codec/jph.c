/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/jph.h"

#include "base/bytes.h"
#include "base/error.h"

#define BOX_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define BOX_SIGNATURE BOX_TYPE('j', 'P', ' ', ' ')
#define BOX_CODESTREAM BOX_TYPE('j', 'p', '2', 'c')

struct box {
    uint32_t type;
    const uint8_t *content;
    size_t size;
};

/* The next box (I.4). False at the end of the input or when its length is impossible. */
static bool next_box(struct byte_reader *reader, struct box *box)
{
    uint64_t length = read_be32(reader), header = 8;
    box->type = read_be32(reader);
    if (length == 1) {
        length = read_be64(reader);
        header = 16;
    }
    if (reader->failed || (length && length < header))
        return false;
    uint64_t left = reader_left(reader);
    box->content = reader->at;
    box->size = length && length - header < left ? (size_t)(length - header) : (size_t)left; /* 0: to the end */
    reader->at += box->size;
    return true;
}

enum mist_status jph_find_codestream(const uint8_t *data, size_t size, struct codestream_span *codestream,
                                     struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(data, size);
    struct box box;
    *codestream = (struct codestream_span){data, size};
    if (size < 8 || load_be32(data + 4) != BOX_SIGNATURE)
        return MIST_OK;
    while (next_box(&reader, &box)) {
        if (box.type == BOX_CODESTREAM) {
            *codestream = (struct codestream_span){box.content, box.size};
            return MIST_OK;
        }
    }
    return error_set(error, reader.failed ? MIST_ERROR_TRUNCATED : MIST_ERROR_CORRUPT,
                     "the JPH file has no codestream box");
}
