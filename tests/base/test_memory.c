/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

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

/* A product or sum that does not fit is refused, wherever sizes are given in two parts; the block stays as it was. */
static void test_sizes_that_overflow(void **state)
{
    (void)state;
    size_t result;
    assert_true(size_multiply((size_t)1 << 32, ((size_t)1 << 31) - 1, &result));
    assert_false(size_multiply((size_t)1 << 32, (size_t)1 << 32, &result));
    assert_true(size_add(SIZE_MAX - 1, 1, &result) && result == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &result));
    /* Each product is 8 or 16 when it is cut to 64 bits: without the check these would be given. */
    assert_null(memory_allocate_array(SIZE_MAX / 8 + 2, 8));
    assert_null(memory_allocate_zeroed(SIZE_MAX / 8 + 2, 8));
    char *block = memory_allocate(4);
    memcpy(block, "abc", 4);
    assert_null(memory_resize(block, SIZE_MAX / 16 + 2, 16));
    assert_string_equal(block, "abc");
    memory_free(block);
    struct mist_buffer buffer = {0};
    assert_true(buffer_append(&buffer, "abc", 4));
    assert_false(buffer_append_zeros(&buffer, SIZE_MAX - 1));
    assert_int_equal(buffer.size, 4);
    assert_string_equal((char *)buffer.data, "abc");
    mist_buffer_free(&buffer);
}

/* Lines of the cache, whatever the sizes asked for before. */
static void test_alignment(void **state)
{
    (void)state;
    enum { BLOCKS = 64 };
    void *block[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        block[i] = memory_allocate_aligned(i * 37);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 64, 0);
        memset(block[i], 1, i * 37);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        memory_free(block[i]);
}

static void test_printing(void **state)
{
    (void)state;
    struct mist_buffer buffer = {0};
    char *text = memory_allocate(5001);
    memset(text, 'x', 5000);
    text[5000] = '\0';
    assert_true(buffer_print(&buffer, "%d:", 12) && buffer_print(&buffer, "%s;", text));
    assert_int_equal(buffer.size, 3 + 5000 + 1);
    assert_memory_equal(buffer.data, "12:xx", 5);
    assert_int_equal(buffer.data[buffer.size - 1], ';');
    memory_free(text);
    mist_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocation),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
