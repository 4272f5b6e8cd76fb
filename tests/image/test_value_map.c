/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "image/value_map.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers: an item of frames of 64 x 16 samples in memory ---- */

enum { WIDTH = 64, HEIGHT = 16, PIXELS = WIDTH * HEIGHT };

struct item {
    enum mist_sample_type type;
    uint32_t frames, components;
    const uint8_t *samples;
};

static enum mist_status read_item(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    const struct item *item = context;
    size_t bytes = mist_frame_bytes(item->type, WIDTH, HEIGHT, item->components);
    (void)error;
    memcpy(out->data, item->samples + frame * bytes, bytes);
    return MIST_OK;
}

static struct value_map choose(const struct item *item, unsigned threads)
{
    struct value_map_frames frames = {item->type,   WIDTH,     HEIGHT,      item->components,
                                      item->frames, read_item, (void *)item};
    struct value_map map = {0};
    struct mist_error error = {0};
    assert_int_equal(value_map_choose(&frames, threads, &map, &error), MIST_OK);
    assert_int_equal(value_map_check(&map, &error), MIST_OK);
    return map;
}

static void check_precision(const struct value_map *map, const struct mist_view *coded)
{
    double low, high;
    mist_range(coded, &low, &high);
    bool is_signed = mist_sample_is_signed(map->coded);
    assert_true(low >= (is_signed ? -ldexp(1, (int)map->precision - 1) : 0));
    assert_true(high < ldexp(1, (int)map->precision - is_signed));
}

/* Every frame there and back, through planar coded values, bit for bit; the map does not depend on the threads. */
static struct value_map round_trip(const struct item *item)
{
    struct value_map map = choose(item, 1), other = choose(item, 3);
    assert_memory_equal(&map, &other, sizeof map);
    uint32_t planes = item->components * map.planes;
    struct mist_error error = {0};
    struct mist_view in, coded, out;
    size_t bytes = mist_frame_bytes(item->type, WIDTH, HEIGHT, item->components);
    coded = mist_view_planar(malloc(4 * planes * PIXELS), map.coded, WIDTH, HEIGHT, planes);
    out = mist_view_interleaved(malloc(bytes), item->type, WIDTH, HEIGHT, item->components);
    for (uint32_t i = 0; i < item->frames; i++) {
        in = mist_view_interleaved((void *)(uintptr_t)(item->samples + i * bytes), item->type, WIDTH, HEIGHT,
                                   item->components);
        assert_int_equal(value_map_forward(&map, &in, &coded, &error), MIST_OK);
        check_precision(&map, &coded);
        memset(out.data, 0xa5, bytes);
        assert_int_equal(value_map_inverse(&map, &coded, false, &out, &error), MIST_OK);
        assert_memory_equal(out.data, in.data, bytes);
    }
    free(coded.data);
    free(out.data);
    return map;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16;
}

/* ---- integers ---- */

static void test_integer_precision(void **state)
{
    (void)state;
    static const struct {
        enum mist_sample_type type;
        int64_t low, high;
        unsigned precision;
    } cases[] = {
        {MIST_U8, 0, 0, 1},
        {MIST_U8, 3, 3, 2},
        {MIST_U8, 0, 255, 8},
        {MIST_S8, 0, 0, 1},
        {MIST_S8, -1, 0, 1},
        {MIST_S8, -1, 1, 2},
        {MIST_S8, -128, 127, 8},
        {MIST_U16, 0, 4095, 12},
        {MIST_U16, 0, 4096, 13},
        {MIST_U16, 0, 65535, 16},
        {MIST_S16, -1024, 3071, 13},
        {MIST_S16, 0, 2047, 12},
        {MIST_S16, -32768, 0, 16},
        {MIST_U32, 0, UINT32_MAX, 32},
        {MIST_U32, 7, 65536, 17},
        {MIST_S32, INT32_MIN, INT32_MAX, 32},
        {MIST_S32, -65536, 65535, 17},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[PIXELS * 4];
        size_t size = mist_sample_size(cases[i].type);
        for (size_t k = 0; k < PIXELS; k++) {
            int64_t value = k == 700 ? cases[i].low : cases[i].high;
            memcpy(bytes + k * size, &value, size); /* little-endian */
        }
        struct value_map map = round_trip(&(struct item){cases[i].type, 1, 1, bytes});
        assert_int_equal(map.kind, VALUE_MAP_IDENTITY);
        assert_int_equal(map.precision, cases[i].precision);
        assert_int_equal(map.coded, cases[i].type);
    }
}

