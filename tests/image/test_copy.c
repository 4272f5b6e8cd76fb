/* SPDX-License-Identifier: BSD-2-Clause */
/* Every copy of samples against its definition, one byte at a time; sources and targets end at pages that may not be
 * touched. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "image/copy.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t random_state = 88172645463325252u;
static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* `size` random bytes whose end is the end of the readable memory, or whose start is its start. */
struct guarded {
    uint8_t *map, *bytes;
    size_t map_size, size;
};
static struct guarded guarded_new(size_t size, bool front)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page) / page * page;
    struct guarded guarded = {.map_size = inner + 2 * page, .size = size};
    guarded.map = mmap(NULL, guarded.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guarded.map != MAP_FAILED);
    assert_int_equal(mprotect(guarded.map, page, PROT_NONE), 0);
    assert_int_equal(mprotect(guarded.map + page + inner, page, PROT_NONE), 0);
    guarded.bytes = front ? guarded.map + page : guarded.map + page + inner - size;
    for (size_t i = 0; i < size; i++)
        guarded.bytes[i] = (uint8_t)random_below(256);
    return guarded;
}
static void guarded_free(struct guarded *guarded)
{
    munmap(guarded->map, guarded->map_size);
}

/* ---- layouts ---- */

enum layout { INTERLEAVED, PLANAR, ROWS_WITH_GAPS, COLUMNS_WITH_GAPS, TURNED, LAYOUTS };

/* Strides of a layout, and the bytes that it takes. */
static struct mist_view lay_out(enum layout layout, enum mist_sample_type type, uint32_t width, uint32_t height,
                                uint32_t components, size_t *bytes)
{
    const size_t size = mist_sample_size(type);
    struct mist_view view = layout == PLANAR ? mist_view_planar(NULL, type, width, height, components)
                                             : mist_view_interleaved(NULL, type, width, height, components);
    if (layout == ROWS_WITH_GAPS)
        view.row_stride += 3;
    if (layout == COLUMNS_WITH_GAPS) {
        view.column_stride += size + 1;
        view.row_stride = view.column_stride * width;
    }
    if (layout == TURNED) {
        view.row_stride = size * components;
        view.column_stride = view.row_stride * height;
    }
    *bytes = (width - 1) * view.column_stride + (height - 1) * view.row_stride +
             (components - 1) * view.component_stride + size;
    return view;
}

static uint8_t *sample_at(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t c)
{
    return (uint8_t *)view->data + x * view->column_stride + y * view->row_stride + c * view->component_stride;
}

static void copy_by_definition(const struct mist_view *from, const struct mist_view *to, bool swap)
{
    const size_t size = mist_sample_size(from->type);
    for (uint32_t y = 0; y < from->height; y++)
        for (uint32_t x = 0; x < from->width; x++)
            for (uint32_t c = 0; c < from->components; c++)
                for (size_t i = 0; i < size; i++)
                    sample_at(to, x, y, c)[i] = sample_at(from, x, y, c)[swap ? size - 1 - i : i];
}

/* The whole target is compared, so that what lies between its samples must stay. */
static void check_copy(enum mist_sample_type type, enum layout from_layout, enum layout to_layout, uint32_t width,
                       uint32_t height, uint32_t components, bool swap, bool front)
{
    size_t from_bytes, to_bytes;
    struct mist_view from = lay_out(from_layout, type, width, height, components, &from_bytes);
    struct mist_view to = lay_out(to_layout, type, width, height, components, &to_bytes), expected = to;
    struct guarded source = guarded_new(from_bytes, front), target = guarded_new(to_bytes, front);
    struct guarded truth = guarded_new(to_bytes, front);
    memcpy(truth.bytes, target.bytes, to_bytes);
    from.data = source.bytes;
    to.data = target.bytes;
    expected.data = truth.bytes;
    copy_samples(&from, &to, swap);
    copy_by_definition(&from, &expected, swap);
    assert_memory_equal(target.bytes, truth.bytes, to_bytes);
    guarded_free(&source);
    guarded_free(&target);
    guarded_free(&truth);
}

static void test_all_layouts(void **state)
{
    (void)state;
    for (enum mist_sample_type type = 0; type < MIST_SAMPLE_TYPES; type++)
        for (unsigned from = 0; from < LAYOUTS; from++)
            for (unsigned to = 0; to < LAYOUTS; to++)
                for (unsigned swap = 0; swap < 2; swap++) {
                    uint32_t components = 1 + random_below(4);
                    check_copy(type, from, to, 1 + random_below(150), 1 + random_below(7), components, swap,
                               random_below(2));
                    check_copy(type, from, to, 1, 1, components, swap, false);
                    check_copy(type, from, to, 1 + random_below(9), 1, 1, swap, true);
                }
}

/* Lengths around those of vectors, at every alignment. */
static void test_swapped_runs(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 8; size *= 2)
        for (size_t count = 0; count < 70; count++) {
            struct guarded from = guarded_new(count * size, count % 2), to = guarded_new(count * size, count % 3);
            copy_swapped(to.bytes, from.bytes, count, size);
            for (size_t i = 0; i < count * size; i++)
                assert_int_equal(to.bytes[i], from.bytes[i / size * size + size - 1 - i % size]);
            guarded_free(&from);
            guarded_free(&to);
        }
}

