/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: from the chunks of the streams to the original values. */
#include "item/decoder.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/foreign.h"
#include "coder/htj2k.h"
#include "coder/remainder.h"
#include "image/copy.h"

#include <string.h>

mist_decoder *mist_decoder_new(void)
{
    mist_decoder *decoder = memory_allocate_zeroed(1, sizeof *decoder);
    if (decoder)
        decoder->codec = mist_codec_new();
    if (decoder && !decoder->codec)
        mist_decoder_free(&decoder);
    return decoder;
}

void mist_decoder_free(mist_decoder **decoder)
{
    if (!decoder || !*decoder)
        return;
    mist_codec_free(&(*decoder)->codec);
    mist_buffer_free(&(*decoder)->coded);
    mist_buffer_free(&(*decoder)->other);
    for (unsigned role = 0; role < CODER_ROLES; role++)
        mist_buffer_free(&(*decoder)->unit[role].samples);
    memory_free(*decoder);
    *decoder = NULL;
}

struct mist_view item_new_view(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components)
{
    void *data = memory_allocate(mist_frame_bytes(type, width, height, components));
    return mist_view_interleaved(data, type, width, height, components);
}

/* ---- chunks ---- */

void item_unit_parts(const mist_item *item, unsigned stream, uint32_t unit, struct coder_parts *parts)
{
    const struct coder_stream *about = &item->manifest.stream[stream];
    unsigned classes = stream_unit_classes(about), steps = item->layout.steps;
    uint32_t first;
    parts->frames = stream_unit_frames(about, unit, &first);
    parts->header = stream_header(about, unit);
    for (unsigned coded = 0; coded < about->coded; coded++)
        for (unsigned i = 0; i < classes; i++) {
            unsigned class = classes > 1 ? i : about->unit ? step_class(first % about->plane.slices, steps) : steps;
            uint64_t size, at = chunk_map_chunk(&item->chunks, &item->layout, stream, coded, class, unit, &size);
            struct coder_piece *piece = &parts->piece[coded * classes + i];
            piece->data = item_bytes(item, at, size);
            piece->size = (size_t)size;
        }
}

static enum mist_status not_here(const mist_item *item, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_TRUNCATED, "%s: this level is not here; the file holds %u of %u levels",
                     item->name, item->info.levels_present, item->info.levels);
}

/* Decodes a unit of several slices into the decoder's cache, unless it is there. */
static enum mist_status load_unit(const mist_item *item, mist_decoder *decoder, unsigned stream, uint32_t unit,
                                  unsigned reduce, unsigned step, struct decoded_unit **found, struct mist_error *error)
{
    const struct coder_stream *about = &item->manifest.stream[stream];
    const struct coder_plane *plane = &about->plane;
    struct decoded_unit *cache = &decoder->unit[about->role];
    *found = cache;
    if (cache->item == item->serial && cache->stream == stream && cache->unit == unit && cache->reduce == reduce &&
        cache->step <= step)
        return MIST_OK;
    cache->item = 0;
    item_unit_parts(item, stream, unit, &decoder->parts);
    uint32_t width = mist_reduced_size(plane->width, reduce), height = mist_reduced_size(plane->height, reduce);
    uint32_t slices = step_slices(decoder->parts.frames, step);
    size_t frame = mist_frame_bytes(plane->type, width, height, plane->components);
    struct mist_view *views = memory_allocate_array(slices, sizeof *views);
    if (!views || !buffer_reserve(&cache->samples, frame * slices)) {
        memory_free(views);
        return error_set(error, MIST_ERROR_MEMORY, "%s: no memory for %u slices", item->name, slices);
    }
    for (uint32_t i = 0; i < slices; i++)
        views[i] =
            mist_view_interleaved(cache->samples.data + frame * i, plane->type, width, height, plane->components);
    enum mist_status status = coder_decode(decoder->codec, about, &decoder->parts, reduce, step, views, error);
    memory_free(views);
    if (status == MIST_ERROR_TRUNCATED)
        return not_here(item, error);
    if (status)
        return error_prefix(error, status, "%s: unit %u", item->name, unit);
    *cache = (struct decoded_unit){item->serial, stream, unit, reduce, step, cache->samples};
    return MIST_OK;
}

