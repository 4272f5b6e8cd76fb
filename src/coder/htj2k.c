/* SPDX-License-Identifier: BSD-2-Clause */
/* The coder of images: each frame is one HTJ2K codestream, whose resolution levels are the coded levels. */
#include "coder/coder.h"

#include "base/error.h"
#include "base/writing.h"
#include "codec/packets.h"
#include "coder/htj2k.h"

static enum mist_status encode(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                               const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                               struct mist_error *error)
{
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = stream->plane.precision;
    options.levels = (int)stream->coded;
    options.color_transform = stream->plane.color_transform;
    options.threads = threads;
    unsigned levels = 0;
    return codec_encode_packets(codec, frame, &options, &coded->header, &coded->bytes, coded->size, &levels, error);
}

void htj2k_packets(const struct coder_stream *stream, const struct coder_parts *parts, struct codec_packets *packets)
{
    packets->levels = stream->coded;
    for (unsigned level = 0; level < stream->coded; level++) {
        packets->level[level].data = parts->piece[level].data;
        packets->level[level].size = parts->piece[level].size;
    }
}

static enum mist_status decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    struct codec_packets packets;
    struct mist_decode_options options = mist_decode_options_default();
    options.reduce = reduce;
    htj2k_packets(stream, parts, &packets);
    packets.levels = stream->coded - reduce;
    return codec_decode_packets(codec, parts->header.data, parts->header.size, &packets, &options, out, NULL, error);
}

static bool header_fits(const struct coder_stream *stream, const struct mist_codestream_info *info)
{
    const struct coder_plane *plane = &stream->plane;
    bool same = info->width == plane->width && info->height == plane->height && info->components == plane->components &&
                info->levels == stream->coded && info->tiles == 1 && info->reversible;
    for (uint32_t c = 0; same && c < plane->components; c++)
        same = info->component[c].precision == plane->precision &&
               info->component[c].is_signed == mist_sample_is_signed(plane->type) &&
               info->component[c].width == plane->width && info->component[c].height == plane->height;
    return same;
}

/* The headers must be those of just the codestreams that the item tells of, or decoding would go astray. */
static enum mist_status check(const struct coder_stream *stream, struct mist_error *error)
{
    if (stream->unit != 1 || stream->headers == 0 || stream->role != CODER_PICTURE)
        return error_set(error, MIST_ERROR_CORRUPT, "a stream of codestreams is damaged");
    for (uint32_t i = 0; i < stream->headers; i++) {
        struct mist_codestream_info info;
        enum mist_status status = codec_header_info(stream->header[i].data, stream->header[i].size, &info, error);
        if (status)
            return status;
        if (!header_fits(stream, &info))
            return error_set(error, MIST_ERROR_CORRUPT, "the codestream header is not that of the images it tells of");
    }
    return MIST_OK;
}

const struct coder coder_htj2k = {.name = "htj2k", .decode = decode, .check = check, WRITING(.encode = encode)};
