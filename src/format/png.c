/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PNG through libspng, of every kind that there is: samples of 1, 2 and 4 bits are u8 with that precision, palettes
 * stay indices, alpha is one more component; grey that is stored as RGB, or with an alpha that is opaque everywhere, is
 * grey (the writer stores it as it was). Metadata chunks are kept verbatim and put back (png_chunks.h). Of an
 * animation the samples are those of the default image; the other frames are chunks like any others.
 */
#include "format/png_chunks.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"

#include <spng.h>
#include <string.h>

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static bool png_detect(const uint8_t *data, size_t size)
{
    return size >= sizeof signature && memcmp(data, signature, sizeof signature) == 0;
}

/* ---- reading ---- */

struct png_source {
    struct format_source base;
    struct format_input input;
    struct file_map map;
    struct png_header header;
    bool folded;               /* grey, stored in more components: info has one */
    struct mist_buffer suffix; /* chunks behind IDAT; those before it are base.head */
};

/* Sorts the chunks: metadata before IDAT into head, behind it into suffix. IHDR is kept where samples do not tell. */
static enum mist_status read_chunks(struct png_source *source, struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(source->map.data, source->map.size);
    reader_take(&reader, PNG_IHDR_END);
    bool behind = false, ended = false;
    if ((png_header_is_needed(&source->header) || source->folded) &&
        !buffer_append(&source->base.head, source->map.data + 8, PNG_IHDR_END - 8))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    while (!ended && reader_left(&reader) > 0 && !reader.failed) {
        const uint8_t *chunk = reader.at;
        uint32_t length = read_be32(&reader);
        const uint8_t *type = reader_take(&reader, 4);
        if (length > INT32_MAX || !reader_take(&reader, (size_t)length + 4))
            break;
        ended = memcmp(type, "IEND", 4) == 0;
        if (memcmp(type, "IDAT", 4) == 0)
            behind = true;
        else if (!ended &&
                 !buffer_append(behind ? &source->suffix : &source->base.head, chunk, length + PNG_CHUNK_FRAME))
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
    struct png_header *header = &source->header;
    if (source->map.size < PNG_IHDR_END || !png_header_read(data + 8, header))
        return error_set(error, MIST_ERROR_CORRUPT, "%s: no PNG header behind the signature", path);
    if (!png_header_components(header))
        return error_set(error, MIST_ERROR_CORRUPT, "%s: PNG of colour type %u and %u bits a sample does not exist",
                         path, header->color, header->depth);
    struct mist_image_info *info = &source->base.info;
    *info = (struct mist_image_info){.type = header->depth == 16 ? MIST_U16 : MIST_U8,
                                     .precision = header->depth,
                                     .width = header->width,
                                     .height = header->height,
                                     .components = png_header_components(header),
                                     .frames = 1,
                                     .label = header->color == PNG_PALETTE};
    source->base.color = header->color == PNG_PALETTE ? FORMAT_PALETTE
                         : header->color == PNG_GREY  ? FORMAT_GREY
                         : header->color == PNG_RGB   ? FORMAT_RGB
                                                      : FORMAT_OTHER_COLOR;
    if (!mist_frame_bytes(info->type, info->width, info->height, info->components))
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u x %u pixels are beyond the limits", path, info->width,
                         info->height);
    return MIST_OK;
}

/* Samples of 1, 2 or 4 bits, each row starting with a byte of its own. */
static void unpack_bits(const uint8_t *packed, unsigned depth, const struct mist_view *out)
{
    const size_t row = ((size_t)out->width * depth + 7) / 8;
    const unsigned mask = (1u << depth) - 1;
    for (uint32_t y = 0; y < out->height; y++) {
        const uint8_t *from = packed + y * row;
        uint8_t *to = (uint8_t *)out->data + y * out->row_stride;
        for (uint32_t x = 0; x < out->width; x++) {
            const size_t bit = (size_t)x * depth;
            to[x * out->column_stride] = (uint8_t)(from[bit / 8] >> (8 - depth - bit % 8) & mask);
        }
    }
}