static void test_integers_interleaved(void **state)
{
    (void)state;
    uint8_t bytes[3 * PIXELS];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i % 3 == 2 ? (uint8_t)(i % 61) : 5;
    struct value_map map = round_trip(&(struct item){MIST_U8, 1, 3, bytes});
    assert_int_equal(map.precision, 6);
}

/* ---- linear ---- */

static struct value_map floats_of(double (*value)(int64_t k), int64_t first, int64_t step, uint32_t frames,
                                  enum mist_sample_type type)
{
    size_t count = (size_t)PIXELS * frames;
    float *singles = malloc(count * sizeof *singles);
    double *doubles = malloc(count * sizeof *doubles);
    for (size_t i = 0; i < count; i++) {
        doubles[i] = value(first + (int64_t)(i * 7919 % count) * step);
        singles[i] = (float)doubles[i];
    }
    struct value_map map =
        round_trip(&(struct item){type, frames, 1, type == MIST_F32 ? (uint8_t *)singles : (uint8_t *)doubles});
    free(singles);
    free(doubles);
    return map;
}

static double plain(int64_t k)
{
    return (double)k;
}
static double eighths(int64_t k)
{
    return (double)k / 8 + 0.375;
}
static double decimals(int64_t k)
{
    return (double)k * 0.0037;
}
static double slope_and_intercept(int64_t k)
{
    return (double)k * (double)0.0123f + (double)-3.7f;
}
static double fractions_of_255(int64_t k)
{
    return (double)k / 255;
}
static double far_off(int64_t k)
{
    return 1e9 + (double)k * 64;
}
/* A decimal slope as a float32, multiplied in float32: hippocampus_003 of the Medical Segmentation Decathlon. */
static double single_slope(int64_t k)
{
    return (double)((float)k * 5.95897f);
}
static double offset_decimals(int64_t k)
{
    return 0.3 + (double)k * 0.01;
}
static double root(int64_t k)
{
    return sqrt((double)k);
}

static void test_linear(void **state)
{
    (void)state;
    struct value_map map = floats_of(plain, -500, 1, 4, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.a == 0 && map.b == 1);
    assert_int_equal(map.coded, MIST_S16);
    assert_int_equal(map.precision, 13);
    map = floats_of(plain, 0, 1, 64, MIST_F32); /* more values than are sampled */
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_int_equal(map.precision, 16);
    map = floats_of(plain, 3, 250, 64, MIST_F64); /* to 2^24 */
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.precision <= 24);
    map = floats_of(eighths, -9, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.b == 0.125);
    map = floats_of(decimals, -2000, 1, 32, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.b == 0.0037);
    assert_int_equal(map.precision, 16);
    map = floats_of(decimals, 0, 3, 4, MIST_F64);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(slope_and_intercept, -1024, 1, 4, MIST_F64);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_int_equal(map.planes, 1);
    map = floats_of(fractions_of_255, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(far_off, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.precision <= 24);
    map = floats_of(offset_decimals, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(single_slope, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.b == (double)5.95897f);
    map = floats_of(root, 0, 1, 4, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_ORDERED);
    map = floats_of(plain, 0, 1 << 20, 1, MIST_F64); /* scaled: still 10 bits */
    assert_int_equal(map.precision, 10);
}

/* One sample among 64 frames that does not fit is found by the second pass. */
static void test_linear_refuted(void **state)
{
    (void)state;
    size_t count = (size_t)PIXELS * 64;
    float *samples = malloc(count * sizeof *samples);
    const float odd[] = {0.5f, NAN, INFINITY, -0.0f, 0x1p26f + 8, 1e-45f};
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
        for (size_t i = 0; i < count; i++)
            samples[i] = (float)i * 100;
        samples[40000] = odd[k];
        struct value_map map = round_trip(&(struct item){MIST_F32, 64, 1, (uint8_t *)samples});
        /* Halves only make the step finer (fours at first); the others are out of reach of 24 bits, or no numbers. */
        bool fits = odd[k] == 0.5f;
        assert_int_equal(map.kind, fits ? VALUE_MAP_LINEAR : VALUE_MAP_ORDERED);
    }
    free(samples);
}

