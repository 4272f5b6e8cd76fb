/* SPDX-License-Identifier: BSD-2-Clause */
/* Request targets and header fields: pure functions on what anybody may send. */
#include "host/fields.h"
#include "host/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- Range ---- */

static void check_range(const char *value, uint64_t total, enum range_kind kind, uint64_t first, uint64_t size)
{
    uint64_t got_first = 99, got_size = 99;
    assert_int_equal(range_parse(value, total, &got_first, &got_size), kind);
    if (kind == RANGE_UNSATISFIABLE)
        return;
    assert_int_equal(got_first, first);
    assert_int_equal(got_size, size);
}

static void test_ranges(void **state)
{
    (void)state;
    check_range("bytes=0-0", 100, RANGE_PART, 0, 1);
    check_range("bytes=0-99", 100, RANGE_PART, 0, 100);
    check_range("bytes=0-100", 100, RANGE_PART, 0, 100);
    check_range("bytes=99-", 100, RANGE_PART, 99, 1);
    check_range("bytes=5-9", 100, RANGE_PART, 5, 5);
    check_range("BYTES= 5-9 ", 100, RANGE_PART, 5, 5);
    check_range("bytes=-1", 100, RANGE_PART, 99, 1);
    check_range("bytes=-100", 100, RANGE_PART, 0, 100);
    check_range("bytes=-101", 100, RANGE_PART, 0, 100);
    check_range("bytes=0-18446744073709551615", 100, RANGE_PART, 0, 100);
    check_range("bytes=1-99999999999999999999999", 100, RANGE_PART, 1, 99);
    check_range("bytes=-99999999999999999999999", 100, RANGE_PART, 0, 100);
    check_range("bytes=1-2", UINT64_MAX, RANGE_PART, 1, 2);
}

