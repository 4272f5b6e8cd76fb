/* SPDX-License-Identifier: BSD-2-Clause */
/* The JPEG coder's parts, and failing allocations; whole files are judged by test_jpeg.py. */
#include "base/memory.h"
#include "coder/jpeg.h"
#include "coder/jpeg_bins.h"
#include "coder/jpeg_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static uint32_t seed = 1;
static uint32_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* Bits of every skew, with magnitudes between them. */
static void code_all(struct bins *bins, uint32_t *bits, int32_t *values, unsigned count)
{
    bin_model models[64];
    struct bin_number number[2];
    bins_models(models, 64);
    bins_models((bin_model *)number, sizeof number / (sizeof(bin_model)));
    for (unsigned i = 0; i < count; i++) {
        bits[i] = bin(bins, &models[i % 64], bits[i]);
        values[i] = bin_signed(bins, &number[i % 2], values[i]);
    }
}

static void test_bins(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint32_t bits[COUNT], bits_back[COUNT];
    static int32_t values[COUNT], values_back[COUNT];
    for (unsigned skew = 0; skew < 20; skew++) {
        unsigned count = skew ? COUNT / skew : 0;
        struct mist_buffer out = {0};
        struct bins bins;
        for (unsigned i = 0; i < count; i++) {
            bits[i] = (random_number() & 0xffff) < (skew % 2 ? 5u : 65530u * skew / 20);
            values[i] = (int32_t)random_number() >> (1 + random_number() % 31);
        }
        bins_start_coding(&bins, &out);
        code_all(&bins, bits, values, count);
        assert_true(bins_finish(&bins));
        bins_start_decoding(&bins, out.data, out.size);
        code_all(&bins, bits_back, values_back, count);
        assert_false(bins.failed);
        assert_memory_equal(bits, bits_back, count * sizeof *bits);
        assert_memory_equal(values, values_back, count * sizeof *values);
        /* Much too few bytes are noticed. */
        if (count > 100) {
            bins_start_decoding(&bins, out.data, out.size / 2);
            code_all(&bins, bits_back, values_back, count);
            assert_true(bins.failed);
        }
        mist_buffer_free(&out);
    }
}

/* A carry that runs through many bytes of 0xff. */
static void test_carry(void **state)
{
    (void)state;
    for (unsigned last = 0; last < 2; last++) {
        struct mist_buffer out = {0};
        struct bins bins;
        bins_start_coding(&bins, &out);
        bins.low = 0xfffffff0u;
        bins.range = 1u << 24;
        for (unsigned i = 0; i < 20; i++) {
            bins.low = (bins.low & ~(uint64_t)0xffff) | 0xff000000u;
            bins_shift(&bins);
        }
        bins.low += last ? (uint64_t)1 << 32 : 0;
        assert_true(bins_finish(&bins));
        assert_true(out.size >= 20);
        for (unsigned i = 1; i < 19; i++)
            assert_int_equal(out.data[i], last ? 0 : 0xff);
        mist_buffer_free(&out);
    }
}

/* Every symbol has a code of at most 16 bits, none of all ones, and the commonest are the shortest. */
static void test_optimal_tables(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) {
        uint32_t counts[256] = {0};
        uint32_t fibonacci[2] = {1, 1};
        for (unsigned s = 0; s < 256; s++) {
            uint32_t next = fibonacci[0] + fibonacci[1];
            if (kind == 1)
                counts[s] = s == 77;
            else if (kind == 2)
                counts[s] = random_number() % 1000;
            else if (kind == 3 && s < 44) /* as unequal as can be */
                counts[s] = fibonacci[0];
            else if (kind == 4)
                counts[s] = UINT32_MAX;
            else if (kind == 5)
                counts[s] = s < 2;
            fibonacci[0] = fibonacci[1];
            fibonacci[1] = next;
        }
        struct jpeg_table table;
        struct jpeg_codes codes;
        struct jpeg_lookup lookup;
        jpeg_table_optimal(counts, &table);
        assert_true(jpeg_codes_make(&table, &codes));
        assert_true(jpeg_lookup_make(&table, &lookup));
        for (unsigned s = 0; s < 256; s++) {
            assert_true(!counts[s] || codes.length[s]);
            assert_true(codes.length[s] <= 16);
            assert_true(!codes.length[s] || codes.code[s] != (1u << codes.length[s]) - 1);
            for (unsigned other = 0; other < 256 && counts[s]; other++)
                assert_true(counts[other] <= counts[s] || codes.length[other] <= codes.length[s]);
        }
    }
}

