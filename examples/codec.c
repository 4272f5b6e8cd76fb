/* SPDX-License-Identifier: BSD-2-Clause */
/* Encodes an array, keeps the first bytes of it, decodes a picture of a quarter of the sides from those. */
#include <mist/codec.h>
#include <stdio.h>

static uint16_t image[512][512], quarter[128][128];

int main(void)
{
    for (int y = 0; y < 512; y++)
        for (int x = 0; x < 512; x++)
            image[y][x] = (uint16_t)((x * y) & 0xfff);
    struct mist_view whole = mist_view_interleaved(image, MIST_U16, 512, 512, 1);
    struct mist_view small = mist_view_interleaved(quarter, MIST_U16, 128, 128, 1);
    struct mist_encode_options encode = mist_encode_options_default();
    struct mist_decode_options decode = mist_decode_options_default();
    struct mist_codestream_index index;
    struct mist_buffer stream = {0};
    struct mist_error error;
    mist_codec *codec = mist_codec_new();
    encode.precision = 12;
    decode.reduce = 2; /* 1 / 2^2 of the sides */
    bool good = codec && !mist_encode(codec, &whole, &encode, &stream, &error) &&
                !mist_codestream_index(stream.data, stream.size, &index, &error);
    if (good) {
        size_t enough = index.level_end[index.levels - 1 - decode.reduce]; /* these bytes hold the quarter */
        printf("%zu of %zu bytes\n", enough, stream.size);
        good = !mist_decode(codec, stream.data, enough, &decode, &small, NULL, &error);
    }
    if (!good)
        fprintf(stderr, "%s\n", codec ? error.message : "no memory");
    else
        printf("first row: %u %u %u ...\n", quarter[0][0], quarter[0][1], quarter[0][2]);
    mist_buffer_free(&stream);
    mist_codec_free(&codec);
    return good ? 0 : 1;
}
