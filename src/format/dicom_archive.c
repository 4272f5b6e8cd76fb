/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a DICOM file besides its frames. */
#include "format/dicom_restore.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <zstd.h>

enum { MISSING = 1, SPARE = 2, FRAGMENTS = 4, STREAM = 8, TILES = 16 };

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory for what is kept of a DICOM file");
}

static bool put_varint(struct mist_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    return buffer_append(out, bytes, store_varint(bytes, value));
}

static size_t samples_of(const struct dicom_pixels *pixels)
{
    return (size_t)pixels->columns * pixels->rows * pixels->components;
}

/* Whether samples can have spare bits at all: a codestream of no more bits than are stored has none. */
static bool may_have_spare_bits(const struct dicom_reading *reading)
{
    bool lossy = reading->layout.fragments && reading->stream_lossy;
    return dicom_pixels_has_spare_bits(&reading->pixels) && !lossy &&
           (!reading->stream_precision || reading->stream_precision > reading->pixels.precision);
}

static enum mist_status find_spare_bits(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                        uint32_t *mask, struct mist_error *error)
{
    struct mist_buffer scratch = {0};
    enum mist_status status = MIST_OK;
    *mask = 0;
    for (uint32_t frame = 0; frame < reading->pixels.frames && !status && may_have_spare_bits(reading); frame++) {
        const uint8_t *samples;
        status = dicom_reading_bytes(reading, bytes, frame, &scratch, &samples, error);
        if (!status)
            *mask |= dicom_pixels_spare_mask(&reading->pixels, samples, samples_of(&reading->pixels));
    }
    mist_buffer_free(&scratch);
    return status;
}

/* Feeds `size` bytes to the compressor; all that comes out is appended. */
static bool compress(ZSTD_CCtx *context, const uint8_t *data, size_t size, ZSTD_EndDirective how,
                     struct mist_buffer *out)
{
    ZSTD_inBuffer in = {data, size, 0};
    for (;;) {
        if (!buffer_reserve(out, out->size + ZSTD_CStreamOutSize()))
            return false;
        ZSTD_outBuffer to = {out->data + out->size, out->capacity - out->size, 0};
        size_t left = ZSTD_compressStream2(context, &to, &in, how);
        out->size += to.pos;
        if (ZSTD_isError(left))
            return false;
        if (how == ZSTD_e_end ? left == 0 : in.pos == in.size)
            return true;
    }
}

static enum mist_status put_planes(const struct dicom_reading *reading, const struct dicom_bytes *bytes, uint32_t mask,
                                   struct mist_buffer *out, struct mist_error *error)
{
    const size_t count = samples_of(&reading->pixels), plane_bytes = (count + 7) / 8;
    struct mist_buffer scratch = {0};
    uint8_t *plane = memory_allocate(plane_bytes);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    bool good = plane && context && !ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 9));
    enum mist_status status = MIST_OK;
    for (uint32_t frame = 0; frame < reading->pixels.frames && good && !status; frame++) {
        const uint8_t *samples;
        status = dicom_reading_bytes(reading, bytes, frame, &scratch, &samples, error);
        for (unsigned bit = 0; bit < 32 && !status && good; bit++) {
            if (!(mask >> bit & 1))
                continue;
            dicom_pixels_spare_plane(&reading->pixels, samples, count, bit, plane);
            good = compress(context, plane, plane_bytes, ZSTD_e_continue, out);
        }
    }
    if (!status && good)
        good = compress(context, plane, 0, ZSTD_e_end, out);
    ZSTD_freeCCtx(context);
    memory_free(plane);
    mist_buffer_free(&scratch);
    return status || good ? status : out_of_memory(error);
}

static bool put_fragments(const struct dicom_fragments *fragments, const uint8_t *data, struct mist_buffer *out)
{
    bool good =
        put_varint(out, fragments->table_size) && buffer_append(out, data + fragments->table, fragments->table_size);
    for (uint32_t frame = 0; frame < fragments->frames && good; frame++) {
        uint32_t first = fragments->first[frame], last = fragments->first[frame + 1];
        good = put_varint(out, last - first);
        for (uint32_t i = first; i + 1 < last && good; i++)
            good = put_varint(out, fragments->fragment[i].size);
    }
    return good;
}

