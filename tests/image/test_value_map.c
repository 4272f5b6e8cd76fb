/* SPDX-License-Identifier: BSD-2-Clause */
/* Value maps: every sample back bit for bit, reduced levels as numbers, hostile bytes, failing allocations. */
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
    const void *samples;
};

static const struct value_options as_image = {.wish = VALUE_AS_IMAGE}, as_labels = {.wish = VALUE_AS_LABELS};

static enum mist_status read_item(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    const struct item *item = context;
    size_t bytes = mist_frame_bytes(item->type, WIDTH, HEIGHT, item->components);
    (void)error;
    memcpy(out->data, (const uint8_t *)item->samples + frame * bytes, bytes);
    return MIST_OK;
}

static struct value_map_frames frames_of(const struct item *item)
{
    return (struct value_map_frames){
        item->type, WIDTH, HEIGHT, item->components, item->frames, read_item, (void *)(uintptr_t)item};
}

/* The map as it is read from its bytes; a table is brought along. */
static struct value_map reread(const struct value_map *map)
{
    struct mist_buffer bytes = {0};
    struct mist_error error = {0};
    struct value_map read;
    assert_int_equal(value_map_write(map, &bytes, &error), MIST_OK);
    struct byte_reader reader = byte_reader_start(bytes.data, bytes.size);
    assert_int_equal(value_map_read(&reader, map->components, &read, &error), MIST_OK);
    assert_int_equal(reader_left(&reader), 0);
    if (map->table) {
        size_t size = (size_t)(map->highest - map->lowest + 1) * sizeof *map->table;
        read.table = memory_allocate(size);
        memcpy(read.table, map->table, size);
    }
    mist_buffer_free(&bytes);
    return read;
}

static void assert_same_map(const struct value_map *a, const struct value_map *b)
{
    struct mist_buffer first = {0}, second = {0};
    assert_int_equal(value_map_write(a, &first, NULL), MIST_OK);
    assert_int_equal(value_map_write(b, &second, NULL), MIST_OK);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    mist_buffer_free(&first);
    mist_buffer_free(&second);
}

static struct value_map choose(const struct item *item, const struct value_options *options)
{
    struct value_map_frames frames = frames_of(item);
    struct value_map map, other;
    struct value_statistics statistics, others;
    struct mist_error error = {0};
    assert_int_equal(value_map_choose(&frames, options, 1, &map, &statistics, &error), MIST_OK);
    assert_int_equal(value_map_check(&map, &error), MIST_OK);
    assert_int_equal(value_map_choose(&frames, options, 3, &other, &others, &error), MIST_OK);
    assert_same_map(&map, &other);
    assert_memory_equal(&statistics, &others, sizeof others);
    value_map_free(&other);
    return map;
}

/* The planes of one frame. */
struct planes {
    struct mist_view coded, holes, remainder;
};

static struct planes new_planes(const struct value_map *map)
{
    uint32_t coded = value_map_coded_components(map), n = map->components;
    return (struct planes){
        mist_view_planar(malloc((size_t)4 * coded * PIXELS), map->coded, WIDTH, HEIGHT, coded),
        mist_view_planar(malloc((size_t)2 * n * PIXELS), MIST_U16, WIDTH, HEIGHT, n),
        mist_view_planar(malloc((size_t)8 * n * PIXELS), value_map_remainder_type(map), WIDTH, HEIGHT, n)};
}

static void free_planes(struct planes *planes)
{
    free(planes->coded.data);
    free(planes->holes.data);
    free(planes->remainder.data);
}

static void check_range(const struct value_map *map, const struct mist_view *coded)
{
    double low, high;
    mist_range(coded, &low, &high);
    bool is_signed = mist_sample_is_signed(map->coded);
    assert_true(low >= (is_signed ? -ldexp(1, (int)map->precision - 1) : 0));
    assert_true(high < ldexp(1, (int)map->precision - is_signed));
    assert_true(low >= (double)map->lowest && high <= (double)map->highest);
}