/* Which pixels of an image's row a row of an interlaced image's pass has (PNG specification, 8.2). */
struct pass_row {
    uint32_t first, step, count;
};

static struct pass_row pass_row(uint32_t width, unsigned pass)
{
    static const uint8_t first[7] = {0, 4, 0, 2, 0, 1, 0}, step[7] = {8, 8, 4, 4, 2, 2, 1};
    if (pass >= 7 || first[pass] >= width)
        return (struct pass_row){0, 1, 0};
    return (struct pass_row){first[pass], step[pass], (width - first[pass] + step[pass] - 1) / step[pass]};
}

/* Where the samples of a row of an interlaced image's pass go. */
static void unpack_pass_row(const uint8_t *packed, unsigned depth, unsigned pass, uint32_t y,
                            const struct mist_view *out)
{
    const struct pass_row of = pass_row(out->width, pass);
    if (of.count == 0 || y >= out->height)
        return;
    struct mist_view row = *out;
    row.data = (uint8_t *)out->data + y * out->row_stride + of.first * out->column_stride;
    row.width = of.count;
    row.height = 1;
    row.column_stride = of.step * out->column_stride;
    unpack_bits(packed, depth, &row);
}

/* Interlaced samples of less than 8 bits, pass by pass: whole images of them are not put together well by libspng. */
static int decode_passes(spng_ctx *context, const struct png_header *header, uint8_t *packed, size_t size,
                         const struct mist_view *out)
{
    struct spng_row_info info;
    int result = spng_decode_image(context, NULL, 0, SPNG_FMT_PNG, SPNG_DECODE_PROGRESSIVE);
    while (!result) {
        result = spng_get_row_info(context, &info);
        if (!result)
            result = spng_decode_scanline(context, packed, size);
        if (!result || result == SPNG_EOI)
            unpack_pass_row(packed, header->depth, (unsigned)info.pass, info.row_num, out);
    }
    return result == SPNG_EOI ? 0 : result;
}

/* ---- grey in more components ---- */

/* Whether these pixels are grey and opaque; those before the first that is not go to `to`, if that is not NULL. */
static bool take_grey(const uint8_t *row, const struct pass_row *of, unsigned components, size_t size, uint8_t *to,
                      ptrdiff_t stride)
{
    static const uint8_t opaque[2] = {0xff, 0xff};
    const unsigned colors = components < 3 ? 1 : 3;
    const size_t pixel = components * size;
    for (uint32_t i = 0; i < of->count; i++, row += pixel) {
        if ((colors == 3 && memcmp(row, row + size, 2 * size) != 0) ||
            (colors < components && memcmp(row + colors * size, opaque, size) != 0))
            return false;
        if (to)
            memcpy(to + (ptrdiff_t)(of->first + i * of->step) * stride, row, size);
    }
    return true;
}

/* Row by row, so that colour is known by its first rows. `out`: NULL, or receives the samples. */
static int walk_grey(const struct png_source *source, spng_ctx *context, uint8_t *row, size_t row_size,
                     const struct mist_view *out, bool *grey)
{
    const struct png_header *header = &source->header;
    const struct pass_row whole = {0, 1, header->width};
    struct spng_row_info info;
    spng_set_image_limits(context, MIST_MAX_SIDE, MIST_MAX_SIDE);
    int result = spng_set_png_buffer(context, source->map.data, source->map.size);
    if (!result)
        result = spng_decode_image(context, NULL, 0, SPNG_FMT_PNG, SPNG_DECODE_PROGRESSIVE);
    while (!result && *grey) {
        result = spng_get_row_info(context, &info);
        if (!result)
            result = spng_decode_scanline(context, row, row_size);
        if ((result && result != SPNG_EOI) || info.row_num >= header->height)
            break;
        const struct pass_row of = header->interlace ? pass_row(header->width, (unsigned)info.pass) : whole;
        *grey =
            take_grey(row, &of, png_header_components(header), header->depth / 8,
                      out ? (uint8_t *)out->data + info.row_num * out->row_stride : NULL, out ? out->column_stride : 0);
    }
    return result == SPNG_EOI ? 0 : result;
}

