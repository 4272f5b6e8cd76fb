/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing PNG: the samples of the original in the way that it had them, or pictures of other samples. */
#include "format/png_chunks.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/picture_map.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* How a PNG is made. */
struct recipe {
    struct picture_map map;
    unsigned depth;      /* bits a sample in the file */
    unsigned components; /* in the file: those of the pictures, or more for grey, which the original had so */
    bool palette;        /* samples are indices of a PLTE that the caller puts in */
    bool usual; /* as libspng and libpng do if not told otherwise; else as below, which takes a fifth of the time
                   (docs/performance.md) */
};

struct png_writer {
    struct format_writer base;
    struct file_writer file;
    struct recipe recipe;
    struct mist_buffer prefix, suffix; /* metadata chunks */
    bool written;
};

/*
 * Filtered images have runs but hardly repeat themselves: the search for more takes nine tenths of the time, and X-rays
 * come out larger for it. Trying all filters for each row takes two fifths of what is left, for 1.2 % of the bytes
 * (`mist get` of the 540 X-rays of tests/net at 256 x 256: 1.8 and 1.1 s of CPU; 16.4 and 16.7 MB).
 */
#define FAST_STRATEGY Z_RLE
#define FAST_FILTER SPNG_FILTER_CHOICE_PAETH

/* ---- one PNG ---- */

/* Samples of a byte each -> of `depth` bits, each row starting with a byte of its own; in place. */
static void pack_bits(const struct recipe *recipe, uint8_t *samples)
{
    const uint32_t width = recipe->map.width;
    const unsigned depth = recipe->depth, most = (1u << depth) - 1;
    uint8_t *to = samples;
    for (uint32_t y = 0; y < recipe->map.height; y++) {
        const uint8_t *from = samples + (size_t)y * width;
        unsigned byte = 0, bits = 0;
        for (uint32_t x = 0; x < width; x++) {
            byte = byte << depth | (from[x] > most ? most : from[x]);
            bits += depth;
            if (bits == 8 || x + 1 == width) {
                *to++ = (uint8_t)(byte << (8 - bits));
                byte = bits = 0;
            }
        }
    }
}

/* Grey -> the components that the original had it in, opaque; in place. */
static void unfold(const struct recipe *recipe, uint8_t *samples)
{
    const size_t size = recipe->depth / 8, pixels = (size_t)recipe->map.width * recipe->map.height;
    const unsigned components = recipe->components, colors = components < 3 ? 1 : 3;
    for (size_t p = pixels; p-- > 0;) {
        uint8_t value[2], *to = samples + p * components * size;
        memcpy(value, samples + p * size, size);
        for (unsigned c = 0; c < components; c++, to += size) {
            if (c < colors)
                memcpy(to, value, size);
            else
                memset(to, 0xff, size);
        }
    }
}

static uint8_t color_type(const struct recipe *recipe)
{
    static const uint8_t types[] = {0, PNG_GREY, PNG_GREY_ALPHA, PNG_RGB, PNG_RGB_ALPHA};
    return types[recipe->components];
}

/* What libspng wrote as grey is one of indices: it would want the palette, which the metadata chunks have. */
static void make_palette(uint8_t *png)
{
    png[8 + 17] = PNG_PALETTE;
    store_be32(png + PNG_IHDR_END - 4, (uint32_t)crc32(crc32(0, NULL, 0), png + 12, 17));
}

