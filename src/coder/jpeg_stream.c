/* SPDX-License-Identifier: BSD-2-Clause */
/* JPEG files as streams have them: each frame is one file's coefficients, a chunk for each level. */
#include "coder/coder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/writing.h"
#include "coder/jpeg.h"

static enum mist_status split(const struct coder_stream *stream, const uint8_t *data, size_t size,
                              struct coder_coded *coded, struct mist_buffer *rebuild, struct mist_error *error)
{
    struct jpeg_chunks chunks = {0};
    enum mist_status status = jpeg_split(data, size, &chunks, error);
    if (!status && chunks.info.levels != stream->coded)
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG frame of another size");
    for (unsigned level = 0; level < chunks.info.levels && !status; level++) {
        coded->size[level] = chunks.level[level].size;
        if (!buffer_append(&coded->bytes, chunks.level[level].data, chunks.level[level].size))
            status = error_set(error, MIST_ERROR_MEMORY, "keeping a JPEG file: out of memory");
    }
    if (!status && !buffer_append(rebuild, chunks.rebuild.data, chunks.rebuild.size))
        status = error_set(error, MIST_ERROR_MEMORY, "keeping a JPEG file: out of memory");
    jpeg_chunks_free(&chunks);
    return status;
}

/* The chunks as the coder takes them: what is in the lowest one must be a picture of the plane's size. */
static enum mist_status find_pieces(const struct coder_stream *stream, const struct coder_parts *parts, unsigned reduce,
                                    struct jpeg_piece pieces[MIST_MAX_LEVELS], struct mist_error *error)
{
    const struct coder_plane *plane = &stream->plane;
    struct jpeg_info info;
    for (unsigned level = 0; level < stream->coded - reduce; level++) {
        pieces[level] = (struct jpeg_piece){parts->piece[level].data, parts->piece[level].size};
        if (!pieces[level].data)
            return error_set(error, MIST_ERROR_TRUNCATED, "a JPEG picture is not here");
    }
    enum mist_status status = jpeg_pieces_info(&pieces[0], &info, error);
    if (!status && (info.width != plane->width || info.height != plane->height ||
                    info.components != plane->components || info.levels != stream->coded))
        status = error_set(error, MIST_ERROR_CORRUPT, "a JPEG picture of another size than the item's");
    return status;
}

static enum mist_status decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    enum mist_status status = find_pieces(stream, parts, reduce, pieces, error);
    return status ? status : jpeg_decode(pieces, reduce, out, error);
}

static enum mist_status original(const struct coder_stream *stream, const struct coder_parts *parts,
                                 struct coder_piece rebuild, struct mist_buffer *out, struct mist_error *error)
{
    struct jpeg_piece pieces[MIST_MAX_LEVELS], blob = {rebuild.data, rebuild.size};
    enum mist_status status = find_pieces(stream, parts, 0, pieces, error);
    return status ? status : jpeg_rebuild(pieces, &blob, out, error);
}

static enum mist_status check(const struct coder_stream *stream, struct mist_error *error)
{
    const struct coder_plane *plane = &stream->plane;
    bool good = stream->unit == 1 && stream->headers == 0 && stream->role == CODER_PICTURE &&
                stream->coded == plane->levels && plane->type == MIST_U8 && plane->components != 2;
    return good ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "a stream of JPEG pictures is damaged");
}

const struct coder coder_jpeg = {
    .name = "jpeg", .decode = decode, .check = check, .centred = true, WRITING(.split = split, .original = original)};