static void test_constants(void **state)
{
    (void)state;
    const float values[] = {0, -0.0f, 1, -1, 1e30f, -1e-30f, 1e-45f, FLT_MAX, -FLT_MAX, FLT_MIN, INFINITY, -INFINITY};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        float samples[PIXELS];
        double doubles[PIXELS];
        for (size_t i = 0; i < PIXELS; i++)
            doubles[i] = samples[i] = values[k];
        round_trip(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples});
        struct value_map map = round_trip(&(struct item){MIST_F64, 1, 1, (uint8_t *)doubles});
        assert_true(map.planes == 1); /* the lower words are all zero, or the map is linear */
    }
}

/* ---- ordered ---- */

static void test_ordered_extremes(void **state)
{
    (void)state;
    static const enum mist_sample_type floats[] = {MIST_F16, MIST_F32, MIST_F64};
    for (size_t t = 0; t < 3; t++) {
        size_t size = mist_sample_size(floats[t]);
        uint8_t *samples = malloc(PIXELS * 8 * size);
        uint64_t random = 1 + t;
        for (size_t i = 0; i < PIXELS * 8; i++) { /* any pattern: NaN payloads, infinities, zeros of both signs */
            uint64_t bits = next_random(&random) | next_random(&random) << 40;
            if (i % 5 == 0)
                bits = (uint64_t)(i % 2) << (8 * size - 1);
            memcpy(samples + i * size, &bits, size);
        }
        struct value_map map = round_trip(&(struct item){floats[t], 8, 1, samples});
        assert_int_equal(map.kind, VALUE_MAP_ORDERED);
        assert_int_equal(map.planes, floats[t] == MIST_F64 ? 2 : 1);
        map = round_trip(&(struct item){floats[t], 4, 2, samples});
        assert_int_equal(map.kind, VALUE_MAP_ORDERED);
        free(samples);
    }
}

/* Mapped values are in the order of the samples. */
static void test_order(void **state)
{
    (void)state;
    const float sorted[] = {-INFINITY, -FLT_MAX, -1.5f,   -1, -FLT_MIN, -1e-45f, -0.0f,
                            0,         1e-45f,   FLT_MIN, 1,  FLT_MAX,  INFINITY};
    enum { COUNT = sizeof sorted / sizeof *sorted };
    float samples[PIXELS] = {0};
    memcpy(samples, sorted, sizeof sorted);
    struct value_map map = choose(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples}, 1);
    struct mist_view in = mist_view_planar(samples, MIST_F32, COUNT, 1, 1);
    int32_t codes[COUNT];
    struct mist_view coded = mist_view_planar(codes, MIST_S32, COUNT, 1, 1);
    assert_int_equal(value_map_forward(&map, &in, &coded, NULL), MIST_OK);
    for (int i = 1; i < COUNT; i++)
        assert_true(codes[i - 1] < codes[i]);
}

static float reduced_value(const struct value_map *map, int64_t code)
{
    int32_t word = (int32_t)code;
    float value;
    struct mist_view coded = mist_view_planar(&word, MIST_S32, 1, 1, 1),
                     out = mist_view_planar(&value, MIST_F32, 1, 1, 1);
    assert_int_equal(value_map_inverse(map, &coded, true, &out, NULL), MIST_OK);
    return value;
}

