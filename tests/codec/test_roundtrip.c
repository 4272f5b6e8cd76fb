/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_encode() and mist_decode() together: every type, the extremes of its range, sizes, levels, options, lanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "codec/context.h"

#include <mist/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mist_codec *codec;

static uint64_t random_state = 88172645463325252ull;
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

enum pattern { MINIMUM, MAXIMUM, CHECKERBOARD, STRIPES, SPIKE, RANDOM, SMOOTH, PATTERNS };

static int64_t pattern_value(enum pattern pattern, uint32_t x, uint32_t y, int64_t low, int64_t high)
{
    switch (pattern) {
    case MINIMUM:
        return low;
    case MAXIMUM:
        return high;
    case CHECKERBOARD:
        return (x + y) & 1 ? high : low;
    case STRIPES:
        return x / 3 & 1 ? high : low;
    case SPIKE:
        return x == 5 && y == 3 ? high : low;
    case RANDOM:
        return low + (int64_t)(next_random() % ((uint64_t)(high - low) + 1));
    default:
        return low + (int64_t)((uint64_t)(high - low) * ((x * 3 + y * 2) % 1000) / 1000);
    }
}

static void put(void *at, enum mist_sample_type type, int64_t value)
{
    switch (mist_sample_size(type)) {
    case 1:
        *(uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)at = (uint16_t)value;
        break;
    default:
        *(uint32_t *)at = (uint32_t)value;
    }
}

static void fill(struct mist_view *view, unsigned precision, enum pattern pattern)
{
    bool is_signed = mist_sample_is_signed(view->type);
    int64_t low = is_signed ? -((int64_t)1 << (precision - 1)) : 0;
    int64_t high = is_signed ? ((int64_t)1 << (precision - 1)) - 1 : ((int64_t)1 << precision) - 1;
    for (uint32_t c = 0; c < view->components; c++)
        for (uint32_t y = 0; y < view->height; y++)
            for (uint32_t x = 0; x < view->width; x++)
                put((char *)view->data + x * view->column_stride + y * view->row_stride + c * view->component_stride,
                    view->type, pattern_value(pattern, x + c, y, low, high));
}

static void check(const struct mist_view *frame, const struct mist_encode_options *options, const char *what)
{
    struct mist_buffer stream = {0};
    struct mist_error error = {0};
    struct mist_decode_options decoding = mist_decode_options_default();
    size_t bytes = mist_frame_bytes(frame->type, frame->width, frame->height, frame->components);
    void *samples = calloc(1, bytes);
    struct mist_view out = *frame;
    out.data = samples;
    if (mist_encode(codec, frame, options, &stream, &error))
        fail_msg("%s: encoding: %s", what, error.message);
    if (mist_decode(codec, stream.data, stream.size, &decoding, &out, NULL, &error))
        fail_msg("%s: decoding: %s", what, error.message);
    if (memcmp(samples, frame->data, bytes))
        fail_msg("%s: samples differ", what);
    free(samples);
    mist_buffer_free(&stream);
}

