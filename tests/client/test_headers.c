/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, and the header fields of hostile servers. */
#include "base/memory.h"
#include "transport/headers.h"
#include "transport/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_urls(void **state)
{
    static const struct {
        const char *text;
        enum url_kind kind;
        const char *base;
        const char *joined; /* with "items/a b/%.png" */
    } good[] = {
        {"http://host/DS", URL_HTTP, "http://host/DS", "http://host/DS/items/a%20b/%25.png"},
        {"HTTPS://host:8443/a/b/DS///", URL_HTTPS, "HTTPS://host:8443/a/b/DS", NULL},
        {"http://[::1]:80/DS", URL_HTTP, "http://[::1]:80/DS", NULL},
        {"file:///srv/a%20b/DS/", URL_DIRECTORY, "/srv/a b/DS", "/srv/a b/DS/items/a b/%.png"},
        {"file://localhost/srv", URL_DIRECTORY, "/srv", NULL},
        {"file:///", URL_DIRECTORY, "/", "/items/a b/%.png"},
        {"store/DS", URL_DIRECTORY, "store/DS", "store/DS/items/a b/%.png"},
        {"/", URL_DIRECTORY, "/", NULL},
        {"c:/data", URL_DIRECTORY, "c:/data", NULL},
        {"a:b", URL_DIRECTORY, "a:b", NULL},
    };
    static const char *const bad[] = {"",           "ftp://host/DS",   "http://",         "http:///DS",
                                      "s3://b/DS",  "http://h/DS?x=1", "http://h/DS#f",   "http://h/a b",
                                      "file://h/x", "file:x",          "file:///a%00b",   "file:///a%2",
                                      "file:///%",  "http://h/\n",     "file:///a%zz/b.c"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct url url;
        assert_int_equal(url_parse(good[i].text, &url, NULL), MIST_OK);
        assert_int_equal(url.kind, good[i].kind);
        assert_string_equal(url.base, good[i].base);
        char *joined = url_join(&url, "items/a b/%.png");
        if (good[i].joined)
            assert_string_equal(joined, good[i].joined);
        memory_free(joined);
        url_free(&url);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct url url;
        struct mist_error error = {0};
        assert_int_equal(url_parse(bad[i], &url, &error), MIST_ERROR_ARGUMENT);
        assert_true(error.message[0] != '\0');
        assert_null(url.base);
    }
    char endless[8192];
    memset(endless, 'a', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    struct url url;
    assert_int_equal(url_parse(endless, &url, NULL), MIST_ERROR_ARGUMENT);
}

static void test_content_range(void **state)
{
    struct content_range range;
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes ",
                                      "bytes 0-",
                                      "bytes 0-9",
                                      "bytes 0-9/",
                                      "bytes 9-0/10",
                                      "bytes 0-10/10",
                                      "bytes */10",
                                      "bytes -1-9/10",
                                      "bytes 0-9/10x",
                                      "bytes 0-9/10, 12-13/20",
                                      "pages 0-9/10",
                                      "bytes 0-99999999999999999999999/*",
                                      "bytes 0-9/-10",
                                      "bytes 0-9/9223372036854775808",
                                      "bytes 0-9/18446744073709551615",
                                      "bytes 0-9/18446744073709551616",
                                      "bytes 0 - 9/10"};
#define PARSE(text) content_range_parse(text, strlen(text), &range)
    assert_true(PARSE("bytes 0-9/10"));
    assert_int_equal(range.first, 0);
    assert_int_equal(range.last, 9);
    assert_int_equal(range.total, 10);
    assert_true(range.total_known);
    assert_true(PARSE("Bytes 4294967296-9007199254740993/9007199254740994"));
    assert_true(range.first == 4294967296 && range.last == 9007199254740993);
    assert_true(PARSE("bytes 5-5/*"));
    assert_false(range.total_known);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(PARSE(bad[i]));
    /* It is no C string: nothing behind its size is read. */
    assert_true(content_range_parse("bytes 0-9/100", 12, &range));
    assert_int_equal(range.total, 10);
}

static void test_retry_after(void **state)
{
    unsigned seconds = 77;
    assert_true(retry_after_parse("120", 3, 0, &seconds));
    assert_int_equal(seconds, 120);
    assert_true(retry_after_parse("99999999999", 11, 0, &seconds));
    assert_int_equal(seconds, UINT32_MAX);
    const char *date = "Fri, 31 Dec 1999 23:59:59 GMT"; /* 946684799 */
    assert_true(retry_after_parse(date, strlen(date), 946684789, &seconds));
    assert_int_equal(seconds, 10);
    assert_true(retry_after_parse(date, strlen(date), 946684800, &seconds));
    assert_int_equal(seconds, 0);
    assert_false(retry_after_parse("soon", 4, 0, &seconds));
    assert_false(retry_after_parse("", 0, 0, &seconds));
    assert_false(retry_after_parse("-5", 2, 0, &seconds));
}

static void test_header_match(void **state)
{
    const char *value;
    size_t size;
    const char *line = "content-RANGE:  bytes 0-1/2 \r\n";
    assert_true(header_match(line, strlen(line), "Content-Range", &value, &size));
    assert_int_equal(size, strlen("bytes 0-1/2"));
    assert_memory_equal(value, "bytes 0-1/2", size);
    assert_true(header_match("ETag:", 5, "ETag", &value, &size));
    assert_int_equal(size, 0);
    assert_false(header_match("ETag", 4, "ETag", &value, &size));
    assert_false(header_match("X-ETag: 1", 9, "ETag", &value, &size));
    assert_false(header_match("ETagg: 1", 8, "ETag", &value, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_content_range),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_header_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
