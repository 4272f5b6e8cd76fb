/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PNG through libspng: grey and RGB of 8 and 16 bits. Metadata chunks are kept verbatim and put back (pHYs is scaled
 * when the size changes). Samples of other types are written as the nearest PNG can hold: s8 and s16 shifted up by half
 * their range, which loses nothing; u32, s32 and floats as 16 bits, from the smallest to the largest value of the
 * frame.
 */
#include "format/ops.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"
#include "image/half.h"

#include <math.h>
#include <spng.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
enum {
    CHUNK_FRAME = 12, /* length, type and CRC of a chunk */
    IHDR_END = 8 + CHUNK_FRAME + 13
};

/* libspng takes and gives interleaved samples in the machine's byte order. */
static const struct copy_packing native_order = {.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__};

static bool png_detect(const uint8_t *data, size_t size)
{
    return size >= sizeof signature && memcmp(data, signature, sizeof signature) == 0;
}

/* ---- reading ---- */

struct png_source {
    struct format_source base;
    struct format_input input;
    struct file_map map;
    struct mist_buffer suffix; /* chunks behind IDAT; those before it are base.head */
};

/* Sorts the chunks: metadata before IDAT into head, behind it into suffix. */
static enum mist_status read_chunks(struct png_source *source, struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(source->map.data, source->map.size);
    reader_take(&reader, IHDR_END);
    bool behind = false, ended = false;
    while (!ended && reader_left(&reader) > 0 && !reader.failed) {
        const uint8_t *chunk = reader.at;
        uint32_t length = read_be32(&reader);
        const uint8_t *type = reader_take(&reader, 4);
        if (length > INT32_MAX || !reader_take(&reader, (size_t)length + 4))
            break;
        ended = memcmp(type, "IEND", 4) == 0;
        if (memcmp(type, "IDAT", 4) == 0)
            behind = true;
        else if (!ended && !buffer_append(behind ? &source->suffix : &source->base.head, chunk, length + CHUNK_FRAME))
            return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    }
    if (!ended)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: the PNG file ends too early", source->input.name);
    return MIST_OK;
}

static enum mist_status read_header(struct png_source *source, struct mist_error *error)
{
    const uint8_t *data = source->map.data;
    const char *path = source->input.name;
    if (source->map.size < IHDR_END || memcmp(data + 12, "IHDR", 4) != 0 || load_be32(data + 8) != 13)
        return error_set(error, MIST_ERROR_CORRUPT, "%s: no PNG header behind the signature", path);
    uint32_t width = load_be32(data + 16), height = load_be32(data + 20);
    unsigned depth = data[24], color = data[25];
    if (color == 3)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: palette PNG is not encoded", path);
    if (color == 4 || color == 6)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PNG with an alpha channel is not encoded", path);
    if (color != 0 && color != 2)
        return error_set(error, MIST_ERROR_CORRUPT, "%s: PNG colour type %u does not exist", path, color);
    if (depth != 8 && depth != 16)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PNG of %u bits a sample is not encoded", path, depth);
    struct mist_image_info *info = &source->base.info;
    *info = (struct mist_image_info){.type = depth == 8 ? MIST_U8 : MIST_U16,
                                     .precision = depth,
                                     .width = width,
                                     .height = height,
                                     .components = color == 2 ? 3 : 1,
                                     .frames = 1};
    if (!mist_frame_bytes(info->type, width, height, info->components))
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u x %u pixels are beyond the limits", path, width, height);
    return MIST_OK;
}

static enum mist_status png_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                       struct mist_error *error)
{
    struct png_source *source = (struct png_source *)base;
    const struct mist_image_info *info = &base->info;
    (void)frame;
    size_t size = mist_frame_bytes(info->type, info->width, info->height, info->components);
    bool packed = copy_is_packed(out, native_order);
    uint8_t *samples = packed ? out->data : memory_allocate(size);
    spng_ctx *context = spng_ctx_new(0);
    enum mist_status status = MIST_OK;
    if (!samples || !context) {
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    } else {
        spng_set_image_limits(context, MIST_MAX_SIDE, MIST_MAX_SIDE);
        int result = spng_set_png_buffer(context, source->map.data, source->map.size);
        if (!result)
            result = spng_decode_image(context, samples, size, SPNG_FMT_PNG, 0);
        if (result)
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the PNG data is damaged: %s", source->input.name,
                               spng_strerror(result));
    }
    if (!status && !packed)
        copy_unpack(samples, native_order, out);
    spng_ctx_free(context);
    if (!packed)
        memory_free(samples);
    return status;
}

static enum mist_status png_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                         struct mist_error *error)
{
    struct png_source *source = (struct png_source *)base;
    (void)file;
    *archive = (struct format_archive){0};
    if (buffer_append(&archive->prefix, base->head.data, base->head.size) &&
        buffer_append(&archive->suffix, source->suffix.data, source->suffix.size))
        return MIST_OK;
    format_archive_free(archive);
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
}

