/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of pixel data, frame by frame. */
#include "format/dicom_restore.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/ops.h"

#include <string.h>
#include <zstd.h>

struct restorer {
    struct format_restorer base;
    struct dicom_pixels pixels;
    uint32_t frame;            /* the next one */
    uint64_t written;          /* bytes, of samples */
    uint64_t limit;            /* of them */
    bool whole;                /* the last byte in part, too */
    struct mist_buffer packed; /* bytes of a frame */
    struct mist_buffer plane;  /* one bit a sample */
    uint32_t mask;             /* spare bits that are put in */
    ZSTD_DCtx *decompressor;   /* of their planes; NULL where there are none */
    ZSTD_inBuffer planes;
    struct byte_reader fragments; /* of extra, behind the offset table */
    const uint8_t *table;
    uint32_t table_size;
    const uint8_t *unused; /* as in struct dicom_archived */
    size_t unused_size;
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory for a DICOM frame");
}

static enum mist_status next_plane(struct restorer *restorer, struct mist_error *error)
{
    ZSTD_outBuffer out = {restorer->plane.data, restorer->plane.size, 0};
    while (out.pos < out.size) {
        size_t before_in = restorer->planes.pos, before_out = out.pos;
        size_t result = ZSTD_decompressStream(restorer->decompressor, &out, &restorer->planes);
        if (ZSTD_isError(result) || (restorer->planes.pos == before_in && out.pos == before_out))
            return error_set(error, MIST_ERROR_CORRUPT, "the spare bits of a DICOM file are damaged");
    }
    return MIST_OK;
}

static enum mist_status add_spare_bits(struct restorer *restorer, struct mist_error *error)
{
    const struct dicom_pixels whole = dicom_pixels_picture(&restorer->pixels), *pixels = &whole;
    const size_t count = (size_t)pixels->columns * pixels->rows * pixels->components;
    enum mist_status status = MIST_OK;
    for (unsigned bit = 0; bit < pixels->allocated && bit < 32 && !status; bit++) {
        if (!(restorer->mask >> bit & 1))
            continue;
        status = next_plane(restorer, error);
        if (!status)
            dicom_pixels_add_plane(pixels, restorer->packed.data, count, bit, restorer->plane.data);
    }
    return status;
}

/* The tiles of a mosaic that are no slices. */
static enum mist_status add_unused_tiles(struct restorer *restorer, struct mist_error *error)
{
    const struct dicom_pixels *pixels = &restorer->pixels;
    uint8_t *picture = restorer->packed.data;
    const size_t size = dicom_pixels_unused_tiles(pixels, picture, NULL, false);
    if (!restorer->unused_size)
        return MIST_OK;
    uint8_t *tiles = memory_allocate(size ? size : 1);
    if (!tiles)
        return out_of_memory(error);
    const bool good = ZSTD_decompress(tiles, size, restorer->unused, restorer->unused_size) == size;
    if (good)
        dicom_pixels_unused_tiles(pixels, picture, tiles, true);
    memory_free(tiles);
    return good ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "the unused tiles of a DICOM mosaic are damaged");
}

/* A tile of a mosaic; the last one gives the picture. */
static enum mist_status restore_tile(struct restorer *restorer, const struct mist_view *frame, struct mist_buffer *out,
                                     struct mist_error *error)
{
    const struct dicom_pixels *pixels = &restorer->pixels;
    struct mist_buffer *packed = &restorer->packed;
    if (restorer->frame == 0 && !buffer_append_zeros(packed, dicom_pixels_span(pixels, 0).size))
        return out_of_memory(error);
    dicom_pixels_pack(pixels, restorer->frame++, frame, packed->data);
    if (restorer->frame < pixels->frames)
        return MIST_OK;
    enum mist_status status = add_spare_bits(restorer, error);
    if (!status)
        status = add_unused_tiles(restorer, error);
    const size_t size = packed->size < restorer->limit ? packed->size : (size_t)restorer->limit;
    if (!status && !buffer_append(out, packed->data, size))
        status = out_of_memory(error);
    return status;
}

