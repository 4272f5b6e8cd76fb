/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIFF and BigTIFF: pages of one kind are the frames of an item. Samples that lie in the file as they are, are read
 * here, and such a file comes back to the byte; all others come through libtiff (LZW, deflate, PackBits, JPEG, tiles,
 * 1, 2 and 4 bits), and are written anew with the tags that the file had.
 */
#include "format/tiff_tags.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#define MAX_GAP ((size_t)64 << 20)  /* bytes before, between and behind samples */
#define MAX_TAGS ((size_t)16 << 20) /* bytes of the tags that are kept */
#define MAX_BLOCK ((tmsize_t)1 << 28)

/* What the pages have in common. */
struct kind {
    uint64_t width, height, samples, bits, sample_format, photometric, planar, compression;
    bool tiled;
};

struct tiff_source {
    struct format_source base;
    struct format_input input;
    struct file_map map;
    struct tiff_file file;
    struct kind kind;
    uint64_t *pages;   /* [frames] offsets of the directories */
    uint64_t *samples; /* [frames] where the samples are, in one piece; NULL: libtiff reads them */
    size_t frame_bytes;
};

/* ---- libtiff ---- */

/* A file in memory, as libtiff reads it, and what it said. */
struct stream {
    const struct tiff_source *source;
    uint64_t at;
    bool no_memory; /* for what we read into */
    char sentence[200];
};

static tmsize_t stream_read(thandle_t handle, void *bytes, tmsize_t size)
{
    struct stream *stream = handle;
    const struct file_map *map = &stream->source->map;
    uint64_t left = stream->at < map->size ? map->size - stream->at : 0;
    if ((uint64_t)size > left)
        size = (tmsize_t)left;
    memcpy(bytes, map->data + (stream->at < map->size ? stream->at : 0), (size_t)size);
    stream->at += (uint64_t)size;
    return size;
}

static tmsize_t stream_write(thandle_t handle, void *bytes, tmsize_t size)
{
    (void)handle;
    (void)bytes;
    (void)size;
    return -1;
}

static toff_t stream_seek(thandle_t handle, toff_t offset, int from)
{
    struct stream *stream = handle;
    stream->at = from == SEEK_SET ? offset : from == SEEK_CUR ? stream->at + offset : stream->source->map.size + offset;
    return stream->at;
}

static int stream_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t stream_size(thandle_t handle)
{
    return ((struct stream *)handle)->source->map.size;
}

static int stream_map(thandle_t handle, void **base, toff_t *size)
{
    const struct file_map *map = &((struct stream *)handle)->source->map;
    *base = (void *)(uintptr_t)map->data;
    *size = map->size;
    return 1;
}

static void stream_unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

static int on_error(TIFF *tiff, void *context, const char *module, const char *format, va_list list)
{
    struct stream *stream = context;
    (void)tiff;
    (void)module;
    if (!stream->sentence[0])
        vsnprintf(stream->sentence, sizeof stream->sentence, format, list);
    for (char *p = stream->sentence; *p; p++)
        if (*p < ' ')
            *p = ' ';
    return 1;
}

static int on_warning(TIFF *tiff, void *context, const char *module, const char *format, va_list list)
{
    (void)tiff;
    (void)context;
    (void)module;
    (void)format;
    (void)list;
    return 1;
}

