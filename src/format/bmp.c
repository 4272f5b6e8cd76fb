/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BMP: 1, 4 and 8 bits with a palette, 24 and 32 bits of red, green, blue (and a fourth sample), not compressed. Rows
 * go from the bottom up unless the height is negative, each filled up to 4 bytes. Source: Microsoft's BITMAPFILEHEADER,
 * BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER.
 */
#include "format/picture_map.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER = 14,
    INFO_HEADER = 40,
    MAX_HEAD = 1 << 16,
    MAX_SUFFIX = 16 << 20,
    MAX_ENTRIES = 256,
    BITFIELDS = 3,
    PALETTE_ROOM = 3 * MAX_ENTRIES
};

/* What the header says. */
struct layout {
    uint32_t width, height;
    bool top_down;
    unsigned bits;    /* of a pixel: 1, 4, 8, 24, 32 */
    unsigned entries; /* of the palette */
    const uint8_t *palette;
    uint32_t offset; /* of the first row in the file */
    bool grey;       /* the palette is black, ... white in even steps: indices are brightness */
};

static unsigned components_of(const struct layout *layout)
{
    return layout->bits <= 8 ? 1 : layout->bits / 8;
}

/* Bytes of a row in the file. */
static size_t row_bytes(const struct layout *layout)
{
    return ((size_t)layout->width * layout->bits + 31) / 32 * 4;
}

static bool is_grey(const struct layout *layout)
{
    const unsigned most = (1u << layout->bits) - 1;
    if (layout->entries != most + 1)
        return false;
    for (unsigned i = 0; i <= most; i++) {
        const uint8_t *entry = layout->palette + 4 * (size_t)i, want = (uint8_t)(i * 255 / most);
        if (entry[0] != want || entry[1] != want || entry[2] != want)
            return false;
    }
    return true;
}

static bool bmp_detect(const uint8_t *data, size_t size)
{
    return size >= FILE_HEADER + 4 && memcmp(data, "BM", 2) == 0 && load_le32(data + FILE_HEADER) >= 12 &&
           load_le32(data + FILE_HEADER) <= 124 && load_le32(data + 10) > FILE_HEADER;
}

/* The header, of which `size` bytes are there. Errors do not name the file. */
static enum mist_status parse(const uint8_t *data, size_t size, struct layout *out, struct mist_error *error)
{
    *out = (struct layout){0};
    if (size < FILE_HEADER + INFO_HEADER || memcmp(data, "BM", 2) != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a BMP file with a header of OS/2, or none");
    const uint32_t header = load_le32(data + FILE_HEADER), compression = load_le32(data + 30);
    const int64_t height = (int32_t)load_le32(data + 22);
    const uint32_t offset = load_le32(data + 10);
    *out = (struct layout){.width = load_le32(data + 18),
                           .height = (uint32_t)(height < 0 ? -height : height),
                           .top_down = height < 0,
                           .bits = load_le16(data + 28),
                           .entries = load_le32(data + 46),
                           .offset = offset};
    if (header < INFO_HEADER || header > 124 || offset < FILE_HEADER + header || offset > MAX_HEAD)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a BMP file with a header of %u bytes, samples at %u", header,
                         offset);
    if (offset > size)
        return error_set(error, MIST_ERROR_TRUNCATED, "the BMP file ends in its header");
    /* Masks that are the usual order are no masks. */
    const bool usual = compression == BITFIELDS && out->bits == 32 && offset >= FILE_HEADER + INFO_HEADER + 12 &&
                       load_le32(data + 54) == 0xff0000 && load_le32(data + 58) == 0xff00 &&
                       load_le32(data + 62) == 0xff;
    if ((compression != 0 && !usual) ||
        (out->bits != 1 && out->bits != 4 && out->bits != 8 && out->bits != 24 && out->bits != 32))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a BMP file of %u bits a pixel, compression %u", out->bits,
                         compression);
    if (out->bits <= 8) {
        const unsigned most = 1u << out->bits;
        if (out->entries == 0)
            out->entries = most;
        if (out->entries > most || out->entries > (offset - FILE_HEADER - header) / 4)
            return error_set(error, MIST_ERROR_CORRUPT, "the BMP file's palette does not fit before its samples");
        out->palette = data + FILE_HEADER + header;
        out->grey = is_grey(out);
    } else {
        out->entries = 0;
    }
    if (!mist_frame_bytes(MIST_U8, out->width, out->height, components_of(out)))
        return error_set(error, MIST_ERROR_LIMIT, "%u x %u pixels are beyond the limits", out->width, out->height);
    return MIST_OK;
}