static enum mist_status decode_grey(const struct png_source *source, const struct mist_view *out, bool *grey,
                                    struct mist_error *error)
{
    const struct png_header *header = &source->header;
    const size_t row_size = (size_t)header->width * png_header_components(header) * header->depth / 8;
    uint8_t *row = memory_allocate(row_size);
    spng_ctx *context = spng_ctx_new(0);
    enum mist_status status = MIST_OK;
    *grey = true;
    if (!row || !context) {
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    } else {
        int result = walk_grey(source, context, row, row_size, out, grey);
        if (result)
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the PNG data is damaged: %s", source->input.name,
                               spng_strerror(result));
    }
    spng_ctx_free(context);
    memory_free(row);
    return status;
}

/* Many X-rays are grey in three or four components: they are taken for what they are. */
static enum mist_status fold(struct png_source *source, struct mist_error *error)
{
    const unsigned components = png_header_components(&source->header);
    bool grey = false;
    if (components == 1)
        return MIST_OK;
    enum mist_status status = decode_grey(source, NULL, &grey, error);
    if (status == MIST_ERROR_CORRUPT) /* told when the frame is read */
        return MIST_OK;
    if (status || !grey)
        return status;
    source->folded = true;
    source->base.info.components = 1;
    source->base.color = FORMAT_GREY;
    return MIST_OK;
}

static enum mist_status png_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                       struct mist_error *error)
{
    struct png_source *source = (struct png_source *)base;
    const struct png_header *header = &source->header;
    (void)frame;
    if (source->folded) {
        bool grey;
        enum mist_status folded = decode_grey(source, out, &grey, error);
        if (!folded && !grey)
            folded =
                error_set(error, MIST_ERROR_CORRUPT, "%s: the file was changed while it was read", source->input.name);
        return folded;
    }
    const size_t row = ((size_t)header->width * base->info.components * header->depth + 7) / 8;
    const bool passes = header->depth < 8 && header->interlace;
    const size_t size = passes ? row : row * header->height;
    bool packed = header->depth >= 8 && copy_is_packed(out, png_native_order);
    uint8_t *samples = packed ? out->data : memory_allocate_zeroed(size, 1);
    spng_ctx *context = spng_ctx_new(0);
    enum mist_status status = MIST_OK;
    if (!samples || !context) {
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    } else {
        spng_set_image_limits(context, MIST_MAX_SIDE, MIST_MAX_SIDE);
        int result = spng_set_png_buffer(context, source->map.data, source->map.size);
        if (!result)
            result = passes ? decode_passes(context, header, samples, size, out)
                            : spng_decode_image(context, samples, size, SPNG_FMT_PNG, 0);
        if (result)
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the PNG data is damaged: %s", source->input.name,
                               spng_strerror(result));
    }
    if (!status && header->depth < 8 && !passes)
        unpack_bits(samples, header->depth, out);
    else if (!status && header->depth >= 8 && !packed)
        copy_unpack(samples, png_native_order, out);
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
    return format_archive_around(archive, base->head.data, base->head.size, source->suffix.data, source->suffix.size,
                                 source->input.name, error);
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
        status = fold(source, error);
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

/* Palettes only: of other PNG files samples are what they look like. */
static void png_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct png_header header;
    const struct mist_buffer chunks = {.data = (uint8_t *)(uintptr_t)head, .size = size};
    if (size < PNG_IHDR_SIZE || !png_header_read(head, &header) || header.color != PNG_PALETTE)
        return;
    const uint8_t *palette = png_chunks_find(&chunks, "PLTE");
    appearance->color = FORMAT_PALETTE;
    if (!palette)
        return;
    appearance->palette = palette + 8;
    appearance->palette_entries = load_be32(palette) / 3;
}

const struct format_ops format_ops_png = {
    .detect = png_detect, .open = png_open, .writer_open = png_writer_open, .appearance = png_appearance};
