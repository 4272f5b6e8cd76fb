/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/part1.h"

#include "base/bytes.h"
#include "base/error.h"

#include <openjpeg.h>
#include <string.h>

/* A codestream in memory as OpenJPEG reads it. */
struct memory {
    const uint8_t *data;
    size_t size;
    size_t at;
};

static OPJ_SIZE_T memory_read(void *buffer, OPJ_SIZE_T size, void *user)
{
    struct memory *memory = user;
    size_t left = memory->size - memory->at;
    if (left == 0)
        return (OPJ_SIZE_T)-1;
    size = size < left ? size : left;
    memcpy(buffer, memory->data + memory->at, size);
    memory->at += size;
    return size;
}

static OPJ_OFF_T memory_skip(OPJ_OFF_T count, void *user)
{
    struct memory *memory = user;
    if (count < 0)
        return -1;
    size_t left = memory->size - memory->at;
    memory->at += (uint64_t)count < left ? (size_t)count : left;
    return count;
}

static OPJ_BOOL memory_seek(OPJ_OFF_T offset, void *user)
{
    struct memory *memory = user;
    if (offset < 0 || (uint64_t)offset > memory->size)
        return OPJ_FALSE;
    memory->at = (size_t)offset;
    return OPJ_TRUE;
}

static opj_stream_t *open_stream(struct memory *memory)
{
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    if (!stream)
        return NULL;
    opj_stream_set_read_function(stream, memory_read);
    opj_stream_set_skip_function(stream, memory_skip);
    opj_stream_set_seek_function(stream, memory_seek);
    opj_stream_set_user_data(stream, memory, NULL);
    opj_stream_set_user_data_length(stream, memory->size);
    return stream;
}

/* The first thing that OpenJPEG complains of, as one line. */
struct complaint {
    char text[160];
};

static void complain(const char *message, void *user)
{
    struct complaint *complaint = user;
    if (complaint->text[0])
        return;
    strncpy(complaint->text, message, sizeof complaint->text - 1);
    complaint->text[strcspn(complaint->text, "\r\n")] = '\0';
}

static void ignore(const char *message, void *user)
{
    (void)message;
    (void)user;
}

static enum mist_status failed(const struct complaint *complaint, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream cannot be decoded: %s",
                     complaint->text[0] ? complaint->text : "OpenJPEG does not say why");
}

/* Whether the picture that the header or the decoder speaks of is the one asked for. */
static enum mist_status check(const opj_image_t *image, unsigned reduce, const struct mist_view *out,
                              struct mist_error *error)
{
    if (image->numcomps != out->components)
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream of %u components, not %u", image->numcomps,
                         out->components);
    for (uint32_t c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *component = &image->comps[c];
        if (component->prec > 32)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG 2000 codestream of %u bits", component->prec);
        if (component->dx != 1 || component->dy != 1)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG 2000 codestream with sub-sampled components");
    }
    uint64_t width = (uint64_t)image->x1 - image->x0, height = (uint64_t)image->y1 - image->y0;
    if (image->x1 < image->x0 || image->y1 < image->y0 || width > MIST_MAX_SIDE || height > MIST_MAX_SIDE ||
        mist_reduced_size((uint32_t)width, reduce) != out->width ||
        mist_reduced_size((uint32_t)height, reduce) != out->height)
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream of %llu x %llu samples, not of %u x %u",
                         (unsigned long long)width, (unsigned long long)height, out->width, out->height);
    return MIST_OK;
}

static void copy_row(const OPJ_INT32 *from, uint8_t *to, size_t step, uint32_t count, size_t size)
{
    for (uint32_t x = 0; x < count; x++, to += step) {
        if (size == 1) {
            *to = (uint8_t)from[x];
        } else if (size == 2) {
            uint16_t value = (uint16_t)from[x];
            memcpy(to, &value, 2);
        } else {
            memcpy(to, &from[x], 4);
        }
    }
}

static enum mist_status copy_out(const opj_image_t *image, struct mist_view *out, struct mist_error *error)
{
    for (uint32_t c = 0; c < out->components; c++) {
        const opj_image_comp_t *component = &image->comps[c];
        if (!component->data || component->w != out->width || component->h != out->height)
            return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream whose components differ in size");
        for (uint32_t y = 0; y < out->height; y++)
            copy_row(component->data + (size_t)y * component->w,
                     (uint8_t *)out->data + y * out->row_stride + c * out->component_stride, out->column_stride,
                     out->width, mist_sample_size(out->type));
    }
    return MIST_OK;
}