/* The orders of coefficients agree with each other. */
static void test_places(void **state)
{
    (void)state;
    bool seen[64] = {0};
    for (unsigned k = 0; k < 64; k++) {
        unsigned row = jpeg_zigzag[k] / 8, column = jpeg_zigzag[k] % 8, side = row > column ? row : column;
        assert_false(seen[jpeg_place[k]]);
        seen[jpeg_place[k]] = true;
        for (unsigned size = 1; size <= 8; size *= 2)
            assert_int_equal(side < size, jpeg_place[k] < size * size);
    }
}

/* A file of MIST's own making: a frame of any sampling with random coefficients. */
static void make_file(unsigned components, const uint8_t factors[4][2], struct mist_buffer *file)
{
    struct jpeg_frame frame = {.width = 150, .height = 131, .components = components, .jfif = true};
    struct jpeg_planes planes;
    for (unsigned c = 0; c < components; c++) {
        frame.component[c].id = (uint8_t)(c + 1);
        frame.component[c].h = factors[c][0];
        frame.component[c].v = factors[c][1];
        frame.component[c].slot = c > 0;
        for (unsigned k = 0; k < 64; k++)
            frame.component[c].quant[k] = (uint16_t)(1 + k + 3 * (c > 0));
    }
    assert_true(jpeg_frame_layout(&frame));
    assert_int_equal(jpeg_planes_allocate(&frame, (unsigned[4]){64, 64, 64, 64}, &planes, NULL), MIST_OK);
    for (unsigned c = 0; c < components; c++)
        for (size_t i = 0; i < (size_t)planes.plane[c].wide * planes.plane[c].high; i++)
            for (unsigned p = 0; p < 64; p += 1 + random_number() % (p + 1))
                planes.plane[c].block[i * 64 + p] = (int16_t)((int)(random_number() % 41) - 20);
    assert_int_equal(jpeg_file_write(&frame, &planes, file, NULL), MIST_OK);
    jpeg_planes_free(&planes);
}

static const uint8_t sampled[4][2] = {{2, 2}, {1, 1}, {1, 1}, {2, 1}};

/* All that a caller does with a file; the first status that is not MIST_OK. */
static enum mist_status use(const struct mist_buffer *file, struct mist_error *error)
{
    struct jpeg_chunks chunks = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    struct mist_buffer out = {0};
    static uint8_t samples[150 * 131 * 4];
    enum mist_status status = jpeg_split(file->data, file->size, &chunks, error);
    for (unsigned level = 0; !status && level < chunks.info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks.level[level].data, chunks.level[level].size};
    if (!status) {
        struct mist_view view =
            mist_view_planar(samples, MIST_U8, 75, mist_reduced_size(131, 1), chunks.info.components);
        status = jpeg_decode(pieces, 1, &view, error);
    }
    if (!status)
        status = jpeg_standalone(pieces, 0, &out, error);
    if (!status)
        status = jpeg_rebuild(pieces, &(struct jpeg_piece){chunks.rebuild.data, chunks.rebuild.size}, &out, error);
    if (!status) {
        assert_int_equal(out.size, file->size);
        assert_memory_equal(out.data, file->data, out.size);
    }
    mist_buffer_free(&out);
    jpeg_chunks_free(&chunks);
    return status;
}

