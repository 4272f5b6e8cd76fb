/* SPDX-License-Identifier: BSD-2-Clause */
/* JPEG 2000 codestreams as streams have them: each frame's packets in the order of resolution, its main header apart.
 */
#include "coder/coder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/writing.h"
#include "coder/htj2k.h"
#include "coder/j2k.h"

#include <string.h>

static enum mist_status split(const struct coder_stream *stream, const uint8_t *data, size_t size,
                              struct coder_coded *coded, struct mist_buffer *rebuild, struct mist_error *error)
{
    struct j2k_parts parts = {0};
    enum mist_status status = j2k_split(data, size, &parts, error);
    if (!status && parts.levels != stream->coded)
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "a codestream of another number of levels");
    if (!status && (!buffer_append(&coded->header, parts.main_header.data, parts.main_header.size) ||
                    !buffer_append(&coded->bytes, parts.packets.data, parts.packets.size) ||
                    !buffer_append(rebuild, parts.order.data, parts.order.size)))
        status = error_set(error, MIST_ERROR_MEMORY, "keeping a codestream: out of memory");
    memcpy(coded->size, parts.level_size, sizeof parts.level_size);
    j2k_parts_free(&parts);
    return status;
}

static enum mist_status decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    struct codec_packets packets;
    htj2k_packets(stream, parts, &packets);
    for (unsigned level = 0; level < stream->coded - reduce; level++)
        if (!packets.level[level].data)
            return error_set(error, MIST_ERROR_TRUNCATED, "a codestream is not here");
    packets.levels = stream->coded - reduce;
    return j2k_decode_packets(codec, parts->header.data, parts->header.size, &packets, reduce, out, error);
}

static enum mist_status original(const struct coder_stream *stream, const struct coder_parts *parts,
                                 struct coder_piece rebuild, struct mist_buffer *out, struct mist_error *error)
{
    struct codec_packets packets;
    htj2k_packets(stream, parts, &packets);
    for (unsigned level = 0; level < stream->coded; level++)
        if (!packets.level[level].data)
            return error_set(error, MIST_ERROR_TRUNCATED, "a codestream is not here");
    return j2k_rebuild(parts->header.data, parts->header.size, &packets, rebuild.data, rebuild.size, out, error);
}

static enum mist_status check(const struct coder_stream *stream, struct mist_error *error)
{
    const struct coder_plane *plane = &stream->plane;
    if (stream->unit != 1 || stream->headers == 0 || stream->role != CODER_PICTURE)
        return error_set(error, MIST_ERROR_CORRUPT, "a stream of codestreams is damaged");
    for (uint32_t i = 0; i < stream->headers; i++) {
        struct j2k_info info;
        enum mist_status status = j2k_info(stream->header[i].data, stream->header[i].size, &info, error);
        if (status)
            return status;
        if (info.width != plane->width || info.height != plane->height || info.components != plane->components ||
            info.levels != stream->coded || info.tiles != 1 || info.precision > 8 * mist_sample_size(plane->type))
            return error_set(error, MIST_ERROR_CORRUPT, "the codestream header is not that of the images it tells of");
    }
    return MIST_OK;
}

const struct coder coder_j2k = {
    .name = "j2k", .decode = decode, .check = check, WRITING(.split = split, .original = original)};
