/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_stream.h"

#include "base/bytes.h"
#include "base/error.h"
#include "codec/part1.h"

/* 10918-1, table B.1; 14495-1, C.1.1. */
enum marker {
    SOF0 = 0xc0,
    SOF3 = 0xc3, /* lossless, Huffman */
    DHT = 0xc4,
    JPG = 0xc8,
    SOF11 = 0xcb, /* lossless, arithmetic */
    DAC = 0xcc,
    SOF15 = 0xcf,
    SOI = 0xd8,
    SOS = 0xda,
    SOF55 = 0xf7 /* JPEG-LS */
};

static bool is_frame_header(uint8_t marker)
{
    return marker == SOF55 || (marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC);
}

/* The near-lossless parameter of JPEG-LS: behind the components of the scan header (14495-1, C.2.3). */
static bool is_near(struct byte_reader reader)
{
    while (!reader.failed) {
        if (read_u8(&reader) != 0xff)
            continue;
        uint8_t marker = read_u8(&reader);
        if (marker != SOS)
            continue;
        read_be16(&reader);
        reader_take(&reader, 2u * read_u8(&reader));
        return read_u8(&reader) != 0;
    }
    return false;
}

static void take_frame_header(struct byte_reader *reader, uint8_t marker, struct dicom_stream *stream)
{
    stream->precision = read_u8(reader);
    stream->height = read_be16(reader);
    stream->width = read_be16(reader);
    stream->components = read_u8(reader);
    stream->kind = FORMAT_STREAM_JPEG;
    stream->lossy = true;
    if (marker == SOF55) {
        stream->kind = FORMAT_STREAM_JPEG_LS;
        stream->lossy = is_near(*reader);
    } else if (marker == SOF3 || marker == SOF11) {
        stream->kind = FORMAT_STREAM_JPEG_LOSSLESS;
        stream->lossy = false;
    } else if (stream->precision != 8) {
        stream->kind = FORMAT_STREAM_JPEG_12;
    }
}

/* Marker segments up to the frame header. */
static bool read_jpeg(const uint8_t *data, size_t size, struct dicom_stream *stream)
{
    struct byte_reader reader = byte_reader_start(data, size);
    read_be16(&reader);
    while (!reader.failed) {
        uint8_t byte = read_u8(&reader);
        while (byte == 0xff) /* fill bytes before a marker: 10918-1, B.1.1.2 */
            byte = read_u8(&reader);
        if (byte == SOI || (byte >= 0xd0 && byte <= 0xd7) || byte <= 1) /* markers without a segment, or no marker */
            continue;
        uint16_t length = read_be16(&reader);
        if (is_frame_header(byte)) {
            take_frame_header(&reader, byte, stream);
            return !reader.failed;
        }
        if (length < 2 || byte == SOS)
            return false;
        reader_take(&reader, length - 2u);
    }
    return false;
}

/* Whether COD (15444-1, A.6.1), searched for in the main header, names the 9/7 transform; true where it is not found.
 */
static bool is_irreversible(const uint8_t *data, size_t size)
{
    struct byte_reader reader = byte_reader_start(data, size);
    read_be16(&reader);
    while (!reader.failed) {
        uint16_t marker = read_be16(&reader), length = read_be16(&reader);
        const uint8_t *segment = length >= 2 ? reader_take(&reader, length - 2u) : NULL;
        if (marker == 0xff52)
            return !segment || length < 12 || segment[9] != 1;
        if (!segment || marker == 0xff90 || marker == 0xff93)
            break;
    }
    return true;
}

static enum mist_status read_part1(const uint8_t *data, size_t size, struct dicom_stream *stream,
                                   struct mist_error *error)
{
    struct part1_info info;
    enum mist_status status = part1_info_read(data, size, &info, error);
    if (status)
        return status;
    *stream = (struct dicom_stream){
        .kind = info.high_throughput ? FORMAT_STREAM_HTJ2K : FORMAT_STREAM_J2K,
        .width = info.width,
        .height = info.height,
        .components = info.components,
        .precision = info.precision,
        .is_signed = info.is_signed,
        .lossy = is_irreversible(data + info.offset, size - info.offset),
    };
    return MIST_OK;
}

enum mist_status dicom_stream_read(const uint8_t *data, size_t size, struct dicom_stream *stream,
                                   struct mist_error *error)
{
    *stream = (struct dicom_stream){0};
    if (size >= 4 && (load_be32(data) == 0xff4fff51 || load_be32(data) == 12))
        return read_part1(data, size, stream, error);
    if (size < 4 || load_be16(data) != 0xffd8 || !read_jpeg(data, size, stream))
        return error_set(error, MIST_ERROR_CORRUPT, "a DICOM frame is no codestream that MIST knows");
    return MIST_OK;
}
