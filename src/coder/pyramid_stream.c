/* SPDX-License-Identifier: BSD-2-Clause */
/* The coder of sparse images as streams have it: each frame is a unit. */
#include "coder/coder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/writing.h"
#include "coder/pyramid.h"

static struct pyramid_shape shape_of(const struct coder_stream *stream)
{
    const struct coder_plane *plane = &stream->plane;
    return (struct pyramid_shape){plane->type, plane->width, plane->height, 1, stream->coded};
}

static enum mist_status encode(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                               const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                               struct mist_error *error)
{
    const struct pyramid_shape shape = shape_of(stream);
    struct mist_buffer chunks[MIST_MAX_LEVELS] = {{0}};
    enum mist_status status = pyramid_encode(&shape, frame, chunks, error);
    for (unsigned level = 0; level < shape.levels; level++) {
        coded->size[level] = chunks[level].size;
        if (!status && !buffer_append(&coded->bytes, chunks[level].data, chunks[level].size))
            status = error_set(error, MIST_ERROR_MEMORY, "coding a sparse image: out of memory");
        mist_buffer_free(&chunks[level]);
    }
    return status;
}

static enum mist_status decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    const struct pyramid_shape shape = shape_of(stream);
    for (unsigned level = 0; level < shape.levels - reduce; level++)
        if (!parts->piece[level].data)
            return error_set(error, MIST_ERROR_TRUNCATED, "a sparse image is not here");
    return pyramid_decode(&shape, parts->piece, reduce, out, error);
}

static enum mist_status check(const struct coder_stream *stream, struct mist_error *error)
{
    const struct coder_plane *plane = &stream->plane;
    bool good = stream->unit == 1 && stream->headers == 0 && stream->role == CODER_PICTURE &&
                stream->coded == plane->levels && plane->components == 1 && mist_sample_size(plane->type) <= 2 &&
                !mist_sample_is_float(plane->type);
    return good ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "a stream of a sparse image is damaged");
}

const struct coder coder_pyramid = {
    .name = "pyramid", .decode = decode, .check = check, .centred = true, WRITING(.encode = encode)};
