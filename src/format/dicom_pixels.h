/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DICOM samples between bytes and memory (PS3.5, 8.1 and 8.2). A frame in memory has the stored values only: the bits
 * BitsStored of each sample, sign-extended; what else is in a sample's bits is kept aside (dicom_restore.h).
 */
#ifndef FORMAT_DICOM_PIXELS_H
#define FORMAT_DICOM_PIXELS_H

#include "format/dicom_header.h"
#include "format/dicom_stream.h"

#include <mist/image.h>

struct dicom_pixels {
    enum mist_sample_type type;
    unsigned precision; /* BitsStored; of floats, 32 or 64 */
    uint32_t columns;
    uint32_t rows;
    uint32_t components;
    uint32_t frames;
    enum format_color color;
    bool label; /* values are names: palette indices, segments, single bits */
    /* Siemens mosaic: frames are the tiles of one picture in the file, `columns` x `rows` each, row by row. 0: they are
     * not. */
    uint32_t across; /* tiles in a row, and in a column, of the picture; those behind the last frame are of no use */
    bool convert;    /* the decoder of JPEG makes RGB of YBR_FULL */
    /* How samples are laid out in bytes: of the file where it is native, of what decoders give else. */
    unsigned allocated; /* bits of a sample; where not 8, 16, 32 or 64, samples are packed, the lowest bit first */
    unsigned shift;     /* the stored value begins at this bit */
    bool planar;
    bool big_endian;
    bool paired;          /* samples of 8 bits or packed ones in 16-bit words: big-endian OW swaps their bytes */
    bool halved;          /* chroma of every second column only: Y Y Cb Cr */
    uint64_t frame_bits;  /* of one frame; of the picture of a mosaic */
    uint64_t total_bytes; /* of all frames, the last byte maybe in part */
    uint64_t missing;     /* of total_bytes, those that the file does not have, at their end */
};

/*
 * Describes an instance. `stream` is that of its first frame, or NULL where the samples are native, RLE or deflated.
 * MIST_ERROR_NOT_FOUND for an object without pixels; MIST_ERROR_UNSUPPORTED, MIST_ERROR_CORRUPT, MIST_ERROR_TRUNCATED
 * or MIST_ERROR_LIMIT, with the reason, for what cannot be read. `present` is how many bytes of native pixel data there
 * are; up to 1/16 of them may be missing.
 */
enum mist_status dicom_pixels_from_header(const struct dicom_layout *layout, const struct dicom_header *header,
                                          const struct dicom_stream *stream, uint64_t present,
                                          struct dicom_pixels *pixels, struct mist_error *error);

/* Bytes that hold frame n, whose first bit may lie within the first of them; of mosaics, the whole picture. */
struct dicom_span {
    uint64_t offset; /* from the first frame's first byte */
    size_t size;
    unsigned bit;
};
struct dicom_span dicom_pixels_span(const struct dicom_pixels *pixels, uint32_t frame);

/*
 * Makes the tiles of a mosaic of `tiles` slices the frames. False where the picture does not divide into so many, or is
 * none of one whole sample a pixel: nothing is changed then.
 */
bool dicom_pixels_split(struct dicom_pixels *pixels, uint32_t tiles);
/* Tiles in a row and in a column of a mosaic of `tiles` slices. */
uint32_t dicom_mosaic_side(uint32_t tiles);
/* What is in the file: of a mosaic the one picture, else the same. */
struct dicom_pixels dicom_pixels_picture(const struct dicom_pixels *pixels);
/*
 * Copies the tiles behind the last frame out of the bytes of the picture, one after the other, into `tiles` (or back
 * where `into`). Their number of bytes; `tiles` may be NULL.
 */
size_t dicom_pixels_unused_tiles(const struct dicom_pixels *pixels, uint8_t *picture, uint8_t *tiles, bool into);

/* Makes them those of an image (mosaics: of tiles) of another size, whole, with all chroma. */
void dicom_pixels_resize(struct dicom_pixels *pixels, uint32_t columns, uint32_t rows);

/*
 * How many bytes frames alone make again: without what is missing, and without a last one that is theirs in part only
 * (or, where bytes are swapped in pairs, a last pair).
 */
uint64_t dicom_pixels_restored_bytes(const struct dicom_pixels *pixels);

/* Frame n from `bytes`, those of its span, into a view of the same size, type and components. */
void dicom_pixels_unpack(const struct dicom_pixels *pixels, uint32_t frame, const uint8_t *bytes,
                         const struct mist_view *view);
/*
 * The reverse. Bits that are no part of the stored value extend its sign, or are 0. Bits of other frames in the first
 * and last byte are left as they are.
 */
void dicom_pixels_pack(const struct dicom_pixels *pixels, uint32_t frame, const struct mist_view *view, uint8_t *bytes);

/* ---- bits that are no part of the stored value ---- */

/* Whether there are such bits: samples are not packed and fewer bits are stored than allocated. */
bool dicom_pixels_has_spare_bits(const struct dicom_pixels *pixels);
/*
 * Bits of `count` whole samples, in the order of the file, that differ from what dicom_pixels_pack() would write: which
 * ones do in any sample (a mask); those of one bit of each sample, as the `count` bits of a plane, lowest bit first.
 */
uint32_t dicom_pixels_spare_mask(const struct dicom_pixels *pixels, const uint8_t *bytes, size_t count);
void dicom_pixels_spare_plane(const struct dicom_pixels *pixels, const uint8_t *bytes, size_t count, unsigned bit,
                              uint8_t *plane);
/* Turns that bit over in the samples whose bit in the plane is set. */
void dicom_pixels_add_plane(const struct dicom_pixels *pixels, uint8_t *bytes, size_t count, unsigned bit,
                            const uint8_t *plane);

#endif
