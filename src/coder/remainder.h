/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes floats exact at full size, as bytes: the remainder plane of a frame, and the table of a map of kind table
 * (value_map.h). docs/values.md, "The remainder" and "The table".
 *
 * A plane of n-byte integers becomes one zstd frame that states its content's size. Each integer d, read as two's
 * complement, is folded to (d << 1) ^ (d >> (8n - 1)), so that small ones of either sign have zeros in their upper
 * bytes. The integers are sorted by class: the number of bits of the absolute value of the sample's coded integer, from
 * 0 up; how many bits of a float are left over depends on it. Within a class they keep their order (component after
 * component, rows from the top). Of each class, the lowest bytes of all its integers come first, then the next ones,
 * and so on to the highest. A plane of zeros is no bytes at all.
 */
#ifndef CODER_REMAINDER_H
#define CODER_REMAINDER_H

#include "image/value_map.h"

/*
 * `plane`: u8, u16, u32 or u64; `coded`: the coded plane of the same frame (as forward made it and the wavelet coder
 * gives it back), or NULL: all integers are of class 0. Any strides. `out` is overwritten; the caller frees it.
 */
enum mist_status remainder_compress(const struct mist_view *plane, const struct mist_view *coded,
                                    struct mist_buffer *out, struct mist_error *error);

/* The reverse, into a plane of the caller's. MIST_ERROR_CORRUPT for bytes that are not those of a plane of this size.
 */
enum mist_status remainder_decompress(const uint8_t *data, size_t size, const struct mist_view *coded,
                                      struct mist_view *plane, struct mist_error *error);

/*
 * The table of a map of kind table. Its entry for k is coded as its order code minus that of (type)(a + b * k), as a
 * plane of one row, all of class 0.
 */
enum mist_status value_table_write(const struct value_map *map, struct mist_buffer *out, struct mist_error *error);
/* Gives `map` (without a table) its table. */
enum mist_status value_table_read(const uint8_t *data, size_t size, struct value_map *map, struct mist_error *error);

#endif