static TIFF *open_library(struct stream *stream)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)MIST_MAX_FRAME_BYTES);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, stream);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, stream);
    TIFF *tiff = TIFFClientOpenExt("tiff", "r", stream, stream_read, stream_write, stream_seek, stream_close,
                                   stream_size, stream_map, stream_unmap, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* A decoded strip or tile: where it lies in the frame, and how its samples lie in it. */
struct block {
    const uint8_t *bytes;
    uint32_t x, y, width, height; /* of the frame */
    uint32_t columns;             /* of its rows in memory */
    uint32_t component, components;
    uint64_t bits;
};

static void place_bits(const struct block *block, const struct mist_view *out)
{
    const size_t row = ((size_t)block->columns * block->components * block->bits + 7) / 8;
    const unsigned bits = (unsigned)block->bits, mask = (1u << bits) - 1;
    for (uint32_t y = 0; y < block->height; y++)
        for (uint32_t x = 0; x < block->width; x++)
            for (uint32_t c = 0; c < block->components; c++) {
                const size_t bit = ((size_t)x * block->components + c) * bits;
                uint8_t *to = (uint8_t *)out->data + (block->y + y) * out->row_stride +
                              (block->x + x) * out->column_stride + (block->component + c) * out->component_stride;
                *to = (uint8_t)(block->bytes[y * row + bit / 8] >> (8 - bits - bit % 8) & mask);
            }
}

static void place(const struct block *block, const struct mist_view *out)
{
    if (block->bits < 8) {
        place_bits(block, out);
        return;
    }
    const size_t sample = mist_sample_size(out->type), pixel = sample * block->components;
    struct mist_view from = mist_view_interleaved((void *)(uintptr_t)block->bytes, out->type, block->width,
                                                  block->height, block->components);
    from.row_stride = pixel * block->columns;
    struct mist_view to = *out;
    to.data = (uint8_t *)out->data + block->y * out->row_stride + block->x * out->column_stride +
              block->component * out->component_stride;
    to.width = block->width;
    to.height = block->height;
    to.components = block->components;
    copy_samples(&from, &to, false);
}

/* All blocks of the directory that is set. */
static bool read_blocks(const struct tiff_source *source, TIFF *tiff, struct stream *stream, struct mist_view *out)
{
    const struct kind *kind = &source->kind;
    const uint32_t components = kind->planar == PLANARCONFIG_SEPARATE ? 1 : out->components;
    uint32_t width = out->width, height = out->height;
    if (kind->compression == COMPRESSION_JPEG && kind->photometric == TIFF_YCBCR)
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (kind->tiled &&
        (!TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width) || !TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height)))
        return false;
    if (!kind->tiled && (!TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &height) || height > out->height))
        height = out->height;
    const tmsize_t size = kind->tiled ? TIFFTileSize(tiff) : TIFFStripSize(tiff);
    const uint64_t needed = (((uint64_t)width * components * kind->bits + 7) / 8) * height;
    if (width == 0 || height == 0 || size <= 0 || (uint64_t)size < needed ||
        (size > MAX_BLOCK && (uint64_t)size > source->frame_bytes)) {
        snprintf(stream->sentence, sizeof stream->sentence, "strips or tiles of %lld bytes", (long long)size);
        return false;
    }
    uint8_t *bytes = memory_allocate_zeroed((size_t)size, 1);
    bool good = bytes != NULL;
    stream->no_memory = !bytes;
    for (uint32_t c = 0; good && c < out->components; c += components)
        for (uint32_t y = 0; good && y < out->height; y += height)
            for (uint32_t x = 0; good && x < out->width; x += width) {
                const uint16_t plane = (uint16_t)c;
                tmsize_t got = kind->tiled
                                   ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), bytes, size)
                                   : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), bytes, size);
                const uint32_t rows = out->height - y < height ? out->height - y : height;
                good = got >= (tmsize_t)((((uint64_t)width * components * kind->bits + 7) / 8) * rows);
                const struct block block = {.bytes = bytes,
                                            .x = x,
                                            .y = y,
                                            .height = rows,
                                            .columns = width,
                                            .width = out->width - x < width ? out->width - x : width,
                                            .component = c,
                                            .components = components,
                                            .bits = kind->bits};
                if (good)
                    place(&block, out);
            }
    memory_free(bytes);
    return good;
}

static enum mist_status read_by_library(const struct tiff_source *source, uint32_t frame, struct mist_view *out,
                                        struct mist_error *error)
{
    struct stream stream = {.source = source};
    TIFF *tiff = open_library(&stream);
    uint32_t width = 0, height = 0;
    uint16_t samples = 1, bits = 1;
    bool good = tiff && TIFFSetSubDirectory(tiff, source->pages[frame]);
    if (good) { /* as we read the directory, or nothing fits */
        TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
        TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
        TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
        good = width == out->width && height == out->height && samples == out->components &&
               bits == source->kind.bits && TIFFIsTiled(tiff) == (int)source->kind.tiled &&
               read_blocks(source, tiff, &stream, out);
    }
    if (tiff)
        TIFFClose(tiff);
    if (stream.no_memory)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    return good ? MIST_OK
                : error_set(error, MIST_ERROR_CORRUPT, "%s: the TIFF data of page %u cannot be read: %s",
                            source->input.name, frame + 1,
                            stream.sentence[0] ? stream.sentence : "it does not fit its directory");
}