/* 15444-1, I.5.1: the signature box of a JP2 file; all else is taken for a codestream. */
static bool is_jp2(const uint8_t *data, size_t size)
{
    static const uint8_t signature[12] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 0x0d, 0x0a, 0x87, 0x0a};
    return size >= sizeof signature && memcmp(data, signature, sizeof signature) == 0;
}

/* The offset of the first codestream: behind the header of a box jp2c (15444-1, I.4). `size` if there is none. */
static size_t find_codestream(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (is_jp2(data, size) && size - at >= 8) {
        uint64_t length = load_be32(data + at), header = 8;
        bool found = memcmp(data + at + 4, "jp2c", 4) == 0;
        if (length == 1) { /* the length is in 64 bits behind the type */
            header = 16;
            length = size - at >= 16 ? load_be64(data + at + 8) : 0;
        }
        if (found)
            return size - at < header ? size : at + header;
        if (length < header || length > size - at)
            return size;
        at += length;
    }
    return is_jp2(data, size) ? size : 0;
}

enum mist_status part1_info_read(const uint8_t *data, size_t size, struct part1_info *info, struct mist_error *error)
{
    *info = (struct part1_info){.offset = find_codestream(data, size)};
    struct byte_reader reader = byte_reader_start(data + info->offset, size - info->offset);
    uint32_t start = read_be32(&reader); /* SOC and SIZ: the latter comes first (A.5.1) */
    read_be16(&reader);                  /* its length */
    info->high_throughput = read_be16(&reader) >> 14 & 1;
    uint32_t right = read_be32(&reader), bottom = read_be32(&reader);
    uint32_t left = read_be32(&reader), top = read_be32(&reader);
    uint32_t tile_width = read_be32(&reader), tile_height = read_be32(&reader);
    uint32_t tiles_left = read_be32(&reader), tiles_top = read_be32(&reader);
    info->components = read_be16(&reader);
    uint8_t depth = read_u8(&reader);
    if (reader.failed || start != 0xff4fff51 || right <= left || bottom <= top || tile_width == 0 || tile_height == 0 ||
        tiles_left > left || tiles_top > top || info->components == 0 || info->components > 16384)
        return error_set(error, MIST_ERROR_CORRUPT, "there is no JPEG 2000 codestream where one should be");
    info->width = right - left;
    info->height = bottom - top;
    info->tiles = (uint64_t)((right - tiles_left - 1) / tile_width + 1) * ((bottom - tiles_top - 1) / tile_height + 1);
    info->precision = (depth & 0x7fu) + 1;
    info->is_signed = depth >> 7;
    return MIST_OK;
}

/* What OpenJPEG allocates memory for before it has seen that there is so much. */
static enum mist_status check_header(const uint8_t *data, size_t size, const struct mist_view *out,
                                     struct mist_error *error)
{
    struct part1_info info;
    enum mist_status status = part1_info_read(data, size, &info, error);
    if (status)
        return status;
    if (info.components != out->components)
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream of %u components, not %u", info.components,
                         out->components);
    if (info.tiles > 65535 || info.tiles > size / 14) /* each has at least SOT and SOD: A.4.2, A.4.3 */
        return error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream of %llu tiles in %zu bytes",
                         (unsigned long long)info.tiles, size);
    return MIST_OK;
}

enum mist_status part1_decode(const uint8_t *data, size_t size, unsigned reduce, unsigned threads,
                              struct mist_view *out, struct mist_error *error)
{
    struct memory memory = {data, size, 0};
    struct complaint complaint = {{0}};
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    parameters.cp_reduce = reduce;
    if (mist_sample_is_float(out->type) || mist_sample_size(out->type) > 4 || reduce > 32)
        return error_set(error, MIST_ERROR_ARGUMENT, "JPEG 2000 is decoded into integers");
    enum mist_status status = check_header(data, size, out, error);
    if (status)
        return status;
    opj_image_t *image = NULL;
    opj_stream_t *stream = open_stream(&memory);
    opj_codec_t *codec = opj_create_decompress(is_jp2(data, size) ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    if (!stream || !codec) {
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory decoding JPEG 2000");
        goto end;
    }
    opj_set_error_handler(codec, complain, &complaint);
    opj_set_warning_handler(codec, ignore, NULL);
    opj_set_info_handler(codec, ignore, NULL);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE) ||
        (threads > 1 && !opj_codec_set_threads(codec, (int)threads)) || !opj_read_header(stream, codec, &image))
        status = failed(&complaint, error);
    if (!status)
        status = check(image, reduce, out, error);
    if (!status && !opj_decode(codec, stream, image))
        status = failed(&complaint, error);
    if (!status)
        status = copy_out(image, out, error);
end:
    opj_image_destroy(image);
    opj_destroy_codec(codec);
    opj_stream_destroy(stream);
    return status;
}