static void png_close(struct format_source *base)
{
    struct png_source *source = (struct png_source *)base;
    input_unmap(&source->input, &source->map);
    input_free(&source->input);
    mist_buffer_free(&source->suffix);
    format_source_clear(base);
    memory_free(source);
}

static enum mist_status png_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                 struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = png_read_frame, .read_archive = png_read_archive, .close = png_close};
    struct png_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, &ops, FORMAT_PNG, count) || !input_copy(inputs, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = input_map(&source->input, &source->map, error);
    if (!status)
        status = read_header(source, error);
    if (!status)
        status = read_chunks(source, error);
    if (status) {
        png_close(&source->base);
        return status;
    }
    source->base.file_frames[0] = 1;
    *result = &source->base;
    return MIST_OK;
}

/* ---- writing ---- */

struct png_writer {
    struct format_writer base;
    struct file_writer file;
    struct mist_image_info info;
    struct mist_buffer prefix, suffix; /* metadata chunks */
    int strategy;
    bool written;
};

/* A sample of the types that are mapped, as PNG holds it. */
static uint16_t mapped_value(const uint8_t *sample, enum mist_sample_type type, double low, double scale)
{
    double value = type == MIST_F16   ? half_to_double(*(const uint16_t *)(const void *)sample)
                   : type == MIST_U32 ? *(const uint32_t *)(const void *)sample
                   : type == MIST_S32 ? *(const int32_t *)(const void *)sample
                   : type == MIST_F32 ? (double)*(const float *)(const void *)sample
                   : type == MIST_S64 ? (double)*(const int64_t *)(const void *)sample
                   : type == MIST_U64 ? (double)*(const uint64_t *)(const void *)sample
                                      : *(const double *)(const void *)sample;
    double scaled = (value - low) * scale;
    return scaled >= 65535 ? 65535 : scaled >= 0 ? (uint16_t)(scaled + 0.5) : 0; /* NaN: 0 */
}

static void map_samples(const struct mist_view *frame, uint8_t *packed)
{
    double low, high;
    mist_range(frame, &low, &high);
    double scale = high > low ? 65535 / (high - low) : 0;
    for (uint32_t y = 0; y < frame->height; y++)
        for (uint32_t x = 0; x < frame->width; x++)
            for (uint32_t c = 0; c < frame->components; c++, packed += 2) {
                const uint8_t *sample = (const uint8_t *)frame->data + y * frame->row_stride +
                                        x * frame->column_stride + c * frame->component_stride;
                memcpy(packed, &(uint16_t){mapped_value(sample, frame->type, low, scale)}, 2);
            }
}

/* The frame packed, in the machine's byte order. NULL when memory is short. */
static uint8_t *pack(const struct mist_view *frame, unsigned bytes)
{
    size_t count = (size_t)frame->width * frame->height * frame->components;
    uint8_t *packed = memory_allocate_array(count, bytes);
    if (!packed)
        return NULL;
    if (mist_sample_size(frame->type) > 2 || mist_sample_is_float(frame->type)) {
        map_samples(frame, packed);
        return packed;
    }
    copy_pack(frame, native_order, packed);
    if (frame->type == MIST_S8) /* up by half the range: the other sign bit */
        for (size_t i = 0; i < count; i++)
            packed[i] ^= 0x80;
    if (frame->type == MIST_S16)
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)(void *)packed)[i] ^= 0x8000;
    return packed;
}

/* The file with the metadata chunks in their places: libspng wrote IHDR, IDAT ..., IEND. */
static void splice(struct png_writer *writer, const uint8_t *png, size_t size)
{
    FILE *stream = writer->file.stream;
    fwrite(png, 1, IHDR_END, stream);
    if (writer->prefix.size)
        fwrite(writer->prefix.data, 1, writer->prefix.size, stream);
    fwrite(png + IHDR_END, 1, size - IHDR_END - CHUNK_FRAME, stream);
    if (writer->suffix.size)
        fwrite(writer->suffix.data, 1, writer->suffix.size, stream);
    fwrite(png + size - CHUNK_FRAME, 1, CHUNK_FRAME, stream);
}

