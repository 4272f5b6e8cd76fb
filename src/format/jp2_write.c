/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing JPEG 2000: the original's bytes as they were; reduced ones with its boxes, its kind of blocks and its samples
 * exactly, coded without loss (by OpenJPEG, or where the source is HTJ2K by MIST); and JP2 of other formats' pictures.
 */
#include "format/jp2.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/jph.h"
#include "format/picture_map.h"

#include <math.h>
#include <mist/codec.h>
#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

enum { PART1_BITS = 24, MOST_DECOMPOSITIONS = 5 };

struct jp2_writer {
    struct format_writer base;
    struct file_writer file;
    struct picture_map map;
    struct mist_buffer bytes; /* the target's head */
    struct jp2_head head;     /* points into it */
    struct mist_image_info info;
    double factor[2]; /* of columns and rows: resolutions are divided by it */
    bool own;         /* the source was JPEG 2000, too */
    bool original;    /* ... and this is the file itself: its own bytes must come */
    bool written;
};

/* ---- OpenJPEG into memory ---- */

struct sink {
    struct mist_buffer *out;
    size_t at;
    bool failed;
};

static OPJ_SIZE_T sink_write(void *bytes, OPJ_SIZE_T size, void *user)
{
    struct sink *sink = user;
    const size_t behind = sink->at + size > sink->out->size ? sink->at + size - sink->out->size : 0;
    if (sink->failed || !buffer_append_zeros(sink->out, behind)) {
        sink->failed = true;
        return (OPJ_SIZE_T)-1;
    }
    memcpy(sink->out->data + sink->at, bytes, size);
    sink->at += size;
    return size;
}

static OPJ_OFF_T sink_skip(OPJ_OFF_T count, void *user)
{
    struct sink *sink = user;
    if (count < 0)
        return -1;
    const size_t to = sink->at + (size_t)count;
    if (to > sink->out->size && !buffer_append_zeros(sink->out, to - sink->out->size))
        return -1;
    sink->at = to;
    return count;
}

static OPJ_BOOL sink_seek(OPJ_OFF_T to, void *user)
{
    struct sink *sink = user;
    if (to < 0 || (size_t)to > sink->out->size)
        return OPJ_FALSE;
    sink->at = (size_t)to;
    return OPJ_TRUE;
}

static int32_t sample_at(const uint8_t *at, enum mist_sample_type type)
{
    uint16_t half;
    uint32_t word;
    switch (mist_sample_size(type)) {
    case 1:
        return mist_sample_is_signed(type) ? (int8_t)*at : *at;
    case 2:
        memcpy(&half, at, 2);
        return mist_sample_is_signed(type) ? (int16_t)half : half;
    default:
        memcpy(&word, at, 4);
        return (int32_t)word;
    }
}

static opj_image_t *make_image(const struct mist_view *view, unsigned precision)
{
    opj_image_cmptparm_t parameters[MIST_MAX_COMPONENTS] = {0};
    for (uint32_t c = 0; c < view->components; c++)
        parameters[c] = (opj_image_cmptparm_t){.dx = 1,
                                               .dy = 1,
                                               .w = view->width,
                                               .h = view->height,
                                               .prec = precision,
                                               .sgnd = mist_sample_is_signed(view->type)};
    opj_image_t *image =
        opj_image_create(view->components, parameters, view->components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
    if (!image)
        return NULL;
    image->x1 = view->width;
    image->y1 = view->height;
    for (uint32_t c = 0; c < view->components; c++)
        for (uint32_t y = 0; y < view->height; y++) {
            const uint8_t *row = (const uint8_t *)view->data + c * view->component_stride + y * view->row_stride;
            OPJ_INT32 *to = image->comps[c].data + (size_t)y * view->width;
            for (uint32_t x = 0; x < view->width; x++)
                to[x] = sample_at(row + x * view->column_stride, view->type);
        }
    return image;
}

static int resolutions(uint32_t width, uint32_t height)
{
    int count = 1;
    for (uint32_t least = width < height ? width : height; least > 32 && count <= MOST_DECOMPOSITIONS; least /= 2)
        count++;
    return count;
}

static enum mist_status part1_encode(const struct mist_view *view, unsigned precision, bool color, const char *path,
                                     struct mist_buffer *out, struct mist_error *error)
{
    if (precision > PART1_BITS)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "smaller JPEG 2000 files of more than %d bits are not written; --format npy or j2c holds the "
                         "samples",
                         PART1_BITS);
    struct sink sink = {.out = out};
    opj_cparameters_t parameters;
    opj_set_default_encoder_parameters(&parameters);
    parameters.tcp_numlayers = 1;
    parameters.cp_disto_alloc = 1;
    parameters.tcp_rates[0] = 0; /* without loss */
    parameters.numresolution = resolutions(view->width, view->height);
    parameters.tcp_mct = color && view->components == 3;
    opj_image_t *image = make_image(view, precision);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_default_create(OPJ_FALSE);
    bool good = image && codec && stream;
    if (good) {
        opj_stream_set_write_function(stream, sink_write);
        opj_stream_set_skip_function(stream, sink_skip);
        opj_stream_set_seek_function(stream, sink_seek);
        opj_stream_set_user_data(stream, &sink, NULL);
        good = opj_setup_encoder(codec, &parameters, image) && opj_start_compress(codec, image, stream) &&
               opj_encode(codec, stream) && opj_end_compress(codec, stream) && !sink.failed;
    }
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(image);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: the JPEG 2000 file could not be made", path);
}