/* ---- reading ---- */

static bool is_planar(const struct tiff_source *source)
{
    return source->kind.planar == PLANARCONFIG_SEPARATE && source->kind.samples > 1;
}

static enum mist_status tiff_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                        struct mist_error *error)
{
    const struct tiff_source *source = (const struct tiff_source *)base;
    if (frame >= base->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no frame %u", source->input.name, frame);
    if (!source->samples)
        return read_by_library(source, frame, out, error);
    const struct copy_packing packing = {.big_endian = source->file.big_endian, .planar = is_planar(source)};
    copy_unpack(source->map.data + source->samples[frame], packing, out);
    return MIST_OK;
}

/* Raw: what lies between the samples of two pages is in `extra`, a varint of its size and its bytes for each. */
static enum mist_status tiff_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                          struct mist_error *error)
{
    const struct tiff_source *source = (const struct tiff_source *)base;
    (void)file;
    *archive = (struct format_archive){0};
    bool good = true;
    if (!source->samples) {
        good = buffer_append(&archive->prefix, base->head.data, base->head.size);
    } else {
        archive->raw = true;
        archive->big_endian = source->file.big_endian;
        archive->planar = is_planar(source);
        good = buffer_append(&archive->prefix, source->map.data, source->samples[0]);
        uint64_t end = source->samples[0] + source->frame_bytes;
        for (uint32_t i = 1; i < base->info.frames && good; i++) {
            uint8_t varint[10];
            const uint64_t gap = source->samples[i] - end;
            good = buffer_append(&archive->extra, varint, store_varint(varint, gap)) &&
                   buffer_append(&archive->extra, source->map.data + end, gap);
            end = source->samples[i] + source->frame_bytes;
        }
        good = good && buffer_append(&archive->suffix, source->map.data + end, source->map.size - end);
    }
    if (good)
        return MIST_OK;
    format_archive_free(archive);
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
}

static void tiff_close(struct format_source *base)
{
    struct tiff_source *source = (struct tiff_source *)base;
    input_unmap(&source->input, &source->map);
    input_free(&source->input);
    memory_free(source->pages);
    memory_free(source->samples);
    format_source_clear(base);
    memory_free(source);
}

/* ---- opening ---- */

static struct kind read_kind(const struct tiff_file *file, const struct tiff_directory *directory)
{
    struct tiff_tag tag;
    struct kind kind = {
        .width = tiff_number(file, directory, TIFF_WIDTH, 0),
        .height = tiff_number(file, directory, TIFF_LENGTH, 0),
        .samples = tiff_number(file, directory, TIFF_SAMPLES, 1),
        .bits = tiff_number(file, directory, TIFF_BITS, 1),
        .sample_format = tiff_number(file, directory, TIFF_SAMPLE_FORMAT, SAMPLEFORMAT_UINT),
        .photometric = tiff_number(file, directory, TIFF_PHOTOMETRIC, TIFF_MIN_IS_BLACK),
        .planar = tiff_number(file, directory, TIFF_PLANAR, PLANARCONFIG_CONTIG),
        .compression = tiff_number(file, directory, TIFF_COMPRESSION, COMPRESSION_NONE),
        .tiled = tiff_tag_find(file, directory, TIFF_TILE_WIDTH, &tag),
    };
    /* Samples of different sizes are none that we read. */
    for (uint64_t i = 1; tiff_tag_find(file, directory, TIFF_BITS, &tag) && i < tag.count && i < 8; i++)
        if (tiff_tag_value(file, &tag, i) != kind.bits)
            kind.bits = 0;
    return kind;
}

static bool same_kind(const struct kind *a, const struct kind *b)
{
    return a->width == b->width && a->height == b->height && a->samples == b->samples && a->bits == b->bits &&
           a->sample_format == b->sample_format && a->photometric == b->photometric && a->planar == b->planar &&
           a->compression == b->compression && a->tiled == b->tiled;
}