/* ---- rows ---- */

/* Where row y of the picture is among those of the file. */
static size_t row_at(const struct layout *layout, uint32_t y)
{
    return row_bytes(layout) * (layout->top_down ? y : layout->height - 1 - y);
}

static void unpack(const struct layout *layout, const uint8_t *rows, const struct mist_view *out)
{
    const unsigned components = components_of(layout), bits = layout->bits;
    for (uint32_t y = 0; y < layout->height; y++) {
        const uint8_t *from = rows + row_at(layout, y);
        uint8_t *to = (uint8_t *)out->data + y * out->row_stride;
        for (uint32_t x = 0; x < layout->width; x++)
            for (unsigned c = 0; c < components; c++) {
                const size_t bit = (size_t)x * bits;
                uint8_t value = bits >= 8 ? from[bit / 8 + (c < 3 && components > 1 ? 2 - c : c)]
                                          : (uint8_t)(from[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1));
                to[x * out->column_stride + c * out->component_stride] = value;
            }
    }
}

/* `rows` is zeroed: what fills rows up is 0. */
static void pack(const struct layout *layout, const struct mist_view *view, uint8_t *rows)
{
    const unsigned components = components_of(layout), bits = layout->bits;
    for (uint32_t y = 0; y < layout->height; y++) {
        uint8_t *to = rows + row_at(layout, y);
        const uint8_t *from = (const uint8_t *)view->data + y * view->row_stride;
        for (uint32_t x = 0; x < layout->width; x++)
            for (unsigned c = 0; c < components; c++) {
                const size_t bit = (size_t)x * bits;
                const uint8_t value = from[x * view->column_stride + c * view->component_stride];
                if (bits >= 8)
                    to[bit / 8 + (c < 3 && components > 1 ? 2 - c : c)] = value;
                else
                    to[bit / 8] |= (uint8_t)((value & ((1u << bits) - 1)) << (8 - bits - bit % 8));
            }
    }
}

/* Whether all that fills rows up is 0, as pack() makes it. */
static bool is_plain(const struct layout *layout, const uint8_t *rows)
{
    const size_t row = row_bytes(layout), used = (size_t)layout->width * layout->bits;
    for (uint32_t y = 0; y < layout->height; y++) {
        const uint8_t *at = rows + row * y;
        if (used % 8 && (at[used / 8] & (0xffu >> used % 8)))
            return false;
        for (size_t i = (used + 7) / 8; i < row; i++)
            if (at[i])
                return false;
    }
    return true;
}

/* ---- the source ---- */

struct bmp_source {
    struct format_source base;
    struct format_input input;
    struct file_map map;
    struct layout layout;
};

static enum mist_status bmp_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                       struct mist_error *error)
{
    const struct bmp_source *source = (const struct bmp_source *)base;
    (void)frame, (void)error;
    unpack(&source->layout, source->map.data + source->layout.offset, out);
    return MIST_OK;
}

static enum mist_status bmp_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                         struct mist_error *error)
{
    const struct bmp_source *source = (const struct bmp_source *)base;
    const size_t behind = source->layout.offset + row_bytes(&source->layout) * source->layout.height;
    (void)file;
    *archive = (struct format_archive){.raw = is_plain(&source->layout, source->map.data + source->layout.offset)};
    return format_archive_around(archive, source->map.data, source->layout.offset, source->map.data + behind,
                                 source->map.size - behind, source->input.name, error);
}