enum mist_status item_decode_stream(const mist_item *item, mist_decoder *decoder, unsigned stream, uint32_t frame,
                                    unsigned reduce, struct mist_view *out, struct mist_error *error)
{
    const struct coder_stream *about = &item->manifest.stream[stream];
    uint32_t slice, unit = stream_unit_of(about, frame, &slice);
    if (about->unit == 1) {
        item_unit_parts(item, stream, unit, &decoder->parts);
        enum mist_status status = coder_decode(decoder->codec, about, &decoder->parts, reduce, 0, out, error);
        if (status == MIST_ERROR_TRUNCATED)
            return not_here(item, error);
        return status ? error_prefix(error, status, "%s: frame %u", item->name, frame) : MIST_OK;
    }
    struct decoded_unit *cache;
    unsigned step = step_class(slice, item->layout.steps);
    enum mist_status status = load_unit(item, decoder, stream, unit, reduce, step, &cache, error);
    if (status)
        return status;
    size_t bytes = mist_frame_bytes(out->type, out->width, out->height, out->components);
    struct mist_view found = mist_view_interleaved(cache->samples.data + bytes * (slice >> cache->step), out->type,
                                                   out->width, out->height, out->components);
    copy_samples(&found, out, false);
    return MIST_OK;
}

/* ---- values ---- */

static bool is_direct(const mist_item *item, const struct mist_view *out)
{
    const struct value_map *values = &item->manifest.values;
    return values->kind == VALUE_MAP_IDENTITY && values->coded == out->type && values->holes.count == 0;
}

/* Room for a plane of a stream at the size of `out`, in a buffer of the decoder. */
static enum mist_status take_plane(const mist_item *item, unsigned stream, const struct mist_view *out,
                                   struct mist_buffer *room, struct mist_view *plane, struct mist_error *error)
{
    const struct coder_plane *about = &item->manifest.stream[stream].plane;
    if (!buffer_reserve(room, mist_frame_bytes(about->type, out->width, out->height, about->components)))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    *plane = mist_view_interleaved(room->data, about->type, out->width, out->height, about->components);
    return MIST_OK;
}

/* What the value map says of a frame, with the frame's name before it. */
static enum mist_status of_frame(const mist_item *item, uint32_t frame, enum mist_status status,
                                 struct mist_error *error)
{
    return status ? error_prefix(error, status, "%s: frame %u", item->name, frame) : MIST_OK;
}

/* The picture's samples, the value map undone. `coded` is set to what was coded; data NULL where that is the same. */
static enum mist_status decode_picture(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce,
                                       struct mist_view *out, struct mist_view *coded, struct mist_error *error)
{
    if (is_direct(item, out))
        return item_decode_stream(item, decoder, 0, frame, reduce, out, error);
    const struct value_map *values = &item->manifest.values;
    enum mist_status status = take_plane(item, 0, out, &decoder->coded, coded, error);
    if (!status && values->kind == VALUE_MAP_TABLE && reduce == 0 && item->table_damaged)
        return of_frame(item, frame, error_set(error, MIST_ERROR_CORRUPT, "the table of values is damaged"), error);
    if (!status && values->kind == VALUE_MAP_TABLE && reduce == 0 && !values->table)
        return not_here(item, error);
    if (!status)
        status = item_decode_stream(item, decoder, 0, frame, reduce, coded, error);
    return status ? status : of_frame(item, frame, value_map_inverse(values, coded, reduce > 0, out, error), error);
}

static enum mist_status apply_holes(const mist_item *item, mist_decoder *decoder, unsigned stream, uint32_t frame,
                                    unsigned reduce, struct mist_view *out, struct mist_error *error)
{
    struct mist_view holes;
    enum mist_status status = take_plane(item, stream, out, &decoder->other, &holes, error);
    if (!status)
        status = item_decode_stream(item, decoder, stream, frame, reduce, &holes, error);
    return status ? status
                  : of_frame(item, frame, value_map_apply_holes(&item->manifest.values, &holes, out, error), error);
}

static enum mist_status apply_remainder(const mist_item *item, mist_decoder *decoder, unsigned stream, uint32_t frame,
                                        const struct mist_view *coded, struct mist_view *out, struct mist_error *error)
{
    struct mist_view remainder;
    enum mist_status status = take_plane(item, stream, out, &decoder->other, &remainder, error);
    item_unit_parts(item, stream, frame, &decoder->parts);
    const struct coder_piece *piece = &decoder->parts.piece[0];
    if (!status && !piece->data)
        return not_here(item, error);
    if (!status)
        status = remainder_decompress(piece->data, piece->size, coded, &remainder, error);
    if (!status)
        status = value_map_apply_remainder(&item->manifest.values, &remainder, out, error);
    return of_frame(item, frame, status, error);
}

/* The full frame of its own bytes as they came. */
static enum mist_status decode_original(const mist_item *item, mist_decoder *decoder,
                                        const struct coder_stream *original, uint32_t frame, struct mist_view *out,
                                        struct mist_error *error)
{
    item_unit_parts(item, (unsigned)(original - item->manifest.stream), frame, &decoder->parts);
    const struct coder_piece *piece = &decoder->parts.piece[0];
    if (!piece->data)
        return not_here(item, error);
    enum mist_status status = foreign_decode(piece->data, piece->size, item->manifest.values.precision,
                                             original->parameters.data[0], out, error);
    return status ? error_prefix(error, status, "%s: frame %u", item->name, frame) : MIST_OK;
}

