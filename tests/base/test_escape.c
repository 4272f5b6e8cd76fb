/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of any bytes as paths of a dataset, and back. */
#include "base/escape.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_known(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *text;
    } names[] = {
        {"a/b c.png", "a/b c.png"},
        {"\xc3\xa4/\xe8\x83\xb8", "\xc3\xa4/\xe8\x83\xb8"},
        {"..x/...", "..x/..."},
        {"\xff", "\xef\x83\xbf"},
        {"a\\b", "a\xef\x81\x9c"
                 "b"},
        {"a\nb", "a\xef\x80\x8a"
                 "b"},
        {"\xc2\x85", "\xef\x83\x82\xef\x82\x85"},                 /* U+0085, a control character */
        {"\xef\x80\x8a", "\xef\x83\xaf\xef\x82\x80\xef\x82\x8a"}, /* what stands for a line feed */
        {"\xef\x84\x80", "\xef\x84\x80"},                         /* U+F100 stands for nothing */
        {"\xe4tna", "\xef\x83\xa4tna"},                           /* Latin-1 */
        {"\xc3", "\xef\x83\x83"},
        {"\xed\xa0\x80", "\xef\x83\xad\xef\x82\xa0\xef\x82\x80"}, /* a surrogate */
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64], bytes[64];
        assert_true(path_escape(names[i].bytes, text, sizeof text));
        assert_string_equal(text, names[i].text);
        path_unescape(names[i].text, bytes);
        assert_string_equal(bytes, names[i].bytes);
    }
}

/* What path_escape() does not make is no way to a slash, to the directory above, or to another name. */
static void test_others_stay(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xef\x80\xae\xef\x80\xae/x", /* ".." */
        ("a\xef\x80\xaf"
         "b"),                      /* '/' */
        "\xef\x81\xa1",             /* 'a' */
        "\xef\x80\x80",             /* NUL */
        "\xef\x83\x83\xef\x82\xa4", /* two bytes that are U+00E4 */
        "\xef\x80\x8a/\xef\x80\xae",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char bytes[64];
        path_unescape(texts[i], bytes);
        assert_string_equal(bytes, texts[i]);
    }
}

static void test_any_bytes(void **state)
{
    (void)state;
    srand(5);
    for (int round = 0; round < 200000; round++) {
        char bytes[24], text[80], again[80];
        size_t length = 1 + (size_t)rand() % 20;
        for (size_t i = 0; i < length; i++) {
            static const uint8_t likely[] = {0xef, 0x80, 0x81, 0x83, 0xc2, 0x85, 'a', '.'};
            int byte = rand() % 2 ? likely[rand() % 8] : 1 + rand() % 255;
            bytes[i] = (char)(byte == '/' ? 'x' : byte);
        }
        bytes[length] = '\0';
        if (strcmp(bytes, ".") == 0 || strcmp(bytes, "..") == 0)
            continue;
        assert_true(path_escape(bytes, text, sizeof text));
        assert_true(path_is_safe(text, strlen(text)));
        assert_true(!path_is_safe(bytes, length) || strcmp(bytes, text) == 0 || strchr(bytes, '\xef'));
        path_unescape(text, again);
        assert_string_equal(again, bytes);
    }
}

static void test_room(void **state)
{
    (void)state;
    char text[4];
    assert_true(path_escape("abc", text, 4));
    assert_false(path_escape("abcd", text, 4));
    assert_true(path_escape("\xff", text, 4));
    assert_false(path_escape("\xff", text, 3));
    assert_true(path_escape("", text, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_others_stay),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
