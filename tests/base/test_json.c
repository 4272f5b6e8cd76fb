/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool skips(const char *text)
{
    struct json_reader reader = json_start(text, strlen(text));
    json_skip(&reader);
    return json_finished(&reader);
}

static void test_syntax(void **state)
{
    (void)state;
    const char *good[] = {"1",
                          "-1.5e3",
                          " [ ] ",
                          "{ }",
                          "[1, 2 ,3]",
                          "{\"a\":[{}],\"b\":null}",
                          "\"\\u00e9\"",
                          "[[[1]]]",
                          "0",
                          "-0",
                          "0.5e-3",
                          "-10E+2",
                          "\"\xf0\x9f\x98\x80\"",
                          "[ [1], {\"a\" : \"[{\"} , true ]",
                          "\"a\\\"b\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(skips(good[i]));
    const char *bad[] = {"",
                         "[",
                         "[1",
                         "[1,]",
                         "[,1]",
                         "{\"a\"}",
                         "{\"a\":1,}",
                         "{a:1}",
                         "tru",
                         "\"\n\"",
                         "\"\\x\"",
                         "[1 2]",
                         "1 2",
                         "nan",
                         "inf",
                         "\"\\ud800\"",
                         "\"\\udc00\"",
                         "}",
                         "\"",
                         "{1:2}",
                         "+1",
                         "[1}",
                         "0x10",
                         "\"\\u12\"",
                         "01",
                         "-",
                         "1.",
                         ".5",
                         "-.5",
                         "1e",
                         "1e+",
                         "-01",
                         "1e999",
                         "\"\xff\"",
                         "\"\xc3\"",
                         "\"\xc0\xaf\"",
                         "\"\xed\xa0\x80\"",
                         "\"\xe2\x82\"",
                         "nul",
                         "[true false]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (skips(bad[i]))
            fail_msg("taken: %s", bad[i]);
    char deep[64];
    memset(deep, '[', 17);
    memset(deep + 17, ']', 17);
    deep[34] = '\0';
    assert_true(skips(deep));
    memset(deep, '[', 18);
    memset(deep + 18, ']', 18);
    deep[36] = '\0';
    assert_false(skips(deep));
}

static void test_every_prefix_fails(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1,-2.5,\"x\\n\\u0041\\ud83d\\ude00\"],\"b\":{\"c\":true}}";
    for (size_t size = 0; size < strlen(text); size++) {
        char *copy = memory_allocate(size); /* the exact size, so that valgrind sees reads beyond it */
        memcpy(copy, text, size);
        struct json_reader reader = json_start(copy, size);
        json_skip(&reader);
        assert_false(json_finished(&reader));
        memory_free(copy);
    }
}

static void test_values(void **state)
{
    (void)state;
    struct mist_buffer out = {0};
    size_t offset, length;
    struct json_reader reader = json_start("\"a\\u00e9\\ud83d\\ude00\\/\\t\"", 25);
    assert_true(json_text(&reader, &out, &offset, &length));
    assert_string_equal((char *)out.data, "a\xc3\xa9\xf0\x9f\x98\x80/\t");
    assert_int_equal(length, strlen((char *)out.data));
    const struct {
        const char *text;
        uint64_t maximum;
        bool good;
    } numbers[] = {{"18446744073709551615", UINT64_MAX, true},
                   {"18446744073709551616", UINT64_MAX, false},
                   {"99999999999999999999999", UINT64_MAX, false},
                   {"65535", 65535, true},
                   {"65536", 65535, false},
                   {"-1", 65535, false},
                   {"1.0", 65535, false},
                   {"1e3", 65535, false},
                   {"007", 65535, false},
                   {"", 65535, false},
                   {"0", 0, true}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        reader = json_start(numbers[i].text, strlen(numbers[i].text));
        uint64_t value = json_unsigned(&reader, numbers[i].maximum);
        assert_int_equal(!reader.failed, numbers[i].good);
        if (numbers[i].good)
            assert_true(value == numbers[i].maximum);
    }
    reader = json_start("-9223372036854775808", 20);
    assert_true(json_signed(&reader, INT64_MIN, 0) == INT64_MIN && !reader.failed);
    const char *outside[] = {"-9223372036854775809", "9223372036854775808", "-6", "6", "--1", "- 1", "-", "-01"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        reader = json_start(outside[i], strlen(outside[i]));
        json_signed(&reader, i < 2 ? INT64_MIN : -5, i < 2 ? INT64_MAX : 5);
        assert_true(reader.failed);
    }
    char small[4];
    reader = json_start("\"abcd\"", 6);
    assert_false(json_short_string(&reader, small, sizeof small));
    reader = json_start("\"0123456789abcdeF\"", 18);
    json_hexadecimal(&reader);
    assert_true(reader.failed);
    mist_buffer_free(&out);
}

/* A NUL in a name must not make it equal to another. */
static void test_nul_in_strings(void **state)
{
    (void)state;
    const char *text = "{\"id\\u0000x\": \"ab\\u0000c\", \"id\": 1}";
    char key[8], value[8];
    struct json_reader reader = json_start(text, strlen(text));
    assert_true(json_enter_object(&reader) && json_key(&reader, key, sizeof key));
    assert_string_equal(key, "");
    struct json_reader copy = reader;
    assert_false(json_short_string(&copy, value, sizeof value));
    json_skip(&reader);
    assert_true(json_key(&reader, key, sizeof key));
    assert_string_equal(key, "id");
    assert_int_equal(json_unsigned(&reader, 1), 1);
    assert_false(json_key(&reader, key, sizeof key));
    assert_true(json_finished(&reader));
}

static void test_writing(void **state)
{
    (void)state;
    struct mist_buffer out = {0};
    const double values[] = {0.1, 1.0 / 3, 0.9765625, 1e-300, 12345678.9, 0.143, 2.5};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        out.size = 0;
        assert_true(json_put_number(&out, values[i]));
        struct json_reader reader = json_start((char *)out.data, out.size);
        assert_true(json_number(&reader) == values[i]);
        assert_true(json_finished(&reader));
    }
    out.size = 0;
    assert_true(json_put_string(&out, "a\"\\\n\x01\xc3\xa9"));
    assert_true(buffer_append_zeros(&out, 1));
    assert_string_equal((char *)out.data, "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\"");
    out.size = 0;
    assert_true(json_put_string(&out, "a\xff"
                                      "b\xc3") &&
                buffer_append_zeros(&out, 1));
    assert_string_equal((char *)out.data, "\"a\\ufffdb\\ufffd\"");
    out.size = 0;
    assert_true(json_put_number(&out, INFINITY) && json_put_number(&out, NAN) && buffer_append_zeros(&out, 1));
    assert_string_equal((char *)out.data, "00");
    mist_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),  cmocka_unit_test(test_every_prefix_fails),
        cmocka_unit_test(test_values),  cmocka_unit_test(test_nul_in_strings),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
