/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directories of TIFF and BigTIFF files (TIFF 6.0, section 2), and the tags of them that a TIFF source has as head:
 * all but those that say how and where the samples are stored.
 */
#ifndef FORMAT_TIFF_TAGS_H
#define FORMAT_TIFF_TAGS_H

#include "format/ops.h"

enum {
    TIFF_WIDTH = 256,
    TIFF_LENGTH = 257,
    TIFF_BITS = 258,
    TIFF_COMPRESSION = 259,
    TIFF_PHOTOMETRIC = 262,
    TIFF_FILL_ORDER = 266,
    TIFF_STRIP_OFFSETS = 273,
    TIFF_ORIENTATION = 274,
    TIFF_SAMPLES = 277,
    TIFF_ROWS = 278,
    TIFF_STRIP_COUNTS = 279,
    TIFF_X_RESOLUTION = 282,
    TIFF_Y_RESOLUTION = 283,
    TIFF_PLANAR = 284,
    TIFF_PREDICTOR = 317,
    TIFF_COLOR_MAP = 320,
    TIFF_TILE_WIDTH = 322,
    TIFF_EXTRA_SAMPLES = 338,
    TIFF_SAMPLE_FORMAT = 339
};
enum { TIFF_MIN_IS_WHITE, TIFF_MIN_IS_BLACK, TIFF_RGB, TIFF_PALETTE, TIFF_MASK, TIFF_CMYK, TIFF_YCBCR };
enum { TIFF_TYPE_BYTE = 1, TIFF_TYPE_SHORT = 3, TIFF_TYPE_LONG = 4, TIFF_TYPE_RATIONAL = 5, TIFF_TYPE_LONG8 = 16 };

struct tiff_file {
    const uint8_t *data;
    size_t size;
    bool big_endian;
    bool wide; /* BigTIFF */
};

/* One entry of a directory; its values lie in the file. */
struct tiff_tag {
    unsigned tag, type;
    uint64_t count;
    const uint8_t *values; /* count of them, in the file's byte order */
};

struct tiff_directory {
    uint64_t entries, at; /* offset of the first entry */
    uint64_t next;        /* offset of the next directory; 0: none */
};

/* Whether these are the first bytes of a TIFF file. */
bool tiff_detect(const uint8_t *data, size_t size);
/* *first: the offset of the first directory. */
enum mist_status tiff_file_start(const uint8_t *data, size_t size, struct tiff_file *file, uint64_t *first,
                                 struct mist_error *error);
enum mist_status tiff_directory_read(const struct tiff_file *file, uint64_t offset, struct tiff_directory *directory,
                                     struct mist_error *error);
/* Entry n; false where its values are not in the file, or of a type that is none. */
bool tiff_tag_at(const struct tiff_file *file, const struct tiff_directory *directory, uint64_t n,
                 struct tiff_tag *tag);
bool tiff_tag_find(const struct tiff_file *file, const struct tiff_directory *directory, unsigned number,
                   struct tiff_tag *tag);
/* Value n of a tag of whole numbers; 0 beyond its count. */
uint64_t tiff_tag_value(const struct tiff_file *file, const struct tiff_tag *tag, uint64_t n);
/* The first value of a tag, or what holds without it. */
uint64_t tiff_number(const struct tiff_file *file, const struct tiff_directory *directory, unsigned number,
                     uint64_t otherwise);
/* Bytes of a value of that type; 0: there is no such type. */
size_t tiff_type_size(unsigned type);
/* Whether a tag says how samples are stored, or points to other parts of the file: writers make those anew. */
bool tiff_tag_is_structural(unsigned tag);

/*
 * The head: u8 flags, u8 colour (enum format_color), u8 orientation, u8 bits a sample in the file, varint palette
 * entries and their RGB bytes, varint pages; then of each page varint tags, each varint number, type, count and its
 * values.
 */
enum { TIFF_HEAD_BIG_ENDIAN = 1, TIFF_HEAD_PACKED = 2 };
struct tiff_head {
    unsigned flags, orientation, bits;
    enum format_color color;
    const uint8_t *palette;
    unsigned palette_entries;
    uint64_t pages;
    const uint8_t *tags; /* of the first page */
    size_t size;         /* bytes from there on */
};
bool tiff_head_read(const uint8_t *head, size_t size, struct tiff_head *parsed);
/* Goes over the tags of a page at `*at` (size left: *left); false when they are damaged. `take` may be NULL. */
bool tiff_head_page(const uint8_t **at, size_t *left, bool (*take)(void *context, const struct tiff_tag *tag),
                    void *context);

/* format_ops.appearance and .writer_open of TIFF, and its restorer: samples and what lies between pages. */
void tiff_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance);
enum mist_status tiff_writer_open(const struct format_target *target, struct format_writer **writer,
                                  struct mist_error *error);
enum mist_status tiff_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                    struct format_restorer **restorer, struct mist_error *error);

#endif