static bool sample_type(const struct kind *kind, enum mist_sample_type *type)
{
    static const enum mist_sample_type types[3][4] = {{MIST_U8, MIST_U16, MIST_U32, MIST_U64},
                                                      {MIST_S8, MIST_S16, MIST_S32, MIST_S64},
                                                      {MIST_SAMPLE_TYPES, MIST_F16, MIST_F32, MIST_F64}};
    const unsigned row = kind->sample_format == SAMPLEFORMAT_INT      ? 1
                         : kind->sample_format == SAMPLEFORMAT_IEEEFP ? 2
                                                                      : 0;
    const bool part = row == 0 && (kind->bits == 1 || kind->bits == 2 || kind->bits == 4);
    const bool whole = kind->bits == 8 || kind->bits == 16 || kind->bits == 32 || kind->bits == 64;
    if (kind->sample_format > SAMPLEFORMAT_VOID || !(part || whole))
        return false;
    *type = types[row][kind->bits == 16 ? 1 : kind->bits == 32 ? 2 : kind->bits == 64 ? 3 : 0];
    return *type != MIST_SAMPLE_TYPES;
}

static enum format_color color_of(const struct kind *kind)
{
    switch (kind->photometric) {
    case TIFF_MIN_IS_WHITE:
        return FORMAT_GREY_INVERTED;
    case TIFF_RGB:
    case TIFF_YCBCR:
        return FORMAT_RGB;
    case TIFF_PALETTE:
        return FORMAT_PALETTE;
    case TIFF_CMYK:
        return FORMAT_CMYK;
    default:
        return kind->samples == 1 ? FORMAT_GREY : FORMAT_OTHER_COLOR;
    }
}

/* What all pages are. MIST_ERROR_UNSUPPORTED: a TIFF file, but none of those that are read. */
static enum mist_status judge(struct tiff_source *source, uint32_t frames, struct mist_error *error)
{
    const struct kind *kind = &source->kind;
    enum mist_sample_type type;
    if (!sample_type(kind, &type) || kind->samples < 1 || kind->samples > MIST_MAX_COMPONENTS)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "TIFF of %llu samples of %llu bits and format %llu is not read",
                         (unsigned long long)kind->samples, (unsigned long long)kind->bits,
                         (unsigned long long)kind->sample_format);
    if ((kind->photometric == TIFF_YCBCR && kind->compression != COMPRESSION_JPEG) ||
        kind->compression == COMPRESSION_OJPEG || (kind->compression == COMPRESSION_JPEG && kind->bits != 8) ||
        (kind->compression != COMPRESSION_NONE && !TIFFIsCODECConfigured((uint16_t)kind->compression)))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "TIFF of compression %llu and colour %llu is not read",
                         (unsigned long long)kind->compression, (unsigned long long)kind->photometric);
    if (kind->width > MIST_MAX_SIDE || kind->height > MIST_MAX_SIDE ||
        !(source->frame_bytes =
              mist_frame_bytes(type, (uint32_t)kind->width, (uint32_t)kind->height, (uint32_t)kind->samples)))
        return error_set(error, MIST_ERROR_LIMIT, "%llu x %llu pixels are beyond the limits",
                         (unsigned long long)kind->width, (unsigned long long)kind->height);
    source->base.color = color_of(kind);
    source->base.info = (struct mist_image_info){.type = type,
                                                 .precision = (unsigned)kind->bits,
                                                 .width = (uint32_t)kind->width,
                                                 .height = (uint32_t)kind->height,
                                                 .components = (uint32_t)kind->samples,
                                                 .frames = frames,
                                                 .label = kind->photometric == TIFF_PALETTE};
    return MIST_OK;
}

