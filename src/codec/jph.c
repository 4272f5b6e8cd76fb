/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/jph.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/codestream.h"

#include <mist/codec.h>

#define BOX_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define BOX_SIGNATURE BOX_TYPE('j', 'P', ' ', ' ')

bool jph_next_box(struct byte_reader *reader, struct jph_box *box)
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
    struct jph_box box;
    *codestream = (struct codestream_span){data, size};
    if (size < 8 || load_be32(data + 4) != BOX_SIGNATURE)
        return MIST_OK;
    while (jph_next_box(&reader, &box)) {
        if (box.type == JPH_BOX_CODESTREAM) {
            *codestream = (struct codestream_span){box.content, box.size};
            return MIST_OK;
        }
    }
    return error_set(error, reader.failed ? MIST_ERROR_TRUNCATED : MIST_ERROR_CORRUPT,
                     "the JPH file has no codestream box");
}

/* ---- writing ---- */

struct box_writer {
    struct mist_buffer *out;
    bool good;
};

static void put_number(struct box_writer *writer, uint32_t value, unsigned bytes)
{
    uint8_t big_endian[4];
    store_be32(big_endian, value);
    writer->good = writer->good && buffer_append(writer->out, big_endian + 4 - bytes, bytes);
}

static void put_head(struct box_writer *writer, uint32_t size, uint32_t type)
{
    put_number(writer, size, 4);
    put_number(writer, type, 4);
}

/* BPC of ihdr and bpcc: bits - 1, sign in the top bit (I.5.3.1). */
static uint8_t bit_depth(const struct codestream_component *component)
{
    return (uint8_t)((component->precision - 1u) | (component->is_signed ? 0x80u : 0));
}

/* jp2h (I.5.3): ihdr, bpcc where the depths differ, colr. */
static void put_header_box(struct box_writer *writer, const struct codestream_header *header)
{
    const struct codestream_siz *siz = &header->siz;
    uint8_t depth = bit_depth(&header->component[0]);
    bool differ = false;
    for (uint32_t c = 1; c < siz->components; c++)
        differ = differ || bit_depth(&header->component[c]) != depth;
    uint32_t depths = differ ? 8 + siz->components : 0;
    put_head(writer, 8 + 22 + depths + 15, BOX_TYPE('j', 'p', '2', 'h'));
    put_head(writer, 22, BOX_TYPE('i', 'h', 'd', 'r'));
    put_number(writer, siz->y1 - siz->y0, 4);
    put_number(writer, siz->x1 - siz->x0, 4);
    put_number(writer, siz->components, 2);
    put_number(writer, differ ? 255 : depth, 1);
    put_number(writer, 7, 1); /* compression type: the 15444 family */
    put_number(writer, 0, 1); /* the colour space below is the right one */
    put_number(writer, 0, 1); /* no intellectual property box */
    if (differ) {
        put_head(writer, depths, BOX_TYPE('b', 'p', 'c', 'c'));
        for (uint32_t c = 0; c < siz->components; c++)
            put_number(writer, bit_depth(&header->component[c]), 1);
    }
    put_head(writer, 15, BOX_TYPE('c', 'o', 'l', 'r'));
    put_number(writer, 1, 1); /* enumerated colour space */
    put_number(writer, 0, 2); /* precedence, approximation: none */
    put_number(writer, siz->components == 3 || siz->components == 4 ? 16 : 17, 4);
}

enum mist_status mist_jph_wrap(const uint8_t *data, size_t size, struct mist_buffer *out, struct mist_error *error)
{
    static const uint8_t start[] = {0,   0,   0,   12,  'j', 'P', ' ', ' ', 13, 10, 0x87, 10, 0,   0,   0,   20,
                                    'f', 't', 'y', 'p', 'j', 'p', 'h', ' ', 0,  0,  0,    0,  'j', 'p', 'h', ' '};
    struct codestream_header header;
    enum mist_status status = codestream_parse_header(data, size, &header, error);
    if (status)
        return status;
    out->size = 0;
    struct box_writer writer = {out, buffer_append(out, start, sizeof start)};
    put_header_box(&writer, &header);
    codestream_header_free(&header);
    /* A length of 0 means "to the end of the file", of 1 that 64 bits follow (I.4). */
    put_head(&writer, size <= UINT32_MAX - 8 ? (uint32_t)size + 8 : 0, JPH_BOX_CODESTREAM);
    if (writer.good && buffer_append(out, data, size))
        return MIST_OK;
    out->size = 0;
    return error_set(error, MIST_ERROR_MEMORY, "no memory for a JPH file");
}