static void test_samplings(void **state)
{
    (void)state;
    static const uint8_t factors[][4][2] = {{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, {{2, 1}, {1, 1}, {2, 1}, {1, 1}},
                                            {{4, 2}, {1, 1}, {2, 2}, {4, 1}}, {{1, 1}, {2, 2}, {1, 2}, {2, 1}},
                                            {{4, 4}, {1, 1}, {4, 1}, {1, 4}}, {{3, 1}, {1, 1}, {1, 1}, {3, 1}}};
    for (unsigned i = 0; i < sizeof factors / sizeof *factors; i++)
        for (unsigned components = 1; components <= 4; components += components == 1 ? 2 : 1) {
            struct mist_buffer file = {0};
            struct mist_error error = {0};
            make_file(components, factors[i], &file);
            if (use(&file, &error))
                fail_msg("sampling %u, %u components: %s", i, components, error.message);
            mist_buffer_free(&file);
        }
}

static void test_short_memory(void **state)
{
    (void)state;
    struct mist_buffer file = {0};
    make_file(4, sampled, &file);
    unsigned failures = 0;
    for (uint64_t nth = 1; nth < 10000; nth++, failures++) {
        struct mist_error error = {0};
        memory_fail_at(nth);
        enum mist_status status = use(&file, &error);
        memory_fail_at(0);
        if (!status)
            break;
        if (status != MIST_ERROR_MEMORY)
            fail_msg("allocation %u: %s: %s", (unsigned)nth, mist_status_name(status), error.message);
    }
    assert_true(failures > 20 && failures < 9000);
    mist_buffer_free(&file);
}

static void test_arguments(void **state)
{
    (void)state;
    struct mist_buffer file = {0};
    struct jpeg_chunks chunks = {0};
    struct jpeg_piece pieces[MIST_MAX_LEVELS];
    struct jpeg_info info;
    struct mist_error error = {0};
    uint8_t *samples = malloc(150 * 131 * 3);
    make_file(3, sampled, &file);
    assert_int_equal(jpeg_split(file.data, file.size, &chunks, &error), MIST_OK);
    for (unsigned level = 0; level < chunks.info.levels; level++)
        pieces[level] = (struct jpeg_piece){chunks.level[level].data, chunks.level[level].size};
    assert_int_equal(jpeg_pieces_info(pieces, &info, &error), MIST_OK);
    assert_memory_equal(&info, &chunks.info, sizeof info);
    struct mist_view view = mist_view_interleaved(samples, MIST_U8, 150, 131, 3);
    assert_int_equal(jpeg_decode(pieces, 0, &view, &error), MIST_OK);
    assert_int_equal(jpeg_decode(pieces, 1, &view, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(jpeg_decode(pieces, info.levels, &view, &error), MIST_ERROR_ARGUMENT);
    assert_int_equal(jpeg_standalone(pieces, info.levels, &file, &error), MIST_ERROR_ARGUMENT);
    view.components = 1;
    assert_int_equal(jpeg_decode(pieces, 0, &view, &error), MIST_ERROR_ARGUMENT);
    view = mist_view_interleaved(samples, MIST_S8, 150, 131, 3);
    assert_int_equal(jpeg_decode(pieces, 0, &view, &error), MIST_ERROR_ARGUMENT);
    /* Chunks without bytes. */
    struct jpeg_piece nothing = {NULL, 0};
    assert_int_equal(jpeg_pieces_info(&nothing, &info, &error), MIST_ERROR_TRUNCATED);
    assert_int_equal(jpeg_rebuild(pieces, &nothing, &file, &error), MIST_ERROR_CORRUPT);
    pieces[chunks.info.levels - 1] = nothing;
    assert_int_not_equal(jpeg_standalone(pieces, 0, &file, &error), MIST_OK);
    assert_int_equal(file.size, 0);
    free(samples);
    mist_buffer_free(&file);
    jpeg_chunks_free(&chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bins),      cmocka_unit_test(test_carry),     cmocka_unit_test(test_optimal_tables),
        cmocka_unit_test(test_places),    cmocka_unit_test(test_samplings), cmocka_unit_test(test_short_memory),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
