/* SPDX-License-Identifier: BSD-2-Clause */
/* DICOM files whose frames are HTJ2K codestreams (PS3.5, A.4). */
#include "format/dicom_writer.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_derive.h"
#include "format/ops.h"

#include <mist/codec.h>
#include <string.h>

#define HTJ2K_LOSSLESS "1.2.840.10008.1.2.4.201"
#define HTJ2K_LOSSLESS_RPCL "1.2.840.10008.1.2.4.202"

/* What all codestreams of a file have in common. */
struct style {
    uint32_t width, height, components;
    unsigned precision;
    bool is_signed;
    bool reversible;
    bool transform; /* of colours */
    bool rpcl;      /* in that order, with the lengths of tile-parts in the main header */
};

struct encapsulator {
    struct format_writer base;
    struct file_writer file;
    struct format_target target;    /* its pointers are the caller's */
    struct dicom_archived archived; /* likewise */
    struct dicom_pixels pixels;     /* of the output */
    struct style style;             /* of the first frame */
    uint8_t *table;                 /* [frames] offsets, [frames] lengths, as in the file */
    size_t offsets_at;              /* where the value of the Extended Offset Table is in the file */
    size_t lengths_at;
    uint64_t offset; /* of the next fragment's item, from the first one's */
    uint32_t written;
    /* Of mosaics: the tiles that come are put together, and the picture is encoded. */
    struct format_restorer *restorer; /* NULL for all others */
    struct dicom_pixels tiles;
    struct mist_buffer bytes;
    struct mist_buffer codestream;
    struct mist_view picture;
};

/* ---- the codestream ---- */

static enum mist_status read_style(const uint8_t *data, size_t size, struct style *style, struct mist_error *error)
{
    struct mist_codestream_info info;
    enum mist_status status = mist_codestream_info(data, size, &info, error);
    if (status)
        return status;
    *style = (struct style){.width = info.width,
                            .height = info.height,
                            .components = info.components,
                            .precision = info.component[0].precision,
                            .is_signed = info.component[0].is_signed,
                            .reversible = info.reversible};
    bool lengths = false;
    struct byte_reader reader = byte_reader_start(data, size);
    read_be16(&reader);
    while (!reader.failed) { /* the main header: 15444-1, A.3 */
        uint16_t marker = read_be16(&reader), length = read_be16(&reader);
        const uint8_t *segment = length >= 2 && marker != 0xff90 ? reader_take(&reader, length - 2u) : NULL;
        if (!segment)
            break;
        lengths = lengths || marker == 0xff55;
        if (marker == 0xff52 && length >= 12) { /* A.6.1 */
            style->rpcl = segment[1] == 2;
            style->transform = segment[4] != 0;
        }
    }
    style->rpcl = style->rpcl && lengths;
    return MIST_OK;
}

static bool same_style(const struct style *a, const struct style *b)
{
    return a->precision == b->precision && a->is_signed == b->is_signed && a->transform == b->transform &&
           a->rpcl == b->rpcl;
}

/* Colours may be transformed where they are RGB. */
static bool may_transform(const struct dicom_pixels *pixels)
{
    return pixels->color == FORMAT_RGB && pixels->components == 3;
}

static bool style_fits(const struct style *style, const struct dicom_pixels *pixels)
{
    return style->width == pixels->columns && style->height == pixels->rows &&
           style->components == pixels->components && style->reversible && style->precision <= pixels->allocated &&
           style->is_signed == mist_sample_is_signed(pixels->type) && (!style->transform || may_transform(pixels));
}

static enum mist_status check_style(const struct encapsulator *writer, const struct style *style,
                                    struct mist_error *error)
{
    const bool fits = style_fits(style, &writer->pixels) && (writer->written == 0 || same_style(style, &writer->style));
    return fits ? MIST_OK
                : error_set(error, MIST_ERROR_ARGUMENT,
                            "the codestream of frame %u does not belong into this DICOM file", writer->written);
}

static const char *syntax_of_style(const struct style *style)
{
    return style->rpcl ? HTJ2K_LOSSLESS_RPCL : HTJ2K_LOSSLESS;
}

const char *dicom_encapsulate_syntax(const struct dicom_pixels *pixels, const uint8_t *data, size_t size)
{
    struct style style;
    if (read_style(data, size, &style, NULL) != MIST_OK || !style_fits(&style, pixels))
        return NULL;
    return syntax_of_style(&style);
}

/* ---- the header ---- */

/* An element of the file meta information (explicit VR little endian): its header's and its value's size. */
static bool meta_element(const struct mist_buffer *header, size_t at, size_t *head, size_t *length)
{
    if (header->size < at + 12 || load_le16(header->data + at) != 0x0002)
        return false;
    const char *vr = (const char *)header->data + at + 4;
    bool wide = memcmp(vr, "OB", 2) == 0 || memcmp(vr, "UN", 2) == 0;
    *head = wide ? 12 : 8;
    *length = wide ? load_le32(header->data + at + 8) : load_le16(header->data + at + 6);
    return *length <= header->size - at - *head;
}