static void bmp_close(struct format_source *base)
{
    struct bmp_source *source = (struct bmp_source *)base;
    input_unmap(&source->input, &source->map);
    input_free(&source->input);
    format_source_clear(base);
    memory_free(source);
}

/* The head: the palette as red, green, blue, then the header as it is. */
static bool make_head(const struct layout *layout, const uint8_t *data, struct mist_buffer *head)
{
    uint8_t palette[PALETTE_ROOM] = {0};
    for (unsigned i = 0; i < layout->entries; i++)
        for (unsigned c = 0; c < 3; c++)
            palette[3 * i + c] = layout->palette[4 * i + 2 - c];
    return buffer_append(head, palette, sizeof palette) && buffer_append(head, data, layout->offset);
}

static enum mist_status describe(struct bmp_source *source, struct mist_error *error)
{
    struct layout *layout = &source->layout;
    const struct file_map *map = &source->map;
    enum mist_status status = parse(map->data, map->size, layout, error);
    if (status)
        return status;
    const size_t rows = row_bytes(layout) * layout->height;
    if (map->size - layout->offset < rows)
        return error_set(error, MIST_ERROR_TRUNCATED, "the BMP file has %zu bytes of samples where %zu are needed",
                         map->size - layout->offset, rows);
    if (map->size - layout->offset - rows > MAX_SUFFIX)
        return error_set(error, MIST_ERROR_LIMIT, "%zu bytes behind the samples", map->size - layout->offset - rows);
    source->base.info = (struct mist_image_info){.type = MIST_U8,
                                                 .precision = layout->bits < 8 ? layout->bits : 8,
                                                 .width = layout->width,
                                                 .height = layout->height,
                                                 .components = components_of(layout),
                                                 .frames = 1};
    source->base.color = layout->bits == 32   ? FORMAT_OTHER_COLOR
                         : layout->bits == 24 ? FORMAT_RGB
                         : layout->grey       ? FORMAT_GREY
                                              : FORMAT_PALETTE;
    source->base.info.label = source->base.color == FORMAT_PALETTE;
    source->base.file_frames[0] = 1;
    return make_head(layout, map->data, &source->base.head) ? MIST_OK
                                                            : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

static enum mist_status bmp_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                 struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = bmp_read_frame, .read_archive = bmp_read_archive, .close = bmp_close};
    struct bmp_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, &ops, FORMAT_BMP, count) || !input_copy(inputs, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = input_map(&source->input, &source->map, error);
    if (!status && (status = describe(source, error)))
        error_prefix(error, status, "%s", input_name(inputs));
    if (status) {
        bmp_close(&source->base);
        return status;
    }
    *result = &source->base;
    return MIST_OK;
}

/* A BMP file of a kind that is not read stays a file, and is named. */
static enum mist_status bmp_look(const struct format_input *input, struct format_group *group, struct mist_error *error)
{
    struct format_source *source = NULL;
    struct mist_error why = {0};
    (void)group;
    enum mist_status status = bmp_open(input, 1, &source, &why);
    format_close(&source);
    return status == MIST_ERROR_UNSUPPORTED ? error_set(error, status, "%s", why.message) : MIST_OK;
}

static bool read_head(const uint8_t *head, size_t size, struct layout *layout)
{
    return size > PALETTE_ROOM && parse(head + PALETTE_ROOM, size - PALETTE_ROOM, layout, NULL) == MIST_OK;
}

static void bmp_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct layout layout;
    if (!read_head(head, size, &layout) || layout.bits > 8 || layout.grey)
        return;
    appearance->color = FORMAT_PALETTE;
    appearance->palette = head;
    appearance->palette_entries = layout.entries;
}

/* ---- restoring ---- */

struct bmp_restorer {
    struct format_restorer base;
    struct layout layout;
};

