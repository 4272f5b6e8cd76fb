/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

static unsigned by_size(uint32_t width, uint32_t height, uint32_t w, uint32_t h, enum mist_policy policy)
{
    struct mist_catalog_file file;
    struct mist_catalog_item item = fake_item("a", width, height, &file);
    return mist_choose_reduce(&item, &(struct mist_resolution_request){.width = w, .height = h, .policy = policy});
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
    /* Odd sides round up: 1023 -> 512 fits 512. */
    assert_int_equal(by_size(1023, 1023, 512, 512, MIST_POLICY_AT_MOST), 1);
    assert_int_equal(by_size(1023, 1023, 511, 511, MIST_POLICY_AT_MOST), 2);
}

static void test_spacing_and_reduce(void **state)
{
    (void)state;
    struct mist_catalog_file file;
    struct mist_catalog_item item = fake_item("a", 512, 512, &file); /* 4 levels */
    struct mist_resolution_request request = {.spacing = 1.0};
    assert_int_equal(mist_choose_reduce(&item, &request), 0); /* no spacing: full */
    item.image.geometry.spacing[0] = 0.4;
    item.image.geometry.spacing[1] = 0.5;
    item.image.geometry.spacing[2] = 9;
    assert_int_equal(mist_choose_reduce(&item, &request), 1);
    request.spacing = 0.7;
    assert_int_equal(mist_choose_reduce(&item, &request), 0); /* below 0.5 * sqrt(2) */
    request.spacing = 0.71;
    assert_int_equal(mist_choose_reduce(&item, &request), 1);
    request.policy = MIST_POLICY_AT_LEAST;
    assert_int_equal(mist_choose_reduce(&item, &request), 0);
    request.spacing = 2.0;
    assert_int_equal(mist_choose_reduce(&item, &request), 2);
    request.policy = MIST_POLICY_AT_MOST;
    assert_int_equal(mist_choose_reduce(&item, &request), 2);
    request.spacing = 2.1;
    assert_int_equal(mist_choose_reduce(&item, &request), 3);
    request.spacing = 1e9;
    assert_int_equal(mist_choose_reduce(&item, &request), 3);
    request = (struct mist_resolution_request){.by_reduce = true, .reduce = 2, .width = 512, .height = 512};
    assert_int_equal(mist_choose_reduce(&item, &request), 2);
    request.reduce = 99;
    assert_int_equal(mist_choose_reduce(&item, &request), 3);
    assert_int_equal(mist_choose_reduce(&item, &(struct mist_resolution_request){0}), 0);
}

static void test_bytes(void **state)
{
    (void)state;
    struct mist_catalog_file file;
    struct mist_catalog_item large = fake_item("a", 512, 512, &file), small = fake_item("b", 64, 64, &file);
    assert_int_equal(mist_catalog_item_bytes(&large, 0, false), 64100);
    assert_int_equal(mist_catalog_item_bytes(&large, 0, true), 64117);
    assert_int_equal(mist_catalog_item_bytes(&large, 3, false), 1100);
    assert_int_equal(mist_catalog_item_bytes(&large, 40, false), 1100);
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
        cmocka_unit_test(test_closest),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_spacing_and_reduce),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