enum mist_status mist_item_decode(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce,
                                  struct mist_view *out, struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    enum mist_status status = item_check_frame(item, frame, reduce, error);
    if (status)
        return status;
    if (out->type != image->type || out->components != image->components ||
        out->width != mist_reduced_size(image->width, reduce) ||
        out->height != mist_reduced_size(image->height, reduce))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: the view is not of the frame's type and size", item->name);
    struct mist_view coded = {0};
    const struct coder_stream *original = manifest_stream(&item->manifest, CODER_ORIGINAL);
    if (original && reduce == 0)
        return decode_original(item, decoder, original, frame, out, error);
    status = decode_picture(item, decoder, frame, reduce, out, &coded, error);
    /* Holes first; what is exact has the last word. */
    for (unsigned i = 1; i < item->manifest.streams && !status; i++) {
        const struct coder_stream *stream = &item->manifest.stream[i];
        if (stream->role == CODER_HOLES)
            status = apply_holes(item, decoder, i, frame, reduce, out, error);
        else if (stream->coder == CODER_REMAINDER && reduce == 0)
            status = apply_remainder(item, decoder, i, frame, &coded, out, error);
    }
    return status;
}

/* ---- codestreams ---- */

bool item_has_codestreams(const mist_item *item)
{
    const struct manifest *manifest = &item->manifest;
    return manifest->stream[0].coder == CODER_HTJ2K && manifest->values.kind == VALUE_MAP_IDENTITY &&
           manifest->values.coded == manifest->image.type && manifest->values.holes.count == 0 &&
           !manifest_stream(manifest, CODER_ORIGINAL);
}

enum mist_status item_codestream_pieces(const mist_item *item, uint32_t frame, unsigned reduce,
                                        struct mist_buffer *headers, struct codec_piece pieces[CODEC_MAX_PIECES],
                                        unsigned *count, struct mist_error *error)
{
    enum mist_status status = item_check_frame(item, frame, reduce, error);
    if (status)
        return status;
    if (!item_has_codestreams(item))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: its frames are no codestreams", item->name);
    struct coder_parts *parts = memory_allocate(sizeof *parts);
    if (!parts)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    struct codec_packets packets;
    item_unit_parts(item, 0, frame, parts);
    htj2k_packets(&item->manifest.stream[0], parts, &packets);
    for (unsigned level = 0; level + reduce < packets.levels && !status; level++)
        if (!packets.level[level].data)
            status = not_here(item, error);
    if (!status)
        status = codec_codestream_pieces(parts->header.data, parts->header.size, &packets, reduce, headers, pieces,
                                         count, error);
    memory_free(parts);
    return status;
}

/* The decoded samples, coded anew: labels, floats, and whatever else is not stored as codestreams of its samples. */
static enum mist_status encode_anew(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce,
                                    struct mist_buffer *out, struct mist_error *error)
{
    const struct mist_image_info *image = &item->info.image;
    struct mist_view samples = item_new_view(image->type, mist_reduced_size(image->width, reduce),
                                             mist_reduced_size(image->height, reduce), image->components);
    struct mist_encode_options options = mist_encode_options_default();
    options.color_transform = !image->label;
    options.precision = mist_sample_is_float(image->type) ? 0 : image->precision;
    enum mist_status status = samples.data ? mist_item_decode(item, decoder, frame, reduce, &samples, error)
                                           : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    if (!status)
        status = mist_encode(decoder->codec, &samples, &options, out, error);
    memory_free(samples.data);
    return status;
}

enum mist_status mist_item_codestream(const mist_item *item, mist_decoder *decoder, uint32_t frame, unsigned reduce,
                                      struct mist_buffer *out, struct mist_error *error)
{
    enum mist_status status = item_check_frame(item, frame, reduce, error);
    if (status)
        return status;
    if (!item_has_codestreams(item))
        return encode_anew(item, decoder, frame, reduce, out, error);
    struct mist_buffer headers = {0};
    struct codec_piece pieces[CODEC_MAX_PIECES];
    unsigned count = 0;
    status = item_codestream_pieces(item, frame, reduce, &headers, pieces, &count, error);
    out->size = 0;
    for (unsigned i = 0; i < count && !status; i++)
        if (!buffer_append(out, pieces[i].data, pieces[i].size))
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    mist_buffer_free(&headers);
    return status;
}
