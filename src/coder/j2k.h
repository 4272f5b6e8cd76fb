/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG 2000 codestreams (15444-1, and 15444-15: HTJ2K) kept as their own packets in the order of resolution, without
 * decoding a block, and given back byte for byte. docs/coder-j2k.md describes what is kept.
 *
 * Level l of n is the picture reduced by r = n - 1 - l: n is the codestream's decompositions + 1, and the samples of
 * each level are those that `opj_decompress -r` makes of the original.
 *
 * All functions may be called from any thread; they keep no state. They return MIST_OK, or a status whose sentence is
 * in `error` (which may be NULL). What they are given may hold any bytes.
 */
#ifndef CODER_J2K_H
#define CODER_J2K_H

#include "codec/packets.h"

#include <stdbool.h>

#define J2K_MAX_PACKETS ((uint64_t)1 << 22) /* of a codestream that is taken apart */

struct j2k_info {
    uint32_t width; /* of the samples: x and y offsets on the reference grid are subtracted */
    uint32_t height;
    uint32_t components; /* 1 .. MIST_MAX_COMPONENTS */
    unsigned precision;  /* bits: 1 .. 32 */
    bool is_signed;
    unsigned levels;      /* decompositions + 1: those of the component that has the fewest */
    bool color_transform; /* RCT or ICT */
    bool reversible;      /* else 9/7 with quantisation: the samples are not exactly those that were coded */
    bool part15;          /* HTJ2K */
    uint32_t tiles;
    unsigned layers;
};

/*
 * What the main header says; `data` is a main header alone, a codestream or prefix of one, or a JP2 or JPH file.
 * MIST_ERROR_UNSUPPORTED where components differ in size, precision or sign, where there are more than
 * MIST_MAX_COMPONENTS, and where a JP2 file's samples are no pixels yet (a palette, YCC).
 */
enum mist_status j2k_info(const uint8_t *data, size_t size, struct j2k_info *info, struct mist_error *error);

/* A codestream in parts. Start with all members zero. */
struct j2k_parts {
    unsigned levels;
    struct mist_buffer main_header; /* SOC up to the first SOT, without TLM, PLM, SOP; for codec/packets.h */
    struct mist_buffer packets;     /* of all levels, back to back, the lowest first */
    uint64_t level_size[MIST_MAX_LEVELS];
    struct mist_buffer order; /* what j2k_rebuild() needs besides: some ten bytes where nothing is unusual */
};
void j2k_parts_free(struct j2k_parts *parts); /* safe on zeroed ones, which they are again */

/* The parts as what codec/packets.h takes; points into them. */
struct codec_packets j2k_parts_packets(const struct j2k_parts *parts);

/*
 * Takes apart a codestream or JP2 or JPH file, and verifies that j2k_rebuild() gives it back. `out` is overwritten; its
 * buffers can be used again and again. MIST_ERROR_UNSUPPORTED, with the reason, for all that cannot be taken apart:
 * several tiles, PPM, PPT, POC, coding parameters of its own in a tile-part, components with different numbers of
 * levels, levels that are not ceil(W / 2^r) x ceil(H / 2^r) (of an image area off the origin), HT and other blocks
 * mixed, more than J2K_MAX_PACKETS, truncated or damaged. Then, or when memory is short (MIST_ERROR_MEMORY), `out` is
 * empty.
 */
enum mist_status j2k_split(const uint8_t *data, size_t size, struct j2k_parts *out, struct mist_error *error);

/*
 * The original bytes again, into `out`, which is overwritten. All levels must be there. MIST_ERROR_CORRUPT if the parts
 * do not belong together.
 */
enum mist_status j2k_rebuild(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                             const uint8_t *order, size_t order_size, struct mist_buffer *out,
                             struct mist_error *error);

/*
 * The picture reduced by `reduce`, of which at least levels 0 .. levels - 1 - reduce are there. `out` has the caller's
 * memory, ceil(width / 2^reduce) x ceil(height / 2^reduce) samples of info.components components, of an integer type
 * that holds all values of the precision; `codec` is used for Part 15. Samples beyond the precision do not come out.
 */
enum mist_status j2k_decode_packets(mist_codec *codec, const uint8_t *main_header, size_t size,
                                    const struct codec_packets *packets, unsigned reduce, struct mist_view *out,
                                    struct mist_error *error);

/*
 * The same of a codestream or JP2 or JPH file, whatever its tiles, order and packing. Where the image area does not
 * begin at the origin a reduced picture may have a row or column more or less.
 */
enum mist_status j2k_decode(mist_codec *codec, const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                            struct mist_error *error);

#endif