static void check_packing(enum mist_sample_type type, struct copy_packing packing, uint32_t width, uint32_t height,
                          uint32_t components)
{
    size_t size = mist_sample_size(type), bytes = mist_frame_bytes(type, width, height, components), view_bytes;
    struct mist_view view = lay_out(ROWS_WITH_GAPS, type, width, height, components, &view_bytes), back = view;
    struct guarded samples = guarded_new(view_bytes, true), file = guarded_new(bytes, false);
    struct guarded again = guarded_new(view_bytes, false);
    memcpy(again.bytes, samples.bytes, view_bytes); /* the gaps */
    view.data = samples.bytes;
    back.data = again.bytes;
    copy_pack(&view, packing, file.bytes);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < components; c++) {
                size_t pixel = (size_t)y * width + x;
                size_t place = packing.planar ? c * (size_t)width * height + pixel : pixel * components + c;
                const uint8_t *in_file = file.bytes + place * size, *in_view = sample_at(&view, x, y, c);
                bool swap = packing.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
                for (size_t i = 0; i < size; i++)
                    assert_int_equal(in_file[i], in_view[swap ? size - 1 - i : i]);
                memset(sample_at(&back, x, y, c), 0x5a, size);
            }
    copy_unpack(file.bytes, packing, &back);
    assert_memory_equal(again.bytes, samples.bytes, view_bytes);
    guarded_free(&samples);
    guarded_free(&file);
    guarded_free(&again);
}

static void test_frames_of_files(void **state)
{
    (void)state;
    for (enum mist_sample_type type = 0; type < MIST_SAMPLE_TYPES; type++)
        for (unsigned kind = 0; kind < 4; kind++)
            for (uint32_t components = 1; components <= 4; components++)
                check_packing(type, (struct copy_packing){.big_endian = kind & 1, .planar = kind & 2},
                              1 + random_below(80), 1 + random_below(5), components);
}

static void test_what_is_packed_already(void **state)
{
    (void)state;
    const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    struct mist_view view = mist_view_interleaved(NULL, MIST_U16, 5, 4, 3);
    assert_true(copy_is_packed(&view, (struct copy_packing){.big_endian = big}));
    assert_false(copy_is_packed(&view, (struct copy_packing){.big_endian = !big}));
    assert_false(copy_is_packed(&view, (struct copy_packing){.big_endian = big, .planar = true}));
    view.row_stride += 2;
    assert_false(copy_is_packed(&view, (struct copy_packing){.big_endian = big}));
    view = mist_view_interleaved(NULL, MIST_U8, 5, 4, 1);
    assert_true(copy_is_packed(&view, (struct copy_packing){.big_endian = !big, .planar = true}));
    view = mist_view_planar(NULL, MIST_U8, 5, 4, 2);
    assert_false(copy_is_packed(&view, (struct copy_packing){.big_endian = big}));
}

static int64_t integer_at(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t c)
{
    const uint8_t *at = sample_at(view, x, y, c);
    const size_t size = mist_sample_size(view->type);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)at[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? size - 1 - i : i] << 8 * i;
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return mist_sample_is_signed(view->type) && value & sign ? (int64_t)value - (int64_t)(2 * sign) : (int64_t)value;
}

/* Widened values stay; cut ones keep their low bits. */
static void test_conversion(void **state)
{
    (void)state;
    for (enum mist_sample_type from_type = MIST_U8; from_type <= MIST_S32; from_type++)
        for (enum mist_sample_type to_type = MIST_U8; to_type <= MIST_S32; to_type++) {
            uint32_t width = 1 + random_below(150), height = 1 + random_below(3), components = 1 + random_below(3);
            size_t from_bytes, to_bytes;
            struct mist_view from = lay_out(random_below(LAYOUTS), from_type, width, height, components, &from_bytes);
            struct mist_view to = lay_out(random_below(LAYOUTS), to_type, width, height, components, &to_bytes);
            struct guarded source = guarded_new(from_bytes, false), target = guarded_new(to_bytes, true);
            from.data = source.bytes;
            to.data = target.bytes;
            copy_convert(&from, &to);
            for (uint32_t y = 0; y < height; y++)
                for (uint32_t x = 0; x < width; x++)
                    for (uint32_t c = 0; c < components; c++) {
                        uint64_t mask = ((uint64_t)1 << 8 * mist_sample_size(to_type)) - 1;
                        assert_true(
                            (((uint64_t)integer_at(&from, x, y, c) ^ (uint64_t)integer_at(&to, x, y, c)) & mask) == 0);
                    }
            guarded_free(&source);
            guarded_free(&target);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_layouts),     cmocka_unit_test(test_swapped_runs),
        cmocka_unit_test(test_frames_of_files), cmocka_unit_test(test_what_is_packed_already),
        cmocka_unit_test(test_conversion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