static enum mist_status append_rows(const struct layout *layout, const struct mist_view *frame, struct mist_buffer *out,
                                    struct mist_error *error)
{
    const size_t before = out->size;
    if (frame->width != layout->width || frame->height != layout->height ||
        frame->components != components_of(layout) || frame->type != MIST_U8)
        return error_set(error, MIST_ERROR_CORRUPT, "the header of the BMP file is not that of its samples");
    if (!buffer_append_zeros(out, row_bytes(layout) * layout->height))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    pack(layout, frame, out->data + before);
    return MIST_OK;
}

static enum mist_status restore_frame(struct format_restorer *base, const struct mist_view *frame,
                                      struct mist_buffer *out, struct mist_error *error)
{
    return append_rows(&((struct bmp_restorer *)base)->layout, frame, out, error);
}

static enum mist_status restore_bytes(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                                      struct mist_buffer *out, struct mist_error *error)
{
    (void)restorer, (void)codestream, (void)size, (void)out;
    return error_set(error, MIST_ERROR_ARGUMENT, "a BMP file is made of samples");
}

static void restore_free(struct format_restorer *restorer)
{
    memory_free(restorer);
}

static enum mist_status bmp_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                          struct format_restorer **result, struct mist_error *error)
{
    static const struct format_restorer_ops ops = {restore_frame, restore_bytes, restore_free};
    struct layout layout;
    (void)info;
    enum mist_status status = parse(archive->prefix.data, archive->prefix.size, &layout, error);
    if (status)
        return status;
    struct bmp_restorer *restorer = memory_allocate_zeroed(1, sizeof *restorer);
    if (!restorer)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    *restorer = (struct bmp_restorer){{&ops}, layout};
    *result = &restorer->base;
    return MIST_OK;
}

/* ---- writing ---- */

struct bmp_writer {
    struct format_writer base;
    struct file_writer file;
    struct picture_map map;
    struct mist_buffer header; /* of the file that is written */
    struct mist_buffer suffix; /* of the original, behind its samples */
    struct layout layout;
    bool own; /* the source was BMP, too */
    bool written;
};

static uint32_t density(uint32_t value, double factor)
{
    return factor > 0 ? (uint32_t)lround((double)(value & 0x7fffffff) / factor) : value;
}

/* The source's header, made true of what is written. */
static void adapt(struct bmp_writer *writer, const struct format_target *target)
{
    enum { PROFILE_KIND = 70, PROFILE_PLACE = 126, PROFILE_SIZE = 130, V5 = 124 };
    static const uint8_t srgb[] = "BGRs";
    uint8_t *header = writer->header.data;
    struct layout *layout = &writer->layout;
    layout->width = target->info.width;
    layout->height = target->info.height;
    store_le32(header + 18, layout->width);
    store_le32(header + 22, layout->top_down ? 0u - layout->height : layout->height);
    const uint32_t rows = (uint32_t)(row_bytes(layout) * layout->height);
    store_le32(header + 2, (uint32_t)writer->header.size + rows);
    if (load_le32(header + 34))
        store_le32(header + 34, rows);
    store_le32(header + 38, density(load_le32(header + 38), target->sampling.factor[0]));
    store_le32(header + 42, density(load_le32(header + 42), target->sampling.factor[1]));
    /* A colour profile stands behind the samples, which smaller files do not have. */
    if (load_le32(header + FILE_HEADER) == V5 && load_le32(header + PROFILE_SIZE)) {
        memcpy(header + PROFILE_KIND, srgb, 4);
        store_le32(header + PROFILE_PLACE, 0);
        store_le32(header + PROFILE_SIZE, 0);
    }
}