static enum mist_status restore_frame(struct format_restorer *base, const struct mist_view *frame,
                                      struct mist_buffer *out, struct mist_error *error)
{
    struct restorer *restorer = (struct restorer *)base;
    const struct dicom_pixels *pixels = &restorer->pixels;
    if (restorer->frame >= pixels->frames || frame->type != pixels->type || frame->width != pixels->columns ||
        frame->height != pixels->rows || frame->components != pixels->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "frame %u does not belong into this DICOM file", restorer->frame);
    if (pixels->across)
        return restore_tile(restorer, frame, out, error);
    struct dicom_span span = dicom_pixels_span(pixels, restorer->frame);
    struct mist_buffer *packed = &restorer->packed;
    /* The first bytes of a frame that begins within one hold the end of the frame before. */
    uint8_t carried[2] = {0};
    size_t carry = restorer->frame == 0 || span.bit == 0 ? 0 : pixels->paired ? 2 : 1;
    if (carry)
        memcpy(carried, packed->data + packed->size - carry, carry);
    packed->size = 0;
    if (!buffer_append_zeros(packed, span.size))
        return out_of_memory(error);
    memcpy(packed->data, carried, carry);
    dicom_pixels_pack(pixels, restorer->frame, frame, packed->data);
    enum mist_status status = add_spare_bits(restorer, error);
    if (status)
        return status;
    restorer->frame++;
    uint64_t unit = pixels->paired ? 16 : 8, end = pixels->frame_bits * restorer->frame / unit * unit / 8;
    if (restorer->whole && restorer->frame == pixels->frames)
        end = restorer->limit;
    end = end < restorer->limit ? end : restorer->limit;
    if (end > restorer->written && !buffer_append(out, packed->data, end - restorer->written))
        return out_of_memory(error);
    restorer->written = end > restorer->written ? end : restorer->written;
    return MIST_OK;
}

static bool put_item(struct mist_buffer *out, const uint8_t *data, size_t size)
{
    uint8_t header[8] = {0xfe, 0xff, 0x00, 0xe0};
    store_le32(header + 4, (uint32_t)size);
    return buffer_append(out, header, sizeof header) && buffer_append(out, data, size);
}

static enum mist_status restore_bytes(struct format_restorer *base, const uint8_t *stream, size_t size,
                                      struct mist_buffer *out, struct mist_error *error)
{
    struct restorer *restorer = (struct restorer *)base;
    if (!restorer->table || restorer->frame >= restorer->pixels.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "this DICOM file has no codestream for frame %u", restorer->frame);
    bool good = restorer->frame || put_item(out, restorer->table, restorer->table_size);
    uint64_t count = read_varint(&restorer->fragments);
    for (uint64_t i = 0; i < count && good; i++) {
        uint64_t part = i + 1 < count ? read_varint(&restorer->fragments) : size;
        if (restorer->fragments.failed || part > size || size > UINT32_MAX)
            return error_set(error, MIST_ERROR_CORRUPT, "the codestream of DICOM frame %u is not as long as it was",
                             restorer->frame);
        good = put_item(out, stream, (size_t)part);
        stream += part;
        size -= (size_t)part;
    }
    restorer->frame++;
    if (restorer->fragments.failed || count == 0)
        return error_set(error, MIST_ERROR_CORRUPT, "what is kept of a DICOM file's fragments is damaged");
    return good ? MIST_OK : out_of_memory(error);
}

static void restorer_free(struct format_restorer *base)
{
    struct restorer *restorer = (struct restorer *)base;
    ZSTD_freeDCtx(restorer->decompressor);
    mist_buffer_free(&restorer->packed);
    mist_buffer_free(&restorer->plane);
    memory_free(restorer);
}

enum mist_status dicom_restorer_new(const struct dicom_pixels *pixels, const struct dicom_archived *archived,
                                    bool whole, struct format_restorer **result, struct mist_error *error)
{
    static const struct format_restorer_ops ops = {restore_frame, restore_bytes, restorer_free};
    *result = NULL;
    struct restorer *restorer = memory_allocate_zeroed(1, sizeof *restorer);
    if (!restorer)
        return out_of_memory(error);
    restorer->base.ops = &ops;
    restorer->pixels = *pixels;
    restorer->limit = whole ? pixels->total_bytes : dicom_pixels_restored_bytes(pixels);
    restorer->whole = whole;
    bool good = true;
    if (archived && archived->spare_mask && dicom_pixels_has_spare_bits(pixels)) {
        const struct dicom_pixels picture = dicom_pixels_picture(pixels);
        size_t count = (size_t)picture.columns * picture.rows * picture.components;
        restorer->mask = archived->spare_mask;
        restorer->planes = (ZSTD_inBuffer){archived->spare, archived->spare_size, 0};
        restorer->decompressor = ZSTD_createDCtx();
        good = restorer->decompressor && buffer_append_zeros(&restorer->plane, (count + 7) / 8);
    }
    if (archived && pixels->across) {
        restorer->unused = archived->unused;
        restorer->unused_size = archived->unused_size;
    }
    if (archived && archived->fragments) {
        restorer->fragments = byte_reader_start(archived->fragments, archived->fragments_size);
        restorer->table_size = (uint32_t)read_varint(&restorer->fragments);
        restorer->table = reader_take(&restorer->fragments, restorer->table_size);
    }
    if (!good) {
        restorer_free(&restorer->base);
        return out_of_memory(error);
    }
    *result = &restorer->base;
    return MIST_OK;
}

enum mist_status dicom_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                     struct format_restorer **result, struct mist_error *error)
{
    (void)info; /* the header says it */
    struct dicom_archived archived;
    *result = NULL;
    enum mist_status status = dicom_archive_read(archive, &archived, error);
    return status ? status : dicom_restorer_new(&archived.pixels, &archived, false, result, error);
}
