/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JPEG file (8 bits; baseline, extended or progressive Huffman) kept as its own quantised coefficients, in chunks by
 * resolution, and given back byte for byte. docs/coder-jpeg.md describes the chunks.
 *
 * Level l of n is the picture reduced by r = n - 1 - l, ceil(W / 2^r) x ceil(H / 2^r) pixels on the conventional grid:
 * its pixel x covers the full picture's pixels 2^r x .. 2^r x + 2^r - 1, so that its centre lies (2^r - 1) / 2 pixels
 * right of theirs. Each chunk needs those of the levels below it, and nothing else.
 *
 * All functions may be called from any thread; they keep no state. They return MIST_OK, or a status whose sentence is
 * in `error` (which may be NULL). What they are given may hold any bytes. What is made of chunks takes memory of 2
 * bytes for each sample of the level, padding included, and a small chunk may claim a large picture: callers who do not
 * trust their chunks compare jpeg_pieces_info() with what they expect first.
 */
#ifndef CODER_JPEG_H
#define CODER_JPEG_H

#include <mist/buffer.h>
#include <mist/image.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits beyond those of image.h. */
#define JPEG_MAX_SIDE 65500u                          /* libjpeg's own */
#define JPEG_MAX_SCANS 100u                           /* usual scripts have ten; hundreds are an attack */
#define JPEG_MAX_FILE ((size_t)1 << 30)               /* bytes */
#define JPEG_MAX_REBUILD (JPEG_MAX_FILE + (1u << 20)) /* bytes of the inflated rebuild blob */

enum jpeg_colour { JPEG_GREY, JPEG_YCBCR, JPEG_RGB, JPEG_CMYK, JPEG_YCCK };

struct jpeg_info {
    uint32_t width; /* as stored: orientation is not applied */
    uint32_t height;
    unsigned components;     /* of a decoded picture: 1 (grey), 3 (RGB) or 4 (CMYK as stored, usually inverted) */
    enum jpeg_colour colour; /* of the stored coefficients */
    bool grey_as_rgb;        /* 3 components whose pixels are grey by construction: R = G = B in every one */
    bool progressive;        /* only known of a file, not of chunks */
    unsigned orientation;    /* of EXIF: 1 .. 8; 1 where the file does not say */
    unsigned levels;         /* mist_level_count(width, height) */
    uint8_t sampling[4][2];  /* horizontal and vertical factor of each stored component */
};

/* "grey", "YCbCr", "RGB", "CMYK", "YCCK". */
const char *jpeg_colour_name(enum jpeg_colour colour);

/*
 * What a JPEG file holds. Reads all of it (grey_as_rgb is a matter of the coefficients). MIST_ERROR_UNSUPPORTED for
 * what is valid but not handled (arithmetic coding, lossless, hierarchical, 12 bits, two components), _CORRUPT or
 * _TRUNCATED for a damaged file, _LIMIT beyond the limits. Memory: at most 1 KiB for each byte of the file.
 */
enum mist_status jpeg_info(const uint8_t *data, size_t size, struct jpeg_info *info, struct mist_error *error);

/* One chunk for each level, the lowest first, and what makes a file of them again. Start with all members zero. */
struct jpeg_chunks {
    struct jpeg_info info;
    struct mist_buffer level[MIST_MAX_LEVELS]; /* info.levels of them */
    struct mist_buffer rebuild;
};
void jpeg_chunks_free(struct jpeg_chunks *chunks); /* safe on zeroed ones, which they are again */

/*
 * Splits a file into chunks, and verifies that jpeg_rebuild() gives it back. As jpeg_info(), and MIST_ERROR_UNSUPPORTED
 * where the file cannot be given back to the byte at a reasonable price. On failure `out` is empty.
 */
enum mist_status jpeg_split(const uint8_t *data, size_t size, struct jpeg_chunks *out, struct mist_error *error);

/* The chunk of a level, in memory that the caller owns. */
struct jpeg_piece {
    const uint8_t *data;
    size_t size;
};

/* What the chunk of the lowest level says. `progressive` is false. */
enum mist_status jpeg_pieces_info(const struct jpeg_piece *lowest, struct jpeg_info *info, struct mist_error *error);

/*
 * The picture reduced by `reduce` (0 .. levels - 1) made of the chunks of levels 0 .. levels - 1 - reduce: exactly
 * those are read. `out` has ceil(W / 2^reduce) x ceil(H / 2^reduce) samples of type u8 and info.components components.
 *
 * reduce 0: what libjpeg-turbo makes of the original file with its defaults (JDCT_ISLOW, fancy upsampling), to RGB,
 * grey or CMYK. 1, 2, 3: what it makes with scale_num/scale_denom = 4/8, 2/8, 1/8 of a file whose coefficients beyond
 * the level's are 0. From 4 on: means of the DC coefficients of 2 x 2, 4 x 4 ... blocks.
 */
enum mist_status jpeg_decode(const struct jpeg_piece *pieces, unsigned reduce, const struct mist_view *out,
                             struct mist_error *error);

/*
 * An ordinary JPEG file (sequential Huffman, of the full size) with the coefficients of levels 0 .. levels - 1 -
 * reduce: any decoder shows it, and one that scales to 1 / 2^reduce (at most 1/8) gives the same as jpeg_decode().
 * Needs no libjpeg. It has no EXIF data, and so no orientation. `out` is overwritten.
 */
enum mist_status jpeg_standalone(const struct jpeg_piece *pieces, unsigned reduce, struct mist_buffer *out,
                                 struct mist_error *error);

/* The original file from the chunks of all levels and the rebuild blob. `file` is overwritten. */
enum mist_status jpeg_rebuild(const struct jpeg_piece *pieces, const struct jpeg_piece *rebuild,
                              struct mist_buffer *file, struct mist_error *error);

#endif