static void test_types_and_extremes(void **state)
{
    static const struct {
        enum mist_sample_type type;
        unsigned precision;
    } kinds[] = {{MIST_U8, 1},   {MIST_U8, 8},   {MIST_S8, 8},   {MIST_U16, 11}, {MIST_U16, 12}, {MIST_U16, 13},
                 {MIST_S16, 12}, {MIST_U16, 16}, {MIST_S16, 16}, {MIST_U32, 20}, {MIST_U32, 24}, {MIST_S32, 27},
                 {MIST_S32, 28}, {MIST_U32, 29}, {MIST_U32, 32}, {MIST_S32, 32}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (unsigned components = 1; components <= 4; components++)
            for (enum pattern pattern = 0; pattern < PATTERNS; pattern++)
                for (int levels = 1; levels <= 7; levels += components == 1 ? 1 : 3) {
                    static uint32_t samples[4 * 70 * 50];
                    struct mist_view frame = mist_view_interleaved(samples, kinds[k].type, 70, 50, components);
                    struct mist_encode_options options = mist_encode_options_default();
                    char what[100];
                    options.precision = kinds[k].precision;
                    options.levels = levels;
                    snprintf(what, sizeof what, "%u bits of %s, %u components, pattern %d, %d levels",
                             kinds[k].precision, mist_sample_name(kinds[k].type), components, (int)pattern, levels);
                    fill(&frame, kinds[k].precision, pattern);
                    check(&frame, &options, what);
                }
}

/* Extremes at every number of levels that there is, far beyond what the frame can be halved. */
static void test_every_level_count(void **state)
{
    static const enum mist_sample_type types[] = {MIST_U8,  MIST_S8,  MIST_U16, MIST_S16,
                                                  MIST_U32, MIST_S32, MIST_F16, MIST_F32};
    static uint32_t samples[3 * 70 * 50];
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int levels = 1; levels <= (int)MIST_MAX_LEVELS; levels++)
            for (enum pattern pattern = 0; pattern < PATTERNS; pattern++) {
                struct mist_view frame = mist_view_interleaved(samples, types[t], 70, 50, levels % 2 ? 1 : 3);
                struct mist_encode_options options = mist_encode_options_default();
                char what[100];
                options.levels = levels;
                snprintf(what, sizeof what, "%s, pattern %d, %d levels", mist_sample_name(types[t]), (int)pattern,
                         levels);
                fill(&frame, (unsigned)(8 * mist_sample_size(types[t])), pattern);
                check(&frame, &options, what);
            }
}

/* ---- floats ---- */

/* All kinds of values: NaNs with payloads, infinities, both zeros, subnormals, the largest, and ordinary ones. */
static void fill_floats(struct mist_view *view)
{
    static const uint32_t special[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fedcba9,
                                       0x7f800000, 0xff800000, 0x00000000, 0x80000000, 0x00000001,
                                       0x807fffff, 0x7f7fffff, 0xff7fffff, 0x3f800000, 0xbf800001};
    size_t size = mist_sample_size(view->type), count = (size_t)view->width * view->height * view->components;
    for (size_t i = 0; i < count; i++) {
        uint32_t pattern = i % 7 ? (uint32_t)next_random() : special[i / 7 % (sizeof special / sizeof *special)];
        if (size == 2)
            ((uint16_t *)view->data)[i] = (uint16_t)(pattern >> 16);
        else
            ((uint32_t *)view->data)[i] = pattern;
    }
}

static void test_floats(void **state)
{
    static uint32_t samples[4 * 70 * 50];
    for (unsigned components = 1; components <= 4; components++)
        for (unsigned planar = 0; planar < 2; planar++)
            for (enum mist_sample_type type = MIST_F16; type <= MIST_F32; type++)
                for (int levels = 1; levels <= 5; levels++) {
                    struct mist_view frame = planar ? mist_view_planar(samples, type, 70, 50, components)
                                                    : mist_view_interleaved(samples, type, 70, 50, components);
                    struct mist_encode_options options = mist_encode_options_default();
                    char what[100];
                    options.levels = levels;
                    snprintf(what, sizeof what, "%s, %u components, %d levels", mist_sample_name(type), components,
                             levels);
                    fill_floats(&frame);
                    check(&frame, &options, what);
                }
}

/* Reduced levels of ordinary floats lie between them, and the pixels are those of the integers that were coded. */
static void test_reduced_floats(void **state)
{
    static float samples[70 * 50], reduced[35 * 25];
    static int32_t patterns[35 * 25];
    struct mist_view frame = mist_view_planar(samples, MIST_F32, 70, 50, 1);
    struct mist_view floats = mist_view_planar(reduced, MIST_F32, 35, 25, 1);
    struct mist_view integers = mist_view_planar(patterns, MIST_S32, 35, 25, 1);
    struct mist_decode_options decoding = mist_decode_options_default();
    struct mist_component_info info;
    struct mist_buffer stream = {0};
    struct mist_error error = {0};
    for (size_t i = 0; i < 70 * 50; i++)
        samples[i] = ((int)(i % 70) - 35) * 1.5f; /* from -52.5 to 51: the low-pass of a ramp is a ramp */
    assert_int_equal(mist_encode(codec, &frame, NULL, &stream, &error), MIST_OK);
    mist_buffer_free(&stream);
    struct mist_encode_options options = mist_encode_options_default();
    options.levels = 3;
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_OK);
    assert_int_equal(mist_codestream_component(stream.data, stream.size, 0, 1, &info, &error), MIST_OK);
    assert_true(info.ordered_float && info.is_signed && info.precision == 32);
    decoding.reduce = 1;
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &floats, NULL, &error), MIST_OK);
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &integers, NULL, &error), MIST_OK);
    assert_memory_equal(patterns, reduced, sizeof patterns);
    for (size_t i = 0; i < 35 * 25; i++) {
        float there = samples[i / 35 * 140 + i % 35 * 2];
        assert_true(there == 0 || (reduced[i] / there > 0.8f && reduced[i] / there < 1.25f));
    }
    mist_buffer_free(&stream);
}