/* Every frame there and back, through planar planes, by the map that was read again. The caller frees the map. */
static struct value_map round_trip_by(const struct item *item, const struct value_options *options)
{
    struct value_map map = choose(item, options), read = reread(&map);
    struct planes planes = new_planes(&map);
    struct mist_error error = {0};
    size_t bytes = mist_frame_bytes(item->type, WIDTH, HEIGHT, item->components);
    struct mist_view out = mist_view_interleaved(malloc(bytes), item->type, WIDTH, HEIGHT, item->components);
    for (uint32_t i = 0; i < item->frames; i++) {
        struct mist_view in = mist_view_interleaved((uint8_t *)(uintptr_t)item->samples + i * bytes, item->type, WIDTH,
                                                    HEIGHT, item->components);
        assert_int_equal(value_map_forward(&map, &in, &planes.coded, &planes.holes, &planes.remainder, &error),
                         MIST_OK);
        check_range(&map, &planes.coded);
        memset(out.data, 0xa5, bytes);
        assert_int_equal(value_map_inverse(&read, &planes.coded, false, &out, &error), MIST_OK);
        if (map.holes.count)
            assert_int_equal(value_map_apply_holes(&read, &planes.holes, &out, &error), MIST_OK);
        if (map.remainder)
            assert_int_equal(value_map_apply_remainder(&read, &planes.remainder, &out, &error), MIST_OK);
        assert_memory_equal(out.data, in.data, bytes);
    }
    free(out.data);
    free_planes(&planes);
    value_map_free(&read);
    return map;
}

static struct value_map round_trip(const struct item *item)
{
    return round_trip_by(item, &as_image);
}

/* The kind only. */
static enum value_map_kind kind_of(const struct item *item)
{
    struct value_map map = round_trip(item);
    enum value_map_kind kind = map.kind;
    value_map_free(&map);
    return kind;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16;
}

static double noise(uint64_t *state) /* -1 .. 1 */
{
    return (double)(next_random(state) & 0xffffffff) / 0x1p31 - 1;
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
        {MIST_S64, -5, 200, 9},
        {MIST_S64, (int64_t)1 << 40, ((int64_t)1 << 40) + 300, 9},
        {MIST_S64, -((int64_t)1 << 40), 300 - ((int64_t)1 << 40), 9},
        {MIST_U64, 0, UINT32_MAX, 32},
        {MIST_U64, 7, 65536, 17},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[PIXELS * 8];
        size_t size = mist_sample_size(cases[i].type);
        for (size_t k = 0; k < PIXELS; k++) {
            int64_t value = k == 700 ? cases[i].low : cases[i].high;
            memcpy(bytes + k * size, &value, size); /* little-endian */
        }
        struct value_map map = round_trip(&(struct item){cases[i].type, 1, 1, bytes});
        assert_int_equal(map.kind, size == 8 ? VALUE_MAP_LINEAR : VALUE_MAP_IDENTITY);
        assert_int_equal(map.precision, cases[i].precision);
        assert_true(size == 8 || map.coded == cases[i].type);
        value_map_free(&map);
    }
}

