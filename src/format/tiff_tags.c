/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/tiff_tags.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

static uint64_t load(const struct tiff_file *file, const uint8_t *bytes, size_t size)
{
    const bool big = file->big_endian;
    return size == 1   ? *bytes
           : size == 2 ? (big ? load_be16(bytes) : load_le16(bytes))
           : size == 4 ? (big ? load_be32(bytes) : load_le32(bytes))
                       : (big ? load_be64(bytes) : load_le64(bytes));
}

bool tiff_detect(const uint8_t *data, size_t size)
{
    static const char *const starts[] = {"II*\0", "MM\0*", "II+\0\x08\0\0\0", "MM\0+\0\x08\0\0"};
    for (unsigned i = 0; i < 4; i++)
        if (size >= 8 && memcmp(data, starts[i], i < 2 ? 4 : 8) == 0)
            return true;
    return false;
}

enum mist_status tiff_file_start(const uint8_t *data, size_t size, struct tiff_file *file, uint64_t *first,
                                 struct mist_error *error)
{
    *file = (struct tiff_file){.data = data, .size = size};
    if (!tiff_detect(data, size))
        return error_set(error, MIST_ERROR_CORRUPT, "no TIFF header");
    file->big_endian = data[0] == 'M';
    file->wide = load(file, data + 2, 2) == 43;
    if (file->wide && size < 16)
        return error_set(error, MIST_ERROR_TRUNCATED, "the TIFF header ends too early");
    *first = file->wide ? load(file, data + 8, 8) : load(file, data + 4, 4);
    return MIST_OK;
}

enum mist_status tiff_directory_read(const struct tiff_file *file, uint64_t offset, struct tiff_directory *directory,
                                     struct mist_error *error)
{
    const size_t count_size = file->wide ? 8 : 2, entry = file->wide ? 20 : 12, next_size = file->wide ? 8 : 4;
    if (offset > file->size || file->size - offset < count_size)
        return error_set(error, MIST_ERROR_TRUNCATED, "there is no TIFF directory at byte %llu",
                         (unsigned long long)offset);
    directory->entries = load(file, file->data + offset, count_size);
    directory->at = offset + count_size;
    const uint64_t left = file->size - directory->at;
    if (directory->entries > 65535)
        return error_set(error, MIST_ERROR_LIMIT, "a TIFF directory of %llu entries is beyond the limits",
                         (unsigned long long)directory->entries);
    if (left < next_size || directory->entries > (left - next_size) / entry)
        return error_set(error, MIST_ERROR_TRUNCATED, "the TIFF directory at byte %llu ends too early",
                         (unsigned long long)offset);
    directory->next = load(file, file->data + directory->at + directory->entries * entry, next_size);
    return MIST_OK;
}

