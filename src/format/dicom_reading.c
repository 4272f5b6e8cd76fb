/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_reading.h"

#include "base/error.h"
#include "base/memory.h"
#include "format/dicom_decode.h"

#include <string.h>
#include <zlib.h>

/* ---- bytes ---- */

/* Raw deflate (PS3.5, A.5) from data + at behind the file meta information, which stays as it is. */
static enum mist_status inflate_dataset(const struct file_map *map, size_t at, struct mist_buffer *out,
                                        struct mist_error *error)
{
    z_stream stream = {.next_in = (Bytef *)(map->data + at)};
    size_t left = map->size - at;
    if (!buffer_append(out, map->data, at) || inflateInit2(&stream, -15) != Z_OK)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory inflating a DICOM dataset");
    enum mist_status status = MIST_OK;
    for (int result = Z_OK; result == Z_OK && !status;) {
        enum { STEP = 1 << 18 };
        uInt input = (uInt)(left < 1u << 30 ? left : 1u << 30);
        if (!buffer_reserve(out, out->size + STEP)) {
            status = error_set(error, MIST_ERROR_MEMORY, "out of memory inflating a DICOM dataset");
            break;
        }
        stream.avail_in = input;
        stream.next_out = out->data + out->size;
        stream.avail_out = STEP;
        result = inflate(&stream, Z_NO_FLUSH);
        left -= input - stream.avail_in;
        out->size += STEP - stream.avail_out;
        if (out->size > DICOM_MAX_INFLATED_BYTES)
            status = error_set(error, MIST_ERROR_LIMIT, "a deflated DICOM dataset of more than %zu bytes",
                               DICOM_MAX_INFLATED_BYTES);
        else if (result != Z_OK && result != Z_STREAM_END)
            status =
                error_set(error, result == Z_BUF_ERROR ? MIST_ERROR_TRUNCATED : MIST_ERROR_CORRUPT,
                          "a deflated DICOM dataset %s", result == Z_BUF_ERROR ? "ends early" : "cannot be inflated");
    }
    inflateEnd(&stream);
    return status;
}

enum mist_status dicom_bytes_open(const struct format_input *input, struct dicom_bytes *bytes,
                                  struct dicom_layout *layout, struct mist_error *error)
{
    *bytes = (struct dicom_bytes){0};
    enum mist_status status = input_map(input, &bytes->map, error);
    if (status)
        return status;
    bytes->data = bytes->map.data;
    bytes->size = bytes->map.size;
    status = dicom_layout_read(bytes->data, bytes->size, layout, error);
    if (status || !layout->deflated)
        return status;
    status = inflate_dataset(&bytes->map, layout->dataset, &bytes->inflated, error);
    if (status)
        return status;
    bytes->data = bytes->inflated.data;
    bytes->size = bytes->inflated.size;
    status = dicom_layout_read(bytes->data, bytes->size, layout, error);
    if (!status && layout->deflated)
        return error_set(error, MIST_ERROR_CORRUPT, "a deflated DICOM dataset is none once it is inflated");
    return status;
}

void dicom_bytes_close(const struct format_input *input, struct dicom_bytes *bytes)
{
    if (bytes->map.data)
        input_unmap(input, &bytes->map);
    mist_buffer_free(&bytes->inflated);
    *bytes = (struct dicom_bytes){0};
}

/* ---- describing ---- */

/* The header of the first frame's codestream. */
static enum mist_status look_at_stream(const struct dicom_bytes *bytes, struct dicom_reading *reading,
                                       struct dicom_stream *stream, struct mist_error *error)
{
    const uint8_t *data;
    size_t size;
    struct mist_buffer joined = {0};
    enum mist_status status =
        dicom_fragments_join(&reading->fragments, 0, bytes->data, bytes->size, &joined, &data, &size, error);
    if (!status)
        status = dicom_stream_read(data, size, stream, error);
    mist_buffer_free(&joined);
    reading->stream = stream->kind;
    reading->stream_precision = stream->precision;
    reading->stream_lossy = stream->lossy;
    return status;
}

static enum mist_status describe(const struct dicom_bytes *bytes, struct dicom_reading *reading,
                                 const struct dicom_header *header, struct mist_error *error)
{
    const struct dicom_layout *layout = &reading->layout;
    struct dicom_stream stream = {0}, *first = NULL;
    uint64_t present = 0;
    enum mist_status status = MIST_OK;
    if (layout->fragments && layout->coding != DICOM_VIDEO) {
        status = dicom_fragments_read(bytes->data, bytes->size, layout, header->frames, &reading->fragments, error);
        reading->stream = layout->coding == DICOM_RLE        ? FORMAT_STREAM_RLE
                          : layout->coding == DICOM_DEFLATED ? FORMAT_STREAM_DEFLATE
                                                             : FORMAT_STREAM_WRAPPED;
        if (!status && layout->coding == DICOM_CODESTREAMS)
            status = look_at_stream(bytes, reading, first = &stream, error);
    } else if (layout->has_pixels) {
        present = bytes->size - layout->pixels;
        present = present < layout->pixel_bytes ? present : layout->pixel_bytes;
    }
    if (!status)
        status = dicom_pixels_from_header(layout, header, first, present, &reading->pixels, error);
    return status;
}

