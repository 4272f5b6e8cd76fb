/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_pixels.h"

#include "base/bytes.h"
#include "base/error.h"
#include "image/copy.h"

#include <string.h>

/* ---- what the pixels are ---- */

static enum format_color color_of(const char *photometric, unsigned components)
{
    static const struct {
        const char *name;
        enum format_color color;
    } names[] = {
        {"MONOCHROME1", FORMAT_GREY_INVERTED},
        {"MONOCHROME2", FORMAT_GREY},
        {"PALETTE COLOR", FORMAT_PALETTE},
        {"RGB", FORMAT_RGB},
        {"YBR_FULL", FORMAT_YBR},
        {"YBR_FULL_422", FORMAT_YBR},
        {"YBR_PARTIAL_422", FORMAT_YBR_PARTIAL},
        {"YBR_PARTIAL_420", FORMAT_YBR_PARTIAL},
        {"YBR_ICT", FORMAT_RGB}, /* the codestream's own transform, which decoding undoes */
        {"YBR_RCT", FORMAT_RGB},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(photometric, names[i].name) == 0 && (names[i].color < FORMAT_RGB) == (components == 1))
            return names[i].color;
    return components == 1 ? FORMAT_GREY : components == 3 ? FORMAT_RGB : FORMAT_OTHER_COLOR;
}

static bool is_packed(const struct dicom_pixels *pixels)
{
    return pixels->allocated % 8 != 0 || pixels->allocated == 24;
}

static enum mist_sample_type type_of(unsigned bits, bool is_signed, bool real)
{
    if (real)
        return bits == 32 ? MIST_F32 : MIST_F64;
    if (bits <= 8)
        return is_signed ? MIST_S8 : MIST_U8;
    if (bits <= 16)
        return is_signed ? MIST_S16 : MIST_U16;
    return is_signed ? MIST_S32 : MIST_U32;
}

/*
 * Bits of samples. What the header says of them is repaired where it cannot be: all of a sample's bits come back with
 * the original in any case. A lossy codestream's values may need more bits than were stored before it was made.
 */
static enum mist_status set_bits(const struct dicom_layout *layout, const struct dicom_header *header,
                                 const struct dicom_stream *stream, struct dicom_pixels *pixels,
                                 struct mist_error *error)
{
    unsigned allocated = layout->real ? layout->real : header->bits_allocated, stored = header->bits_stored;
    if (allocated == 0 || allocated > 64 || (allocated > 32 && !layout->real))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM pixels of %u allocated bits are not supported",
                         allocated);
    if (stream && stream->precision > allocated)
        return error_set(error, MIST_ERROR_CORRUPT, "a codestream of %u bits in DICOM pixels of %u allocated bits",
                         stream->precision, allocated);
    if (layout->real || stored == 0 || stored > allocated)
        stored = allocated;
    unsigned high = header->high_bit < allocated && header->high_bit + 1 >= stored ? header->high_bit : stored - 1;
    if (stream && stream->lossy && stream->precision > stored)
        stored = stream->precision;
    if (stream && stream->precision <= high)
        high = stored - 1; /* shifted down by who made the codestream */
    pixels->allocated = allocated;
    if (is_packed(pixels))
        stored = allocated;
    pixels->precision = stored;
    pixels->shift = is_packed(pixels) || high + 1 < stored ? 0 : high + 1 - stored;
    pixels->type = type_of(allocated, header->is_signed, layout->real);
    return MIST_OK;
}

/* Frames as the file has them. */
static uint32_t pictures_of(const struct dicom_pixels *pixels)
{
    return pixels->across ? 1 : pixels->frames;
}

/* Of frames of so many samples. */
static void set_sizes(struct dicom_pixels *pixels, uint64_t samples)
{
    pixels->frame_bits = samples * pixels->allocated;
    pixels->total_bytes = (pixels->frame_bits * pictures_of(pixels) + 7) / 8;
    pixels->total_bytes += pixels->paired & pixels->total_bytes & 1;
}

