/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing TIFF: the original to the byte where its samples lie in it as they are; else its pages with their tags and
 * the samples in strips, deflated where they were compressed; or a new file of another format's frames, of any type.
 */
#include "format/tiff_tags.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/picture_map.h"
#include "image/copy.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { STRIP_BYTES = 1 << 18, PACK_LEVEL = 3 };
/* Files whose samples alone are more than this are BigTIFF. */
#define LARGE ((uint64_t)3 << 30)

/* ---- putting the original together ---- */

struct tiff_restorer {
    struct format_restorer base;
    struct copy_packing packing;
    struct byte_reader gaps; /* of the archive: what lies between pages */
    uint32_t done;
};

static enum mist_status restore_frame(struct format_restorer *base, const struct mist_view *frame,
                                      struct mist_buffer *out, struct mist_error *error)
{
    struct tiff_restorer *restorer = (struct tiff_restorer *)base;
    const size_t bytes = mist_frame_bytes(frame->type, frame->width, frame->height, frame->components);
    const size_t gap = restorer->done++ ? (size_t)read_varint(&restorer->gaps) : 0;
    const uint8_t *between = reader_take(&restorer->gaps, gap);
    if (!between)
        return error_set(error, MIST_ERROR_CORRUPT, "the archive of a TIFF file lacks what lies between its pages");
    if (!buffer_append(out, between, gap) || !buffer_reserve(out, out->size + bytes))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a frame");
    copy_pack(frame, restorer->packing, out->data + out->size);
    out->size += bytes;
    return MIST_OK;
}

static void restore_free(struct format_restorer *restorer)
{
    memory_free(restorer);
}

enum mist_status tiff_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                    struct format_restorer **restorer, struct mist_error *error)
{
    static const struct format_restorer_ops ops = {restore_frame, NULL, restore_free};
    static const uint8_t nothing[1];
    (void)info;
    struct tiff_restorer *own = memory_allocate(sizeof *own);
    if (!own)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a frame");
    *own = (struct tiff_restorer){{&ops}, {archive->big_endian, archive->planar}, {nothing, nothing, false}, 0};
    if (archive->extra.size)
        own->gaps = byte_reader_start(archive->extra.data, archive->extra.size);
    *restorer = &own->base;
    return MIST_OK;
}

/* ---- a directory being made ---- */

struct entry {
    unsigned tag, type;
    uint64_t count;
    struct mist_buffer values;
};

enum { MAX_ENTRIES = 4096 };

struct tiff_writer {
    struct format_writer base;
    struct file_writer file;
    struct mist_image_info info;
    struct format_restorer *restorer; /* of an original; NULL: everything is made here */
    const struct format_archive *archive;
    struct mist_buffer bytes; /* of one frame, restored or packed */
    bool own, big_endian, wide, packed, mapped;
    unsigned bits; /* a sample in the file */
    unsigned photometric, orientation;
    bool alpha;
    struct picture_map map; /* where `mapped` */
    double factor[2];
    /* The tags of the original's pages. */
    const uint8_t *tags;
    size_t left;
    uint64_t pages, page; /* how many, and which one is at `tags` */
    double page_step;
    uint32_t written;
    uint64_t link; /* offset of where the next directory's is to be written */
    struct entry *entries;
    unsigned count;
    struct mist_buffer strip;
};

static void store(const struct tiff_writer *writer, uint8_t *bytes, size_t size, uint64_t value)
{
    const bool big = writer->big_endian;
    if (size == 1)
        *bytes = (uint8_t)value;
    else if (size == 2)
        big ? store_be16(bytes, (uint16_t)value) : store_le16(bytes, (uint16_t)value);
    else if (size == 4)
        big ? store_be32(bytes, (uint32_t)value) : store_le32(bytes, (uint32_t)value);
    else
        big ? store_be64(bytes, value) : store_le64(bytes, value);
}

static uint64_t load32(const struct tiff_writer *writer, const uint8_t *bytes)
{
    return writer->big_endian ? load_be32(bytes) : load_le32(bytes);
}

static struct entry *add_entry(struct tiff_writer *writer, unsigned tag, unsigned type, uint64_t count)
{
    if (writer->count == MAX_ENTRIES)
        return NULL;
    struct entry *entry = &writer->entries[writer->count++];
    *entry = (struct entry){.tag = tag, .type = type, .count = count};
    return entry;
}

