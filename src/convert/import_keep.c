/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources that are kept as they came compressed (JPEG, JPEG 2000): what their coders make of each frame is proved. */
#include "convert/import.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/foreign.h"

#include <string.h>

/* The chunks that were just made, as decoding takes them. */
static void find_parts(const struct coder_stream *stream, const struct coder_coded *coded, struct coder_parts *parts)
{
    const uint8_t *at = coded->bytes.data;
    parts->frames = 1;
    parts->header = coded->header;
    for (unsigned level = 0; level < stream->coded; level++) {
        parts->piece[level] = (struct coder_piece){at, (size_t)coded->size[level]};
        at += coded->size[level];
    }
}

/* Whether the kept bytes give the samples that the source gives. */
static bool is_same(const struct import_slot *slot)
{
    const struct mist_view *view = &slot->again;
    size_t bytes = mist_frame_bytes(view->type, view->width, view->height, view->components);
    return memcmp(view->data, slot->samples.data, bytes) == 0;
}

enum mist_status import_above(struct import *import, uint32_t frame, struct import_slot *slot, struct mist_error *error)
{
    const struct coder_stream *picture = &import->manifest.stream[0], *original = &import->manifest.stream[1];
    struct coder_coded *coded = &slot->coded[0];
    enum format_stream kind;
    enum mist_status status = import->source->ops->codestream(import->source, frame, &slot->source_bytes, &kind, error);
    if (!status)
        status = foreign_decode(slot->source_bytes.data, slot->source_bytes.size, picture->plane.precision,
                                original->parameters.data[0], &slot->again, error);
    if (!status && !is_same(slot))
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "its codestream by itself gives other samples");
    if (status)
        return status == MIST_ERROR_MEMORY ? status : MIST_ERROR_UNSUPPORTED;
    coded->bytes.size -= coded->size[picture->coded - 1];
    coded->size[picture->coded - 1] = 0;
    slot->coded[1].bytes.size = slot->rebuild.size = 0;
    slot->coded[1].size[0] = slot->source_bytes.size;
    return buffer_append(&slot->coded[1].bytes, slot->source_bytes.data, slot->source_bytes.size)
               ? MIST_OK
               : import_out_of_memory(import, error);
}

enum mist_status import_keep(struct import *import, uint32_t frame, struct import_slot *slot, mist_codec *codec,
                             struct mist_error *error)
{
    const struct coder_stream *stream = &import->manifest.stream[0];
    struct format_source *source = import->source;
    enum format_stream kind;
    enum mist_status status = source->ops->codestream(source, frame, &slot->source_bytes, &kind, error);
    if (!status)
        status =
            coder_split(stream, slot->source_bytes.data, slot->source_bytes.size, slot->coded, &slot->rebuild, error);
    if (status)
        return status == MIST_ERROR_MEMORY ? status : error_set(error, MIST_ERROR_UNSUPPORTED, "not kept");
    find_parts(stream, slot->coded, slot->parts);
    status = coder_decode(codec, stream, slot->parts, 0, 0, &slot->again, error);
    if (!status && !is_same(slot))
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "its kept codestream would give other samples");
    return status && status != MIST_ERROR_MEMORY ? MIST_ERROR_UNSUPPORTED : status;
}