static void test_reduced_ordered(void **state)
{
    (void)state;
    float samples[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = sqrtf((float)i) - 3;
    struct value_map map = choose(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples}, 1);
    assert_int_equal(map.kind, VALUE_MAP_ORDERED);
    const int64_t hostile[] = {INT32_MIN, INT32_MAX, 0x7f800000, 0x7fc00000, -0x7f800001, 0x7f7fffff};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        float value = reduced_value(&map, hostile[i]);
        assert_true(value >= samples[0] && value <= samples[PIXELS - 1]); /* NaN fails too */
    }
    float mean = reduced_value(&map, 0x3f800000 / 2 + 0x40000000 / 2); /* of 1 and 2 */
    assert_true(mean > 1 && mean < 2);

    samples[5] = NAN; /* background of many volumes */
    map = choose(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples}, 1);
    assert_true(isnan(reduced_value(&map, 0x7fc00000)));
    assert_true(isnan(reduced_value(&map, 0x7f000000))); /* nearer to the NaN than to 29 */
    assert_true(reduced_value(&map, 0x42000000) == samples[PIXELS - 1]);
    assert_true(reduced_value(&map, INT32_MIN) == samples[0]); /* there was none below */
    samples[5] = -INFINITY;
    map = choose(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples}, 1);
    assert_true(reduced_value(&map, INT32_MIN) == -INFINITY);
    assert_true(reduced_value(&map, INT32_MAX) == samples[PIXELS - 1]);
}

static void test_reduced_double(void **state)
{
    (void)state;
    double samples[PIXELS], value;
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = cos((double)i) * 1e300;
    struct value_map map = choose(&(struct item){MIST_F64, 1, 1, (uint8_t *)samples}, 1);
    assert_int_equal(map.planes, 2);
    for (int64_t code = INT32_MIN; code <= INT32_MAX; code += 0x01234567) {
        int32_t words[2] = {(int32_t)code, -1};
        struct mist_view coded = mist_view_planar(words, MIST_S32, 1, 1, 2),
                         out = mist_view_planar(&value, MIST_F64, 1, 1, 1);
        assert_int_equal(value_map_inverse(&map, &coded, true, &out, NULL), MIST_OK);
        assert_true(fabs(value) <= 1e300);
    }
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    (void)state;
    float samples[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = (float)i;
    struct value_map map = choose(&(struct item){MIST_F32, 1, 1, (uint8_t *)samples}, 1);
    samples[9] = 9.5f;
    struct mist_view in = mist_view_planar(samples, MIST_F32, WIDTH, HEIGHT, 1);
    uint32_t codes[PIXELS];
    struct mist_view coded = mist_view_planar(codes, map.coded, WIDTH, HEIGHT, 1);
    struct mist_error error = {0};
    assert_int_equal(value_map_forward(&map, &in, &coded, &error), MIST_ERROR_RANGE);
    coded.width--;
    assert_int_equal(value_map_forward(&map, &in, &coded, &error), MIST_ERROR_ARGUMENT);

    const struct value_map sound = map;
    map.b = NAN;
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);
    map = sound;
    map.precision = 17;
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);
    map = sound;
    map.coded = MIST_F32;
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);
    map = sound;
    map.kind = (enum value_map_kind)17;
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);
    map = sound;
    map.planes = 2;
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);

    /* Three components of binary64 with full mantissas would be six coded ones. */
    double *doubles = malloc(3 * PIXELS * sizeof *doubles);
    for (size_t i = 0; i < 3 * PIXELS; i++)
        doubles[i] = sin((double)i);
    struct item item = {MIST_F64, 1, 3, (uint8_t *)doubles};
    struct value_map_frames frames = {MIST_F64, WIDTH, HEIGHT, 3, 1, read_item, &item};
    assert_int_equal(value_map_choose(&frames, 1, &map, &error), MIST_ERROR_UNSUPPORTED);
    free(doubles);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    float samples[2 * PIXELS];
    for (size_t i = 0; i < 2 * PIXELS; i++)
        samples[i] = (float)i;
    struct item item = {MIST_F32, 2, 1, (uint8_t *)samples};
    struct value_map_frames frames = {MIST_F32, WIDTH, HEIGHT, 1, 2, read_item, &item};
    enum mist_status status = MIST_ERROR_MEMORY;
    uint64_t nth = 1;
    for (; nth < 100 && status != MIST_OK; nth++) {
        struct value_map map;
        struct mist_error error = {0};
        memory_fail_at(nth);
        status = value_map_choose(&frames, 1, &map, &error);
        assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
    }
    memory_fail_at(0);
    assert_true(nth > 5 && status == MIST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_precision),
        cmocka_unit_test(test_integers_interleaved),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_refuted),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_ordered_extremes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_reduced_ordered),
        cmocka_unit_test(test_reduced_double),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("value_map", tests, NULL, NULL);
}