static bool put_block(struct mist_buffer *out, const struct mist_buffer *block)
{
    return put_varint(out, block->size) && buffer_append(out, block->data, block->size);
}

/* What the tiles of a mosaic hold that are no slices; nothing where that is zeros. */
static enum mist_status put_unused(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                   struct mist_buffer *out, struct mist_error *error)
{
    struct mist_buffer scratch = {0}, unused = {0};
    const uint8_t *samples;
    enum mist_status status = dicom_reading_bytes(reading, bytes, 0, &scratch, &samples, error);
    if (status) {
        mist_buffer_free(&scratch);
        return status;
    }
    uint8_t *picture = (uint8_t *)(uintptr_t)samples;
    const size_t size = dicom_pixels_unused_tiles(&reading->pixels, picture, NULL, false);
    bool good = buffer_append_zeros(&unused, size), zeros = true;
    if (good)
        dicom_pixels_unused_tiles(&reading->pixels, picture, unused.data, false);
    for (size_t i = 0; i < size && good && zeros; i++)
        zeros = unused.data[i] == 0;
    if (good && !zeros) {
        good = buffer_reserve(out, ZSTD_compressBound(size));
        size_t packed = good ? ZSTD_compress(out->data, out->capacity, unused.data, size, 9) : 0;
        good = good && !ZSTD_isError(packed);
        out->size = good ? packed : 0;
    }
    mist_buffer_free(&scratch);
    mist_buffer_free(&unused);
    return good ? MIST_OK : out_of_memory(error);
}

static enum mist_status put_extra(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                  struct mist_buffer *out, struct mist_error *error)
{
    const struct dicom_pixels *pixels = &reading->pixels;
    struct dicom_reading whole = *reading;
    whole.pixels = dicom_pixels_picture(pixels);
    struct mist_buffer spare = {0}, fragments = {0}, unused = {0};
    uint32_t mask;
    enum mist_status status = find_spare_bits(&whole, bytes, &mask, error);
    if (!status && mask)
        status = put_planes(&whole, bytes, mask, &spare, error);
    if (!status && pixels->across)
        status = put_unused(reading, bytes, &unused, error);
    bool encapsulated = reading->layout.fragments, stream = reading->stream_precision != 0;
    bool good = !encapsulated || status || put_fragments(&reading->fragments, bytes->data, &fragments);
    uint8_t flags = (uint8_t)((pixels->missing ? MISSING : 0) | (mask ? SPARE : 0) | (encapsulated ? FRAGMENTS : 0) |
                              (stream ? STREAM : 0) | (pixels->across ? TILES : 0));
    if (!status && good && flags) {
        good = buffer_append(out, &flags, 1);
        good = good && (!pixels->missing || put_varint(out, pixels->missing));
        good = good && (!mask || (put_varint(out, mask) && put_block(out, &spare)));
        good = good && (!encapsulated || put_block(out, &fragments));
        good = good && (!stream || (put_varint(out, reading->stream) && put_varint(out, reading->stream_precision) &&
                                    put_varint(out, reading->stream_lossy)));
        good = good && (!pixels->across || (put_varint(out, pixels->frames) && put_block(out, &unused)));
    }
    mist_buffer_free(&unused);
    mist_buffer_free(&spare);
    mist_buffer_free(&fragments);
    return status || good ? status : out_of_memory(error);
}