static int run_encoder(spng_ctx *context, const struct recipe *recipe, const uint8_t *packed)
{
    const struct picture_map *map = &recipe->map;
    struct spng_ihdr header = {.width = map->width,
                               .height = map->height,
                               .bit_depth = (uint8_t)recipe->depth,
                               .color_type = color_type(recipe)};
    const size_t row = ((size_t)map->width * recipe->components * recipe->depth + 7) / 8;
    const bool plain = recipe->palette || recipe->depth < 8; /* filters predict neither indices nor single bits */
    const int filters = plain ? SPNG_DISABLE_FILTERING : recipe->usual ? SPNG_FILTER_CHOICE_ALL : FAST_FILTER;
    const int strategy = plain ? Z_DEFAULT_STRATEGY : recipe->usual ? Z_FILTERED : FAST_STRATEGY;
    int result = spng_set_ihdr(context, &header);
    if (!result)
        result = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
    if (!result)
        result = spng_set_option(context, SPNG_FILTER_CHOICE, filters);
    if (!result)
        result = spng_set_option(context, SPNG_IMG_COMPRESSION_STRATEGY, strategy);
    if (!result)
        result = spng_encode_image(context, packed, row * map->height, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    return result;
}

static enum mist_status encode(const struct recipe *recipe, const struct mist_view *frame, const char *name,
                               struct mist_buffer *out, struct mist_error *error)
{
    const bool as_it_is =
        recipe->depth >= 8 && recipe->components == recipe->map.components && picture_map_is_frame(&recipe->map, frame);
    const size_t bytes = picture_map_bytes(&recipe->map) / recipe->map.components * recipe->components;
    uint8_t *packed = as_it_is ? NULL : memory_allocate(bytes);
    spng_ctx *context = spng_ctx_new(SPNG_CTX_ENCODER);
    out->size = 0;
    enum mist_status status = MIST_OK;
    if ((!packed && !as_it_is) || !context)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    if (!status && packed && (status = picture_map_frame(&recipe->map, frame, packed, error)))
        error_prefix(error, status, "%s", name);
    if (!status) {
        if (recipe->depth < 8)
            pack_bits(recipe, packed);
        else if (recipe->components > recipe->map.components)
            unfold(recipe, packed);
        size_t size = 0;
        int result = run_encoder(context, recipe, packed ? packed : frame->data);
        memory_free(packed); /* of large pictures it need not be there beside two copies of what came of it */
        packed = NULL;
        uint8_t *png = result ? NULL : spng_get_png_buffer(context, &size, &result);
        if (png && recipe->palette)
            make_palette(png);
        if (!result && !(png && size > PNG_IHDR_END + PNG_CHUNK_FRAME && buffer_append(out, png, size)))
            result = SPNG_EMEM;
        free(png);
        if (result)
            status =
                error_set(error, MIST_ERROR_MEMORY, "%s: the PNG could not be made: %s", name, spng_strerror(result));
    }
    spng_ctx_free(context);
    memory_free(packed);
    return status;
}

static void start_recipe(struct recipe *recipe, const struct format_target *target)
{
    *recipe = (struct recipe){.usual = false};
    const struct picture_limits limits = {.own = target->source_kind == FORMAT_PNG, .bits = 16, .alpha = true};
    picture_map_start(&recipe->map, target, &limits);
    recipe->depth = recipe->map.type == MIST_U8 ? 8 : 16;
    recipe->components = recipe->map.components;
}

enum mist_status format_png_encode_target(const struct format_target *target, const struct mist_view *frame,
                                          const char *name, struct mist_buffer *out, struct mist_error *error)
{
    struct recipe recipe;
    start_recipe(&recipe, target);
    return encode(&recipe, frame, name, out, error);
}

enum mist_status format_png_encode(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                                   struct mist_error *error)
{
    const struct format_target target = {
        .info = {.type = frame->type, .width = frame->width, .height = frame->height, .components = frame->components}};
    return format_png_encode_target(&target, frame, name, out, error);
}

/* ---- the file ---- */

/* The file with the metadata chunks in their places: libspng wrote IHDR, IDAT ..., IEND. */
static void splice(struct png_writer *writer, const uint8_t *png, size_t size)
{
    FILE *stream = writer->file.stream;
    fwrite(png, 1, PNG_IHDR_END, stream);
    if (writer->prefix.size)
        fwrite(writer->prefix.data, 1, writer->prefix.size, stream);
    fwrite(png + PNG_IHDR_END, 1, size - PNG_IHDR_END - PNG_CHUNK_FRAME, stream);
    if (writer->suffix.size)
        fwrite(writer->suffix.data, 1, writer->suffix.size, stream);
    fwrite(png + size - PNG_CHUNK_FRAME, 1, PNG_CHUNK_FRAME, stream);
}

static enum mist_status png_write_frame(struct format_writer *base, const struct mist_view *frame,
                                        struct mist_error *error)
{
    struct png_writer *writer = (struct png_writer *)base;
    struct mist_buffer png = {0};
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a PNG file holds one frame", writer->file.path);
    writer->written = true;
    enum mist_status status = encode(&writer->recipe, frame, writer->file.path, &png, error);
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

/* How the original had its samples, where the chunks start with its IHDR, which is taken out. */
static void follow_header(struct png_writer *writer)
{
    struct mist_buffer *chunks = &writer->prefix;
    struct recipe *recipe = &writer->recipe;
    struct png_header header;
    if (chunks->size < PNG_IHDR_SIZE || !png_header_read(chunks->data, &header))
        return;
    chunks->size -= PNG_IHDR_SIZE;
    memmove(chunks->data, chunks->data + PNG_IHDR_SIZE, chunks->size);
    if (recipe->map.components != 1)
        return;
    if (png_header_components(&header) > 1)
        recipe->components = png_header_components(&header);
    if (recipe->map.type != MIST_U8 || recipe->components > 1)
        return;
    recipe->palette = header.color == PNG_PALETTE && png_chunks_find(chunks, "PLTE");
    if (header.depth < 8)
        recipe->depth = header.depth;
}

static bool take_metadata(struct png_writer *writer, const struct format_target *target)
{
    const struct format_archive *archive = target->archive;
    bool good = archive ? buffer_append(&writer->prefix, archive->prefix.data, archive->prefix.size) &&
                              buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size)
                        : buffer_append(&writer->prefix, target->head, target->head_size);
    if (!good)
        return false;
    follow_header(writer);
    /* Without the archive the rest of an animation is missing, too. */
    if (target->reduce || target->resampled || !archive) {
        png_chunks_adapt(&writer->prefix, target->sampling.factor);
        png_chunks_adapt(&writer->suffix, target->sampling.factor);
    }
    return true;
}

enum mist_status png_writer_open(const struct format_target *target, struct format_writer **result,
                                 struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = png_write_frame, .finish = png_finish, .free = png_free};
    if (target->info.frames != 1)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a PNG file holds one frame, not %u", target->path,
                         target->info.frames);
    struct png_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    start_recipe(&writer->recipe, target);
    enum mist_status status = MIST_OK;
    if (target->source_kind == FORMAT_PNG) {
        writer->recipe.usual = target->identical && target->reduce == 0 && !target->resampled;
        if (!take_metadata(writer, target))
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    }
    if (!status)
        status = format_target_file(target, &writer->file, error);
    if (status)
        png_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}