static enum mist_status encode(const struct jp2_writer *writer, const struct mist_view *view, unsigned precision,
                               struct mist_buffer *out, struct mist_error *error)
{
    const bool color = !writer->own || writer->head.color == FORMAT_RGB;
    if (!writer->own || !writer->head.high_throughput)
        return part1_encode(view, precision, color, writer->file.path, out, error);
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = precision;
    options.color_transform = color;
    mist_codec *codec = mist_codec_new();
    if (!codec)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->file.path);
    enum mist_status status = mist_encode(codec, view, &options, out, error);
    mist_codec_free(&codec);
    return status ? error_prefix(error, status, "%s", writer->file.path) : MIST_OK;
}

/* ---- boxes (15444-1, Annex I) ---- */

#define BOX(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* I.5.3.7: a resolution of points a metre is numerator / denominator * 10^exponent. Divided by `factor`, exactly where
 * the denominator takes it, else to four digits. */
static void scale_resolution(uint8_t *fraction, uint8_t *exponent, double factor)
{
    const double numerator = load_be16(fraction), denominator = load_be16(fraction + 2);
    if (numerator == 0 || denominator == 0 || !(factor > 0))
        return;
    if (denominator * factor == floor(denominator * factor) && denominator * factor <= 65535) {
        store_be16(fraction + 2, (uint16_t)(denominator * factor));
        return;
    }
    double value = numerator / denominator / factor;
    int power = (int8_t)*exponent;
    for (; value < 3000 && power > -128; power--)
        value *= 10;
    for (; value > 32000 && power < 127; power++)
        value /= 10;
    store_be16(fraction, (uint16_t)(value < 1 ? 1 : value + 0.5));
    store_be16(fraction + 2, 1);
    *exponent = (uint8_t)(int8_t)power;
}

/* What the boxes say of size and resolution, made true of the smaller picture. */
static void adapt(const struct jp2_writer *writer, uint8_t *boxes, size_t size, unsigned depth)
{
    struct byte_reader reader = byte_reader_start(boxes, size);
    struct jph_box box;
    while (jph_next_box(&reader, &box)) {
        uint8_t *content = boxes + (box.content - boxes);
        if ((box.type == BOX('j', 'p', '2', 'h') || box.type == BOX('r', 'e', 's', ' ')) && depth < 2) {
            adapt(writer, content, box.size, depth + 1);
        } else if (box.type == BOX('i', 'h', 'd', 'r') && box.size >= 8) {
            store_be32(content, writer->info.height);
            store_be32(content + 4, writer->info.width);
        } else if ((box.type == BOX('r', 'e', 's', 'c') || box.type == BOX('r', 'e', 's', 'd')) && box.size >= 10) {
            scale_resolution(content, content + 8, writer->factor[1]);
            scale_resolution(content + 4, content + 9, writer->factor[0]);
        }
    }
}

/* The boxes before the codestream of a file made of another format's picture. */
static bool new_boxes(const struct picture_map *map, struct mist_buffer *out)
{
    enum { SRGB = 16, GREY = 17 };
    static const uint8_t start[] = "\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14"
                                   "ftypjp2 \0\0\0\0jp2 \0\0\0\x2djp2h\0\0\0\x16ihdr";
    static const uint8_t colr[] = "\0\0\0\x0f"
                                  "colr\x01\0\0";
    uint8_t ihdr[14] = {0}, space[4];
    store_be32(ihdr, map->height);
    store_be32(ihdr + 4, map->width);
    store_be16(ihdr + 8, (uint16_t)map->components);
    ihdr[10] = (uint8_t)(8 * mist_sample_size(map->type) - 1);
    ihdr[11] = 7; /* the kind of compression, of which there is one */
    store_be32(space, map->components == 3 ? SRGB : GREY);
    return buffer_append(out, start, sizeof start - 1) && buffer_append(out, ihdr, sizeof ihdr) &&
           buffer_append(out, colr, sizeof colr - 1) && buffer_append(out, space, sizeof space);
}

