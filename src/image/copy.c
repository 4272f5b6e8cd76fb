/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/copy.h"

#include <string.h>

/* ---- runs: `count` samples, each `step` bytes behind the one before ---- */

/* One loop for each size and order, which the compiler makes vector code of where steps are those of packed samples. */
#define DEFINE_RUN(name, type, reversed)                                                                          \
    static inline void name(uint8_t *restrict to, size_t to_step, const uint8_t *restrict from, size_t from_step, \
                            size_t count)                                                                         \
    {                                                                                                             \
        for (size_t i = 0; i < count; i++) {                                                                      \
            type value;                                                                                           \
            memcpy(&value, from + i * from_step, sizeof value);                                                   \
            value = reversed;                                                                                     \
            memcpy(to + i * to_step, &value, sizeof value);                                                       \
        }                                                                                                         \
    }
DEFINE_RUN(run_1, uint8_t, value)
DEFINE_RUN(run_2, uint16_t, value)
DEFINE_RUN(run_4, uint32_t, value)
DEFINE_RUN(run_8, uint64_t, value)
DEFINE_RUN(swap_2, uint16_t, __builtin_bswap16(value))
DEFINE_RUN(swap_4, uint32_t, __builtin_bswap32(value))
DEFINE_RUN(swap_8, uint64_t, __builtin_bswap64(value))

void copy_swapped(uint8_t *to, const uint8_t *from, size_t count, size_t size)
{
    if (size == 2)
        swap_2(to, 2, from, 2, count);
    else if (size == 4)
        swap_4(to, 4, from, 4, count);
    else if (size == 8)
        swap_8(to, 8, from, 8, count);
    else
        memcpy(to, from, count * size);
}

static void copy_strided(uint8_t *to, size_t to_step, const uint8_t *from, size_t from_step, size_t count, size_t size,
                         bool swap)
{
    if (size == 1)
        run_1(to, to_step, from, from_step, count);
    else if (size == 2)
        (swap ? swap_2 : run_2)(to, to_step, from, from_step, count);
    else if (size == 4)
        (swap ? swap_4 : run_4)(to, to_step, from, from_step, count);
    else
        (swap ? swap_8 : run_8)(to, to_step, from, from_step, count);
}

static void copy_run(uint8_t *to, size_t to_step, const uint8_t *from, size_t from_step, size_t count, size_t size,
                     bool swap)
{
    if (to_step != size || from_step != size)
        copy_strided(to, to_step, from, from_step, count, size, swap);
    else if (swap)
        copy_swapped(to, from, count, size);
    else
        memcpy(to, from, count * size);
}

/* ---- frames ---- */

static uint8_t *place(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t component)
{
    return (uint8_t *)view->data + x * view->column_stride + y * view->row_stride + component * view->component_stride;
}

/* Whether each row's samples lie without gaps, components fastest. */
static bool has_packed_rows(const struct mist_view *view)
{
    const size_t size = mist_sample_size(view->type);
    return (view->width == 1 || view->column_stride == size * view->components) &&
           (view->components == 1 || view->component_stride == size);
}

/* ... and the rows, too, without gaps. */
static bool has_no_gaps(const struct mist_view *view)
{
    const size_t row = mist_sample_size(view->type) * view->components * view->width;
    return has_packed_rows(view) && (view->height == 1 || view->row_stride == row);
}

static void copy_packed_rows(const struct mist_view *from, const struct mist_view *to, bool swap)
{
    const size_t size = mist_sample_size(from->type);
    size_t count = (size_t)from->width * from->components;
    uint32_t rows = from->height;
    if (has_no_gaps(from) && has_no_gaps(to)) {
        count *= rows;
        rows = rows > 0;
    }
    for (uint32_t y = 0; y < rows; y++)
        copy_run(place(to, 0, y, 0), size, place(from, 0, y, 0), size, count, size, swap);
}

/* Columns at a time: where a view's columns are far apart (turned planes), as many lines of the cache are in use. */
enum { TILE = 64 };

