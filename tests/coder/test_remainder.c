/* SPDX-License-Identifier: BSD-2-Clause */
/* Remainders and tables as bytes: all widths and classes, damaged bytes, failing allocations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "coder/remainder.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 61, HEIGHT = 37, SAMPLES = WIDTH * HEIGHT };

static const enum mist_sample_type widths[] = {MIST_U8, MIST_U16, MIST_U32, MIST_U64};

struct planes {
    struct mist_view remainder, coded, out;
};

static struct planes make(enum mist_sample_type type, unsigned bits)
{
    struct planes planes = {mist_view_planar(malloc(8 * SAMPLES), type, WIDTH, HEIGHT, 1),
                            mist_view_planar(malloc(4 * SAMPLES), MIST_S32, WIDTH, HEIGHT, 1),
                            mist_view_interleaved(malloc(8 * SAMPLES), type, WIDTH, HEIGHT, 1)};
    uint64_t random = bits + 1;
    size_t size = mist_sample_size(type);
    for (size_t i = 0; i < SAMPLES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t number = bits ? random >> (64 - bits) : 0;
        number = i % 2 ? 0 - number : number;
        int32_t code = (int32_t)(random >> (i % 64));
        memcpy((char *)planes.remainder.data + i * size, &number, size);
        memcpy((char *)planes.coded.data + 4 * i, &code, 4);
    }
    return planes;
}

static void free_planes(struct planes *planes)
{
    free(planes->remainder.data);
    free(planes->coded.data);
    free(planes->out.data);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct mist_buffer bytes = {0};
    struct mist_error error = {0};
    for (size_t t = 0; t < 4; t++)
        for (unsigned bits = 0; bits <= 8 * mist_sample_size(widths[t]); bits += 4)
            for (int classes = 0; classes < 2; classes++) {
                struct planes planes = make(widths[t], bits);
                const struct mist_view *coded = classes ? &planes.coded : NULL;
                assert_int_equal(remainder_compress(&planes.remainder, coded, &bytes, &error), MIST_OK);
                assert_true((bits == 0) == (bytes.size == 0));
                memset(planes.out.data, 0x5a, 8 * SAMPLES);
                assert_int_equal(remainder_decompress(bytes.data, bytes.size, coded, &planes.out, &error), MIST_OK);
                assert_memory_equal(planes.out.data, planes.remainder.data, SAMPLES * mist_sample_size(widths[t]));
                free_planes(&planes);
            }
    mist_buffer_free(&bytes);
}

static void test_damaged(void **state)
{
    (void)state;
    struct planes planes = make(MIST_U32, 11);
    struct mist_buffer bytes = {0};
    unsigned refused = 0;
    assert_int_equal(remainder_compress(&planes.remainder, &planes.coded, &bytes, NULL), MIST_OK);
    for (size_t size = 1; size < bytes.size; size += 1 + size / 40)
        assert_int_equal(remainder_decompress(bytes.data, size, &planes.coded, &planes.out, NULL), MIST_ERROR_CORRUPT);
    for (size_t i = 0; i < bytes.size; i += 1 + i / 40) {
        bytes.data[i] ^= 0x41;
        refused += remainder_decompress(bytes.data, bytes.size, &planes.coded, &planes.out, NULL) == MIST_ERROR_CORRUPT;
        bytes.data[i] ^= 0x41;
    }
    assert_true(refused > 5);
    /* With more behind it, and where it says that it is longer than the plane. */
    const size_t size = bytes.size;
    assert_true(buffer_append(&bytes, "more", 4));
    assert_int_equal(remainder_decompress(bytes.data, bytes.size, &planes.coded, &planes.out, NULL),
                     MIST_ERROR_CORRUPT);
    bytes.size = size;
    /* With an empty frame of zstd behind it, which zstd itself would pass over. */
    assert_true(buffer_append(&bytes, "\x50\x2a\x4d\x18\0\0\0\0", 8));
    assert_int_equal(remainder_decompress(bytes.data, bytes.size, &planes.coded, &planes.out, NULL),
                     MIST_ERROR_CORRUPT);
    bytes.size = size;
    struct mist_view shorter = planes.out, beside = planes.coded;
    shorter.height = beside.height = HEIGHT - 1;
    assert_int_equal(remainder_decompress(bytes.data, bytes.size, &beside, &shorter, NULL), MIST_ERROR_CORRUPT);
    /* Of a plane of another size, and beside a coded plane of another. */
    planes.out.height--;
    assert_int_equal(remainder_decompress(bytes.data, bytes.size, NULL, &planes.out, NULL), MIST_ERROR_CORRUPT);
    assert_int_equal(remainder_decompress(bytes.data, bytes.size, &planes.coded, &planes.out, NULL),
                     MIST_ERROR_ARGUMENT);
    planes.remainder.type = MIST_S32;
    assert_int_equal(remainder_compress(&planes.remainder, NULL, &bytes, NULL), MIST_ERROR_ARGUMENT);
    mist_buffer_free(&bytes);
    free_planes(&planes);
}

static void test_table(void **state)
{
    (void)state;
    uint64_t table[65536];
    struct value_map map = {.kind = VALUE_MAP_TABLE,
                            .source = MIST_F32,
                            .components = 1,
                            .coded = MIST_U16,
                            .precision = 16,
                            .a = -3,
                            .b = 0.001,
                            .highest = 65535,
                            .table = table};
    for (size_t i = 0; i < 65536; i++)
        table[i] = 0x3f800000 + i * 3;
    struct mist_buffer bytes = {0};
    assert_int_equal(value_table_write(&map, &bytes, NULL), MIST_OK);
    map.table = NULL;
    assert_int_equal(value_table_read(bytes.data, bytes.size, &map, NULL), MIST_OK);
    assert_memory_equal(map.table, table, sizeof table);
    bytes.data[bytes.size / 2] ^= 0xff;
    bytes.size--;
    assert_int_equal(value_table_read(bytes.data, bytes.size, &map, NULL), MIST_ERROR_CORRUPT);
    assert_null(map.table);
    map.kind = VALUE_MAP_LINEAR;
    assert_int_equal(value_table_read(bytes.data, bytes.size, &map, NULL), MIST_ERROR_ARGUMENT);
    assert_int_equal(value_table_write(&map, &bytes, NULL), MIST_ERROR_ARGUMENT);
    mist_buffer_free(&bytes);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct planes planes = make(MIST_U16, 9);
    enum mist_status status = MIST_ERROR_MEMORY;
    uint64_t nth = 1;
    for (; nth < 30 && status != MIST_OK; nth++) {
        struct mist_buffer bytes = {0};
        memory_fail_at(nth);
        status = remainder_compress(&planes.remainder, &planes.coded, &bytes, NULL);
        if (!status)
            status = remainder_decompress(bytes.data, bytes.size, &planes.coded, &planes.out, NULL);
        memory_fail_at(0);
        assert_true(status == MIST_OK || status == MIST_ERROR_MEMORY);
        mist_buffer_free(&bytes);
    }
    assert_true(nth > 3 && status == MIST_OK);
    free_planes(&planes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_table), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests_name("remainder", tests, NULL, NULL);
}
