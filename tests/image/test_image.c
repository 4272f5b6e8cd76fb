/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <mist/image.h>

#include "base/memory.h"
#include "image/between.h"
#include "image/half.h"
#include "image/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_types(void **state)
{
    (void)state;
    for (int type = 0; type < MIST_SAMPLE_TYPES; type++) {
        const char *name = mist_sample_name((enum mist_sample_type)type);
        assert_int_equal(mist_sample_type_from_name(name), type);
        assert_int_equal(mist_sample_size((enum mist_sample_type)type) * 8, atoi(name + 1));
        assert_int_equal(mist_sample_is_float((enum mist_sample_type)type), name[0] == 'f');
        assert_int_equal(mist_sample_is_signed((enum mist_sample_type)type), name[0] != 'u');
    }
    assert_int_equal(mist_sample_type_from_name("u7"), MIST_SAMPLE_TYPES);
    assert_null(mist_sample_name(MIST_SAMPLE_TYPES));
    assert_int_equal(mist_sample_size((enum mist_sample_type) - 1), 0);
}

/* Equation (1): ceil(log2(min / 32)), at least 1; the smallest level's short side is in (32, 64]. */
static void test_levels(void **state)
{
    (void)state;
    static const uint32_t cases[][3] = {{1, 1, 1},          {32, 32, 1},     {33, 33, 1},     {64, 64, 1},
                                        {65, 65, 2},        {128, 128, 2},   {129, 400, 3},   {256, 256, 3},
                                        {512, 512, 4},      {1024, 1024, 5}, {1025, 1025, 6}, {4096, 2048, 6},
                                        {65535, 65535, 11}, {65535, 3, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned levels = mist_level_count(cases[i][0], cases[i][1]);
        assert_int_equal(levels, cases[i][2]);
        assert_int_equal(mist_level_count(cases[i][1], cases[i][0]), levels);
    }
    for (uint32_t side = 65; side <= MIST_MAX_SIDE; side++) {
        uint32_t smallest = mist_reduced_size(side, mist_level_count(side, MIST_MAX_SIDE) - 1);
        assert_true(smallest > 32 && smallest <= 64);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(mist_reduced_size(1000, 0), 1000);
    assert_int_equal(mist_reduced_size(1001, 1), 501);
    assert_int_equal(mist_reduced_size(1, 31), 1);
    assert_int_equal(mist_reduced_size(UINT32_MAX, 32), 1);
    assert_int_equal(mist_reduced_size(5, 4000), 1);
    assert_int_equal(mist_frame_bytes(MIST_U16, 10, 20, 3), 1200);
    assert_int_equal(mist_frame_bytes(MIST_U8, 0, 20, 1), 0);
    assert_int_equal(mist_frame_bytes(MIST_U8, 65536, 20, 1), 0);
    assert_int_equal(mist_frame_bytes(MIST_U8, 20, 20, 5), 0);
    assert_int_equal(mist_frame_bytes(MIST_F64, 65535, 65535, 4), 0);
    assert_int_equal(mist_frame_bytes(MIST_SAMPLE_TYPES, 2, 2, 1), 0);
    assert_true(mist_frame_bytes(MIST_U8, 65535, 32768, 1) <= MIST_MAX_FRAME_BYTES);
}

static void transform(const struct mist_geometry *geometry, double x, double y, double z, double out[3])
{
    for (int row = 0; row < 3; row++)
        out[row] = geometry->affine[row][0] * x + geometry->affine[row][1] * y + geometry->affine[row][2] * z +
                   geometry->affine[row][3];
}

static void expect_same_place(const double a[3], const double b[3])
{
    for (int row = 0; row < 3; row++)
        assert_true(fabs(a[row] - b[row]) < 1e-9);
}

static const struct mist_geometry oblique = {
    true, {{0.4, -0.1, 0.3, -90}, {0.2, 0.5, -0.7, 12}, {-0.1, 0.6, 2.5, 44}, {0, 0, 0, 1}}, {0.46, 0.79, 2.6}};

static void test_geometry_reduce(void **state)
{
    (void)state;
    for (unsigned reduce = 0; reduce < 6; reduce++)
        for (int centered = 0; centered < 2; centered++) {
            struct mist_geometry made = mist_geometry_reduce(&oblique, reduce, centered);
            double factor = 1 << reduce, shift = centered ? (factor - 1) / 2 : 0, here[3], there[3];
            transform(&made, 7, 11, 5, here);
            transform(&oblique, 7 * factor + shift, 11 * factor + shift, 5, there);
            expect_same_place(here, there);
            assert_true(made.spacing[0] == 0.46 * factor && made.spacing[1] == 0.79 * factor && made.spacing[2] == 2.6);
            assert_true(made.affine[3][3] == 1 && made.affine[3][0] == 0);
        }
}

/* The field of view stays: corners of the pixel areas are where they were. */
static void test_geometry_resize(void **state)
{
    (void)state;
    struct mist_geometry made = mist_geometry_resize(&oblique, 512, 400, 100, 333);
    double here[3], there[3];
    transform(&made, -0.5, -0.5, 2, here);
    transform(&oblique, -0.5, -0.5, 2, there);
    expect_same_place(here, there);
    transform(&made, 99.5, 332.5, 2, here);
    transform(&oblique, 511.5, 399.5, 2, there);
    expect_same_place(here, there);
    /* Resizing to a power of two less is the centred grid. */
    made = mist_geometry_resize(&oblique, 512, 512, 128, 128);
    struct mist_geometry centered = mist_geometry_reduce(&oblique, 2, true);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(made.affine[i / 4][i % 4] - centered.affine[i / 4][i % 4]) < 1e-12);
    struct mist_geometry unknown = {0};
    made = mist_geometry_reduce(&unknown, 3, true);
    assert_false(made.has_affine);
    assert_true(made.spacing[0] == 0);
}

/* Every half is exact as a double; doubles between two halves go to the nearer, ties to the even one. */
static void test_half(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++)
        assert_int_equal(half_from_double(half_to_double((uint16_t)bits)), bits);
    for (uint16_t bits = 0; bits < 0x7bff; bits++) {
        double low = half_to_double(bits), high = half_to_double(bits + 1), middle = (low + high) / 2;
        assert_true(low < high);
        assert_int_equal(half_from_double(middle), bits + (bits & 1));
        assert_int_equal(half_from_double(nextafter(middle, 0)), bits);
        assert_int_equal(half_from_double(-nextafter(middle, 1e9)), 0x8000 | (bits + 1));
    }
    assert_true(half_to_double(0x3c00) == 1 && half_to_double(0x7bff) == 65504 && half_to_double(1) == 0x1p-24);
    assert_int_equal(half_from_double(65519.99), 0x7bff);
    assert_int_equal(half_from_double(65520), 0x7c00);
    assert_int_equal(half_from_double(-INFINITY), 0xfc00);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    float from[15 * 15] = {0}, to[9 * 20];
    struct mist_view src = mist_view_planar(from, MIST_F32, 15, 15, 1), dst = mist_view_planar(to, MIST_F32, 9, 20, 1);
    for (uint64_t nth = 1;; nth++) {
        struct mist_error error = {0};
        double value;
        memory_fail_at(nth);
        enum mist_status status = mist_resize(&src, &dst, false, &error);
        if (!status)
            status = mist_resize(&src, &dst, true, &error);
        if (!status)
            status = mist_ssim(&src, &src, 0, 1, &value, &error);
        if (!status)
            status = mist_mad(&src, &src, 1, &value, &error);
        memory_fail_at(0);
        assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
        if (status == MIST_OK) {
            assert_true(nth > 8);
            return;
        }
    }
}