/* A header for another format's picture: grey with its palette, or RGB. */
static bool make_header(struct bmp_writer *writer)
{
    const unsigned bits = 8 * writer->map.components;
    const size_t size = FILE_HEADER + INFO_HEADER + (bits == 8 ? 4 * MAX_ENTRIES : 0);
    if (!buffer_append_zeros(&writer->header, size))
        return false;
    uint8_t *header = writer->header.data;
    writer->layout = (struct layout){.width = writer->map.width, .height = writer->map.height, .bits = bits};
    memcpy(header, "BM", 2);
    store_le32(header + 2, (uint32_t)(size + row_bytes(&writer->layout) * writer->layout.height));
    store_le32(header + 10, (uint32_t)size);
    store_le32(header + FILE_HEADER, INFO_HEADER);
    store_le32(header + 18, writer->layout.width);
    store_le32(header + 22, writer->layout.height);
    store_le16(header + 26, 1);
    store_le16(header + 28, (uint16_t)bits);
    for (unsigned i = 0; bits == 8 && i < MAX_ENTRIES; i++)
        memset(header + FILE_HEADER + INFO_HEADER + 4 * (size_t)i, (int)i, 3);
    return true;
}

static enum mist_status bmp_frame(struct format_writer *base, const struct mist_view *frame, struct mist_error *error)
{
    struct bmp_writer *writer = (struct bmp_writer *)base;
    const struct picture_map *map = &writer->map;
    struct mist_buffer rows = {0};
    struct mist_view view = *frame;
    uint8_t *packed = NULL;
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a BMP file holds one frame", writer->file.path);
    writer->written = true;
    enum mist_status status = MIST_OK;
    if (!writer->own) {
        packed = memory_allocate(picture_map_bytes(map));
        status = packed ? picture_map_frame(map, frame, packed, error)
                        : error_set(error, MIST_ERROR_MEMORY, "out of memory");
        view = mist_view_interleaved(packed, MIST_U8, map->width, map->height, map->components);
    }
    if (!status)
        status = append_rows(&writer->layout, &view, &rows, error);
    if (status) {
        error_prefix(error, status, "%s", writer->file.path);
    } else { /* what fails is found by commit */
        fwrite(writer->header.data, 1, writer->header.size, writer->file.stream);
        fwrite(rows.data, 1, rows.size, writer->file.stream);
        fwrite(writer->suffix.data, 1, writer->suffix.size, writer->file.stream);
    }
    memory_free(packed);
    mist_buffer_free(&rows);
    return status;
}

static enum mist_status bmp_finish(struct format_writer *base, struct mist_error *error)
{
    struct bmp_writer *writer = (struct bmp_writer *)base;
    if (!writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no frame was written", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void bmp_free(struct format_writer *base)
{
    struct bmp_writer *writer = (struct bmp_writer *)base;
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->header);
    mist_buffer_free(&writer->suffix);
    memory_free(writer);
}

static enum mist_status start(struct bmp_writer *writer, const struct format_target *target, struct mist_error *error)
{
    const struct picture_limits limits = {.own = writer->own, .bits = 8};
    if (!writer->own) {
        picture_map_start(&writer->map, target, &limits);
        return make_header(writer) ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    }
    if (!read_head(target->head, target->head_size, &writer->layout))
        return error_set(error, MIST_ERROR_CORRUPT, "%s: the item's head is no header of a BMP file", target->path);
    if (!buffer_append(&writer->header, target->head + PALETTE_ROOM, target->head_size - PALETTE_ROOM))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    const struct mist_buffer *suffix = target->archive ? &target->archive->suffix : NULL;
    if (target->reduce || target->resampled)
        adapt(writer, target);
    else if (suffix && !buffer_append(&writer->suffix, suffix->data, suffix->size))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    return MIST_OK;
}

static enum mist_status bmp_writer_open(const struct format_target *target, struct format_writer **result,
                                        struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = bmp_frame, .finish = bmp_finish, .free = bmp_free};
    if (target->info.frames != 1)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a BMP file holds one frame, not %u", target->path,
                         target->info.frames);
    struct bmp_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->own = target->source_kind == FORMAT_BMP;
    enum mist_status status = start(writer, target, error);
    if (!status)
        status = format_target_file(target, &writer->file, error);
    if (status)
        bmp_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}

const struct format_ops format_ops_bmp = {.detect = bmp_detect,
                                          .look = bmp_look,
                                          .open = bmp_open,
                                          .writer_open = bmp_writer_open,
                                          .restorer_open = bmp_restorer_open,
                                          .appearance = bmp_appearance};