enum mist_status dicom_archive_make(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                    struct format_archive *archive, struct mist_error *error)
{
    const struct dicom_layout *layout = &reading->layout;
    *archive = (struct format_archive){.raw = !layout->fragments && !reading->deflated,
                                       .big_endian = reading->pixels.big_endian,
                                       .planar = reading->pixels.planar};
    size_t behind = layout->fragments ? reading->fragments.end
                                      : layout->pixels + (size_t)dicom_pixels_restored_bytes(&reading->pixels);
    if (bytes->size < behind)
        return error_set(error, MIST_ERROR_TRUNCATED, "the DICOM file became shorter while it was being read");
    if (!buffer_append(&archive->prefix, bytes->data, layout->pixels) ||
        !buffer_append(&archive->suffix, bytes->data + behind, bytes->size - behind))
        return out_of_memory(error);
    return put_extra(reading, bytes, &archive->extra, error);
}

/* ---- reading ---- */

/* What extra says of pixels. */
struct told {
    struct dicom_stream stream;
    uint64_t missing;
    uint64_t tiles;
};

/* Fills *archived but layout, header and pixels. */
static bool read_extra(const struct mist_buffer *extra, struct dicom_archived *archived, struct told *told)
{
    if (extra->size == 0)
        return true;
    struct byte_reader reader = byte_reader_start(extra->data, extra->size);
    uint8_t flags = read_u8(&reader);
    if (flags & MISSING)
        told->missing = read_varint(&reader);
    if (flags & SPARE) {
        archived->spare_mask = (uint32_t)read_varint(&reader);
        archived->spare_size = (size_t)read_varint(&reader);
        archived->spare = reader_take(&reader, archived->spare_size);
    }
    if (flags & FRAGMENTS) {
        archived->fragments_size = (size_t)read_varint(&reader);
        archived->fragments = reader_take(&reader, archived->fragments_size);
    }
    if (flags & STREAM) {
        told->stream.kind = (enum format_stream)(read_varint(&reader) & 0xff);
        told->stream.precision = (unsigned)(read_varint(&reader) & 0xff);
        told->stream.lossy = read_varint(&reader) != 0;
    }
    if (flags & TILES) {
        told->tiles = read_varint(&reader);
        archived->unused_size = (size_t)read_varint(&reader);
        archived->unused = reader_take(&reader, archived->unused_size);
    }
    bool tiles = !(flags & TILES) || (told->tiles > 1 && told->tiles <= MIST_MAX_FRAMES);
    return !reader.failed && reader_left(&reader) == 0 && flags < 2 * TILES && tiles;
}

enum mist_status dicom_archive_read(const struct format_archive *archive, struct dicom_archived *archived,
                                    struct mist_error *error)
{
    *archived = (struct dicom_archived){0};
    struct told told = {0};
    struct dicom_stream *stream = &told.stream;
    const struct mist_buffer *prefix = &archive->prefix;
    struct dicom_layout *layout = &archived->layout;
    if (!read_extra(&archive->extra, archived, &told))
        return error_set(error, MIST_ERROR_CORRUPT, "what is kept of a DICOM file beside its header is damaged");
    enum mist_status status = dicom_layout_read(prefix->data, prefix->size, layout, error);
    if (!status && (layout->pixels != prefix->size || !layout->has_pixels))
        status = error_set(error, MIST_ERROR_CORRUPT, "the archived DICOM header does not end at its pixel data");
    if (!status)
        status = dicom_header_read(prefix->data, layout, &archived->header, NULL, error);
    if (status)
        return status;
    stream->width = archived->header.columns;
    stream->height = archived->header.rows;
    stream->components = archived->header.samples;
    status = dicom_pixels_from_header(layout, &archived->header, stream->precision ? stream : NULL, layout->pixel_bytes,
                                      &archived->pixels, error);
    if (!status && told.missing > archived->pixels.total_bytes)
        status = error_set(error, MIST_ERROR_CORRUPT, "an archived DICOM file that lacks more than all of its samples");
    if (!status && told.tiles && !dicom_pixels_split(&archived->pixels, (uint32_t)told.tiles))
        status = error_set(error, MIST_ERROR_CORRUPT, "an archived DICOM mosaic that does not divide into tiles");
    if (told.missing)
        archived->pixels.missing = told.missing;
    return status;
}
