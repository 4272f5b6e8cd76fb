/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The coder of label maps and holes as streams have it. Planes are u16; frames of a unit are packed one behind the
 * other. A plane of several components (holes of colours or of complex numbers) is a lattice for each of them; a chunk
 * is then theirs one behind the other, each but the last with its size before it as a varint.
 */
#include "coder/coder.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/writing.h"
#include "coder/lattice.h"
#include "image/copy.h"

static uint32_t symbols_of(const struct coder_stream *stream)
{
    struct byte_reader reader = byte_reader_start(stream->parameters.data, stream->parameters.size);
    uint64_t symbols = read_varint(&reader);
    bool good = !reader.failed && reader_left(&reader) == 0 && symbols >= 1 && symbols <= LATTICE_MAX_SYMBOLS;
    return good ? (uint32_t)symbols : 0;
}

static struct lattice_shape shape_of(const struct coder_stream *stream, uint32_t frames)
{
    /* A unit of one frame is of whatever class its slice is; by itself it has no classes. */
    return (struct lattice_shape){
        stream->plane.width, stream->plane.height, frames, stream->coded, stream_unit_classes(stream) - 1,
        symbols_of(stream)};
}

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "coding labels: out of memory");
}

/* One component of packed frames, or the other way round. */
static void move_component(const struct mist_view *view, uint32_t component, uint16_t *plane, bool out)
{
    struct mist_view part = *view, packed = mist_view_interleaved(plane, MIST_U16, view->width, view->height, 1);
    part.data = (uint8_t *)view->data + component * view->component_stride;
    part.components = 1;
    copy_samples(out ? &packed : &part, out ? &part : &packed, false);
}

/* ---- encoding ---- */

/* Puts chunk i of every component into coded->bytes. */
static bool join_chunks(const struct mist_buffer *chunks, size_t count, uint32_t components, struct coder_coded *coded)
{
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        size_t before = coded->bytes.size;
        for (uint32_t c = 0; c < components && good; c++) {
            const struct mist_buffer *chunk = &chunks[c * count + i];
            uint8_t size[10];
            good = (c + 1 == components || buffer_append(&coded->bytes, size, store_varint(size, chunk->size))) &&
                   buffer_append(&coded->bytes, chunk->data, chunk->size);
        }
        coded->size[i] = coded->bytes.size - before;
    }
    return good;
}

static enum mist_status encode(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                               const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                               struct mist_error *error)
{
    struct lattice_shape shape = shape_of(stream, frames);
    const uint32_t components = stream->plane.components;
    size_t count = lattice_chunk(&shape, shape.levels, 0), pixels = (size_t)shape.width * shape.height;
    struct mist_buffer *chunks = memory_allocate_zeroed(count * components, sizeof *chunks);
    uint16_t *plane = components > 1 ? memory_allocate_array(pixels * frames, sizeof *plane) : frame->data;
    enum mist_status status = chunks && plane ? MIST_OK : out_of_memory(error);
    for (uint32_t c = 0; c < components && !status; c++) {
        for (uint32_t i = 0; components > 1 && i < frames; i++)
            move_component(&frame[i], c, plane + pixels * i, false);
        status = lattice_encode(&shape, plane, chunks + c * count, error);
    }
    if (!status && !join_chunks(chunks, count, components, coded))
        status = out_of_memory(error);
    for (size_t i = 0; chunks && i < count * components; i++)
        mist_buffer_free(&chunks[i]);
    memory_free(chunks);
    if (components > 1)
        memory_free(plane);
    return status;
}

/* ---- decoding ---- */

/* The pieces of one component; false where a chunk that is needed is not here, or makes no sense. */
static bool find_pieces(const struct lattice_shape *shape, const struct coder_parts *parts, uint32_t component,
                        uint32_t components, unsigned reduce, unsigned step, struct coder_piece *pieces)
{
    for (unsigned level = 0; level < shape->levels - reduce; level++)
        for (unsigned class = step; class <= shape->steps; class += 1) {
            size_t i = lattice_chunk(shape, level, class);
            struct coder_piece piece = parts->piece[i];
            if (!piece.data)
                return false;
            for (uint32_t c = 0; c <= component && components > 1; c++) {
                struct byte_reader reader = byte_reader_start(piece.data, piece.size);
                uint64_t size = c + 1 == components ? piece.size : read_varint(&reader);
                size_t left = reader_left(&reader);
                const uint8_t *at = reader.at;
                size = size < left ? size : left;
                piece = c == component ? (struct coder_piece){at, (size_t)size}
                                       : (struct coder_piece){at + size, left - (size_t)size};
            }
            pieces[i] = piece;
        }
    return true;
}

static enum mist_status decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error)
{
    struct lattice_shape shape = shape_of(stream, parts->frames);
    const uint32_t components = stream->plane.components, slices = step_slices(parts->frames, step);
    size_t pixels = (size_t)out->width * out->height;
    struct coder_piece *pieces = memory_allocate_zeroed(lattice_chunk(&shape, shape.levels, 0), sizeof *pieces);
    uint16_t *plane = components > 1 ? memory_allocate_array(pixels * slices, sizeof *plane) : out->data;
    enum mist_status status = pieces && plane ? MIST_OK : out_of_memory(error);
    for (uint32_t c = 0; c < components && !status; c++) {
        status = find_pieces(&shape, parts, c, components, reduce, step, pieces)
                     ? lattice_decode(&shape, pieces, reduce, step, plane, error)
                     : error_set(error, MIST_ERROR_TRUNCATED, "labels are not here");
        for (uint32_t i = 0; components > 1 && i < slices && !status; i++)
            move_component(&out[i], c, plane + pixels * i, true);
    }
    memory_free(pieces);
    if (components > 1)
        memory_free(plane);
    return status;
}

static enum mist_status check(const struct coder_stream *stream, struct mist_error *error)
{
    bool good = symbols_of(stream) && stream->plane.type == MIST_U16 && stream->headers == 0 &&
                stream->coded == stream->plane.levels && stream->unit != 0;
    return good ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "a stream of labels is damaged");
}

const struct coder coder_lattice = {.name = "lattice", .decode = decode, .check = check, WRITING(.encode = encode)};