/* How samples are laid out in the file. */
static void set_layout(const struct dicom_layout *layout, const struct dicom_header *header,
                       struct dicom_pixels *pixels)
{
    uint64_t samples = (uint64_t)pixels->columns * pixels->rows * pixels->components;
    bool halved =
        strcmp(header->photometric, "YBR_FULL_422") == 0 || strcmp(header->photometric, "YBR_PARTIAL_422") == 0;
    /* Files exist that say so and have all samples. */
    if (halved && pixels->components == 3 && pixels->allocated == 8 && pixels->columns % 2 == 0 &&
        layout->pixel_bytes < samples * pixels->frames) {
        pixels->halved = true;
        samples = samples / 3 * 2;
    }
    pixels->planar = header->planar && pixels->components > 1 && !pixels->halved;
    pixels->big_endian = layout->big_endian;
    pixels->paired =
        layout->big_endian && (pixels->allocated <= 8 || is_packed(pixels)) && strcmp(layout->pixel_vr, "OW") == 0;
    if (pixels->paired) { /* their bits are counted, not loaded */
        pixels->precision = pixels->allocated;
        pixels->shift = 0;
    }
    set_sizes(pixels, samples);
}

/* Decoders give whole samples, interleaved, in the machine's order. */
static void set_decoded_layout(const struct dicom_layout *layout, const struct dicom_header *header,
                               struct dicom_pixels *pixels)
{
    unsigned bits = 8 * (unsigned)mist_sample_size(pixels->type);
    bool decoded = layout->coding == DICOM_CODESTREAMS || layout->coding == DICOM_RLE;
    if (decoded)
        pixels->allocated = bits;
    pixels->planar = !decoded && header->planar && pixels->components > 1;
    pixels->big_endian = decoded && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    set_sizes(pixels, (uint64_t)pixels->columns * pixels->rows * pixels->components);
}

static enum mist_status check_size(const struct dicom_header *header, struct dicom_pixels *pixels,
                                   struct mist_error *error)
{
    if (header->columns == 0 || header->rows == 0 || header->frames == 0)
        return error_set(error, MIST_ERROR_CORRUPT, "a DICOM image of %u x %u pixels and %u frames", header->columns,
                         header->rows, header->frames);
    if (header->samples == 0 || header->samples > MIST_MAX_COMPONENTS)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM pixels of %u samples are not supported",
                         header->samples);
    /* Rows and Columns have 16 bits, so within MIST_MAX_SIDE; all products below are less than 2^63. */
    size_t bytes = mist_frame_bytes(pixels->type, header->columns, header->rows, header->samples);
    if (bytes == 0 || header->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM image of %u x %u pixels and %u frames is too large",
                         header->columns, header->rows, header->frames);
    return MIST_OK;
}

static enum mist_status check_present(struct dicom_pixels *pixels, uint64_t present, struct mist_error *error)
{
    if (present >= pixels->total_bytes)
        return MIST_OK;
    pixels->missing = pixels->total_bytes - present;
    if (pixels->missing > pixels->total_bytes / 16)
        return error_set(error, MIST_ERROR_TRUNCATED, "DICOM pixel data of %llu bytes where %llu are needed",
                         (unsigned long long)present, (unsigned long long)pixels->total_bytes);
    return MIST_OK;
}

static enum mist_status check_stream(const struct dicom_pixels *pixels, const struct dicom_stream *stream,
                                     struct mist_error *error)
{
    if (stream->width != pixels->columns || stream->height != pixels->rows || stream->components != pixels->components)
        return error_set(error, MIST_ERROR_CORRUPT,
                         "a codestream of %u x %u samples, %u a pixel, in a DICOM image of %u x %u, %u a pixel",
                         stream->width, stream->height, stream->components, pixels->columns, pixels->rows,
                         pixels->components);
    return MIST_OK;
}

enum mist_status dicom_pixels_from_header(const struct dicom_layout *layout, const struct dicom_header *header,
                                          const struct dicom_stream *stream, uint64_t present,
                                          struct dicom_pixels *pixels, struct mist_error *error)
{
    *pixels = (struct dicom_pixels){
        .columns = header->columns, .rows = header->rows, .components = header->samples, .frames = header->frames};
    if (!layout->has_pixels)
        return error_set(error, MIST_ERROR_NOT_FOUND, "a DICOM object without pixel data");
    if (layout->coding == DICOM_VIDEO)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM video (%s) is not decoded",
                         dicom_syntax_name(layout->transfer_syntax));
    enum mist_status status = set_bits(layout, header, stream, pixels, error);
    if (!status)
        status = check_size(header, pixels, error);
    if (status)
        return status;
    pixels->color = color_of(header->photometric, pixels->components);
    pixels->convert = stream && stream->kind == FORMAT_STREAM_JPEG && pixels->color == FORMAT_YBR;
    if (pixels->convert) /* as DCMTK and libjpeg do */
        pixels->color = FORMAT_RGB;
    pixels->label = header->label || pixels->color == FORMAT_PALETTE || pixels->allocated == 1;
    if (layout->fragments) {
        set_decoded_layout(layout, header, pixels);
        return stream ? check_stream(pixels, stream, error) : MIST_OK;
    }
    set_layout(layout, header, pixels);
    return check_present(pixels, present, error);
}