/* What is no number in one plane is that of the nearer one; in the middle, of the first. */
static void test_between(void **state)
{
    (void)state;
    struct mist_error error = {0};
    const struct {
        double here, behind, t, made;
    } cases[] = {{NAN, 5, 0.5, NAN},  {NAN, 5, 0.51, 5}, {NAN, 5, 0.49, NAN},    {5, NAN, 0.5, 5},
                 {5, NAN, 0.51, NAN}, {4, 8, 0.25, 5},   {INFINITY, 1, 0.75, 1}, {1, -INFINITY, 0.5, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float here = (float)cases[i].here, behind = (float)cases[i].behind;
        struct mist_view a = mist_view_planar(&here, MIST_F32, 1, 1, 1),
                         b = mist_view_planar(&behind, MIST_F32, 1, 1, 1);
        assert_int_equal(resample_between(&a, &b, cases[i].t, &error), MIST_OK);
        assert_true(isnan(cases[i].made) ? isnan(here) : here == (float)cases[i].made);
    }
}

/* Outputs that lie beyond the inputs are the last input, whatever the way. */
static void test_beyond_the_edge(void **state)
{
    (void)state;
    struct mist_error error = {0};
    const struct resample_pitch along = {2, 3}, same = {1, 1};
    uint8_t from[4] = {10, 20, 30, 40}, to[5] = {0};
    struct mist_view src = mist_view_planar(from, MIST_U8, 4, 1, 1), dst = mist_view_planar(to, MIST_U8, 5, 1, 1);
    /* Inputs end at 8; outputs begin at 0, 3, 6, 9 and 12. */
    const uint8_t means[5] = {13, 27, 40, 40, 40}, nearest[5] = {10, 30, 40, 40, 40};
    assert_int_equal(resample_pitched(&src, &dst, &along, &same, false, &error), MIST_OK);
    assert_memory_equal(to, means, 5);
    assert_int_equal(resample_pitched(&src, &dst, &along, &same, true, &error), MIST_OK);
    assert_memory_equal(to, nearest, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),           cmocka_unit_test(test_levels),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_geometry_reduce),
        cmocka_unit_test(test_geometry_resize), cmocka_unit_test(test_half),
        cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_between),
        cmocka_unit_test(test_beyond_the_edge),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