static void test_float_refusals(void **state)
{
    static double samples[20 * 10];
    struct mist_encode_options options = mist_encode_options_default();
    struct mist_decode_options decoding = mist_decode_options_default();
    struct mist_buffer stream = {0};
    struct mist_error error = {0};
    struct mist_view frame = mist_view_planar(samples, MIST_F64, 20, 10, 1);
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_ERROR_ARGUMENT);
    frame = mist_view_planar(samples, MIST_F32, 20, 10, 1);
    options.precision = 24;
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_ERROR_ARGUMENT);
    options.precision = 0;
    options.irreversible = true;
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_ERROR_ARGUMENT);
    /* Integers do not come out as floats, nor floats of 32 bits as those of 16. */
    options.irreversible = false;
    frame.type = MIST_S32;
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_OK);
    frame.type = MIST_F32;
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &frame, NULL, &error),
                     MIST_ERROR_ARGUMENT);
    assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_OK);
    frame = mist_view_planar(samples, MIST_F16, 20, 10, 1);
    assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &frame, NULL, &error),
                     MIST_ERROR_ARGUMENT);
    mist_buffer_free(&stream);
}

static void test_sizes(void **state)
{
    static const uint32_t sides[] = {1, 2, 3, 4, 5, 7, 63, 64, 65, 129, 256, 259};
    enum { SIDES = sizeof sides / sizeof *sides };
    static uint16_t samples[259 * 259];
    for (size_t i = 0; i < SIDES; i++)
        for (size_t j = 0; j < SIDES; j++)
            for (int levels = 1; levels <= 9; levels += 4) {
                struct mist_view frame = mist_view_planar(samples, MIST_U16, sides[i], sides[j], 1);
                struct mist_encode_options options = mist_encode_options_default();
                char what[100];
                options.levels = levels;
                snprintf(what, sizeof what, "%ux%u, %d levels", sides[i], sides[j], levels);
                fill(&frame, 16, RANDOM);
                check(&frame, &options, what);
            }
}

static void test_options(void **state)
{
    static uint16_t samples[3 * 150 * 110];
    for (int progression = MIST_LRCP; progression <= MIST_CPRL; progression++)
        for (unsigned precinct = 0; precinct <= 128; precinct = precinct ? precinct * 4 : 8)
            for (unsigned block = 4; block <= 1024; block *= 4)
                for (unsigned components = 1; components <= 3; components += 2) {
                    struct mist_view frame = mist_view_planar(samples, MIST_U16, 150, 110, components);
                    struct mist_encode_options options = mist_encode_options_default();
                    char what[100];
                    options.progression = (enum mist_progression)progression;
                    options.precinct_width = precinct;
                    options.precinct_height = precinct ? precinct / 2 : 0;
                    options.block_width = block;
                    options.block_height = 4096 / block < 64 ? 4096 / block : 64;
                    options.tile_parts = precinct != 8;
                    options.precision = 14;
                    snprintf(what, sizeof what, "order %d, precincts %u, blocks %u, %u components", progression,
                             precinct, block, components);
                    fill(&frame, 14, precinct ? SMOOTH : RANDOM);
                    check(&frame, &options, what);
                }
}