/* The offsets of all directories, which must be of one kind. */
static enum mist_status read_pages(struct tiff_source *source, uint64_t offset, uint32_t *frames,
                                   struct mist_error *error)
{
    struct mist_buffer pages = {0};
    struct tiff_directory directory;
    enum mist_status status = MIST_OK;
    uint64_t bytes = 0; /* of directories: more than the file has room for are a circle, or lie in one another */
    *frames = 0;
    while (offset && !status) {
        status = tiff_directory_read(&source->file, offset, &directory, error);
        if (status)
            break;
        const struct kind kind = read_kind(&source->file, &directory);
        if (*frames == 0)
            source->kind = kind;
        else if (!same_kind(&kind, &source->kind))
            status = error_set(error, MIST_ERROR_UNSUPPORTED, "pages of different kinds or sizes are no volume");
        bytes += 6 + 12 * directory.entries;
        if (!status && (bytes > source->file.size || *frames == MIST_MAX_FRAMES))
            status = error_set(error, MIST_ERROR_CORRUPT,
                               "the directories of the TIFF file go in a circle, or are "
                               "more than %u",
                               MIST_MAX_FRAMES);
        if (!status && !buffer_append(&pages, &offset, sizeof offset))
            status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
        (*frames)++;
        offset = directory.next;
    }
    if (!status && *frames == 0)
        status = error_set(error, MIST_ERROR_CORRUPT, "a TIFF file without a directory");
    source->pages = (uint64_t *)(void *)pages.data; /* the buffer's memory is memory.h's */
    return status;
}

/* Where the samples of a page are, if they are there as they are and in one piece. */
static bool find_samples(const struct tiff_source *source, const struct tiff_directory *directory, uint64_t *where)
{
    const struct tiff_file *file = &source->file;
    struct tiff_tag offsets, counts;
    if (!tiff_tag_find(file, directory, TIFF_STRIP_OFFSETS, &offsets) || offsets.count == 0 ||
        !tiff_tag_find(file, directory, TIFF_STRIP_COUNTS, &counts) || counts.count != offsets.count)
        return false;
    uint64_t at = *where = tiff_tag_value(file, &offsets, 0), total = 0;
    for (uint64_t i = 0; i < offsets.count; i++) {
        const uint64_t count = tiff_tag_value(file, &counts, i);
        if (tiff_tag_value(file, &offsets, i) != at || count > source->frame_bytes)
            return false;
        at += count;
        total += count;
    }
    return total == source->frame_bytes && *where <= file->size && file->size - *where >= total;
}

/* Fills source->samples where the file can be put together of its samples again. */
static enum mist_status find_all_samples(struct tiff_source *source, struct mist_error *error)
{
    const struct kind *kind = &source->kind;
    const uint32_t frames = source->base.info.frames;
    if (kind->compression != COMPRESSION_NONE || kind->tiled || kind->bits < 8)
        return MIST_OK;
    uint64_t *samples = memory_allocate_array(frames, sizeof *samples);
    if (!samples)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    uint64_t end = 0;
    bool good = true;
    for (uint32_t i = 0; i < frames && good; i++) {
        struct tiff_directory directory;
        good = !tiff_directory_read(&source->file, source->pages[i], &directory, NULL) &&
               tiff_number(&source->file, &directory, TIFF_FILL_ORDER, FILLORDER_MSB2LSB) == FILLORDER_MSB2LSB &&
               find_samples(source, &directory, &samples[i]) && samples[i] >= end && samples[i] - end <= MAX_GAP;
        end = samples[i] + source->frame_bytes;
    }
    if (good && source->file.size - end <= MAX_GAP)
        source->samples = samples;
    else
        memory_free(samples);
    return MIST_OK;
}

static bool put_varint(struct mist_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    return buffer_append(out, bytes, store_varint(bytes, value));
}

/* The colour map as bytes: the file has 16 bits of all reds, then greens, then blues. */
static bool put_palette(const struct tiff_source *source, const struct tiff_directory *directory,
                        struct mist_buffer *head)
{
    struct tiff_tag map;
    const uint64_t entries = source->kind.bits <= 8 ? (uint64_t)1 << source->kind.bits : 0;
    if (source->kind.photometric != TIFF_PALETTE || !entries ||
        !tiff_tag_find(&source->file, directory, TIFF_COLOR_MAP, &map) || map.count != 3 * entries)
        return put_varint(head, 0);
    bool good = put_varint(head, entries);
    for (uint64_t i = 0; i < entries && good; i++)
        for (unsigned c = 0; c < 3 && good; c++) {
            const uint8_t value = (uint8_t)(tiff_tag_value(&source->file, &map, c * entries + i) >> 8);
            good = buffer_append(head, &value, 1);
        }
    return good;
}

