/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames as they are stored: a main header, which frames of a kind have in common, and the packets of each resolution
 * level. What a codestream has between them (TLM, SOT, SOD, EOC) says nothing new and is made when it is needed.
 *
 *     codestream   SOC SIZ CAP COD QCD | TLM | SOT SOD  packets of level 0 | SOT SOD  packets of level 1 | ... | EOC
 *                  <-- main header -->                  <-- level[0] ---->            <-- level[1] ---->
 *
 * For codestreams of one tile whose components have equally many levels, in an order in which no level's packets lie
 * between another's: RLCP, RPCL, or LRCP of one layer; no POC, PPM, PPT. Others are MIST_ERROR_UNSUPPORTED. Contexts,
 * errors and threads are as <mist/codec.h> says of all functions there.
 */
#ifndef CODEC_PACKETS_H
#define CODEC_PACKETS_H

#include <mist/codec.h>

/* The packets of levels 0 (lowest) .. levels-1, each level's in one piece, in the order that the header names. */
struct codec_packets {
    unsigned levels; /* 1 .. MIST_MAX_LEVELS; may be fewer than the header names where not all are needed */
    struct {
        const uint8_t *data; /* the caller's; NULL: known, but not here */
        uint64_t size;       /* at most CODEC_MAX_PACKETS */
    } level[MIST_MAX_LEVELS];
};

/* A tile-part, markers included, has a length of 32 bits. */
#define CODEC_MAX_PACKETS ((uint64_t)UINT32_MAX - 14)

/*
 * Encodes one frame as mist_encode() does, into parts: `main_header` is SOC to the last segment before TLM, `packets`
 * the packets of all levels back to back (both are overwritten), level_size[0 .. *levels - 1] the bytes of each level.
 * options->tile_parts is not looked at. MIST_ERROR_ARGUMENT for PCRL and CPRL, else the errors of mist_encode(). On
 * failure both buffers are empty.
 */
enum mist_status codec_encode_packets(mist_codec *codec, const struct mist_view *frame,
                                      const struct mist_encode_options *options, struct mist_buffer *main_header,
                                      struct mist_buffer *packets, uint64_t level_size[MIST_MAX_LEVELS],
                                      unsigned *levels, struct mist_error *error);

/*
 * Decodes as mist_decode() does. Levels that packets->levels does not count, or whose data is NULL, have not arrived:
 * MIST_ERROR_TRUNCATED if options->reduce asks for them and best_effort is not set. MIST_ERROR_CORRUPT if there are
 * more levels than in the header, or if packets do not end where their level does; bytes behind the last packet that is
 * needed are not looked at.
 */
enum mist_status codec_decode_packets(mist_codec *codec, const uint8_t *main_header, size_t size,
                                      const struct codec_packets *packets, const struct mist_decode_options *options,
                                      struct mist_view *out, struct mist_decode_report *report,
                                      struct mist_error *error);

/* mist_codestream_info() of a main header that stands alone; anything behind it is MIST_ERROR_CORRUPT. */
enum mist_status codec_header_info(const uint8_t *main_header, size_t size, struct mist_codestream_info *info,
                                   struct mist_error *error);

/* A stretch of a codestream: markers that were made anew, or packets where they lie. */
struct codec_piece {
    const uint8_t *data;
    size_t size;
};
enum { CODEC_MAX_PIECES = 2 * MIST_MAX_LEVELS + 1 };

/*
 * The standalone codestream without the `reduce` highest levels, as mist_codestream_reduce() makes it, in pieces. What
 * is made anew lies in `headers` (overwritten), into which pieces point. The packets themselves are not looked at.
 * With reduce 0 the header's levels must all be listed, and the codestream ends in front of the first one that is not
 * here, without EOC: a prefix of the whole. Otherwise those that are left must be here, and others may be listed.
 */
enum mist_status codec_codestream_pieces(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                         unsigned reduce, struct mist_buffer *headers,
                                         struct codec_piece pieces[CODEC_MAX_PIECES], unsigned *count,
                                         struct mist_error *error);

/* The same, joined in `out`, which is overwritten. */
enum mist_status codec_codestream_join(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                       unsigned reduce, struct mist_buffer *out, struct mist_error *error);

#endif