static enum mist_status write_file(struct jp2_writer *writer, const struct mist_buffer *stream,
                                   struct mist_error *error)
{
    FILE *file = writer->file.stream; /* what fails is found by commit */
    struct mist_buffer boxes = {0};
    bool good = writer->own ? buffer_append(&boxes, writer->head.before, writer->head.before_size)
                            : new_boxes(&writer->map, &boxes);
    if (good && writer->own)
        adapt(writer, boxes.data, boxes.size, 0);
    if (good && boxes.size) {
        uint8_t start[16] = {0, 0, 0, 1, 'j', 'p', '2', 'c'};
        store_be64(start + 8, stream->size + sizeof start);
        fwrite(boxes.data, 1, boxes.size, file);
        fwrite(start, 1, sizeof start, file);
    }
    if (good) {
        fwrite(stream->data, 1, stream->size, file);
        fwrite(writer->head.behind, 1, writer->head.behind_size, file);
    }
    mist_buffer_free(&boxes);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->file.path);
}

/* ---- the writer ---- */

static enum mist_status start_frame(struct jp2_writer *writer, struct mist_error *error)
{
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a JPEG 2000 file holds one frame", writer->file.path);
    writer->written = true;
    return MIST_OK;
}

static enum mist_status jp2_frame(struct format_writer *base, const struct mist_view *frame, struct mist_error *error)
{
    struct jp2_writer *writer = (struct jp2_writer *)base;
    const struct picture_map *map = &writer->map;
    struct mist_buffer stream = {0};
    struct mist_view view = *frame;
    unsigned precision = writer->info.precision;
    uint8_t *packed = NULL;
    enum mist_status status = start_frame(writer, error);
    if (!status && !writer->own) {
        packed = memory_allocate(picture_map_bytes(map));
        status = packed ? picture_map_frame(map, frame, packed, error)
                        : error_set(error, MIST_ERROR_MEMORY, "out of memory");
        if (status)
            error_prefix(error, status, "%s", writer->file.path);
        view = mist_view_interleaved(packed, map->type, map->width, map->height, map->components);
        precision = 8 * (unsigned)mist_sample_size(map->type);
    }
    if (!status)
        status = encode(writer, &view, precision, &stream, error);
    if (!status)
        status = write_file(writer, &stream, error);
    memory_free(packed);
    mist_buffer_free(&stream);
    return status;
}

static enum mist_status jp2_bytes(struct format_writer *base, const uint8_t *bytes, size_t size,
                                  struct mist_error *error)
{
    struct jp2_writer *writer = (struct jp2_writer *)base;
    if (!writer->original)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: only the original is written as it came", writer->file.path);
    enum mist_status status = start_frame(writer, error);
    if (!status)
        fwrite(bytes, 1, size, writer->file.stream);
    return status;
}

static enum mist_status jp2_finish(struct format_writer *base, struct mist_error *error)
{
    struct jp2_writer *writer = (struct jp2_writer *)base;
    if (!writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no frame was written", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void jp2_free(struct format_writer *base)
{
    struct jp2_writer *writer = (struct jp2_writer *)base;
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->bytes);
    memory_free(writer);
}

enum mist_status jp2_writer_open(const struct format_target *target, struct format_writer **result,
                                 struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = jp2_frame, .bytes = jp2_bytes, .finish = jp2_finish, .free = jp2_free};
    const bool own = target->source_kind == FORMAT_JP2;
    const struct picture_limits limits = {.own = own, .bits = 16};
    if (target->info.frames != 1)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a JPEG 2000 file holds one frame, not %u", target->path,
                         target->info.frames);
    struct jp2_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    *writer = (struct jp2_writer){.base = {.ops = &ops},
                                  .info = target->info,
                                  .factor = {target->sampling.factor[0], target->sampling.factor[1]},
                                  .own = own,
                                  .original = own && target->reduce == 0 && !target->resampled};
    enum mist_status status = MIST_OK;
    if (!own)
        picture_map_start(&writer->map, target, &limits);
    else if (!buffer_append(&writer->bytes, target->head, target->head_size))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    else if (!jp2_head_read(writer->bytes.data, writer->bytes.size, &writer->head))
        status =
            error_set(error, MIST_ERROR_CORRUPT, "%s: the item's head is no head of a JPEG 2000 file", target->path);
    if (!status)
        status = format_target_file(target, &writer->file, error);
    if (status)
        jp2_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}
