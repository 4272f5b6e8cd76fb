/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is encoded losslessly decodes to the same samples, and does so from the prefixes that the index names, and the
 * encoder gives the same bytes twice. The input is: type (1 byte), width - 1, height - 1 (1 each), components and flags
 * (1), levels (1), block and precinct sizes (1 each), precision (1), then samples, repeated as needed.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    struct mist_view view;
    struct mist_encode_options options;
    void *samples;
};

static void fill(struct frame *frame, const uint8_t *data, size_t size)
{
    struct mist_view *view = &frame->view;
    size_t count = (size_t)view->width * view->height * view->components, bytes = mist_sample_size(view->type);
    unsigned precision = frame->options.precision, drop = (unsigned)(8 * bytes) - precision;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = 0;
        for (size_t b = 0; b < bytes; b++)
            value |= (uint32_t)(size ? data[(i * bytes + b) % size] : 0) << 8 * b;
        value <<= 32 - 8 * bytes; /* to the top, down again by what the precision leaves, with the type's sign */
        int32_t as_signed = (int32_t)value >> (32 - 8 * bytes + drop);
        uint32_t as_unsigned = value >> (32 - 8 * bytes + drop);
        value = mist_sample_is_signed(view->type) ? (uint32_t)as_signed : as_unsigned;
        memcpy((uint8_t *)frame->samples + i * bytes, &value, bytes); /* little-endian, as fuzzing machines are */
    }
}

static void make_frame(struct frame *frame, const uint8_t *data, size_t size)
{
    static const enum mist_sample_type types[] = {MIST_U8,  MIST_S8,  MIST_U16, MIST_S16,
                                                  MIST_U32, MIST_S32, MIST_F16, MIST_F32};
    enum mist_sample_type type = types[fuzz_take(&data, &size, 1) % 8];
    uint32_t width = 1 + (uint32_t)fuzz_take(&data, &size, 1), height = 1 + (uint32_t)fuzz_take(&data, &size, 1);
    unsigned flags = (unsigned)fuzz_take(&data, &size, 1);
    unsigned bits = 8 * (unsigned)mist_sample_size(type);
    frame->options = mist_encode_options_default();
    frame->options.levels = (int)fuzz_take(&data, &size, 1) % 12;
    unsigned block = (unsigned)fuzz_take(&data, &size, 1), precinct = (unsigned)fuzz_take(&data, &size, 1);
    frame->options.block_width = 4u << block % 7;
    frame->options.block_height = 4u << (block >> 4) % 7;
    if (frame->options.block_width * frame->options.block_height > 4096)
        frame->options.block_height = 4;
    frame->options.precinct_width = precinct & 8 ? 8u << precinct % 8 : 0;
    frame->options.precinct_height = precinct & 128 ? 8u << (precinct >> 4) % 8 : 0;
    frame->options.precision = 1 + (unsigned)fuzz_take(&data, &size, 1) % bits;
    if (mist_sample_is_float(type))
        frame->options.precision = bits;
    frame->options.progression = (enum mist_progression)((flags >> 2 & 7) % 5);
    frame->options.color_transform = flags & 32;
    frame->options.tile_parts = flags & 64;
    frame->options.threads = flags & 128 ? 2 : 1;
    frame->samples = malloc(mist_frame_bytes(type, width, height, 1 + (flags & 3)));
    fuzz_require(frame->samples);
    frame->view = mist_view_interleaved(frame->samples, type, width, height, 1 + (flags & 3));
    fill(frame, data, size);
}

/* Every prefix that the index names decodes at its level as the whole does. */
static void check_prefixes(mist_codec *codec, const struct frame *frame, const struct mist_buffer *stream)
{
    struct mist_codestream_index index;
    fuzz_require(mist_codestream_index(stream->data, stream->size, &index, NULL) == MIST_OK);
    fuzz_require(index.complete == index.levels);
    struct mist_decode_options options = mist_decode_options_default();
    struct mist_view view = frame->view;
    for (unsigned level = 0; level + 1 < index.levels; level++) {
        options.reduce = index.levels - 1 - level;
        uint32_t width = mist_reduced_size(frame->view.width, options.reduce);
        uint32_t height = mist_reduced_size(frame->view.height, options.reduce);
        size_t bytes = mist_frame_bytes(view.type, width, height, view.components);
        uint8_t *both = malloc(2 * bytes);
        fuzz_require(both);
        for (int prefix = 0; prefix < 2; prefix++) {
            view = mist_view_interleaved(both + prefix * bytes, view.type, width, height, view.components);
            size_t size = prefix ? (size_t)index.level_end[level] : stream->size;
            fuzz_require(mist_decode(codec, stream->data, size, &options, &view, NULL, NULL) == MIST_OK);
        }
        fuzz_require(!memcmp(both, both + bytes, bytes));
        free(both);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    struct mist_buffer stream = {0}, again = {0};
    make_frame(&frame, data, size);
    mist_codec *codec = mist_codec_new(), *other = mist_codec_new();
    fuzz_require(codec && other);
    fuzz_require(mist_encode(codec, &frame.view, &frame.options, &stream, NULL) == MIST_OK);
    frame.options.threads = 1;
    fuzz_require(mist_encode(other, &frame.view, &frame.options, &again, NULL) == MIST_OK);
    fuzz_require(stream.size == again.size && !memcmp(stream.data, again.data, stream.size));
    size_t bytes = mist_frame_bytes(frame.view.type, frame.view.width, frame.view.height, frame.view.components);
    struct mist_view view = frame.view;
    view.data = malloc(bytes);
    fuzz_require(view.data);
    struct mist_decode_options options = mist_decode_options_default();
    fuzz_require(mist_decode(codec, stream.data, stream.size, &options, &view, NULL, NULL) == MIST_OK);
    fuzz_require(!memcmp(view.data, frame.samples, bytes));
    check_prefixes(codec, &frame, &stream);
    free(view.data);
    free(frame.samples);
    mist_buffer_free(&stream);
    mist_buffer_free(&again);
    mist_codec_free(&codec);
    mist_codec_free(&other);
    return 0;
}
