/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_varint(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[10];
        size_t size = store_varint(bytes, values[i]);
        struct byte_reader reader = byte_reader_start(bytes, size);
        assert_true(read_varint(&reader) == values[i]);
        assert_false(reader.failed);
        assert_int_equal(reader_left(&reader), 0);
        reader = byte_reader_start(bytes, size - 1);
        read_varint(&reader);
        assert_true(reader.failed);
    }
    const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    struct byte_reader reader = byte_reader_start(too_large, sizeof too_large);
    read_varint(&reader);
    assert_true(reader.failed);
}

static void test_safe_paths(void **state)
{
    (void)state;
    const char *good[] = {"a", "a/b.nii.gz", "..a", "a../b", ".hidden", "\xc3\xa9/x y", "\xc2\xa0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(path_is_safe(good[i], strlen(good[i])));
    const char *bad[] = {"",     "/a",   "a/",   "a//b",     "..",           "a/../b",   ".",       "a/./b",
                         "a\\b", "a\nb", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xc2\x80", "\xc2\x9b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(path_is_safe(bad[i], strlen(bad[i])));
    assert_false(path_is_safe("a\0b", 3));
}

static void test_spool(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX", text[4] = "";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "not/yet/there");
    struct mist_error error = {0};
    int descriptor = file_open_spool(path, &error);
    assert_true(descriptor >= 0);
    assert_int_equal(file_write_at(descriptor, 5, "abc", 3, &error), MIST_OK);
    assert_int_equal(file_read_at(descriptor, 5, text, 3, &error), MIST_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(file_read_at(descriptor, 6, text, 3, &error), MIST_ERROR_TRUNCATED);
    close(descriptor);
    memory_free(path);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void test_write_aside(void **state)
{
    (void)state;
    char directory[] = "/tmp/mist-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "deep/er/file");
    struct mist_error error = {0};
    assert_int_equal(file_write_whole(path, "one", 3, &error), MIST_OK);
    struct file_writer writer;
    assert_int_equal(file_writer_open(path, &writer, &error), MIST_OK);
    fputs("two", writer.stream);
    struct mist_buffer content = {0};
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "one"); /* untouched until the commit */
    assert_int_equal(file_writer_commit(&writer, &error), MIST_OK);
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "two");
    assert_int_equal(file_read(path, 2, &content, &error), MIST_ERROR_LIMIT);
    assert_int_equal(file_writer_open(path, &writer, &error), MIST_OK);
    file_writer_cancel(&writer);
    assert_int_equal(file_read(path, 100, &content, &error), MIST_OK);
    assert_string_equal((char *)content.data, "two");
    assert_int_equal(file_read(directory, 100, &content, &error), MIST_ERROR_IO);
    char *missing = path_join(directory, "missing");
    assert_int_equal(file_read(missing, 100, &content, &error), MIST_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "missing"));
    memory_free(missing);
    mist_buffer_free(&content);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    memory_free(path);
}

struct counted {
    atomic_int runs[1000];
    uint64_t fail_from;
};

static enum mist_status count_run(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct counted *counted = context;
    (void)worker;
    atomic_fetch_add(&counted->runs[index], 1);
    if (index >= counted->fail_from)
        return error_set(error, MIST_ERROR_CORRUPT, "index %d", (int)index);
    return MIST_OK;
}

static void test_pool(void **state)
{
    (void)state;
    static struct counted counted;
    struct mist_error error = {0};
    for (unsigned threads = 1; threads <= 4; threads++) {
        counted = (struct counted){.fail_from = 1000};
        assert_int_equal(pool_run(threads, 1000, count_run, &counted, &error), MIST_OK);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(counted.runs[i], 1);
        counted = (struct counted){.fail_from = 7};
        assert_int_equal(pool_run(threads, 1000, count_run, &counted, &error), MIST_ERROR_CORRUPT);
        assert_string_equal(error.message, "index 7"); /* indices are handed out in order, so 7 always runs */
    }
}

/* Many short steps, with pauses after some so that the helpers fall asleep; what a step wrote the next one reads. */
static void test_pool_in_steps(void **state)
{
    (void)state;
    static struct counted counted;
    struct mist_error error = {0};
    for (unsigned threads = 1; threads <= 5; threads++) {
        struct pool *pool;
        int expected[1000] = {0};
        counted = (struct counted){.fail_from = 1000};
        assert_int_equal(pool_start(threads, &pool, &error), MIST_OK);
        assert_int_equal(pool_threads(pool), threads);
        for (uint64_t step = 0; step < 3000; step++) {
            uint64_t count = step * 7 % 23;
            assert_int_equal(pool_share(pool, count, count_run, &counted, &error), MIST_OK);
            for (uint64_t i = 0; i < count; i++)
                expected[i]++;
            assert_memory_equal(counted.runs, expected, 23 * sizeof(int));
            if (step % 100 == 0)
                usleep(300);
        }
        counted.fail_from = 5;
        assert_int_equal(pool_share(pool, 20, count_run, &counted, &error), MIST_ERROR_CORRUPT);
        assert_string_equal(error.message, "index 5");
        counted.fail_from = 1000; /* a failed step is over with it */
        assert_int_equal(pool_share(pool, 20, count_run, &counted, &error), MIST_OK);
        pool_stop(&pool);
        assert_null(pool);
    }
}

static void test_failing_allocation(void **state)
{
    (void)state;
    memory_fail_at(2);
    void *first = memory_allocate(1);
    assert_non_null(first);
    assert_null(memory_allocate(1));
    void *third = memory_allocate(1);
    assert_non_null(third);
    memory_free(first);
    memory_free(third);
    assert_null(memory_allocate_array(SIZE_MAX / 2, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_safe_paths),
        cmocka_unit_test(test_write_aside),
        cmocka_unit_test(test_spool),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_pool_in_steps),
        cmocka_unit_test(test_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