static void test_unsatisfiable_ranges(void **state)
{
    (void)state;
    check_range("bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0);
    check_range("bytes=100-200", 100, RANGE_UNSATISFIABLE, 0, 0);
    check_range("bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0);
    check_range("bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0);
    check_range("bytes=-5", 0, RANGE_UNSATISFIABLE, 0, 0);
    check_range("bytes=18446744073709551616-", 100, RANGE_UNSATISFIABLE, 0, 0);
}

/* All of these are as if there were none, and must not leave a part of themselves behind. */
static void test_ignored_ranges(void **state)
{
    static const char *const values[] = {"",           "bytes",      "bytes=",     "bytes=-",       "bytes=5",
                                         "bytes=a-b",  "bytes=5-2",  "bytes=5-x",  "bytes=0-1,4-5", "bytes=--5",
                                         "items=0-5",  "bytes=+1-2", "bytes=1--2", "bytes 1-2",     "bytes=0x1-2",
                                         "bytes=,1-2", "bytes=1 -2", "bytes=1-2;"};
    (void)state;
    check_range(NULL, 100, RANGE_WHOLE, 0, 100);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        check_range(values[i], 100, RANGE_WHOLE, 0, 100);
}

/* ---- entity tags ---- */

static void test_etags(void **state)
{
    (void)state;
    assert_true(etag_listed("\"a\"", "\"a\"", false));
    assert_true(etag_listed("*", "\"a\"", false));
    assert_true(etag_listed(" \"b\" , \"a\"", "\"a\"", false));
    assert_true(etag_listed("\"x,\\\", \"a\"", "\"a\"", false)); /* no escapes in tags: x,\ is one */
    assert_true(etag_listed("W/\"a\"", "\"a\"", true));
    assert_false(etag_listed("W/\"a\"", "\"a\"", false));
    assert_false(etag_listed("\"ab\"", "\"a\"", true));
    assert_false(etag_listed("a", "\"a\"", true));
    assert_false(etag_listed("", "\"a\"", true));
    assert_false(etag_listed("\"a", "\"a\"", true));
    assert_false(etag_listed("\"b\" \"a\"", "\"a\"", true));
    assert_false(etag_listed("*, \"b\"", "\"a\"", true));
}

/* ---- Accept ---- */

static void check_accept(const char *value, int expected)
{
    static const char *const types[] = {"image/jphc", "image/png", "image/jpeg"};
    assert_int_equal(accept_choose(value, types, 3), expected);
}

static void test_accept(void **state)
{
    (void)state;
    check_accept(NULL, 0);
    check_accept("", 0);
    check_accept("*/*", 0);
    check_accept("image/*", 0);
    check_accept("image/png", 1);
    check_accept("IMAGE/PNG", 1);
    check_accept("text/html, image/jpeg;q=0.5, image/png;q=0.4", 2);
    check_accept("image/jpeg;q=0.4,image/png; q=0.50", 1);
    check_accept("image/jphc;q=0, */*", 1);
    check_accept("image/jphc;q=0,image/png;q=0.000,*/*;q=0.1", 2);
    check_accept("image/*;q=0.2, image/jpeg", 2);
    check_accept("text/html", -1);
    check_accept("image/jph", -1);
    check_accept("image/jphcc", -1);
    check_accept("*/*;q=0", -1);
    check_accept("image/png;q=2", -1);
    check_accept("image/png;q=", -1);
    check_accept(",,;q=1,", -1);
}

/* ---- targets ---- */

static struct target *parse(const char *raw, const char *path)
{
    static struct target target;
    memset(&target, 0x55, sizeof target);
    assert_null(target_parse(raw, &target));
    assert_string_equal(target.path, path);
    return &target;
}

static void test_gzip(void **state)
{
    static const char *const taken[] = {
        "gzip",       "GZIP",         "br, gzip;q=0.5", "*",         "deflate;q=0, gzip",
        "gzip ; q=1", "gzip;q=0.001", "*;q=0, gzip",    "gzip;Q=0.5"};
    static const char *const refused[] = {"",   "identity", "gzip;q=0", "gzip; q=0.000", "gzip;q=0.",
                                          "br", "gzipped",  ",,;;",     "gzip;q=0, br",  "x-gzip"};
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_true(gzip_accepted(taken[i]));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(gzip_accepted(refused[i]));
    assert_false(gzip_accepted(NULL));
}

static void test_targets(void **state)
{
    (void)state;
    parse("/", "/");
    parse("/a%20b%2fc", "/a b/c");
    parse("/a+b", "/a+b");
    parse("/%c3%A9", "/\xc3\xa9");
    parse("*", "*");
    parse("http://host:80/a?b=c", "/a");
    parse("HTTPS://host/a", "/a");
    parse("/a#b", "/a");
    assert_string_equal(target_parameter(parse("http://host?x=1", "/"), "x"), "1");
    struct target *target = parse("/p?size=25%36&after=a+b%2B&flag&=v&x=1=2&x=3&%73=t", "/p");
    assert_int_equal(target->parameters, 7);
    assert_string_equal(target_parameter(target, "size"), "256");
    assert_string_equal(target_parameter(target, "after"), "a b+");
    assert_string_equal(target_parameter(target, "flag"), "");
    assert_string_equal(target_parameter(target, ""), "v");
    assert_string_equal(target_parameter(target, "x"), "1=2");
    assert_string_equal(target_parameter(target, "s"), "t");
    assert_null(target_parameter(target, "siz"));
}

static void test_refused_targets(void **state)
{
    static const char *const raw[] = {"/%",    "/%4",    "/%4g", "/%00",  "/a%00b",      "/a?b=%00",
                                      "/a?%=", "/a?b=%", "a/b",  "//%zz", "ftp://host/", "/a?%4"};
    struct target target;
    (void)state;
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++)
        assert_non_null(target_parse(raw[i], &target));
    char many[400] = "/?";
    for (int i = 0; i < 65; i++)
        strcat(many, "a=b&");
    assert_non_null(target_parse(many, &target));
    char *longest = malloc(TARGET_MAX + 2);
    memset(longest, 'a', TARGET_MAX + 1);
    longest[0] = '/';
    longest[TARGET_MAX + 1] = '\0';
    assert_non_null(target_parse(longest, &target));
    longest[TARGET_MAX] = '\0';
    assert_null(target_parse(longest, &target));
    assert_int_equal(strlen(target.path), TARGET_MAX);
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),         cmocka_unit_test(test_unsatisfiable_ranges),
        cmocka_unit_test(test_ignored_ranges), cmocka_unit_test(test_etags),
        cmocka_unit_test(test_accept),         cmocka_unit_test(test_targets),
        cmocka_unit_test(test_gzip),           cmocka_unit_test(test_refused_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