void copy_samples(const struct mist_view *from, const struct mist_view *to, bool swap)
{
    const size_t size = mist_sample_size(from->type);
    swap = swap && size > 1;
    if (has_packed_rows(from) && has_packed_rows(to)) {
        copy_packed_rows(from, to, swap);
        return;
    }
    const bool turned = from->column_stride > from->row_stride || to->column_stride > to->row_stride;
    const uint32_t columns = turned ? TILE : from->width;
    for (uint32_t x = 0, count; x < from->width; x += count) {
        count = from->width - x < columns ? from->width - x : columns;
        for (uint32_t y = 0; y < from->height; y++)
            for (uint32_t c = 0; c < from->components; c++)
                copy_run(place(to, x, y, c), to->column_stride, place(from, x, y, c), from->column_stride, count, size,
                         swap);
    }
}

/* ---- frames of files ---- */

static bool is_swapped(const struct mist_view *view, struct copy_packing packing)
{
    return mist_sample_size(view->type) > 1 && packing.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static struct mist_view packed_view(const struct mist_view *like, struct copy_packing packing, uint8_t *bytes)
{
    return packing.planar ? mist_view_planar(bytes, like->type, like->width, like->height, like->components)
                          : mist_view_interleaved(bytes, like->type, like->width, like->height, like->components);
}

void copy_pack(const struct mist_view *from, struct copy_packing packing, uint8_t *bytes)
{
    struct mist_view to = packed_view(from, packing, bytes);
    copy_samples(from, &to, is_swapped(from, packing));
}

void copy_unpack(const uint8_t *bytes, struct copy_packing packing, const struct mist_view *to)
{
    struct mist_view from = packed_view(to, packing, (uint8_t *)(uintptr_t)bytes);
    copy_samples(&from, to, is_swapped(to, packing));
}

bool copy_is_packed(const struct mist_view *view, struct copy_packing packing)
{
    return !is_swapped(view, packing) && !(packing.planar && view->components > 1) && has_no_gaps(view);
}

/* ---- integers of other types ---- */

static void load(const struct mist_view *from, uint32_t y, uint32_t x, uint32_t c, uint32_t count, int64_t *values)
{
    const uint8_t *at = place(from, x, y, c);
    const size_t step = from->column_stride;
#define LOAD(type)                                   \
    for (uint32_t i = 0; i < count; i++) {           \
        type value;                                  \
        memcpy(&value, at + i * step, sizeof value); \
        values[i] = value;                           \
    }                                                \
    break
    switch (from->type) {
    case MIST_U8:
        LOAD(uint8_t);
    case MIST_S8:
        LOAD(int8_t);
    case MIST_U16:
        LOAD(uint16_t);
    case MIST_S16:
        LOAD(int16_t);
    case MIST_U32:
        LOAD(uint32_t);
    default:
        LOAD(int32_t);
    }
#undef LOAD
}

static void store(const struct mist_view *to, uint32_t y, uint32_t x, uint32_t c, uint32_t count, const int64_t *values)
{
    uint8_t *at = place(to, x, y, c);
    const size_t step = to->column_stride;
#define STORE(type)                                  \
    for (uint32_t i = 0; i < count; i++) {           \
        type value = (type)values[i];                \
        memcpy(at + i * step, &value, sizeof value); \
    }                                                \
    break
    switch (mist_sample_size(to->type)) {
    case 1:
        STORE(uint8_t);
    case 2:
        STORE(uint16_t);
    default:
        STORE(uint32_t);
    }
#undef STORE
}

void copy_convert(const struct mist_view *from, const struct mist_view *to)
{
    int64_t values[TILE];
    for (uint32_t y = 0; y < from->height; y++)
        for (uint32_t c = 0; c < from->components; c++)
            for (uint32_t x = 0, count; x < from->width; x += count) {
                count = from->width - x < TILE ? from->width - x : TILE;
                load(from, y, x, c, count, values);
                store(to, y, x, c, count, values);
            }
}