/* Names another transfer syntax in a file that DCMTK wrote: preamble, group length first (PS3.10, 7.1). */
static enum mist_status name_syntax(struct mist_buffer *header, const char *uid, struct mist_error *error)
{
    const size_t first = 132, size = (strlen(uid) + 1) / 2 * 2;
    size_t head, length, at = first, tail;
    bool found = false;
    while (!found && meta_element(header, at, &head, &length)) {
        found = load_le16(header->data + at + 2) == 0x0010;
        at += found ? 0 : head + length;
    }
    if (!found || load_le16(header->data + first + 2) != 0)
        return error_set(error, MIST_ERROR_CORRUPT, "the DICOM file meta information cannot be written");
    tail = at + head + length;
    if (size > length && !buffer_append_zeros(header, size - length))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    uint8_t *data = header->data;
    size_t rest = header->size - tail - (size > length ? size - length : 0);
    memmove(data + at + head + size, data + tail, rest);
    header->size = at + head + size + rest;
    memset(data + at + head, 0, size);
    memcpy(data + at + head, uid, strlen(uid));
    store_le16(data + at + 6, (uint16_t)size);
    store_le32(data + first + 8, (uint32_t)(load_le32(data + first + 8) + size - length));
    return MIST_OK;
}

static bool put_element(struct mist_buffer *out, uint16_t element, const char *vr, uint32_t length)
{
    uint8_t bytes[12] = {0};
    store_le16(bytes, 0x7fe0);
    store_le16(bytes + 2, element);
    memcpy(bytes + 4, vr, 2);
    store_le32(bytes + 8, length);
    return buffer_append(out, bytes, sizeof bytes);
}

static void item_header(uint8_t bytes[8], uint16_t element, uint32_t length)
{
    store_le16(bytes, 0xfffe);
    store_le16(bytes + 2, element);
    store_le32(bytes + 4, length);
}

/* The tables, to be filled at the end; the pixel data's header; an empty Basic Offset Table. */
static bool put_tables(struct encapsulator *writer, struct mist_buffer *header)
{
    const uint32_t size = 8 * writer->pixels.frames;
    uint8_t item[8];
    item_header(item, 0xe000, 0);
    bool good = put_element(header, 0x0001, "OV", size);
    writer->offsets_at = header->size;
    good = good && buffer_append_zeros(header, size) && put_element(header, 0x0002, "OV", size);
    writer->lengths_at = header->size;
    return good && buffer_append_zeros(header, size) && put_element(header, 0x0010, "OB", UINT32_MAX) &&
           buffer_append(header, item, sizeof item);
}

static enum mist_status write_header(struct encapsulator *writer, struct mist_error *error)
{
    const struct style *style = &writer->style;
    struct dicom_derivation derivation;
    struct mist_buffer header = {0};
    struct dicom_pixels pixels = writer->restorer ? writer->tiles : writer->pixels;
    pixels.precision = style->precision;
    pixels.shift = 0;
    enum mist_status status = dicom_derivation_make(&writer->target, &writer->archived, &pixels, &derivation, error);
    if (style->transform)
        strcpy(derivation.photometric, "YBR_RCT");
    derivation.interleaved = writer->archived.header.planar && style->components > 1;
    if (!status)
        status = dicom_header_derive(writer->target.archive->prefix.data, &writer->archived.layout, &derivation,
                                     &header, error);
    if (!status)
        status = name_syntax(&header, syntax_of_style(style), error);
    if (!status && !put_tables(writer, &header))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (!status)
        fwrite(header.data, 1, header.size, writer->file.stream);
    mist_buffer_free(&header);
    return status;
}

/* ---- writing ---- */

static enum mist_status put_frame(struct encapsulator *writer, const uint8_t *data, size_t size,
                                  struct mist_error *error)
{
    struct style style;
    if (writer->written == writer->pixels.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "more than %u frames", writer->pixels.frames);
    if (size > UINT32_MAX - 2)
        return error_set(error, MIST_ERROR_LIMIT, "a codestream of %zu bytes is too long for DICOM", size);
    enum mist_status status = read_style(data, size, &style, error);
    if (!status)
        status = check_style(writer, &style, error);
    if (!status && writer->written == 0) {
        writer->style = style;
        status = write_header(writer, error);
    }
    if (status)
        return status;
    const uint32_t even = (uint32_t)(size + (size & 1));
    uint8_t item[8];
    item_header(item, 0xe000, even);
    fwrite(item, 1, sizeof item, writer->file.stream);
    fwrite(data, 1, size, writer->file.stream);
    if (size & 1)
        fputc(0, writer->file.stream);
    store_le64(writer->table + 8 * (size_t)writer->written, writer->offset);
    store_le64(writer->table + 8 * ((size_t)writer->pixels.frames + writer->written), even);
    writer->offset += sizeof item + even;
    writer->written++;
    return MIST_OK;
}

static enum mist_status encapsulate_bytes(struct format_writer *base, const uint8_t *data, size_t size,
                                          struct mist_error *error)
{
    struct encapsulator *writer = (struct encapsulator *)base;
    enum mist_status status = put_frame(writer, data, size, error);
    return status ? error_prefix(error, status, "%s", writer->file.path) : MIST_OK;
}