static bool add_number(struct tiff_writer *writer, unsigned tag, unsigned type, uint64_t value, uint64_t times)
{
    uint8_t bytes[8];
    const size_t size = tiff_type_size(type);
    struct entry *entry = add_entry(writer, tag, type, times);
    store(writer, bytes, size, value);
    for (uint64_t i = 0; entry && i < times; i++)
        if (!buffer_append(&entry->values, bytes, size))
            return false;
    return entry != NULL;
}

/* A rational divided by `factor`. */
static void scale_rational(const struct tiff_writer *writer, uint8_t *bytes, double factor)
{
    const double numerator = (double)load32(writer, bytes), denominator = (double)load32(writer, bytes + 4);
    const double value = denominator > 0 ? numerator / denominator / factor : 0;
    if (denominator <= 0 || factor == 1)
        return;
    const uint32_t below = value < 40000 ? 100000 : 1;
    store(writer, bytes, 4, (uint64_t)(value * below + 0.5));
    store(writer, bytes + 4, 4, below);
}

static bool take_tag(void *context, const struct tiff_tag *tag)
{
    struct tiff_writer *writer = context;
    const size_t size = tiff_type_size(tag->type);
    if (tiff_tag_is_structural(tag->tag) || (!writer->wide && size == 8 && (tag->type >= 16)))
        return true;
    struct entry *entry = add_entry(writer, tag->tag, tag->type, tag->count);
    if (!entry || !buffer_append(&entry->values, tag->values, (size_t)tag->count * size))
        return false;
    const bool x = tag->tag == TIFF_X_RESOLUTION, y = tag->tag == TIFF_Y_RESOLUTION;
    if ((x || y) && tag->type == TIFF_TYPE_RATIONAL && tag->count == 1)
        scale_rational(writer, entry->values.data, writer->factor[y]);
    return true;
}

/* Those of the page that the frame to be written was; of the last one where there are no more. */
static bool take_page_tags(struct tiff_writer *writer)
{
    const uint64_t wanted = (uint64_t)(writer->written * writer->page_step + 0.5);
    while (writer->page < wanted && writer->page + 1 < writer->pages) {
        if (!tiff_head_page(&writer->tags, &writer->left, NULL, NULL))
            return false;
        writer->page++;
    }
    const uint8_t *at = writer->tags;
    size_t left = writer->left;
    return tiff_head_page(&at, &left, take_tag, writer);
}

static bool add_structure(struct tiff_writer *writer, uint32_t rows)
{
    const struct mist_image_info *info = &writer->info;
    const unsigned format = mist_sample_is_float(info->type) ? 3 : mist_sample_is_signed(info->type) ? 2 : 1;
    bool good = add_number(writer, TIFF_WIDTH, TIFF_TYPE_LONG, info->width, 1) &&
                add_number(writer, TIFF_LENGTH, TIFF_TYPE_LONG, info->height, 1) &&
                add_number(writer, TIFF_BITS, TIFF_TYPE_SHORT, writer->bits, info->components) &&
                add_number(writer, TIFF_COMPRESSION, TIFF_TYPE_SHORT, writer->packed ? 8 : 1, 1) &&
                add_number(writer, TIFF_PHOTOMETRIC, TIFF_TYPE_SHORT, writer->photometric, 1) &&
                add_number(writer, TIFF_SAMPLES, TIFF_TYPE_SHORT, info->components, 1) &&
                add_number(writer, TIFF_ROWS, TIFF_TYPE_LONG, rows, 1) &&
                add_number(writer, TIFF_PLANAR, TIFF_TYPE_SHORT, 1, 1) &&
                add_number(writer, TIFF_SAMPLE_FORMAT, TIFF_TYPE_SHORT, format, info->components);
    if (good && writer->alpha)
        good = add_number(writer, TIFF_EXTRA_SAMPLES, TIFF_TYPE_SHORT, 2, 1);
    if (good && writer->orientation > 1)
        good = add_number(writer, TIFF_ORIENTATION, TIFF_TYPE_SHORT, writer->orientation, 1);
    return good;
}

/* ---- bytes ---- */

static uint64_t position(struct tiff_writer *writer)
{
    const off_t at = ftello(writer->file.stream);
    return at < 0 ? 0 : (uint64_t)at;
}

