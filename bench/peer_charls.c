/* SPDX-License-Identifier: BSD-2-Clause */
/* CharLS (Debian's libcharls-dev): JPEG-LS lossless, grey. No reduced decoding exists in JPEG-LS. */
#include "bench.h"

#include <charls/charls.h>
#include <stdlib.h>

static void *create(void)
{
    return malloc(1);
}

static bool encode(void *state, const struct bench_image *image, struct mist_buffer *out)
{
    (void)state;
    const struct mist_view *view = &image->view;
    size_t sample = mist_sample_size(view->type), bytes = sample * view->width * view->height;
    size_t needed = bytes + bytes / 4 + 1024;
    if (out->capacity < needed) {
        mist_buffer_free(out);
        out->data = malloc(needed);
        out->capacity = out->data ? needed : 0;
    }
    charls_jpegls_encoder *encoder = charls_jpegls_encoder_create();
    charls_frame_info info = {view->width, view->height, (int)(8 * sample), 1};
    bool done = out->data && encoder && !charls_jpegls_encoder_set_frame_info(encoder, &info) &&
                !charls_jpegls_encoder_set_destination_buffer(encoder, out->data, out->capacity) &&
                !charls_jpegls_encoder_encode_from_buffer(encoder, view->data, bytes, 0) &&
                !charls_jpegls_encoder_get_bytes_written(encoder, &out->size);
    charls_jpegls_encoder_destroy(encoder);
    return done;
}

static bool decode(void *state, const struct mist_buffer *stream, unsigned reduce, struct mist_view *out)
{
    (void)state;
    (void)reduce;
    charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();
    size_t bytes = mist_sample_size(out->type) * out->width * out->height;
    bool done = decoder && !charls_jpegls_decoder_set_source_buffer(decoder, stream->data, stream->size) &&
                !charls_jpegls_decoder_read_header(decoder) &&
                !charls_jpegls_decoder_decode_to_buffer(decoder, out->data, bytes, 0);
    charls_jpegls_decoder_destroy(decoder);
    return done;
}

const struct bench_peer peer_charls = {"charls", false, create, free, encode, decode};