size_t tiff_type_size(unsigned type)
{
    static const uint8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

bool tiff_tag_at(const struct tiff_file *file, const struct tiff_directory *directory, uint64_t n, struct tiff_tag *tag)
{
    const size_t entry = file->wide ? 20 : 12, inside = file->wide ? 8 : 4;
    const uint8_t *at = file->data + directory->at + n * entry;
    tag->tag = (unsigned)load(file, at, 2);
    tag->type = (unsigned)load(file, at + 2, 2);
    tag->count = load(file, at + 4, inside);
    const size_t size = tiff_type_size(tag->type);
    if (size == 0 || tag->count > file->size / size)
        return false;
    tag->values = at + 4 + inside;
    if (tag->count * size <= inside)
        return true;
    const uint64_t offset = load(file, tag->values, inside);
    tag->values = file->data + (offset <= file->size ? offset : 0);
    return offset <= file->size && file->size - offset >= tag->count * size;
}

bool tiff_tag_find(const struct tiff_file *file, const struct tiff_directory *directory, unsigned number,
                   struct tiff_tag *tag)
{
    for (uint64_t i = 0; i < directory->entries; i++)
        if (tiff_tag_at(file, directory, i, tag) && tag->tag == number)
            return true;
    return false;
}

uint64_t tiff_tag_value(const struct tiff_file *file, const struct tiff_tag *tag, uint64_t n)
{
    const size_t size = tiff_type_size(tag->type);
    const bool whole = tag->type == TIFF_TYPE_BYTE || tag->type == TIFF_TYPE_SHORT || tag->type == TIFF_TYPE_LONG ||
                       tag->type == TIFF_TYPE_LONG8 || tag->type == 13 || tag->type == 18; /* 13, 18: offsets */
    return whole && n < tag->count ? load(file, tag->values + n * size, size) : 0;
}

uint64_t tiff_number(const struct tiff_file *file, const struct tiff_directory *directory, unsigned number,
                     uint64_t otherwise)
{
    struct tiff_tag tag;
    return tiff_tag_find(file, directory, number, &tag) && tag.count ? tiff_tag_value(file, &tag, 0) : otherwise;
}

bool tiff_tag_is_structural(unsigned tag)
{
    static const uint16_t tags[] = {TIFF_WIDTH,
                                    TIFF_LENGTH,
                                    TIFF_BITS,
                                    TIFF_COMPRESSION,
                                    TIFF_PHOTOMETRIC,
                                    TIFF_FILL_ORDER,
                                    TIFF_STRIP_OFFSETS,
                                    TIFF_SAMPLES,
                                    TIFF_ROWS,
                                    TIFF_STRIP_COUNTS,
                                    TIFF_PLANAR,
                                    TIFF_PREDICTOR,
                                    TIFF_SAMPLE_FORMAT,
                                    288,
                                    289, /* free bytes */
                                    292,
                                    293, /* options of fax coding */
                                    322,
                                    323,
                                    324,
                                    325, /* tiles */
                                    330, /* directories of their own */
                                    340,
                                    341, /* smallest and largest sample: of the original */
                                    347,
                                    512,
                                    513,
                                    514,
                                    515,
                                    517,
                                    518,
                                    519,
                                    520,
                                    521, /* JPEG */
                                    529,
                                    530,
                                    531,
                                    532, /* YCbCr */
                                    400,
                                    34665,
                                    34853,
                                    40965}; /* directories: global parameters, EXIF, GPS */
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

/* ---- the head ---- */

bool tiff_head_read(const uint8_t *head, size_t size, struct tiff_head *parsed)
{
    struct byte_reader reader = byte_reader_start(head, size);
    *parsed = (struct tiff_head){.flags = read_u8(&reader)};
    const unsigned color = read_u8(&reader);
    parsed->orientation = read_u8(&reader);
    parsed->bits = read_u8(&reader);
    const uint64_t entries = read_varint(&reader);
    if (reader.failed || color > FORMAT_CMYK_INVERTED || entries > 256)
        return false;
    parsed->color = (enum format_color)color;
    parsed->palette_entries = (unsigned)entries;
    parsed->palette = reader_take(&reader, 3 * (size_t)entries);
    parsed->pages = read_varint(&reader);
    parsed->tags = reader.at;
    parsed->size = reader_left(&reader);
    return !reader.failed;
}

bool tiff_head_page(const uint8_t **at, size_t *left, bool (*take)(void *context, const struct tiff_tag *tag),
                    void *context)
{
    struct byte_reader reader = byte_reader_start(*at, *left);
    const uint64_t tags = read_varint(&reader);
    bool good = tags <= *left;
    for (uint64_t i = 0; i < tags && good; i++) {
        struct tiff_tag tag;
        const uint64_t number = read_varint(&reader), type = read_varint(&reader);
        tag.count = read_varint(&reader);
        const size_t size = type <= 18 ? tiff_type_size((unsigned)type) : 0;
        if (reader.failed || number > UINT16_MAX || size == 0 || tag.count > reader_left(&reader) / size)
            return false;
        tag.tag = (unsigned)number;
        tag.type = (unsigned)type;
        tag.values = reader_take(&reader, (size_t)tag.count * size);
        good = tag.values && (!take || take(context, &tag));
    }
    *at = reader.at;
    *left = reader_left(&reader);
    return good && !reader.failed;
}

void tiff_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct tiff_head parsed;
    if (!tiff_head_read(head, size, &parsed))
        return;
    appearance->color = parsed.color;
    appearance->orientation = parsed.orientation;
    appearance->bits = parsed.bits;
    appearance->palette = parsed.palette_entries ? parsed.palette : NULL;
    appearance->palette_entries = parsed.palette_entries;
}
