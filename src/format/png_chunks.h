/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chunks of PNG files besides the compressed samples, as png.c keeps them and png_write.c puts them back: a run of
 * whole chunks, verbatim. IHDR comes first among them where the samples alone do not tell how the file had them (less
 * than 8 bits, a palette, interlaced, grey in more components), and only there.
 */
#ifndef FORMAT_PNG_CHUNKS_H
#define FORMAT_PNG_CHUNKS_H

#include "format/ops.h"
#include "image/copy.h"

enum {
    PNG_CHUNK_FRAME = 12, /* length, type and CRC of a chunk */
    PNG_IHDR_SIZE = PNG_CHUNK_FRAME + 13,
    PNG_IHDR_END = 8 + PNG_IHDR_SIZE
};

/* Colour types (PNG specification, 11.2.2). */
enum { PNG_GREY = 0, PNG_RGB = 2, PNG_PALETTE = 3, PNG_GREY_ALPHA = 4, PNG_RGB_ALPHA = 6 };

struct png_header {
    uint32_t width, height;
    unsigned depth, color, interlace;
};

/* libspng takes and gives interleaved samples in the machine's byte order. */
extern const struct copy_packing png_native_order;

/* Of an IHDR chunk of PNG_IHDR_SIZE bytes; false if it is none. */
bool png_header_read(const uint8_t *chunk, struct png_header *header);
/* Samples of a pixel; 0 if colour type and depth do not go together. */
unsigned png_header_components(const struct png_header *header);
bool png_header_is_needed(const struct png_header *header);

/* The chunk of that type among them, whole, or NULL. Chunks may be any bytes: what follows a broken one is not seen. */
const uint8_t *png_chunks_find(const struct mist_buffer *chunks, const char type[4]);
/*
 * Of an image of another size: pixels per metre (pHYs) become 1 / factor of what they were, and what describes the
 * original's frame only is taken out: the other frames of an animation, offsets and sizes in pixels.
 */
void png_chunks_adapt(struct mist_buffer *chunks, const double factor[2]);

/* format_ops.writer_open of PNG. */
enum mist_status png_writer_open(const struct format_target *target, struct format_writer **writer,
                                 struct mist_error *error);

#endif