enum mist_status dicom_reading_open(const struct dicom_bytes *bytes, const struct dicom_layout *layout,
                                    struct dicom_reading *reading, struct dicom_header *header,
                                    struct dicom_frames *frames, struct mist_error *error)
{
    *reading = (struct dicom_reading){.layout = *layout, .deflated = bytes->inflated.data != NULL};
    *header = (struct dicom_header){0};
    if (frames)
        *frames = (struct dicom_frames){0};
    if (!layout->has_pixels) /* cheap, and headers of such objects may be of any kind */
        return describe(bytes, reading, header, error);
    enum mist_status status = dicom_header_read(bytes->data, layout, header, frames, error);
    return status ? status : describe(bytes, reading, header, error);
}

void dicom_reading_close(struct dicom_reading *reading)
{
    dicom_fragments_free(&reading->fragments);
}

/* ---- frames ---- */

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "out of memory for a DICOM frame");
}

static enum mist_status native_bytes(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                     uint32_t frame, struct mist_buffer *scratch, const uint8_t **result,
                                     struct mist_error *error)
{
    const struct dicom_pixels *pixels = &reading->pixels;
    struct dicom_span span = dicom_pixels_span(pixels, frame);
    uint64_t present = pixels->total_bytes - pixels->missing;
    uint64_t wanted = span.offset >= present ? 0 : present - span.offset;
    wanted = wanted < span.size ? wanted : span.size;
    if (bytes->size < reading->layout.pixels || bytes->size - reading->layout.pixels < span.offset + wanted)
        return error_set(error, MIST_ERROR_TRUNCATED, "the DICOM file became shorter while it was being read");
    *result = bytes->data + reading->layout.pixels + span.offset;
    if (wanted == span.size)
        return MIST_OK;
    scratch->size = 0;
    if (!buffer_append(scratch, *result, wanted) || !buffer_append_zeros(scratch, span.size - wanted))
        return out_of_memory(error);
    *result = scratch->data;
    return MIST_OK;
}

enum mist_status dicom_reading_bytes(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                     uint32_t frame, struct mist_buffer *scratch, const uint8_t **result,
                                     struct mist_error *error)
{
    if (!reading->layout.fragments)
        return native_bytes(reading, bytes, frame, scratch, result, error);
    struct mist_buffer joined = {0};
    const uint8_t *data;
    size_t size, wanted = dicom_pixels_span(&reading->pixels, 0).size;
    enum mist_status status = dicom_fragments_join(&reading->fragments, reading->pixels.across ? 0 : frame, bytes->data,
                                                   bytes->size, &joined, &data, &size, error);
    scratch->size = 0;
    if (!status && !buffer_reserve(scratch, wanted))
        status = out_of_memory(error);
    const struct dicom_pixels picture = dicom_pixels_picture(&reading->pixels);
    if (!status)
        status = dicom_decode(&picture, reading->layout.coding, data, size, scratch->data, error);
    if (!status) {
        scratch->size = wanted;
        *result = scratch->data;
    }
    mist_buffer_free(&joined);
    return status;
}

enum mist_status dicom_reading_frame(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                     uint32_t frame, const struct mist_view *view, struct mist_error *error)
{
    struct mist_buffer scratch = {0};
    const uint8_t *samples = NULL;
    enum mist_status status = dicom_reading_bytes(reading, bytes, frame, &scratch, &samples, error);
    if (!status)
        dicom_pixels_unpack(&reading->pixels, reading->layout.fragments && !reading->pixels.across ? 0 : frame, samples,
                            view);
    mist_buffer_free(&scratch);
    return status;
}

enum mist_status dicom_reading_stream(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                      uint32_t frame, struct mist_buffer *out, struct mist_error *error)
{
    const uint8_t *data;
    size_t size;
    if (!reading->layout.fragments || reading->pixels.across)
        return error_set(error, MIST_ERROR_NOT_FOUND, "the frames of this DICOM file are not compressed");
    enum mist_status status =
        dicom_fragments_join(&reading->fragments, frame, bytes->data, bytes->size, out, &data, &size, error);
    if (status || (out->size == size && data == out->data))
        return status;
    out->size = 0;
    return buffer_append(out, data, size) ? MIST_OK : out_of_memory(error);
}
