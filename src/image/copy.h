/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples copied between any two layouts: packed, planar, interleaved, any strides, either byte order. Nothing needs to
 * be aligned, so the bytes of files are views, too. Packed rows go at the speed of memory. Thread-safe.
 */
#ifndef IMAGE_COPY_H
#define IMAGE_COPY_H

#include <mist/image.h>

/* How the samples of a frame lie in a file, tightly packed. */
struct copy_packing {
    bool big_endian;
    bool planar; /* components slowest; else they are fastest */
};

/*
 * All samples of `from` to the same places of `to`, which has the same type, size and components; they do not overlap.
 * `swap`: each sample's bytes in reversed order.
 */
void copy_samples(const struct mist_view *from, const struct mist_view *to, bool swap);

/* A frame into, or out of, mist_frame_bytes() bytes of a file; the view has the machine's byte order. */
void copy_pack(const struct mist_view *from, struct copy_packing packing, uint8_t *bytes);
void copy_unpack(const uint8_t *bytes, struct copy_packing packing, const struct mist_view *to);
/* Whether copy_pack() would change nothing, that is whether the view's own bytes are those of the file already. */
bool copy_is_packed(const struct mist_view *view, struct copy_packing packing);

/* `count` samples of `size` bytes (1, 2, 4 or 8), each with its bytes reversed. `to` and `from` do not overlap. */
void copy_swapped(uint8_t *to, const uint8_t *from, size_t count, size_t size);

/*
 * Integers from one integer type to another, each widened or cut to its low bits (so the values must fit, or a
 * round trip through the same types is meant). Same size and components; they do not overlap.
 */
void copy_convert(const struct mist_view *from, const struct mist_view *to);

#endif