/* ---- frames in bytes ---- */

struct dicom_span dicom_pixels_span(const struct dicom_pixels *pixels, uint32_t frame)
{
    const unsigned unit = pixels->paired ? 16 : 8;
    uint64_t start = pixels->across ? 0 : pixels->frame_bits * frame, end = start + pixels->frame_bits;
    uint64_t first = start / unit * unit, behind = (end + unit - 1) / unit * unit;
    return (struct dicom_span){first / 8, (size_t)((behind - first) / 8), (unsigned)(start - first)};
}

void dicom_pixels_resize(struct dicom_pixels *pixels, uint32_t columns, uint32_t rows)
{
    pixels->columns = columns;
    pixels->rows = rows;
    pixels->halved = false;
    pixels->missing = 0;
    const uint64_t across = pixels->across ? pixels->across : 1;
    set_sizes(pixels, across * columns * across * rows * pixels->components);
}

uint64_t dicom_pixels_restored_bytes(const struct dicom_pixels *pixels)
{
    const unsigned unit = pixels->paired ? 16 : 8;
    uint64_t whole = pixels->frame_bits * pictures_of(pixels) / unit * unit / 8;
    uint64_t present = pixels->total_bytes - pixels->missing;
    return whole < present ? whole : present;
}

/* ---- mosaics ---- */

uint32_t dicom_mosaic_side(uint32_t tiles)
{
    uint32_t side = 1;
    while (side * side < tiles && side < 0xffff)
        side++;
    return side;
}

bool dicom_pixels_split(struct dicom_pixels *pixels, uint32_t tiles)
{
    const uint32_t side = dicom_mosaic_side(tiles);
    if (tiles < 2 || pixels->across || pixels->frames != 1 || pixels->components != 1 || pixels->halved ||
        pixels->paired || is_packed(pixels) || pixels->columns % side || pixels->rows % side)
        return false;
    pixels->across = side;
    pixels->columns /= side;
    pixels->rows /= side;
    pixels->frames = tiles;
    return true;
}

struct dicom_pixels dicom_pixels_picture(const struct dicom_pixels *pixels)
{
    struct dicom_pixels picture = *pixels;
    if (pixels->across) {
        picture.across = 0;
        picture.columns *= pixels->across;
        picture.rows *= pixels->across;
        picture.frames = 1;
    }
    return picture;
}

/* The index, in the order of the bytes, of the first sample of row y of a tile. */
static size_t tile_index(const struct dicom_pixels *pixels, uint32_t tile, uint32_t y)
{
    const size_t across = pixels->across;
    return ((tile / across * pixels->rows + y) * across + tile % across) * pixels->columns;
}

size_t dicom_pixels_unused_tiles(const struct dicom_pixels *pixels, uint8_t *picture, uint8_t *tiles, bool into)
{
    const size_t size = pixels->allocated / 8, row = size * pixels->columns;
    size_t at = 0;
    for (uint32_t tile = pixels->frames; tile < pixels->across * pixels->across; tile++)
        for (uint32_t y = 0; y < pixels->rows; y++, at += row) {
            uint8_t *there = picture + size * tile_index(pixels, tile, y);
            if (tiles)
                memcpy(into ? there : tiles + at, into ? tiles + at : there, row);
        }
    return at;
}

/* ---- samples ---- */

static uint8_t *view_row(const struct mist_view *view, uint32_t y, uint32_t c)
{
    return (uint8_t *)view->data + y * view->row_stride + c * view->component_stride;
}

/* The index, in the order of the bytes, of the first sample of component c in row y. */
static size_t row_index(const struct dicom_pixels *pixels, uint32_t y, uint32_t c)
{
    if (pixels->planar)
        return ((size_t)c * pixels->rows + y) * pixels->columns;
    return (size_t)y * pixels->columns * pixels->components + c;
}

