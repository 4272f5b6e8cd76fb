/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"

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

/* One check behind many reads is enough: after a read that failed nothing is read any more. */
static void test_after_the_end(void **state)
{
    (void)state;
    const uint8_t bytes[] = {1, 2, 3};
    struct byte_reader reader = byte_reader_start(bytes, sizeof bytes);
    assert_int_equal(read_le16(&reader), 0x0201);
    assert_int_equal(read_be32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(read_u8(&reader), 0); /* though one byte is left */
    assert_null(reader_take(&reader, 0));
    assert_true(reader.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