static bool put_tags(const struct tiff_source *source, const struct tiff_directory *directory, struct mist_buffer *head)
{
    struct mist_buffer tags = {0};
    struct tiff_tag tag;
    uint64_t count = 0;
    bool good = true;
    for (uint64_t i = 0; i < directory->entries && good; i++) {
        if (!tiff_tag_at(&source->file, directory, i, &tag) || tiff_tag_is_structural(tag.tag))
            continue;
        count++;
        good = put_varint(&tags, tag.tag) && put_varint(&tags, tag.type) && put_varint(&tags, tag.count) &&
               buffer_append(&tags, tag.values, (size_t)tag.count * tiff_type_size(tag.type)) && tags.size <= MAX_TAGS;
    }
    good = good && put_varint(head, count) && buffer_append(head, tags.data, tags.size);
    mist_buffer_free(&tags);
    return good;
}

static enum mist_status make_head(struct tiff_source *source, struct mist_error *error)
{
    struct mist_buffer *head = &source->base.head;
    struct tiff_directory directory;
    const uint32_t frames = source->base.info.frames;
    enum mist_status status = tiff_directory_read(&source->file, source->pages[0], &directory, error);
    if (status)
        return status;
    const uint64_t orientation = tiff_number(&source->file, &directory, TIFF_ORIENTATION, 1);
    const uint8_t fixed[4] = {(uint8_t)((source->file.big_endian ? TIFF_HEAD_BIG_ENDIAN : 0) |
                                        (source->kind.compression != COMPRESSION_NONE ? TIFF_HEAD_PACKED : 0)),
                              (uint8_t)source->base.color, (uint8_t)(orientation <= 8 ? orientation : 1),
                              (uint8_t)source->kind.bits};
    bool good =
        buffer_append(head, fixed, sizeof fixed) && put_palette(source, &directory, head) && put_varint(head, frames);
    for (uint32_t i = 0; i < frames && good && !status; i++) {
        status = tiff_directory_read(&source->file, source->pages[i], &directory, error);
        good = !status && put_tags(source, &directory, head);
        if (head->size > 4 * MAX_TAGS)
            status = error_set(error, MIST_ERROR_LIMIT, "more than %zu bytes of tags", 4 * MAX_TAGS);
    }
    return status ? status : good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "no memory for the tags");
}

static enum mist_status open_map(struct tiff_source *source, struct mist_error *error)
{
    uint64_t first = 0;
    uint32_t frames = 0;
    enum mist_status status = tiff_file_start(source->map.data, source->map.size, &source->file, &first, error);
    if (!status)
        status = read_pages(source, first, &frames, error);
    if (!status)
        status = judge(source, frames, error);
    if (!status)
        status = find_all_samples(source, error);
    return status ? status : make_head(source, error);
}

static enum mist_status tiff_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                  struct mist_error *error)
{
    static const struct format_source_ops ops = {
        .read_frame = tiff_read_frame, .read_archive = tiff_read_archive, .close = tiff_close};
    struct tiff_source *source = memory_allocate_zeroed(1, sizeof *source);
    if (!source)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    enum mist_status status = MIST_OK;
    if (!format_source_init(&source->base, &ops, FORMAT_TIFF, count) || !input_copy(inputs, &source->input))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", input_name(inputs));
    if (!status)
        status = input_map(&source->input, &source->map, error);
    if (!status && (status = open_map(source, error)))
        error_prefix(error, status, "%s", input_name(inputs));
    if (status) {
        tiff_close(&source->base);
        return status;
    }
    source->base.file_frames[0] = source->base.info.frames;
    *result = &source->base;
    return MIST_OK;
}

/* Pyramids of whole slides, files of twelve bits and the like do not become items; they are named. */
static enum mist_status tiff_look(const struct format_input *input, struct format_group *group,
                                  struct mist_error *error)
{
    struct format_source *source = NULL;
    struct mist_error why = {0};
    (void)group;
    enum mist_status status = tiff_open(input, 1, &source, &why);
    format_close(&source);
    return status == MIST_ERROR_UNSUPPORTED ? error_set(error, status, "%s", why.message) : MIST_OK;
}

const struct format_ops format_ops_tiff = {.detect = tiff_detect,
                                           .look = tiff_look,
                                           .open = tiff_open,
                                           .writer_open = tiff_writer_open,
                                           .restorer_open = tiff_restorer_open,
                                           .appearance = tiff_appearance};
