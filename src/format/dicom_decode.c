/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_decode.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/jpeg2000.h"

#include <string.h>
#include <zlib.h>

static size_t sample_count(const struct dicom_pixels *pixels)
{
    return (size_t)pixels->columns * pixels->rows * pixels->components;
}

/* The unsigned or signed type of the size of a decoded sample: the bits are the same. */
static enum mist_sample_type container(const struct dicom_pixels *pixels, bool is_signed)
{
    size_t size = mist_sample_size(pixels->type);
    return size == 1   ? (is_signed ? MIST_S8 : MIST_U8)
           : size == 2 ? (is_signed ? MIST_S16 : MIST_U16)
                       : (is_signed ? MIST_S32 : MIST_U32);
}

/* Samples of one byte to the wider ones that the file allocates; backwards, in place. */
static void widen(const struct dicom_pixels *pixels, unsigned from, uint8_t *samples)
{
    const size_t to = mist_sample_size(pixels->type);
    for (size_t i = sample_count(pixels); i-- > 0 && from < to;) {
        uint32_t value = samples[i];
        uint16_t half;
        if (from == 2) {
            memcpy(&half, samples + 2 * i, 2);
            value = half;
        }
        half = (uint16_t)value;
        memcpy(samples + to * i, to == 2 ? (void *)&half : (void *)&value, to);
    }
}

static enum mist_status decode_stream(const struct dicom_pixels *pixels, const uint8_t *data, size_t size,
                                      uint8_t *samples, struct mist_error *error)
{
    struct dicom_stream stream;
    enum mist_status status = dicom_stream_read(data, size, &stream, error);
    if (status)
        return status;
    if (stream.width != pixels->columns || stream.height != pixels->rows || stream.components != pixels->components ||
        stream.precision > 8 * mist_sample_size(pixels->type))
        return error_set(error, MIST_ERROR_CORRUPT, "a codestream of %u x %u samples of %u bits, %u a pixel",
                         stream.width, stream.height, stream.precision, stream.components);
    struct mist_view view = mist_view_interleaved(samples, container(pixels, stream.is_signed), pixels->columns,
                                                  pixels->rows, pixels->components);
    if (stream.kind == FORMAT_STREAM_J2K || stream.kind == FORMAT_STREAM_HTJ2K)
        return jpeg2000_decode(data, size, stream.kind == FORMAT_STREAM_HTJ2K, &view, error);
    if (stream.precision == 0 || stream.precision > 16)
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG frame of %u bits", stream.precision);
    status = dicom_jpeg_decode(pixels, &stream, pixels->convert, data, size, samples, error);
    if (!status)
        widen(pixels, stream.precision <= 8 ? 1 : 2, samples);
    return status;
}

static enum mist_status inflate_frame(const uint8_t *data, size_t size, size_t wanted, uint8_t *samples,
                                      struct mist_error *error)
{
    z_stream stream = {.next_in = (Bytef *)data, .next_out = samples};
    if (inflateInit2(&stream, -15) != Z_OK)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory inflating a DICOM frame");
    int result = Z_OK;
    size_t read = 0, written = 0;
    while (result == Z_OK && written < wanted) {
        uInt input = (uInt)(size - read < 1u << 30 ? size - read : 1u << 30);
        uInt output = (uInt)(wanted - written < 1u << 30 ? wanted - written : 1u << 30);
        stream.avail_in = input;
        stream.avail_out = output;
        result = inflate(&stream, Z_NO_FLUSH);
        read += input - stream.avail_in;
        written += output - stream.avail_out;
    }
    inflateEnd(&stream);
    if (written < wanted)
        return error_set(error, MIST_ERROR_CORRUPT, "a deflated DICOM frame of %zu bytes where %zu are needed", written,
                         wanted);
    return MIST_OK;
}

static enum mist_status decode_rle(const struct dicom_pixels *pixels, const uint8_t *data, size_t size,
                                   uint8_t *samples, struct mist_error *error)
{
    const unsigned bytes = (unsigned)mist_sample_size(pixels->type);
    enum mist_status status =
        dicom_rle_decode(data, size, (size_t)pixels->columns * pixels->rows, pixels->components, bytes, samples, error);
    for (size_t i = 0; i < sample_count(pixels) && pixels->big_endian && !status; i++)
        for (unsigned k = 0; k < bytes / 2; k++) {
            uint8_t *a = &samples[i * bytes + k], *b = &samples[i * bytes + bytes - 1 - k], held = *a;
            *a = *b;
            *b = held;
        }
    return status;
}

enum mist_status dicom_decode(const struct dicom_pixels *pixels, enum dicom_coding coding, const uint8_t *data,
                              size_t size, uint8_t *samples, struct mist_error *error)
{
    size_t wanted = dicom_pixels_span(pixels, 0).size;
    if (coding == DICOM_RLE)
        return decode_rle(pixels, data, size, samples, error);
    if (coding == DICOM_DEFLATED)
        return inflate_frame(data, size, wanted, samples, error);
    if (coding == DICOM_CODESTREAMS)
        return decode_stream(pixels, data, size, samples, error);
    if (size < wanted)
        return error_set(error, MIST_ERROR_TRUNCATED, "a DICOM frame of %zu bytes where %zu are needed", size, wanted);
    memcpy(samples, data, wanted);
    return MIST_OK;
}