/* `strategy` is zlib's, of how to look for repetitions. */
static enum mist_status encode(const struct mist_view *frame, int strategy, const char *name, struct mist_buffer *out,
                               struct mist_error *error)
{
    unsigned bytes = mist_sample_size(frame->type) == 1 ? 1 : 2;
    size_t count = (size_t)frame->width * frame->height * frame->components;
    uint8_t *packed = pack(frame, bytes);
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    struct spng_ihdr header = {.width = frame->width,
                               .height = frame->height,
                               .bit_depth = (uint8_t)(8 * bytes),
                               .color_type =
                                   frame->components == 3 ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE};
    int result = packed && context ? spng_set_ihdr(context, &header) : SPNG_EMEM;
    if (!result)
        result = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    if (!result)
        result = spng_set_option(context, SPNG_IMG_COMPRESSION_STRATEGY, strategy);
    if (!result)
        result = spng_encode_image(context, packed, count * bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    size_t size = 0;
    uint8_t *png = result ? NULL : spng_get_png_buffer(context, &size, &result);
    out->size = 0;
    if (!result && !(png && size > IHDR_END + CHUNK_FRAME && buffer_append(out, png, size)))
        result = SPNG_EMEM;
    free(png);
    spng_ctx_free(context);
    memory_free(packed);
    return result
               ? error_set(error, MIST_ERROR_MEMORY, "%s: the PNG could not be made: %s", name, spng_strerror(result))
               : MIST_OK;
}

/*
 * Filtered images have runs but hardly repeat themselves: the search for more takes nine tenths of the time, and X-rays
 * come out larger for it.
 */
#define FAST_STRATEGY Z_RLE
/* What libspng and libpng do if not told otherwise: with it an original that one of them wrote may come back to the
 * byte. */
#define USUAL_STRATEGY Z_FILTERED

enum mist_status format_png_encode(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                                   struct mist_error *error)
{
    return encode(frame, FAST_STRATEGY, name, out, error);
}

static enum mist_status png_write_frame(struct format_writer *base, const struct mist_view *frame,
                                        struct mist_error *error)
{
    struct png_writer *writer = (struct png_writer *)base;
    struct mist_buffer png = {0};
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a PNG file holds one frame", writer->file.path);
    writer->written = true;
    enum mist_status status = encode(frame, writer->strategy, writer->file.path, &png, error);
    if (!status)
        splice(writer, png.data, png.size);
    mist_buffer_free(&png);
    return status;
}

static enum mist_status png_finish(struct format_writer *base, struct mist_error *error)
{
    struct png_writer *writer = (struct png_writer *)base;
    if (!writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no frame was written", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void png_free(struct format_writer *base)
{
    struct png_writer *writer = (struct png_writer *)base;
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->prefix);
    mist_buffer_free(&writer->suffix);
    memory_free(writer);
}

static void scale_length(uint8_t *per_metre, double factor)
{
    double scaled = load_be32(per_metre) * factor + 0.5;
    store_be32(per_metre, scaled < 1 ? 1 : scaled > INT32_MAX ? INT32_MAX : (uint32_t)scaled);
}

/* Pixels per metre (pHYs) follow the size. The chunks were checked when they were read, but came from a file since. */
static void scale_physical_size(struct mist_buffer *chunks, const struct format_target *target)
{
    struct byte_reader reader = byte_reader_start(chunks->data, chunks->size);
    while (reader_left(&reader) >= CHUNK_FRAME) {
        uint8_t *chunk = chunks->data + (reader.at - chunks->data);
        uint32_t length = read_be32(&reader);
        if (!reader_take(&reader, (size_t)length + 8))
            return;
        if (memcmp(chunk + 4, "pHYs", 4) != 0 || length != 9)
            continue;
        scale_length(chunk + 8, 1 / target->sampling.factor[0]);
        scale_length(chunk + 12, 1 / target->sampling.factor[1]);
        store_be32(chunk + 17, (uint32_t)crc32(crc32(0, NULL, 0), chunk + 4, 13));
    }
}

static bool take_metadata(struct png_writer *writer, const struct format_target *target)
{
    if (target->source_kind != FORMAT_PNG)
        return true;
    const struct format_archive *archive = target->archive;
    bool good = archive ? buffer_append(&writer->prefix, archive->prefix.data, archive->prefix.size) &&
                              buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size)
                        : buffer_append(&writer->prefix, target->head, target->head_size);
    if (good && (target->sampling.factor[0] != 1 || target->sampling.factor[1] != 1)) {
        scale_physical_size(&writer->prefix, target);
        scale_physical_size(&writer->suffix, target);
    }
    return good;
}

static enum mist_status png_writer_open(const struct format_target *target, struct format_writer **result,
                                        struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = png_write_frame, .finish = png_finish, .free = png_free};
    if (target->info.components != 1 && target->info.components != 3)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: PNG is written with 1 or 3 components, not %u",
                         target->path, target->info.components);
    if (target->info.frames != 1)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a PNG file holds one frame, not %u", target->path,
                         target->info.frames);
    if (target->info.type == MIST_F16)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: half floats are not written as PNG", target->path);
    struct png_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->info = target->info;
    bool original = target->source_kind == FORMAT_PNG && target->reduce == 0 && !target->resampled;
    writer->strategy = original ? USUAL_STRATEGY : FAST_STRATEGY;
    enum mist_status status = take_metadata(writer, target)
                                  ? file_writer_open(target->path, &writer->file, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    if (status)
        png_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}

const struct format_ops format_ops_png = {.detect = png_detect, .open = png_open, .writer_open = png_writer_open};