/* Reduced levels and regions agree with one another whatever the lane. */
static void test_regions_of_levels(void **state)
{
    enum { WIDTH = 130, HEIGHT = 420 }; /* higher than what the decoder transforms and stores in one go */
    static uint32_t samples[WIDTH * HEIGHT], whole[WIDTH * HEIGHT], part[WIDTH * HEIGHT];
    static const unsigned precisions[] = {8, 12, 16, 28, 32};
    for (size_t p = 0; p < 5; p++) {
        struct mist_view frame = mist_view_planar(samples, MIST_U32, WIDTH, HEIGHT, 1);
        struct mist_encode_options options = mist_encode_options_default();
        struct mist_decode_options decoding = mist_decode_options_default();
        struct mist_buffer stream = {0};
        struct mist_error error = {0};
        options.precision = precisions[p];
        options.levels = 4;
        options.block_width = options.block_height = 16;
        fill(&frame, precisions[p], RANDOM);
        assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_OK);
        for (decoding.reduce = 0; decoding.reduce < 4; decoding.reduce++) {
            uint32_t width = mist_reduced_size(WIDTH, decoding.reduce),
                     height = mist_reduced_size(HEIGHT, decoding.reduce);
            struct mist_view out = mist_view_planar(whole, MIST_U32, width, height, 1);
            struct mist_decode_report all, some;
            decoding.region = false;
            assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &out, &all, &error), MIST_OK);
            assert_int_equal(all.levels_used, 4 - decoding.reduce);
            for (unsigned n = 0; n < 12; n++) {
                decoding.region = true;
                decoding.x = (uint32_t)(next_random() % width);
                decoding.y = (uint32_t)(next_random() % height);
                decoding.width = 1 + (uint32_t)(next_random() % (width - decoding.x));
                decoding.height = 1 + (uint32_t)(next_random() % (height - decoding.y));
                if (n == 0) /* a few pixels: a few blocks, see below */
                    decoding.width = decoding.height = 1;
                out = mist_view_planar(part, MIST_U32, decoding.width, decoding.height, 1);
                assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &out, &some, &error), MIST_OK);
                for (uint32_t y = 0; y < decoding.height; y++)
                    assert_memory_equal(part + (size_t)y * decoding.width,
                                        whole + (size_t)(decoding.y + y) * width + decoding.x, decoding.width * 4);
                assert_true(some.blocks_decoded <= all.blocks_decoded);
                /* A pixel needs at most 2 x 2 blocks of each band: the windows of its margins are narrower than one. */
                if (n == 0)
                    assert_true(some.blocks_decoded <= 4 + 12 * (3 - decoding.reduce));
            }
        }
        mist_buffer_free(&stream);
    }
}

/* Large frames take other ways through the codec with several threads; the bytes and the samples are the same. */
static void test_threads(void **state)
{
    static const struct {
        uint32_t width, height, components;
        enum mist_sample_type type;
        unsigned precision, block_width, block_height;
        bool transform, irreversible;
        bool region; /* of rows and columns that are odd */
    } cases[] = {
        {701, 902, 1, MIST_U16, 12, 64, 64, false, false, false},
        {640, 1025, 1, MIST_S16, 16, 32, 128, false, false, true},
        {513, 777, 3, MIST_U8, 8, 64, 64, true, false, true},
        {513, 777, 3, MIST_U8, 8, 1024, 4, false, false, true},
        {601, 900, 1, MIST_U32, 28, 64, 4, false, false, false},
        {700, 800, 2, MIST_S32, 32, 16, 64, false, false, true},
        {900, 601, 1, MIST_U16, 12, 64, 64, false, true, true},
        {513, 777, 3, MIST_U8, 8, 64, 64, true, true, false},
        {900, 700, 1, MIST_F32, 0, 64, 64, false, false, false},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        size_t bytes = mist_frame_bytes(cases[k].type, cases[k].width, cases[k].height, cases[k].components);
        void *samples = malloc(bytes), *first = malloc(bytes), *other = malloc(bytes);
        struct mist_view frame =
            mist_view_interleaved(samples, cases[k].type, cases[k].width, cases[k].height, cases[k].components);
        struct mist_encode_options options = mist_encode_options_default();
        struct mist_decode_options decoding = mist_decode_options_default();
        struct mist_buffer one = {0}, many = {0};
        struct mist_error error = {0};
        if (mist_sample_is_float(frame.type))
            fill_floats(&frame);
        else
            fill(&frame, cases[k].precision, k % 2 ? RANDOM : SMOOTH);
        options.precision = cases[k].precision;
        options.block_width = cases[k].block_width;
        options.block_height = cases[k].block_height;
        options.color_transform = cases[k].transform;
        options.irreversible = cases[k].irreversible;
        decoding.region = cases[k].region;
        decoding.x = decoding.y = 101;
        decoding.width = cases[k].region ? frame.width - 150 : frame.width;
        decoding.height = cases[k].region ? frame.height - 103 : frame.height;
        struct mist_view out =
            mist_view_interleaved(first, frame.type, decoding.width, decoding.height, frame.components);
        bytes = mist_frame_bytes(frame.type, out.width, out.height, out.components);
        assert_int_equal(mist_encode(codec, &frame, &options, &one, &error), MIST_OK);
        assert_int_equal(mist_decode(codec, one.data, one.size, &decoding, &out, NULL, &error), MIST_OK);
        for (uint32_t y = 0; !cases[k].irreversible && y < out.height; y++) {
            uint32_t left = cases[k].region ? decoding.x : 0, top = cases[k].region ? decoding.y : 0;
            assert_memory_equal((char *)out.data + y * out.row_stride,
                                (char *)frame.data + (top + y) * frame.row_stride + left * frame.column_stride,
                                out.width * out.column_stride);
        }
        out.data = other;
        for (unsigned threads = 2; threads <= 7; threads++) {
            options.threads = decoding.threads = threads;
            assert_int_equal(mist_encode(codec, &frame, &options, &many, &error), MIST_OK);
            assert_int_equal(many.size, one.size);
            assert_memory_equal(many.data, one.data, one.size);
            memset(other, 0x5a, bytes);
            assert_int_equal(mist_decode(codec, one.data, one.size, &decoding, &out, NULL, &error), MIST_OK);
            assert_memory_equal(other, first, bytes);
        }
        mist_buffer_free(&one);
        mist_buffer_free(&many);
        free(samples);
        free(first);
        free(other);
    }
}

