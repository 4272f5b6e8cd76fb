/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void test_utf8(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("a", 1), 1);
    assert_int_equal(utf8_length("\xc3\xa9", 2), 2);
    assert_int_equal(utf8_length("\xe2\x82\xac", 3), 3);
    assert_int_equal(utf8_length("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(utf8_length("\xf4\x8f\xbf\xbf", 4), 4);
    const char *bad[] = {"\x80",
                         "\xff",
                         "\xc0\xaf",
                         "\xc1\xbf",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80",
                         "\xc3(",
                         "\xe2\x82("};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(utf8_length(bad[i], strlen(bad[i])), 0);
    assert_int_equal(utf8_length("\xe2\x82\xac", 2), 0);
}

static void test_hexadecimal(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        assert_int_equal(hex_value((char)c), found ? found - digits : -1);
    }
}

static void expect_decoded(const char *text, bool plus_is_space, const char *expected)
{
    char *copy = memory_copy_text(text);
    assert_int_equal(percent_decode(copy, strlen(copy), plus_is_space), PERCENT_GOOD);
    assert_string_equal(copy, expected);
    memory_free(copy);
}

static void expect_broken(const char *text, size_t length, enum percent_result result)
{
    char *copy = memory_copy_text(text);
    assert_int_equal(percent_decode(copy, length, false), result);
    memory_free(copy);
}

static void test_percent(void **state)
{
    (void)state;
    expect_decoded("", false, "");
    expect_decoded("a%20b%2Fc%2fd%25+", false, "a b/c/d%+");
    expect_decoded("a+b%2B", true, "a b+");
    expect_decoded("%2541", false, "%41"); /* once, not twice */
    expect_broken("%", 1, PERCENT_BROKEN);
    expect_broken("a%4", 3, PERCENT_BROKEN);
    expect_broken("%4g", 3, PERCENT_BROKEN);
    expect_broken("%g4", 3, PERCENT_BROKEN);
    expect_broken("%41", 2, PERCENT_BROKEN); /* the text ends where its length says */
    expect_broken("a%00b", 5, PERCENT_NUL);
    char out[3 * 20 + 1];
    const char *path = "a b/\xc3\xa9-._~%+?#";
    char *end = percent_encode_path(path, out);
    assert_string_equal(out, "a%20b/%C3%A9-._~%25%2B%3F%23");
    assert_ptr_equal(end, out + strlen(out));
    expect_decoded(out, true, path);
}

static void expect_visible(const char *text, size_t size, const char *expected)
{
    char shown[100];
    assert_true(size <= sizeof shown);
    snprintf(shown, sizeof shown, "%s", text);
    text_make_visible(shown, size);
    assert_string_equal(shown, expected);
}

static void test_visible(void **state)
{
    (void)state;
    expect_visible("", 1, "");
    expect_visible("plain \\ text, \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 100,
                   "plain \\ text, \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_visible("a\x1b[31mb\n\t\x7f", 100, "a\\x1b[31mb\\x0a\\x09\\x7f");
    expect_visible("\xc2\x85\xc2\x9b", 100, "\\x85\\x9b"); /* C1: next line, control sequence introducer */
    /* right-to-left override, isolates, marks, the Arabic letter mark */
    expect_visible("x\xe2\x80\xaegnp.exe", 100, "x\\u202egnp.exe");
    expect_visible("\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", 100,
                   "\\u2066\\u2069\\u200e\\u200f\\u061c");
    expect_visible("\xe2\x80\xa8\xe2\x80\xa9", 100, "\\u2028\\u2029");
    expect_visible("\xff\xc3(\xed\xa0\x80", 100, "\\xff\\xc3(\\xed\\xa0\\x80"); /* no UTF-8 */
    /* never longer than there is room for, and never a half escape */
    expect_visible("\x1b\x1b", 9, "\\x1b\\x1b");
    expect_visible("\x1b\x1b", 8, "\\x1b");
    expect_visible("\x1b"
                   "ab",
                   6, "\\x1ba");
    expect_visible("\x1b", 4, "");
    /* once made visible it stays as it is */
    expect_visible("\\x1b\\u202e", 100, "\\x1b\\u202e");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_hexadecimal),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
