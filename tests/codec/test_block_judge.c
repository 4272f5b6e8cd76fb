/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks wrapped as codestreams of one code-block without a wavelet and decoded by OpenJPEG, an independent reading of
 * 15444-15: what our encoder writes, for every exponent that OpenJPEG supports; and what our decoder makes of SigProp
 * and MagRef passes of random bits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec/kernels.h"

#include <openjpeg.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1181783497276652981u;
static uint64_t random_bits(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

/* A codestream being written, and the bits of a packet header with its stuffing (15444-1, B.10.1). */
struct stream {
    uint8_t bytes[40000];
    size_t size, read;
    unsigned bits, room;
};
static void put(struct stream *stream, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        stream->bytes[stream->size++] = (uint8_t)(value >> 8 * bytes);
}
static void put_bit(struct stream *stream, unsigned bit)
{
    stream->bits = stream->bits << 1 | bit;
    if (--stream->room == 0) {
        put(stream, stream->bits, 1);
        stream->room = stream->bits == 0xff ? 7 : 8;
        stream->bits = 0;
    }
}

static unsigned ceil_log2(unsigned value)
{
    unsigned log2 = 0;
    while (1u << log2 < value)
        log2++;
    return log2;
}

/* One block of a signed component of one bit more than Mb = precision. */
struct wrapped_block {
    unsigned width, height, precision;
    unsigned passes, planes_skipped;
    bool stripe_causal;
    const uint8_t *bytes; /* cleanup segment, refinement segment */
    size_t cleanup_size, refinement_size;
};

static void put_length(struct stream *stream, size_t length, unsigned bits)
{
    while (bits-- > 0)
        put_bit(stream, length >> bits & 1);
}

/* The packet header of the only packet: 15444-1, B.10; the pieces of HT segments: 15444-15, clause 8. */
static void put_packet_header(struct stream *stream, const struct wrapped_block *block)
{
    stream->room = 8;
    put_bit(stream, block->cleanup_size > 0);
    if (block->cleanup_size > 0) {
        put_bit(stream, 1); /* included in layer 0 */
        for (unsigned i = 0; i < block->planes_skipped; i++)
            put_bit(stream, 0);
        put_bit(stream, 1);
        for (unsigned i = 1; i < block->passes; i++)
            put_bit(stream, 1);
        put_length(stream, 0, block->passes < 3 ? 1 : 2); /* 0, 10, 1100 */
        unsigned length_bits = 3;
        for (; (block->cleanup_size | block->refinement_size) >> length_bits; length_bits++)
            put_bit(stream, 1);
        put_bit(stream, 0);
        put_length(stream, block->cleanup_size, length_bits);
        if (block->passes > 1)
            put_length(stream, block->refinement_size, length_bits + (block->passes > 2));
    }
    while (stream->room != 8)
        put_bit(stream, 0);
}

static void wrap_block(struct stream *stream, const struct wrapped_block *block)
{
    const unsigned width = block->width, height = block->height, precision = block->precision;
    memset(stream, 0, sizeof *stream);
    put(stream, 0xff4f, 2);
    put(stream, 0xff51, 2), put(stream, 41, 2), put(stream, 0x4000, 2);
    put(stream, width, 4), put(stream, height, 4), put(stream, 0, 8);
    put(stream, width, 4), put(stream, height, 4), put(stream, 0, 8);
    put(stream, 1, 2), put(stream, 0x80 | precision, 1), put(stream, 0x0101, 2);
    put(stream, 0xff50, 2), put(stream, 8, 2), put(stream, 0x00020000, 4);
    put(stream, precision <= 8 ? 0 : precision < 28 ? precision - 8 : 13 + (precision >> 2), 2);
    unsigned wide = ceil_log2(width) < 2 ? 2 : ceil_log2(width), high = ceil_log2(height) < 2 ? 2 : ceil_log2(height);
    put(stream, 0xff52, 2), put(stream, 12, 2), put(stream, 0, 1), put(stream, 2, 1), put(stream, 1, 2);
    put(stream, 0, 1), put(stream, 0, 1), put(stream, wide - 2, 1), put(stream, high - 2, 1);
    put(stream, block->stripe_causal ? 0x48 : 0x40, 1), put(stream, 1, 1);
    put(stream, 0xff5c, 2), put(stream, 4, 2), put(stream, 1 << 5, 1), put(stream, precision << 3, 1);
    size_t tile_part = stream->size;
    put(stream, 0xff90, 2), put(stream, 10, 2), put(stream, 0, 6), put(stream, 0x0001, 2), put(stream, 0xff93, 2);
    put_packet_header(stream, block);
    memcpy(stream->bytes + stream->size, block->bytes, block->cleanup_size + block->refinement_size);
    stream->size += block->cleanup_size + block->refinement_size;
    size_t end = stream->size;
    stream->size = tile_part + 6;
    put(stream, end - tile_part, 4);
    stream->size = end;
    put(stream, 0xffd9, 2);
}

static OPJ_SIZE_T read_stream(void *buffer, OPJ_SIZE_T size, void *user)
{
    struct stream *stream = user;
    if (stream->read == stream->size)
        return (OPJ_SIZE_T)-1;
    if (size > stream->size - stream->read)
        size = stream->size - stream->read;
    memcpy(buffer, stream->bytes + stream->read, size);
    stream->read += size;
    return size;
}
static OPJ_OFF_T skip_stream(OPJ_OFF_T count, void *user)
{
    struct stream *stream = user;
    OPJ_OFF_T left = (OPJ_OFF_T)(stream->size - stream->read);
    count = count < left ? count : left;
    stream->read += (size_t)count;
    return count;
}
static OPJ_BOOL seek_stream(OPJ_OFF_T position, void *user)
{
    struct stream *stream = user;
    stream->read = (size_t)position;
    return OPJ_TRUE;
}
static void say(const char *message, void *user)
{
    (void)user;
    print_message("OpenJPEG: %s", message);
}

static void judge(struct stream *input_stream, const int32_t *expected, unsigned width, unsigned height,
                  unsigned precision)
{
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_set_error_handler(codec, say, NULL);
    opj_set_warning_handler(codec, say, NULL);
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_setup_decoder(codec, &parameters);
    opj_stream_t *input = opj_stream_create(1 << 16, OPJ_TRUE);
    opj_stream_set_user_data(input, input_stream, NULL);
    opj_stream_set_user_data_length(input, input_stream->size);
    opj_stream_set_read_function(input, read_stream);
    opj_stream_set_skip_function(input, skip_stream);
    opj_stream_set_seek_function(input, seek_stream);
    opj_image_t *image = NULL;
    assert_true(opj_read_header(input, codec, &image));
    assert_true(opj_decode(codec, input, image));
    for (unsigned i = 0; i < width * height; i++)
        if (image->comps[0].data[i] != expected[i])
            fail_msg("%ux%u precision %u: sample %u is %d, not %d", width, height, precision, i,
                     image->comps[0].data[i], expected[i]);
    opj_image_destroy(image);
    opj_stream_destroy(input);
    opj_destroy_codec(codec);
}

/* Samples of magnitudes below 2^planes. */
static void fill(int32_t *samples, size_t count, unsigned planes, unsigned kind)
{
    const uint32_t most = (uint32_t)(((uint64_t)1 << planes) - 1);
    for (size_t i = 0; i < count; i++) {
        uint32_t magnitude = (uint32_t)random_bits() & most;
        if (kind == 1)
            magnitude >>= random_bits() % (planes + 1);
        if (kind == 2 && random_bits() % 40)
            magnitude = 0;
        if (kind == 3)
            magnitude = i % 97 == 5 ? most : 0;
        if (kind == 4)
            magnitude = most;
        samples[i] = random_bits() & 1 ? (int32_t)magnitude : -(int32_t)magnitude;
    }
}

static struct codec_kernels kernels;
static uint8_t scratch[BLOCK_SCRATCH_SIZE] __attribute__((aligned(64)));
static int32_t samples[BLOCK_MAX_AREA];
static uint8_t bytes[40000];
static struct stream stream;

static size_t encode(unsigned width, unsigned height)
{
    struct block_encode_job job = {samples, width, width, height, bytes, sizeof bytes};
    return kernels.block_encode[LANE_32](&job, scratch);
}

static void encode_and_judge(unsigned width, unsigned height, unsigned precision, unsigned kind)
{
    fill(samples, (size_t)width * height, precision - 1, kind);
    struct wrapped_block block = {.width = width,
                                  .height = height,
                                  .precision = precision,
                                  .passes = 1,
                                  .planes_skipped = precision - 1,
                                  .bytes = bytes};
    block.cleanup_size = encode(width, height);
    wrap_block(&stream, &block);
    judge(&stream, samples, width, height, precision);
}

/* Cleanup of random samples, then random bits for the refinement passes: what we decode, OpenJPEG decodes. */
static void refine_and_judge(unsigned width, unsigned height, unsigned precision, unsigned skipped, unsigned kind,
                             unsigned passes, bool causal)
{
    fill(samples, (size_t)width * height, skipped + 1, kind);
    struct wrapped_block block = {.width = width,
                                  .height = height,
                                  .precision = precision,
                                  .passes = passes,
                                  .planes_skipped = skipped,
                                  .stripe_causal = causal,
                                  .bytes = bytes};
    block.cleanup_size = encode(width, height);
    if (block.cleanup_size == 0)
        return;
    uint8_t *refinement = bytes + block.cleanup_size;
    block.refinement_size = 1 + random_bits() % (width * height / 3 + 2);
    for (size_t i = 0; i < block.refinement_size; i++) { /* behind 0xFF, stuffing leaves 7 bits */
        uint64_t random = random_bits();
        refinement[i] = random >> 60 ? (uint8_t)random : 0xff;
        if (i > 0 && refinement[i - 1] == 0xff)
            refinement[i] &= 0x7f;
    }
    if (refinement[block.refinement_size - 1] == 0xff)
        refinement[block.refinement_size - 1] = 0x7f;
    wrap_block(&stream, &block);
    struct block_decode_job job = {.cleanup = bytes,
                                   .cleanup_size = block.cleanup_size,
                                   .refinement = refinement,
                                   .refinement_size = block.refinement_size,
                                   .passes = passes,
                                   .planes_skipped = skipped,
                                   .planes = precision,
                                   .stripe_causal = causal,
                                   .out = samples,
                                   .stride = width,
                                   .width = width,
                                   .height = height};
    kernels.block_decode[LANE_32](&job, 1, scratch);
    assert_true(job.good);
    judge(&stream, samples, width, height, precision);
}

static void test_every_precision(void **state)
{
    (void)state;
    for (unsigned precision = 2; precision <= 30; precision++)
        for (unsigned kind = 0; kind < 5; kind++)
            encode_and_judge(64, 64, precision, kind);
}

static void test_shapes(void **state)
{
    (void)state;
    const unsigned shapes[][2] = {{1, 1}, {3, 2}, {2, 3}, {5, 5}, {63, 62}, {1024, 3}, {4, 1000}, {31, 128}, {1, 64}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (unsigned kind = 0; kind < 5; kind++) {
            encode_and_judge(shapes[i][0], shapes[i][1], 12, kind);
            encode_and_judge(shapes[i][0], shapes[i][1], 30, kind);
        }
}

static void test_refinement(void **state)
{
    (void)state;
    const unsigned shapes[][2] = {{64, 64}, {1, 1}, {3, 2}, {2, 3}, {5, 5}, {63, 62}, {1024, 3}, {31, 128}, {7, 9}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (unsigned kind = 0; kind < 5; kind++)
            for (unsigned passes = 2; passes <= 3; passes++)
                for (unsigned causal = 0; causal < 2; causal++) {
                    refine_and_judge(shapes[i][0], shapes[i][1], 12, 3, kind, passes, causal);
                    refine_and_judge(shapes[i][0], shapes[i][1], 12, 10, kind, passes, causal);
                    refine_and_judge(shapes[i][0], shapes[i][1], 12, 0, kind, passes, causal);
                }
}

int main(void)
{
    codec_kernels_select(&kernels, cpu_level());
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_precision), cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_refinement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