/* A frame of few rows takes little memory, however high its blocks may be. */
static void test_flat_frames_take_little(void **state)
{
    enum { WIDTH = 30000, HEIGHT = 4, MOST = 16 << 20 };
    static uint16_t samples[WIDTH * HEIGHT];
    mist_codec *own = mist_codec_new(), *shared = codec;
    struct mist_view frame = mist_view_planar(samples, MIST_U16, WIDTH, HEIGHT, 1);
    struct mist_encode_options options = mist_encode_options_default();
    assert_non_null(own);
    options.block_width = 4;
    options.block_height = 1024;
    options.levels = 2;
    fill(&frame, 16, SMOOTH);
    codec = own;
    check(&frame, &options, "30000 x 4 in blocks of 4 x 1024");
    codec = shared;
    assert_true(own->arena.peak < MOST);
    mist_codec_free(&own);
}

static void test_irreversible_is_close(void **state)
{
    static uint16_t samples[3 * 100 * 80], back[3 * 100 * 80];
    for (unsigned components = 1; components <= 3; components += 2) {
        struct mist_view frame = mist_view_planar(samples, MIST_U16, 100, 80, components), out = frame;
        struct mist_encode_options options = mist_encode_options_default();
        struct mist_decode_options decoding = mist_decode_options_default();
        struct mist_buffer stream = {0};
        struct mist_error error = {0};
        options.precision = 12;
        options.irreversible = true;
        options.base_step = 1.0 / 4096;
        out.data = back;
        fill(&frame, 12, SMOOTH);
        assert_int_equal(mist_encode(codec, &frame, &options, &stream, &error), MIST_OK);
        assert_int_equal(mist_decode(codec, stream.data, stream.size, &decoding, &out, NULL, &error), MIST_OK);
        for (size_t i = 0; i < (size_t)components * 100 * 80; i++)
            assert_true(abs(samples[i] - back[i]) <= 3);
        mist_buffer_free(&stream);
    }
}

static int set_up(void **state)
{
    codec = mist_codec_new();
    return codec ? 0 : -1;
}

static int tear_down(void **state)
{
    mist_codec_free(&codec);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_extremes),
        cmocka_unit_test(test_every_level_count),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_reduced_floats),
        cmocka_unit_test(test_float_refusals),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_regions_of_levels),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_flat_frames_take_little),
        cmocka_unit_test(test_irreversible_is_close),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