static uint64_t load(const uint8_t *p, size_t size)
{
    uint64_t value = 0;
    if (size == 1)
        return *p;
    if (size == 2) {
        uint16_t half;
        memcpy(&half, p, 2);
        return half;
    }
    memcpy(&value, p, size); /* 4 or 8: on big-endian machines the callers' order is the machine's, too */
    if (size == 4 && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        value >>= 32;
    return value;
}

static void store(uint8_t *p, size_t size, uint64_t value)
{
    uint8_t byte = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;
    memcpy(p, size == 1 ? (void *)&byte : size == 2 ? (void *)&half : size == 4 ? (void *)&word : (void *)&value, size);
}

static uint64_t swap(uint64_t value, size_t size)
{
    return size == 1 ? value : __builtin_bswap64(value) >> (64 - 8 * size);
}

static bool swaps(const struct dicom_pixels *pixels)
{
    return pixels->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* The stored value in a sample's bits, sign-extended to 64. */
static uint64_t stored_value(const struct dicom_pixels *pixels, uint64_t sample)
{
    unsigned up = 64 - pixels->precision;
    uint64_t value = sample >> pixels->shift << up;
    return mist_sample_is_signed(pixels->type) ? (uint64_t)((int64_t)value >> up) : value >> up;
}

/* The bits of a sample that has this stored value and nothing else. */
static uint64_t sample_of(const struct dicom_pixels *pixels, uint64_t value)
{
    unsigned up = 64 - pixels->precision; /* the type may have more bits than the value */
    value = mist_sample_is_signed(pixels->type) ? (uint64_t)((int64_t)(value << up) >> up) : value << up >> up;
    return value << pixels->shift & UINT64_MAX >> (64 - pixels->allocated);
}

static inline __attribute__((always_inline)) void unpack_row(const struct dicom_pixels *pixels, size_t size,
                                                             const uint8_t *from, size_t from_step, uint8_t *to,
                                                             size_t to_step)
{
    const bool swapped = swaps(pixels);
    for (uint32_t x = 0; x < pixels->columns; x++, from += from_step, to += to_step) {
        uint64_t value = load(from, size);
        store(to, size, stored_value(pixels, swapped ? swap(value, size) : value));
    }
}

static inline __attribute__((always_inline)) void pack_row(const struct dicom_pixels *pixels, size_t size,
                                                           const uint8_t *from, size_t from_step, uint8_t *to,
                                                           size_t to_step)
{
    const bool swapped = swaps(pixels);
    for (uint32_t x = 0; x < pixels->columns; x++, from += from_step, to += to_step) {
        uint64_t value = sample_of(pixels, load(from, size));
        store(to, size, swapped ? swap(value, size) : value);
    }
}

/* Each size has loops of its own, for which it is a constant. */
static void change_row(const struct dicom_pixels *pixels, bool pack, const uint8_t *from, size_t from_step, uint8_t *to,
                       size_t to_step)
{
    const struct dicom_pixels held = *pixels; /* so that the loops need not load it again */
    const size_t size = mist_sample_size(pixels->type);
    if (size == 1)
        pack ? pack_row(&held, 1, from, from_step, to, to_step) : unpack_row(&held, 1, from, from_step, to, to_step);
    else if (size == 2)
        pack ? pack_row(&held, 2, from, from_step, to, to_step) : unpack_row(&held, 2, from, from_step, to, to_step);
    else
        pack ? pack_row(&held, 4, from, from_step, to, to_step) : unpack_row(&held, 4, from, from_step, to, to_step);
}

/* Samples that are whole bytes, not all bits of which are the value's. */
static void unpack_bytes(const struct dicom_pixels *pixels, const uint8_t *bytes, const struct mist_view *view)
{
    const size_t size = mist_sample_size(pixels->type), step = pixels->planar ? size : size * pixels->components;
    for (uint32_t c = 0; c < pixels->components; c++)
        for (uint32_t y = 0; y < pixels->rows; y++)
            change_row(pixels, false, bytes + row_index(pixels, y, c) * size, step, view_row(view, y, c),
                       view->column_stride);
}

static void pack_bytes(const struct dicom_pixels *pixels, const struct mist_view *view, uint8_t *bytes)
{
    const size_t size = mist_sample_size(pixels->type), step = pixels->planar ? size : size * pixels->components;
    for (uint32_t c = 0; c < pixels->components; c++)
        for (uint32_t y = 0; y < pixels->rows; y++)
            change_row(pixels, true, view_row(view, y, c), view->column_stride, bytes + row_index(pixels, y, c) * size,
                       step);
}

/* Samples of any number of bits, one behind the other, the lowest bit of the lowest byte first. */
static void unpack_bits(const struct dicom_pixels *pixels, const uint8_t *bytes, unsigned bit,
                        const struct mist_view *view)
{
    const size_t size = mist_sample_size(pixels->type), step = pixels->planar ? 1 : pixels->components;
    const size_t flip = pixels->paired;
    for (uint32_t c = 0; c < pixels->components; c++)
        for (uint32_t y = 0; y < pixels->rows; y++) {
            size_t index = row_index(pixels, y, c);
            uint8_t *to = view_row(view, y, c);
            for (uint32_t x = 0; x < pixels->columns; x++, index += step, to += view->column_stride) {
                uint64_t at = bit + (uint64_t)index * pixels->allocated, value = 0;
                for (unsigned i = 0; i < pixels->allocated;) {
                    unsigned in_byte = (unsigned)((at + i) % 8), take = 8 - in_byte;
                    value |= (uint64_t)(bytes[(at + i) / 8 ^ flip] >> in_byte) << i;
                    i += take;
                }
                store(to, size, stored_value(pixels, value));
            }
        }
}

static void pack_bits(const struct dicom_pixels *pixels, const struct mist_view *view, uint8_t *bytes, unsigned bit)
{
    const size_t size = mist_sample_size(pixels->type), step = pixels->planar ? 1 : pixels->components;
    const size_t flip = pixels->paired;
    for (uint32_t c = 0; c < pixels->components; c++)
        for (uint32_t y = 0; y < pixels->rows; y++) {
            size_t index = row_index(pixels, y, c);
            const uint8_t *from = view_row(view, y, c);
            for (uint32_t x = 0; x < pixels->columns; x++, index += step, from += view->column_stride) {
                uint64_t at = bit + (uint64_t)index * pixels->allocated, value = load(from, size);
                for (unsigned i = 0; i < pixels->allocated; i++, at++) {
                    uint8_t *byte = &bytes[at / 8 ^ flip], mask = (uint8_t)(1u << at % 8);
                    *byte = (uint8_t)(value >> i & 1 ? *byte | mask : *byte & ~mask);
                }
            }
        }
}

/* Y Y Cb Cr for each two columns: both get the chroma. */
static void unpack_halved(const struct dicom_pixels *pixels, const uint8_t *bytes, const struct mist_view *view)
{
    for (uint32_t y = 0; y < pixels->rows; y++) {
        uint8_t *luma = view_row(view, y, 0), *blue = view_row(view, y, 1), *red = view_row(view, y, 2);
        for (uint32_t x = 0; x < pixels->columns; x++) {
            const uint8_t *four = bytes + ((size_t)y * pixels->columns + x / 2 * 2) * 2;
            luma[x * view->column_stride] = four[x % 2];
            blue[x * view->column_stride] = four[2];
            red[x * view->column_stride] = four[3];
        }
    }
}

static void pack_halved(const struct dicom_pixels *pixels, const struct mist_view *view, uint8_t *bytes)
{
    for (uint32_t y = 0; y < pixels->rows; y++) {
        const uint8_t *luma = view_row(view, y, 0), *blue = view_row(view, y, 1), *red = view_row(view, y, 2);
        for (uint32_t x = 0; x < pixels->columns; x++) {
            uint8_t *four = bytes + ((size_t)y * pixels->columns + x / 2 * 2) * 2;
            four[x % 2] = luma[x * view->column_stride];
            four[2] = blue[x * view->column_stride];
            four[3] = red[x * view->column_stride];
        }
    }
}

static struct copy_packing packing_of(const struct dicom_pixels *pixels)
{
    return (struct copy_packing){.big_endian = pixels->big_endian, .planar = pixels->planar};
}

static void unpack(const struct dicom_pixels *pixels, uint32_t frame, const uint8_t *bytes,
                   const struct mist_view *view)
{
    if (pixels->halved)
        unpack_halved(pixels, bytes, view);
    else if (is_packed(pixels) || pixels->paired)
        unpack_bits(pixels, bytes, dicom_pixels_span(pixels, frame).bit, view);
    else if (pixels->precision == pixels->allocated)
        copy_unpack(bytes, packing_of(pixels), view);
    else
        unpack_bytes(pixels, bytes, view);
}

static void pack(const struct dicom_pixels *pixels, uint32_t frame, const struct mist_view *view, uint8_t *bytes)
{
    if (pixels->halved)
        pack_halved(pixels, view, bytes);
    else if (is_packed(pixels) || pixels->paired)
        pack_bits(pixels, view, bytes, dicom_pixels_span(pixels, frame).bit);
    else if (pixels->precision == pixels->allocated)
        copy_pack(view, packing_of(pixels), bytes);
    else
        pack_bytes(pixels, view, bytes);
}

/* The n-th row of a tile, as an image of its own. */
struct line {
    struct dicom_pixels pixels;
    struct mist_view view;
    size_t offset; /* in the bytes of the picture */
};
static struct line line_of(const struct dicom_pixels *pixels, uint32_t tile, uint32_t y, const struct mist_view *view)
{
    struct line line = {*pixels, *view, pixels->allocated / 8 * tile_index(pixels, tile, y)};
    line.pixels.across = 0;
    line.pixels.rows = line.view.height = line.pixels.frames = 1;
    line.view.data = view_row(view, y, 0);
    return line;
}

void dicom_pixels_unpack(const struct dicom_pixels *pixels, uint32_t frame, const uint8_t *bytes,
                         const struct mist_view *view)
{
    if (!pixels->across)
        unpack(pixels, frame, bytes, view);
    for (uint32_t y = 0; y < pixels->rows && pixels->across; y++) {
        const struct line line = line_of(pixels, frame, y, view);
        unpack(&line.pixels, 0, bytes + line.offset, &line.view);
    }
}

void dicom_pixels_pack(const struct dicom_pixels *pixels, uint32_t frame, const struct mist_view *view, uint8_t *bytes)
{
    if (!pixels->across)
        pack(pixels, frame, view, bytes);
    for (uint32_t y = 0; y < pixels->rows && pixels->across; y++) {
        const struct line line = line_of(pixels, frame, y, view);
        pack(&line.pixels, 0, &line.view, bytes + line.offset);
    }
}

/* ---- bits aside ---- */

bool dicom_pixels_has_spare_bits(const struct dicom_pixels *pixels)
{
    return !is_packed(pixels) && !pixels->halved && !pixels->paired && pixels->precision < pixels->allocated;
}

static inline uint32_t spare_bits(const struct dicom_pixels *pixels, const uint8_t *sample, size_t size, bool swapped)
{
    uint64_t value = load(sample, size);
    value = swapped ? swap(value, size) : value;
    return (uint32_t)(value ^ sample_of(pixels, stored_value(pixels, value)));
}

uint32_t dicom_pixels_spare_mask(const struct dicom_pixels *pixels, const uint8_t *bytes, size_t count)
{
    const struct dicom_pixels held = *pixels; /* so that the loop need not load it again */
    const size_t size = mist_sample_size(pixels->type);
    const bool swapped = swaps(pixels);
    uint32_t mask = 0;
    for (size_t i = 0; i < count; i++)
        mask |= size == 2 ? spare_bits(&held, bytes + 2 * i, 2, swapped)
                          : spare_bits(&held, bytes + size * i, size, swapped);
    return mask;
}

void dicom_pixels_spare_plane(const struct dicom_pixels *pixels, const uint8_t *bytes, size_t count, unsigned bit,
                              uint8_t *plane)
{
    const size_t size = mist_sample_size(pixels->type);
    const bool swapped = swaps(pixels);
    memset(plane, 0, (count + 7) / 8);
    for (size_t i = 0; i < count; i++)
        plane[i / 8] |= (uint8_t)((spare_bits(pixels, bytes + size * i, size, swapped) >> bit & 1) << i % 8);
}

void dicom_pixels_add_plane(const struct dicom_pixels *pixels, uint8_t *bytes, size_t count, unsigned bit,
                            const uint8_t *plane)
{
    const size_t size = mist_sample_size(pixels->type);
    /* In the order of the file: the byte of the sample that holds the bit. */
    size_t at = pixels->big_endian ? size - 1 - bit / 8 : bit / 8;
    for (size_t i = 0; i < count; i++)
        bytes[i * size + at] ^= (uint8_t)((plane[i / 8] >> i % 8 & 1) << bit % 8);
}