static void put(struct tiff_writer *writer, size_t size, uint64_t value)
{
    uint8_t bytes[8];
    store(writer, bytes, size, value);
    fwrite(bytes, 1, size, writer->file.stream);
}

static int by_tag(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* The directory behind what was written, and its offset where the one before, or the header, has room for it. */
static void put_directory(struct tiff_writer *writer)
{
    FILE *stream = writer->file.stream;
    const size_t inside = writer->wide ? 8 : 4;
    qsort(writer->entries, writer->count, sizeof *writer->entries, by_tag);
    if (position(writer) % 2)
        fputc(0, stream);
    uint64_t values = position(writer);
    for (unsigned i = 0; i < writer->count; i++) {
        const struct mist_buffer *bytes = &writer->entries[i].values;
        if (bytes->size > inside) {
            fwrite(bytes->data, 1, bytes->size, stream);
            if (bytes->size % 2)
                fputc(0, stream);
        }
    }
    const uint64_t here = position(writer);
    put(writer, writer->wide ? 8 : 2, writer->count);
    for (unsigned i = 0; i < writer->count; i++) {
        const struct entry *entry = &writer->entries[i];
        put(writer, 2, entry->tag);
        put(writer, 2, entry->type);
        put(writer, inside, entry->count);
        if (entry->values.size > inside) {
            put(writer, inside, values);
            values += entry->values.size + entry->values.size % 2;
        } else {
            uint8_t bytes[8] = {0};
            if (entry->values.size)
                memcpy(bytes, entry->values.data, entry->values.size);
            fwrite(bytes, 1, inside, stream);
        }
    }
    const uint64_t link = position(writer);
    put(writer, inside, 0);
    fseeko(stream, (off_t)writer->link, SEEK_SET);
    put(writer, inside, here);
    fseeko(stream, 0, SEEK_END);
    writer->link = link;
}

/* Samples of less than 8 bits, in place, rows starting with bytes of their own; returns the bytes. */
static size_t pack_bits(const struct tiff_writer *writer, uint8_t *samples)
{
    const size_t row = (size_t)writer->info.width * writer->info.components;
    const unsigned bits = writer->bits, most = (1u << bits) - 1;
    uint8_t *to = samples;
    for (uint32_t y = 0; y < writer->info.height; y++) {
        const uint8_t *from = samples + y * row;
        unsigned byte = 0, used = 0;
        for (size_t x = 0; x < row; x++) {
            byte = byte << bits | (from[x] > most ? most : from[x]);
            used += bits;
            if (used == 8 || x + 1 == row) {
                *to++ = (uint8_t)(byte << (8 - used));
                byte = used = 0;
            }
        }
    }
    return (size_t)(to - samples);
}

/* The frame's bytes as the file has them, in writer->bytes. */
static enum mist_status pack_frame(struct tiff_writer *writer, const struct mist_view *frame, struct mist_error *error)
{
    const struct mist_image_info *info = &writer->info;
    const size_t size = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (!buffer_reserve(&writer->bytes, size))
        return error_set(error, MIST_ERROR_MEMORY, "out of memory for a frame");
    writer->bytes.size = size;
    if (!writer->mapped) {
        copy_pack(frame, (struct copy_packing){.big_endian = writer->big_endian}, writer->bytes.data);
    } else {
        enum mist_status status = picture_map_frame(&writer->map, frame, writer->bytes.data, error);
        if (status)
            return status;
    }
    if (writer->bits < 8)
        writer->bytes.size = pack_bits(writer, writer->bytes.data);
    return MIST_OK;
}

/* The strips of the frame and its directory. */
static enum mist_status put_page(struct tiff_writer *writer, struct mist_error *error)
{
    const uint32_t height = writer->info.height;
    const size_t row = writer->bytes.size / height;
    const uint32_t rows = row >= STRIP_BYTES                       ? 1
                          : (uint32_t)(STRIP_BYTES / row) < height ? (uint32_t)(STRIP_BYTES / row)
                                                                   : height;
    const unsigned type = writer->wide ? TIFF_TYPE_LONG8 : TIFF_TYPE_LONG;
    const size_t inside = writer->wide ? 8 : 4;
    struct mist_buffer offsets = {0}, counts = {0};
    bool good = true;
    uint64_t strips = 0;
    for (uint32_t y = 0; y < height && good; y += rows, strips++) {
        const uint8_t *bytes = writer->bytes.data + y * row;
        uint64_t size = row * (height - y < rows ? height - y : rows), at = position(writer);
        if (writer->packed) {
            uLongf length = compressBound((uLong)size);
            good = buffer_reserve(&writer->strip, length) &&
                   compress2(writer->strip.data, &length, bytes, (uLong)size, PACK_LEVEL) == Z_OK;
            bytes = writer->strip.data;
            size = length;
        }
        if (good)
            fwrite(bytes, 1, (size_t)size, writer->file.stream);
        uint8_t number[8];
        store(writer, number, inside, at);
        good = good && buffer_append(&offsets, number, inside);
        store(writer, number, inside, size);
        good = good && buffer_append(&counts, number, inside);
    }
    writer->count = 0;
    good = good && add_structure(writer, rows) && (!writer->own || take_page_tags(writer));
    struct entry *where = good ? add_entry(writer, TIFF_STRIP_OFFSETS, type, strips) : NULL;
    struct entry *sizes = good ? add_entry(writer, TIFF_STRIP_COUNTS, type, strips) : NULL;
    if (where)
        where->values = offsets;
    else
        mist_buffer_free(&offsets);
    if (sizes)
        sizes->values = counts;
    else
        mist_buffer_free(&counts);
    good = where && sizes;
    if (good)
        put_directory(writer);
    for (unsigned i = 0; i < writer->count; i++)
        mist_buffer_free(&writer->entries[i].values);
    writer->count = 0;
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a page of a TIFF file could not be made");
}

/* ---- the writer ---- */

static enum mist_status tiff_write_frame(struct format_writer *base, const struct mist_view *frame,
                                         struct mist_error *error)
{
    struct tiff_writer *writer = (struct tiff_writer *)base;
    enum mist_status status = MIST_OK;
    if (writer->written == writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: more than %u frames", writer->file.path, writer->info.frames);
    if (writer->restorer) {
        writer->bytes.size = 0;
        status = format_restorer_frame(writer->restorer, frame, &writer->bytes, error);
        if (!status)
            fwrite(writer->bytes.data, 1, writer->bytes.size, writer->file.stream);
    } else {
        status = pack_frame(writer, frame, error);
        if (!status)
            status = put_page(writer, error);
    }
    writer->written++;
    return status ? error_prefix(error, status, "%s", writer->file.path) : MIST_OK;
}

static enum mist_status tiff_finish(struct format_writer *base, struct mist_error *error)
{
    struct tiff_writer *writer = (struct tiff_writer *)base;
    if (writer->written != writer->info.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u frames were written", writer->file.path,
                         writer->written, writer->info.frames);
    if (writer->restorer && writer->archive->suffix.size)
        fwrite(writer->archive->suffix.data, 1, writer->archive->suffix.size, writer->file.stream);
    if (!writer->restorer && !writer->wide && position(writer) > UINT32_MAX)
        return error_set(error, MIST_ERROR_LIMIT, "%s: a TIFF file of more than 4 GiB", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void tiff_free(struct format_writer *base)
{
    struct tiff_writer *writer = (struct tiff_writer *)base;
    format_restorer_free(&writer->restorer);
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->bytes);
    mist_buffer_free(&writer->strip);
    memory_free(writer->entries);
    memory_free(writer);
}

/* Its own tags, byte order and bits. */
static enum mist_status follow_head(struct tiff_writer *writer, const struct format_target *target,
                                    struct mist_error *error)
{
    static const unsigned photometrics[] = {
        [FORMAT_GREY] = TIFF_MIN_IS_BLACK, [FORMAT_GREY_INVERTED] = TIFF_MIN_IS_WHITE, [FORMAT_PALETTE] = TIFF_PALETTE,
        [FORMAT_RGB] = TIFF_RGB,           [FORMAT_OTHER_COLOR] = TIFF_MIN_IS_BLACK,   [FORMAT_CMYK] = TIFF_CMYK,
        [FORMAT_CMYK_INVERTED] = TIFF_CMYK};
    struct tiff_head head;
    const unsigned whole = 8 * (unsigned)mist_sample_size(target->info.type);
    if (!tiff_head_read(target->head, target->head_size, &head) || head.pages == 0 ||
        (head.bits != whole && !(whole == 8 && (head.bits == 1 || head.bits == 2 || head.bits == 4))))
        return error_set(error, MIST_ERROR_CORRUPT, "the kept TIFF tags are not those of these samples");
    writer->own = true;
    writer->big_endian = head.flags & TIFF_HEAD_BIG_ENDIAN;
    writer->packed = head.flags & TIFF_HEAD_PACKED;
    writer->bits = head.bits;
    writer->photometric = photometrics[head.color];
    writer->tags = head.tags;
    writer->left = head.size;
    writer->pages = head.pages;
    writer->page_step = target->sampling.factor[2];
    return MIST_OK;
}

/* Samples of another format: as they are, where TIFF can say what they mean; else as pictures. */
static void start_fresh(struct tiff_writer *writer, const struct format_target *target)
{
    struct format_appearance look;
    const struct picture_limits limits = {.bits = 16, .alpha = true};
    const enum format_window_mode mode = target->window.mode;
    format_appearance_read(target->source_kind, target->head, target->head_size, &look);
    writer->packed = true;
    writer->big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    writer->mapped = (!target->info.label && (mode == FORMAT_WINDOW_GIVEN || mode == FORMAT_WINDOW_AUTO)) ||
                     look.color == FORMAT_PALETTE || look.color == FORMAT_YBR || look.color == FORMAT_YBR_PARTIAL ||
                     (look.color >= FORMAT_CMYK && target->info.components == 4);
    writer->photometric =
        look.color == FORMAT_GREY_INVERTED && mode != FORMAT_WINDOW_NONE ? TIFF_MIN_IS_WHITE : TIFF_MIN_IS_BLACK;
    writer->orientation = look.orientation;
    if (writer->mapped) {
        picture_map_start(&writer->map, target, &limits);
        writer->info.type = writer->map.type;
        writer->info.width = writer->map.width;
        writer->info.height = writer->map.height;
        writer->info.components = writer->map.components;
        writer->photometric = TIFF_MIN_IS_BLACK;
        writer->orientation = 0;
    }
    writer->bits = 8 * (unsigned)mist_sample_size(writer->info.type);
    if (writer->info.components >= 3)
        writer->photometric = TIFF_RGB;
    writer->alpha = writer->info.components % 2 == 0;
}

static enum mist_status start(struct tiff_writer *writer, const struct format_target *target, struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    const struct format_archive *archive = target->archive;
    enum mist_status status = MIST_OK;
    if (target->source_kind == FORMAT_TIFF && target->head) {
        status = follow_head(writer, target, error);
        const bool same = target->reduce == 0 && !target->resampled && info->frames == target->source->frames;
        if (!status && same && archive && archive->raw)
            status = format_restorer_open(FORMAT_TIFF, archive, info, &writer->restorer, error);
        writer->archive = archive;
    } else {
        start_fresh(writer, target);
    }
    const uint64_t frame = mist_frame_bytes(info->type, info->width, info->height, info->components);
    writer->wide = frame * info->frames > LARGE;
    writer->entries = memory_allocate_zeroed(MAX_ENTRIES, sizeof *writer->entries);
    if (!status && !writer->entries)
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return status;
}

enum mist_status tiff_writer_open(const struct format_target *target, struct format_writer **result,
                                  struct mist_error *error)
{
    static const struct format_writer_ops ops = {.frame = tiff_write_frame, .finish = tiff_finish, .free = tiff_free};
    struct tiff_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->info = target->info;
    writer->factor[0] = target->sampling.factor[0];
    writer->factor[1] = target->sampling.factor[1];
    enum mist_status status = start(writer, target, error);
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = format_target_file(target, &writer->file, error);
    if (status) {
        tiff_free(&writer->base);
        return status;
    }
    FILE *stream = writer->file.stream;
    if (writer->restorer) {
        fwrite(writer->archive->prefix.data, 1, writer->archive->prefix.size, stream);
    } else {
        fwrite(writer->big_endian ? "MM" : "II", 1, 2, stream);
        put(writer, 2, writer->wide ? 43 : 42);
        if (writer->wide)
            put(writer, 4, writer->big_endian ? 8u << 16 : 8);
        writer->link = writer->wide ? 8 : 4;
        put(writer, writer->wide ? 8 : 4, 0);
    }
    *result = &writer->base;
    return MIST_OK;
}