/* The picture of a mosaic, once its last tile is there. */
static enum mist_status put_picture(struct encapsulator *writer, struct mist_error *error)
{
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = writer->pixels.precision;
    mist_codec *codec = mist_codec_new();
    dicom_pixels_unpack(&writer->pixels, 0, writer->bytes.data, &writer->picture);
    enum mist_status status = codec ? mist_encode(codec, &writer->picture, &options, &writer->codestream, error)
                                    : error_set(error, MIST_ERROR_MEMORY, "out of memory for a DICOM mosaic");
    mist_codec_free(&codec);
    return status ? status : put_frame(writer, writer->codestream.data, writer->codestream.size, error);
}

static enum mist_status encapsulate_frame(struct format_writer *base, const struct mist_view *frame,
                                          struct mist_error *error)
{
    struct encapsulator *writer = (struct encapsulator *)base;
    if (!writer->restorer)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frames of this DICOM file are codestreams",
                         writer->file.path);
    enum mist_status status = format_restorer_frame(writer->restorer, frame, &writer->bytes, error);
    if (!status && writer->bytes.size)
        status = put_picture(writer, error);
    return status ? error_prefix(error, status, "%s", writer->file.path) : MIST_OK;
}

static enum mist_status encapsulate_finish(struct format_writer *base, struct mist_error *error)
{
    struct encapsulator *writer = (struct encapsulator *)base;
    FILE *stream = writer->file.stream;
    const size_t size = 8 * (size_t)writer->pixels.frames;
    uint8_t delimiter[8];
    if (writer->written != writer->pixels.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u frames were written", writer->file.path,
                         writer->written, writer->pixels.frames);
    item_header(delimiter, 0xe0dd, 0);
    fwrite(delimiter, 1, sizeof delimiter, stream);
    if (fseeko(stream, (off_t)writer->offsets_at, SEEK_SET) == 0)
        fwrite(writer->table, 1, size, stream);
    if (fseeko(stream, (off_t)writer->lengths_at, SEEK_SET) != 0)
        return error_set(error, MIST_ERROR_IO, "%s: it cannot be written twice", writer->file.path);
    fwrite(writer->table + size, 1, size, stream);
    return file_writer_commit(&writer->file, error);
}

static void encapsulate_free(struct format_writer *base)
{
    struct encapsulator *writer = (struct encapsulator *)base;
    file_writer_cancel(&writer->file);
    format_restorer_free(&writer->restorer);
    mist_buffer_free(&writer->bytes);
    mist_buffer_free(&writer->codestream);
    memory_free(writer->picture.data);
    memory_free(writer->table);
    memory_free(writer);
}

/*
 * Whole samples of 8 or 16 bits: a binary segmentation has one bit a sample by its own rules, and few decoders take
 * more than 16 (OpenJPEG: 31).
 */
bool dicom_encapsulate_fits(const struct dicom_archived *archived)
{
    const struct dicom_pixels *pixels = &archived->pixels;
    bool whole = pixels->allocated == 8 || pixels->allocated == 16;
    return whole && !archived->layout.real && pixels->color != FORMAT_YBR_PARTIAL;
}

/* Tiles come as samples; from here on the picture is the only frame. */
static enum mist_status join_tiles(struct encapsulator *writer, struct mist_error *error)
{
    struct dicom_pixels *pixels = &writer->pixels;
    const bool original = pixels->columns == writer->archived.pixels.columns;
    writer->base.codestreams = false;
    enum mist_status status =
        dicom_restorer_new(pixels, original ? &writer->archived : NULL, true, &writer->restorer, error);
    writer->tiles = *pixels;
    *pixels = dicom_pixels_picture(pixels);
    const size_t size = mist_frame_bytes(pixels->type, pixels->columns, pixels->rows, 1);
    uint8_t *samples = status || !size ? NULL : memory_allocate(size);
    if (!status && !samples)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a DICOM mosaic");
    writer->picture = mist_view_interleaved(samples, pixels->type, pixels->columns, pixels->rows, 1);
    return status;
}

enum mist_status dicom_encapsulate_open(const struct format_target *target, const struct dicom_archived *archived,
                                        struct format_writer **result, struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = encapsulate_frame, .bytes = encapsulate_bytes, .finish = encapsulate_finish, .free = encapsulate_free};
    struct encapsulator *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base = (struct format_writer){.ops = &ops, .codestreams = true, .converts = true};
    writer->target = *target;
    writer->archived = *archived;
    enum mist_status status = dicom_output_pixels(target, &archived->pixels, &writer->pixels, error);
    struct dicom_pixels *pixels = &writer->pixels;
    dicom_pixels_resize(pixels, pixels->columns, pixels->rows); /* all chroma, none of it missing */
    pixels->planar = false;
    writer->base.color_transform = may_transform(pixels);
    if (!status && pixels->across)
        status = join_tiles(writer, error);
    writer->table = memory_allocate_zeroed(pixels->frames ? pixels->frames : 1, 16);
    if (!status && !writer->table)
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = format_target_file(target, &writer->file, error);
    if (status)
        encapsulate_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}
