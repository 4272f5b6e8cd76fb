/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

static unsigned by_size(uint32_t width, uint32_t height, uint32_t w, uint32_t h, enum mist_policy policy)
{
    struct mist_catalog_file file;
    struct mist_catalog_item item = fake_item("a", width, height, &file);
    return mist_choose(&item, &(struct mist_resolution_request){.width = w, .height = h, .policy = policy}).reduce;
}

static void test_closest(void **state)
{
    (void)state;
    /* 1024: levels of 1024, 512, 256, 128, 64. Between 256 and 512 the middle is 362.04. */
    const struct {
        uint32_t size;
        unsigned reduce;
    } cases[] = {{2000, 0}, {1024, 0}, {725, 0}, {724, 1}, {512, 1}, {363, 1}, {362, 2}, {256, 2}, {64, 4}, {1, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(by_size(1024, 1024, cases[i].size, cases[i].size, MIST_POLICY_CLOSEST), cases[i].reduce);
    /* The shorter sides are compared, however they lie. */
    assert_int_equal(by_size(2048, 1024, 512, 512, MIST_POLICY_CLOSEST), 1);
    assert_int_equal(by_size(1024, 2048, 1000, 256, MIST_POLICY_CLOSEST), 2);
    /* Exactly in the middle, 1681 * 841 = 1189^2: the larger. */
    assert_int_equal(by_size(1681, 1681, 1189, 1189, MIST_POLICY_CLOSEST), 0);
    assert_int_equal(by_size(1681, 1681, 1188, 1188, MIST_POLICY_CLOSEST), 1);
    assert_int_equal(by_size(65535, 65535, 65535, 65535, MIST_POLICY_CLOSEST), 0);
    assert_int_equal(by_size(1024, 1024, 65536, 65536, MIST_POLICY_CLOSEST), 0); /* whose square is 0 in 32 bits */
    /* Small images have one level. */
    assert_int_equal(by_size(30, 2000, 8, 8, MIST_POLICY_CLOSEST), 0);
}

static void test_bounds(void **state)
{
    (void)state;
    assert_int_equal(by_size(1024, 1024, 256, 256, MIST_POLICY_AT_LEAST), 2);
    assert_int_equal(by_size(1024, 1024, 257, 257, MIST_POLICY_AT_LEAST), 1);
    assert_int_equal(by_size(1024, 1024, 2000, 2000, MIST_POLICY_AT_LEAST), 0);
    assert_int_equal(by_size(1024, 1024, 1, 1, MIST_POLICY_AT_LEAST), 4);
    assert_int_equal(by_size(1024, 512, 512, 256, MIST_POLICY_AT_LEAST), 1);
    assert_int_equal(by_size(1024, 512, 513, 256, MIST_POLICY_AT_LEAST), 0);
    assert_int_equal(by_size(1024, 1024, 256, 256, MIST_POLICY_AT_MOST), 2);
    assert_int_equal(by_size(1024, 1024, 255, 255, MIST_POLICY_AT_MOST), 3);
    assert_int_equal(by_size(1024, 1024, 9999, 9999, MIST_POLICY_AT_MOST), 0);
    assert_int_equal(by_size(1024, 1024, 5, 5, MIST_POLICY_AT_MOST), 4); /* nothing fits: the smallest */
    assert_int_equal(by_size(1024, 512, 512, 512, MIST_POLICY_AT_MOST), 1);
    /* Both sides count, also where one of them alone would allow more. */
    assert_int_equal(by_size(1024, 512, 600, 128, MIST_POLICY_AT_LEAST), 0);
    assert_int_equal(by_size(1024, 512, 1024, 128, MIST_POLICY_AT_LEAST), 0);
    assert_int_equal(by_size(1024, 512, 256, 512, MIST_POLICY_AT_MOST), 1);
    assert_int_equal(by_size(1024, 512, 300, 512, MIST_POLICY_AT_MOST), 1);
    /* Odd sides round up: 1023 -> 512 fits 512. */
    assert_int_equal(by_size(1023, 1023, 512, 512, MIST_POLICY_AT_MOST), 1);
    assert_int_equal(by_size(1023, 1023, 511, 511, MIST_POLICY_AT_MOST), 2);
}

static void set_spacing(struct mist_resolution_request *request, double spacing)
{
    for (int axis = 0; axis < 3; axis++)
        request->spacing[axis] = spacing;
}

static void test_spacing_and_reduce(void **state)
{
    (void)state;
    struct mist_catalog_file file;
    struct mist_catalog_item item = fake_item("a", 512, 512, &file); /* 4 levels */
    struct mist_resolution_request request = {.spacing = {1, 1, 1}};
    assert_int_equal(mist_choose(&item, &request).reduce, 0); /* no spacing: full */
    item.image.geometry.spacing[0] = 0.4;
    item.image.geometry.spacing[1] = 0.5;
    item.image.geometry.spacing[2] = 9;
    assert_int_equal(mist_choose(&item, &request).reduce, 1);
    set_spacing(&request, 0.7);
    assert_int_equal(mist_choose(&item, &request).reduce, 0); /* below 0.5 * sqrt(2) */
    set_spacing(&request, 0.71);
    assert_int_equal(mist_choose(&item, &request).reduce, 1);
    request.policy = MIST_POLICY_AT_LEAST;
    assert_int_equal(mist_choose(&item, &request).reduce, 0);
    set_spacing(&request, 2.0);
    assert_int_equal(mist_choose(&item, &request).reduce, 2);
    request.policy = MIST_POLICY_AT_MOST;
    assert_int_equal(mist_choose(&item, &request).reduce, 2);
    set_spacing(&request, 2.1);
    assert_int_equal(mist_choose(&item, &request).reduce, 3);
    set_spacing(&request, 1e9);
    assert_int_equal(mist_choose(&item, &request).reduce, 3);
    request = (struct mist_resolution_request){.by_reduce = true, .reduce = 2, .width = 512, .height = 512};
    assert_int_equal(mist_choose(&item, &request).reduce, 2);
    request.reduce = 99;
    assert_int_equal(mist_choose(&item, &request).reduce, 3);
    assert_int_equal(mist_choose(&item, &(struct mist_resolution_request){0}).reduce, 0);
}

static void assert_choice(struct mist_choice choice, unsigned reduce, unsigned step)
{
    assert_int_equal(choice.reduce, reduce);
    assert_int_equal(choice.step, step);
}

/* A volume of 512 x 256 x 100: 3 levels, steps 0 to 2 (100, 50, 25 slices). */
static void test_volumes(void **state)
{
    (void)state;
    struct mist_catalog_file file;
    struct mist_catalog_item item = fake_item("a", 512, 256, &file);
    item.steps = 2;
    item.image.slices = item.image.frames = 100;
    for (int axis = 0; axis < 3; axis++)
        item.image.axes[axis] = (uint8_t)axis;
    struct mist_resolution_request request = {.width = 256, .height = 128, .depth = 50};
    assert_choice(mist_choose(&item, &request), 1, 1);
    request.depth = 36; /* sqrt(50 * 25) = 35.4 */
    assert_choice(mist_choose(&item, &request), 1, 1);
    request.depth = 35;
    assert_choice(mist_choose(&item, &request), 1, 2);
    request.depth = 1;
    assert_choice(mist_choose(&item, &request), 1, 2);
    request.depth = 0;
    assert_choice(mist_choose(&item, &request), 1, 0);
    request = (struct mist_resolution_request){.width = 128, .height = 64, .depth = 40, .policy = MIST_POLICY_AT_LEAST};
    assert_choice(mist_choose(&item, &request), 2, 1);
    request.policy = MIST_POLICY_AT_MOST;
    assert_choice(mist_choose(&item, &request), 2, 2);
    request.depth = 50; /* just as many as there are of a step */
    assert_choice(mist_choose(&item, &request), 2, 1);
    request = (struct mist_resolution_request){.width = 256, .height = 64, .depth = 100};
    assert_choice(mist_choose(&item, &request), 2, 0); /* the shorter side, the rows, decides */
    request = (struct mist_resolution_request){.width = 128, .height = 64, .depth = 40, .policy = MIST_POLICY_AT_MOST};
    request.height = 129; /* sides are named: 128 columns decide */
    request.width = 300;
    assert_choice(mist_choose(&item, &request), 1, 2);
    /* Exactly: twice as many slices as are made of them. */
    request = (struct mist_resolution_request){
        .width = 128, .height = 64, .depth = 40, .policy = MIST_POLICY_AT_LEAST, .exact = true};
    assert_choice(mist_choose(&item, &request), 2, 0);
    request.depth = 25;
    assert_choice(mist_choose(&item, &request), 2, 1);
    request.policy = MIST_POLICY_CLOSEST;
    assert_choice(mist_choose(&item, &request), 2, 2);
    request = (struct mist_resolution_request){.width = 300, .height = 129, .depth = 40, .policy = MIST_POLICY_AT_MOST};
    assert_choice(mist_choose(&item, &request), 1, 2);
    /* The file's axes: its i is our slice, its j our column, its k our row. */
    item.image.axes[0] = 1, item.image.axes[1] = 2, item.image.axes[2] = 0;
    request = (struct mist_resolution_request){.width = 25, .height = 512, .depth = 256};
    assert_choice(mist_choose(&item, &request), 0, 2);
    request = (struct mist_resolution_request){.spacing = {4, 1, 1}};
    item.image.geometry.spacing[0] = item.image.geometry.spacing[1] = 0.5;
    item.image.geometry.spacing[2] = 2;
    assert_choice(mist_choose(&item, &request), 1, 1);
    request = (struct mist_resolution_request){.by_reduce = true, .reduce = 1, .step = 9};
    assert_choice(mist_choose(&item, &request), 1, 2);
}

/* Two levels of two classes: head 100, ends 150, 250 | 400, 900; tail up to 1000. */
static void test_ranges(void **state)
{
    (void)state;
    static const uint64_t ends[] = {150, 250, 400, 900};
    struct mist_catalog_item item = {.levels = 2, .steps = 1, .head_end = 100, .range_end = ends, .size = 1000};
    struct mist_byte_range ranges[MIST_MAX_RANGES];
    assert_int_equal(mist_catalog_item_ranges(&item, (struct mist_choice){0, 1}, true, ranges), 3);
    const struct mist_byte_range expected[] = {{0, 150}, {250, 400}, {900, 1000}};
    assert_memory_equal(ranges, expected, sizeof expected);
    assert_int_equal(mist_catalog_item_ranges(&item, (struct mist_choice){0, 0}, true, ranges), 1);
    assert_int_equal(ranges[0].end, 1000);
    assert_int_equal(mist_catalog_item_ranges(&item, (struct mist_choice){1, 1}, false, ranges), 1);
    assert_int_equal(ranges[0].end, 150);
    assert_int_equal(mist_catalog_item_bytes(&item, (struct mist_choice){0, 1}, true), 150 + 150 + 100);
    assert_int_equal(mist_catalog_item_bytes(&item, (struct mist_choice){1, 0}, true), 250 + 100);
}

static void test_bytes(void **state)
{
    (void)state;
    struct mist_catalog_file file;
    struct mist_catalog_item large = fake_item("a", 512, 512, &file), small = fake_item("b", 64, 64, &file);
    assert_int_equal(mist_catalog_item_bytes(&large, (struct mist_choice){0, 0}, false), 64100);
    assert_int_equal(mist_catalog_item_bytes(&large, (struct mist_choice){0, 0}, true), 64117);
    assert_int_equal(mist_catalog_item_bytes(&large, (struct mist_choice){3, 0}, false), 1100);
    assert_int_equal(mist_catalog_item_bytes(&large, (struct mist_choice){40, 0}, false), 1100);
    struct mist_level_totals totals = {0};
    mist_level_totals_add(&totals, &large);
    mist_level_totals_add(&totals, &small);
    assert_int_equal(totals.bytes[0], 64100 + 1100);
    assert_int_equal(totals.bytes[1], 16100 + 1100); /* the small one has its only level at every reduce */
    assert_int_equal(mist_level_totals_choose(&totals, 65200), 0);
    assert_int_equal(mist_level_totals_choose(&totals, 65199), 1);
    assert_int_equal(mist_level_totals_choose(&totals, 2200), 3);
    assert_int_equal(mist_level_totals_choose(&totals, 2199), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closest), cmocka_unit_test(test_bounds), cmocka_unit_test(test_spacing_and_reduce),
        cmocka_unit_test(test_volumes), cmocka_unit_test(test_ranges), cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