/* An identity map of one component is two bytes; what a precision has at most need not be said. */
static void test_small_maps(void **state)
{
    (void)state;
    struct mist_buffer bytes = {0};
    struct value_map map = value_map_identity(MIST_U8, 3, 8);
    assert_int_equal(value_map_write(&map, &bytes, NULL), MIST_OK);
    assert_int_equal(bytes.size, 2);
    bytes.size = 0;
    uint8_t labels[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        labels[i] = (uint8_t)(i / 10);
    map = round_trip_by(&(struct item){MIST_U8, 1, 1, labels}, &as_labels);
    assert_int_equal(map.kind, VALUE_MAP_RANKS);
    assert_int_equal(map.rank_count, 103);
    assert_int_equal(value_map_write(&map, &bytes, NULL), MIST_OK);
    assert_true(bytes.size <= 8);
    for (unsigned down = 0; down < 2; down++) { /* no rank twice, none below the one before */
        map.rank[1] = map.rank[0] - down * map.rank[0];
        map.rank[0] += down;
        assert_int_equal(value_map_check(&map, NULL), MIST_ERROR_CORRUPT);
    }
    value_map_free(&map);
    mist_buffer_free(&bytes);
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
        round_trip(&(struct item){type, frames, 1, type == MIST_F32 ? (void *)singles : (void *)doubles});
    free(singles);
    free(doubles);
    struct value_map numbers = map; /* without what it owns */
    numbers.table = numbers.rank = numbers.holes.pattern = NULL;
    value_map_free(&map);
    return numbers;
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
    map = floats_of(plain, 0, 1, 80, MIST_F32); /* more values than are kept */
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_int_equal(map.precision, 17);
    assert_int_equal(map.highest, 80 * PIXELS - 1);
    map = floats_of(plain, 3, 7, 80, MIST_F64);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.precision <= 20);
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
    map = floats_of(fractions_of_255, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(far_off, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(offset_decimals, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(single_slope, 0, 1, 1, MIST_F32);
    assert_int_equal(map.kind, VALUE_MAP_LINEAR);
    assert_true(map.b == (double)5.95897f);
    map = floats_of(plain, 0, 1 << 20, 1, MIST_F64); /* scaled: still 10 bits */
    assert_int_equal(map.precision, 10);
    map = floats_of(root, 0, 1, 4, MIST_F32);
    assert_int_not_equal(map.kind, VALUE_MAP_LINEAR);
    map = floats_of(root, 0, 1, 80, MIST_F64);
    assert_int_equal(map.kind, VALUE_MAP_QUANTISED);
}

/* One sample among many that does not fit: halves make the step finer; what is no number, or far off, is a hole. */
static void test_linear_refuted(void **state)
{
    (void)state;
    static const struct {
        float odd;
        enum value_map_kind kind;
        uint32_t holes;
        bool remainder;
    } cases[] = {
        {0.5f, VALUE_MAP_LINEAR, 0, false},     {NAN, VALUE_MAP_LINEAR, 1, false},
        {INFINITY, VALUE_MAP_LINEAR, 1, false}, {-INFINITY, VALUE_MAP_LINEAR, 1, false},
        {-0.0f, VALUE_MAP_LINEAR, 0, true},     {0x1p60f, VALUE_MAP_LINEAR, 1, false},
        {1e-45f, VALUE_MAP_QUANTISED, 0, true}, {0.01f, VALUE_MAP_QUANTISED, 0, true},
    };
    size_t count = (size_t)PIXELS * 70;
    float *samples = malloc(count * sizeof *samples);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (size_t i = 0; i < count; i++)
            samples[i] = (float)i;
        samples[40000] = cases[k].odd;
        struct value_map map = round_trip(&(struct item){MIST_F32, 70, 1, samples});
        assert_int_equal(map.kind, cases[k].kind);
        assert_int_equal(map.holes.count, cases[k].holes);
        assert_int_equal(map.remainder, cases[k].remainder);
        value_map_free(&map);
    }
    free(samples);
}

static void test_constants(void **state)
{
    (void)state;
    const float values[] = {0,       -0.0f,    1,       -1,       1e30f,     -1e-30f, 1e-45f,
                            FLT_MAX, -FLT_MAX, FLT_MIN, INFINITY, -INFINITY, NAN};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        float samples[PIXELS];
        double doubles[PIXELS];
        for (size_t i = 0; i < PIXELS; i++)
            doubles[i] = samples[i] = values[k];
        assert_int_equal(kind_of(&(struct item){MIST_F32, 1, 1, samples}), VALUE_MAP_LINEAR);
        assert_int_equal(kind_of(&(struct item){MIST_F64, 1, 1, doubles}), VALUE_MAP_LINEAR);
    }
    double ends[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        ends[i] = i % 3 == 0 ? DBL_MAX : i % 3 == 1 ? -DBL_MAX : sin((double)i) * 1e308;
    round_trip(&(struct item){MIST_F64, 1, 1, ends});
}

/* ---- tables and quantised floats ---- */

static void test_table(void **state)
{
    (void)state;
    float samples[4 * PIXELS];
    uint64_t random = 5;
    for (size_t i = 0; i < 4 * PIXELS; i++)
        samples[i] = ((float)(next_random(&random) % 200 + next_random(&random) % 200) - 201.7f) / 57.123f;
    struct value_map map = round_trip(&(struct item){MIST_F32, 4, 1, samples});
    assert_int_equal(map.kind, VALUE_MAP_TABLE);
    assert_int_equal(map.precision, 9);
    assert_false(map.remainder);
    assert_true(fabs(map.b - 1 / 57.123) < 1e-6);
    /* A sample that the table does not have is none of the map's. */
    struct planes planes = new_planes(&map);
    struct mist_view in = mist_view_planar(samples, MIST_F32, WIDTH, HEIGHT, 1);
    for (unsigned foreign = 0; foreign < 2; foreign++) {
        samples[100] = foreign ? 0.12345f : samples[100];
        assert_int_equal(value_map_forward(&map, &in, &planes.coded, &planes.holes, NULL, NULL),
                         foreign ? MIST_ERROR_RANGE : MIST_OK);
    }
    free_planes(&planes);
    value_map_free(&map);
    /* A masked background beside the lattice costs no finer step, and both zeros come back. */
    for (size_t i = 0; i < 4 * PIXELS; i += 2)
        samples[i] = i % 4 ? 0.0f : -0.0f;
    map = round_trip(&(struct item){MIST_F32, 4, 1, samples});
    assert_int_equal(map.kind, VALUE_MAP_TABLE);
    assert_true(map.precision <= 9);
    assert_true(map.remainder);
    value_map_free(&map);
}

static void test_any_pattern(void **state)
{
    (void)state;
    static const enum mist_sample_type types[] = {MIST_F16, MIST_F32, MIST_F64, MIST_S64, MIST_U64};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        size_t size = mist_sample_size(types[t]);
        uint8_t *samples = malloc(PIXELS * 80 * size);
        uint64_t random = 1 + t;
        for (size_t i = 0; i < PIXELS * 80; i++) { /* NaN payloads, infinities, zeros of both signs, denormals */
            uint64_t bits = next_random(&random) | next_random(&random) << 40;
            if (i % 5 == 0)
                bits = (uint64_t)(i % 2) << (8 * size - 1);
            memcpy(samples + i * size, &bits, size);
        }
        assert_int_equal(kind_of(&(struct item){types[t], 80, 1, samples}), VALUE_MAP_QUANTISED);
        assert_int_equal(kind_of(&(struct item){types[t], 40, 2, samples}), VALUE_MAP_QUANTISED);
        assert_int_equal(kind_of(&(struct item){types[t], 20, 4, samples}), VALUE_MAP_QUANTISED);
        free(samples);
    }
}

/* Whatever the coder gives back for a reduced level, values stay within those of the item. */
static void test_reduced_range(void **state)
{
    (void)state;
    float samples[PIXELS];
    uint64_t random = 3;
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = (float)(4 + 3 * noise(&random));
    struct value_map map = round_trip(&(struct item){MIST_F32, 1, 1, samples});
    assert_int_equal(map.kind, VALUE_MAP_QUANTISED);
    for (int64_t code = 0; code <= UINT16_MAX; code += 97) {
        uint16_t word = (uint16_t)code;
        float value;
        struct mist_view coded = mist_view_planar(&word, map.coded, 1, 1, 1),
                         out = mist_view_planar(&value, MIST_F32, 1, 1, 1);
        assert_int_equal(value_map_inverse(&map, &coded, true, &out, NULL), MIST_OK);
        assert_true(value >= 0.99f && value <= 7.01f);
    }
    value_map_free(&map);
}

/* The plane is the value in steps: its means are means of values, across zero too. */
static void test_means(void **state)
{
    (void)state;
    double samples[PIXELS], value;
    uint64_t random = 11;
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = noise(&random);
    struct value_map map = choose(&(struct item){MIST_F64, 1, 1, samples}, &as_image);
    struct planes planes = new_planes(&map);
    struct mist_view in = mist_view_planar(samples, MIST_F64, WIDTH, HEIGHT, 1);
    assert_int_equal(value_map_forward(&map, &in, &planes.coded, &planes.holes, &planes.remainder, NULL), MIST_OK);
    for (size_t i = 0; i + 1 < PIXELS; i++) {
        const int16_t *codes = planes.coded.data;
        int16_t mean = (int16_t)((codes[i] + codes[i + 1]) / 2);
        struct mist_view coded = mist_view_planar(&mean, MIST_S16, 1, 1, 1),
                         out = mist_view_planar(&value, MIST_F64, 1, 1, 1);
        assert_int_equal(value_map_inverse(&map, &coded, true, &out, NULL), MIST_OK);
        assert_true(fabs(value - (samples[i] + samples[i + 1]) / 2) <= 2 * map.b);
    }
    free_planes(&planes);
    value_map_free(&map);
}

/* ---- holes ---- */

static void test_padding(void **state)
{
    (void)state;
    int16_t samples[PIXELS];
    struct value_options options = {.candidates = 1, .candidate = {{0xf830, 0xf830}}}; /* -2000 */
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = i % WIDTH < 20 ? -2000 : (int16_t)(i * 7 % 300 - 300);
    struct item item = {MIST_S16, 1, 1, samples};
    struct value_map map = round_trip_by(&item, &options);
    assert_int_equal(map.holes.count, 1);
    assert_int_equal(map.holes.pattern[0], 0xf830);
    assert_int_equal(map.lowest, -300);
    /* A reduced value outside the range of the tissue is brought back into it, and the hole has its own. */
    int16_t low = -1500, out;
    uint16_t hole = 1;
    struct mist_view coded = mist_view_planar(&low, MIST_S16, 1, 1, 1),
                     sample = mist_view_planar(&out, MIST_S16, 1, 1, 1);
    struct mist_view mark = mist_view_planar(&hole, MIST_U16, 1, 1, 1);
    assert_int_equal(value_map_inverse(&map, &coded, true, &sample, NULL), MIST_OK);
    assert_int_equal(out, -300);
    assert_int_equal(value_map_apply_holes(&map, &mark, &sample, NULL), MIST_OK);
    assert_int_equal(out, -2000);
    hole = 2;
    assert_int_equal(value_map_apply_holes(&map, &mark, &sample, NULL), MIST_ERROR_CORRUPT);
    value_map_free(&map);
    /* A value that was measured, too, or lies next to what was, is no padding. */
    samples[40] = -2400;
    map = round_trip_by(&item, &options);
    assert_int_equal(map.holes.count, 0);
    value_map_free(&map);
    samples[40] = -1999;
    map = round_trip_by(&item, &options);
    assert_int_equal(map.holes.count, 0);
    value_map_free(&map);
}

/* What is filled in lies between the known samples, and a lone hole changes nothing else. */
static void test_filling(void **state)
{
    (void)state;
    double samples[PIXELS], low, high;
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = 100 + (double)(i % WIDTH) + (i / WIDTH % 2 ? 0.5 : 0) + sin((double)i) / 1000;
    samples[5 * WIDTH + 9] = NAN;
    samples[0] = INFINITY;
    for (size_t i = 40; i < 60; i++)
        samples[8 * WIDTH + i] = samples[9 * WIDTH + i] = -INFINITY;
    struct value_map map = round_trip(&(struct item){MIST_F64, 1, 1, samples});
    assert_int_equal(map.holes.count, 3);
    struct planes planes = new_planes(&map);
    struct mist_view in = mist_view_planar(samples, MIST_F64, WIDTH, HEIGHT, 1);
    assert_int_equal(value_map_forward(&map, &in, &planes.coded, &planes.holes, &planes.remainder, NULL), MIST_OK);
    mist_range(&planes.coded, &low, &high);
    assert_true(low >= (double)map.lowest && high <= (double)map.highest);
    for (size_t i = 0; i < PIXELS; i++) {
        bool hole = ((uint16_t *)planes.holes.data)[i] != 0;
        double value = map.a + map.b * ((uint16_t *)planes.coded.data)[i];
        assert_int_equal(hole, !isfinite(samples[i]));
        assert_true(fabs(value - (100 + (double)(i % WIDTH))) <= (hole ? 12 : 1));
    }
    free_planes(&planes);
    value_map_free(&map);
}

/* ---- labels ---- */

static void test_ranks(void **state)
{
    (void)state;
    uint8_t colours[3 * PIXELS];
    float floats[PIXELS];
    for (size_t i = 0; i < PIXELS; i++) {
        memcpy(colours + 3 * i, i % 3 ? "\xff\0\1" : i % 2 ? "\0\0\0" : "\0\0\xff", 3);
        floats[i] = i % 7 == 0 ? NAN : i % 7 == 1 ? -0.0f : i % 7 == 2 ? 0.0f : i % 7 == 3 ? -1.5f : (float)(i % 7);
    }
    struct value_map map = round_trip_by(&(struct item){MIST_U8, 1, 3, colours}, &as_labels);
    assert_int_equal(map.rank_count, 3);
    assert_int_equal(value_map_coded_components(&map), 1);
    assert_int_equal(map.rank[2], 0xff0001);
    value_map_free(&map);
    map = round_trip_by(&(struct item){MIST_F32, 1, 1, floats}, &as_labels);
    assert_int_equal(map.rank_count, 7);
    value_map_free(&map);
    /* Pixels of more than 64 bits are none that ranks are for. */
    struct item item = {MIST_F32, 1, 3, memset(malloc(12 * PIXELS), 0, 12 * PIXELS)};
    struct value_map_frames frames = frames_of(&item);
    struct mist_error error;
    assert_int_equal(value_map_choose(&frames, &as_labels, 1, &map, NULL, &error), MIST_ERROR_UNSUPPORTED);
    free((void *)(uintptr_t)item.samples);
}

static void test_statistics(void **state)
{
    (void)state;
    uint8_t samples[2 * PIXELS];
    struct value_statistics statistics;
    struct value_map map;
    for (size_t i = 0; i < 2 * PIXELS; i++)
        samples[i] = (uint8_t)(i % WIDTH / 16 * 3);
    struct item item = {MIST_U8, 2, 1, samples};
    struct value_map_frames frames = frames_of(&item);
    struct value_options options = {.wish = VALUE_LABELS_IF_ALIKE};
    assert_int_equal(value_map_choose(&frames, &options, 1, &map, &statistics, NULL), MIST_OK);
    assert_int_equal(map.kind, VALUE_MAP_RANKS);
    assert_int_equal(statistics.pixels, 2 * PIXELS);
    assert_int_equal(statistics.distinct, 4);
    assert_true(statistics.whole && statistics.minimum == 0 && statistics.maximum == 9);
    /* Three values of 16 columns beside the commonest (any of those with all 16): one column of each differs on its
     * left. */
    assert_true(fabs(statistics.flatness - 31.0 / 32) < 0.01);
    value_map_free(&map);
    uint64_t random = 1;
    for (size_t i = 0; i < 2 * PIXELS; i++)
        samples[i] = (uint8_t)(next_random(&random) % 4);
    assert_int_equal(value_map_choose(&frames, &options, 1, &map, &statistics, NULL), MIST_OK);
    assert_int_equal(map.kind, VALUE_MAP_IDENTITY);
    assert_true(statistics.flatness < 0.4);
    value_map_free(&map);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    (void)state;
    float samples[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        samples[i] = (float)i;
    struct value_map map = choose(&(struct item){MIST_F32, 1, 1, samples}, &as_image);
    struct planes planes = new_planes(&map);
    struct mist_view in = mist_view_planar(samples, MIST_F32, WIDTH, HEIGHT, 1);
    struct mist_error error = {0};
    const float odd[] = {9.5f, 1e9f, -1, NAN, INFINITY, -0.0f};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        samples[9] = odd[i];
        assert_int_equal(value_map_forward(&map, &in, &planes.coded, NULL, NULL, &error), MIST_ERROR_RANGE);
    }
    planes.coded.width--;
    assert_int_equal(value_map_forward(&map, &in, &planes.coded, NULL, NULL, &error), MIST_ERROR_ARGUMENT);
    planes.coded.width++;
    const struct value_map sound = map;
#define UNSOUND(change) \
    map = sound;        \
    change;             \
    assert_int_equal(value_map_check(&map, &error), MIST_ERROR_CORRUPT);
    UNSOUND(map.b = NAN)
    UNSOUND(map.b = 0)
    UNSOUND(map.a = INFINITY)
    UNSOUND(map.precision = 17)
    UNSOUND(map.precision = 0)
    UNSOUND(map.coded = MIST_F32)
    UNSOUND(map.coded = MIST_U8)
    UNSOUND(map.kind = (enum value_map_kind)17)
    UNSOUND(map.kind = VALUE_MAP_QUANTISED)
    UNSOUND(map.kind = VALUE_MAP_RANKS)
    UNSOUND(map.components = 0)
    UNSOUND(map.highest = 1 << 20)
    UNSOUND(map.lowest = map.highest + 1)
    map = sound;
    map.remainder = true;
    assert_int_equal(value_map_forward(&map, &in, &planes.coded, NULL, NULL, &error), MIST_ERROR_ARGUMENT);
    map = sound;
    value_map_free(&map);
    free_planes(&planes);
}

/* A read map, sound or not, used on planes of whatever bytes. */
static void use(const struct value_map *map)
{
    struct planes planes = new_planes(map);
    size_t bytes = mist_frame_bytes(map->source, WIDTH, HEIGHT, map->components);
    struct mist_view out = mist_view_interleaved(malloc(bytes), map->source, WIDTH, HEIGHT, map->components);
    memset(planes.coded.data, 0x9c, mist_frame_bytes(map->coded, WIDTH, HEIGHT, planes.coded.components));
    memset(planes.holes.data, 0, 2 * (size_t)map->components * PIXELS);
    memset(planes.remainder.data, 0xe1, bytes);
    ((uint16_t *)planes.holes.data)[7] = (uint16_t)map->holes.count;
    assert_int_equal(value_map_inverse(map, &planes.coded, true, &out, NULL), MIST_OK);
    value_map_inverse(map, &planes.coded, false, &out, NULL);
    assert_int_equal(value_map_apply_holes(map, &planes.holes, &out, NULL), MIST_OK);
    assert_int_equal(value_map_apply_remainder(map, &planes.remainder, &out, NULL), MIST_OK);
    value_map_forward(map, &out, &planes.coded, &planes.holes, &planes.remainder, NULL);
    free(out.data);
    free_planes(&planes);
}

/* One map of each kind. */
static struct value_map make(unsigned which, float *samples)
{
    uint64_t random = which;
    struct value_options options = {.wish = which == 4 ? VALUE_AS_LABELS : VALUE_AS_IMAGE};
    for (size_t i = 0; i < 2 * PIXELS; i++) {
        int k = (int)(next_random(&random) % 90 + next_random(&random) % 90);
        samples[i] = which == 1 ? (float)k : which == 2 ? ((float)k - 17.3f) / 5.87f : (float)noise(&random);
        if (which == 4)
            samples[i] = (float)(k * k);
        else if (i % 50 == 0)
            samples[i] = i % 100 ? NAN : INFINITY;
    }
    if (which == 0)
        for (size_t i = 0; i < 2 * PIXELS; i++)
            ((uint32_t *)(void *)samples)[i] = (uint32_t)(i * 77);
    return choose(&(struct item){which == 0 ? MIST_U32 : MIST_F32, 2, 1, samples}, &options);
}

static void test_hostile(void **state)
{
    (void)state;
    float samples[2 * PIXELS];
    unsigned taken = 0, refused = 0;
    for (unsigned which = 0; which < 5; which++) {
        struct value_map map = make(which, samples), read;
        struct mist_buffer bytes = {0};
        assert_int_equal(map.kind, which);
        assert_int_equal(value_map_write(&map, &bytes, NULL), MIST_OK);
        for (size_t size = 0; size < bytes.size; size++) {
            uint8_t *copy = malloc(size ? size : 1); /* of just the size, for the sanitizers */
            memcpy(copy, bytes.data, size);
            struct byte_reader reader = byte_reader_start(copy, size);
            assert_int_equal(value_map_read(&reader, 1, &read, NULL), MIST_ERROR_CORRUPT);
            assert_null(read.rank);
            free(copy);
        }
        for (size_t i = 0; i < 8 * bytes.size; i++) {
            bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
            struct byte_reader reader = byte_reader_start(bytes.data, bytes.size);
            enum mist_status status = value_map_read(&reader, 1, &read, NULL);
            assert_true(status == MIST_OK || status == MIST_ERROR_CORRUPT);
            taken += status == MIST_OK;
            refused += status != MIST_OK;
            if (!status)
                use(&read);
            value_map_free(&read);
            bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        struct byte_reader reader = byte_reader_start(bytes.data, bytes.size);
        assert_int_equal(value_map_read(&reader, 5, &read, NULL), MIST_ERROR_CORRUPT); /* five components */
        mist_buffer_free(&bytes);
        value_map_free(&map);
    }
    assert_true(taken > 20 && refused > 20);
}

/* Every allocation fails once, in every step. */
static void test_out_of_memory(void **state)
{
    (void)state;
    float samples[2 * PIXELS];
    for (unsigned which = 0; which < 5; which++) {
        struct value_map sound = make(which, samples);
        struct item item = {sound.source, 2, 1, samples};
        struct value_map_frames frames = frames_of(&item);
        struct value_options options = {.wish = which == 4 ? VALUE_AS_LABELS : VALUE_AS_IMAGE};
        struct planes planes = new_planes(&sound);
        struct mist_view in = mist_view_interleaved(samples, item.type, WIDTH, HEIGHT, 1);
        enum mist_status status = MIST_ERROR_MEMORY;
        uint64_t nth = 1;
        for (; nth < 300 && status != MIST_OK; nth++) {
            struct value_map map = {0}, read = {0};
            struct mist_buffer bytes = {0};
            memory_fail_at(nth);
            status = value_map_choose(&frames, &options, 1, &map, NULL, NULL);
            if (!status)
                status = value_map_forward(&map, &in, &planes.coded, &planes.holes, &planes.remainder, NULL);
            if (!status)
                status = value_map_write(&map, &bytes, NULL);
            struct byte_reader reader = byte_reader_start(bytes.data, bytes.size);
            if (!status)
                status = value_map_read(&reader, 1, &read, NULL);
            memory_fail_at(0);
            assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
            value_map_free(&map);
            value_map_free(&read);
            mist_buffer_free(&bytes);
        }
        assert_true(nth > 5 && status == MIST_OK);
        free_planes(&planes);
        value_map_free(&sound);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_precision), cmocka_unit_test(test_small_maps),    cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linear_refuted),    cmocka_unit_test(test_constants),     cmocka_unit_test(test_table),
        cmocka_unit_test(test_any_pattern),       cmocka_unit_test(test_reduced_range), cmocka_unit_test(test_means),
        cmocka_unit_test(test_padding),           cmocka_unit_test(test_filling),       cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_statistics),        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("value_map", tests, NULL, NULL);
}
