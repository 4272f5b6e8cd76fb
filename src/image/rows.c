/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/rows.h"

#include "base/error.h"
#include "image/half.h"

#include <float.h>

/* The start of row y of component c. */
static char *row_start(const struct mist_view *view, uint32_t y, uint32_t c)
{
    return (char *)view->data + y * view->row_stride + c * view->component_stride;
}

#define LOAD_ROW(sample_type, expression)              \
    for (uint32_t x = 0; x < width; x++, at += step) { \
        sample_type sample;                            \
        memcpy(&sample, at, sizeof sample);            \
        row[x] = expression;                           \
    }                                                  \
    break

void row_load(const struct mist_view *view, uint32_t y, uint32_t c, double *row)
{
    const char *at = row_start(view, y, c);
    size_t step = view->column_stride;
    uint32_t width = view->width;
    switch (view->type) {
    case MIST_U8:
        LOAD_ROW(uint8_t, sample);
    case MIST_S8:
        LOAD_ROW(int8_t, sample);
    case MIST_U16:
        LOAD_ROW(uint16_t, sample);
    case MIST_S16:
        LOAD_ROW(int16_t, sample);
    case MIST_U32:
        LOAD_ROW(uint32_t, sample);
    case MIST_S32:
        LOAD_ROW(int32_t, sample);
    case MIST_F16:
        LOAD_ROW(uint16_t, half_to_double(sample));
    case MIST_F32:
        LOAD_ROW(float, (double)sample);
    case MIST_F64:
        LOAD_ROW(double, sample);
    case MIST_S64:
        LOAD_ROW(int64_t, (double)sample);
    case MIST_U64:
        LOAD_ROW(uint64_t, (double)sample);
    case MIST_SAMPLE_TYPES:
        break;
    }
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* As clamp(), for floats: infinities and NaN stay what they are. */
static double clamp_finite(double value, double largest)
{
    return isfinite(value) ? clamp(value, -largest, largest) : value;
}

#define STORE_ROW(sample_type, expression)              \
    for (uint32_t x = 0; x < width; x++, at += step) {  \
        sample_type sample = (sample_type)(expression); \
        memcpy(at, &sample, sizeof sample);             \
    }                                                   \
    break

void row_store(struct mist_view *view, uint32_t y, uint32_t c, const double *row)
{
    char *at = row_start(view, y, c);
    size_t step = view->column_stride;
    uint32_t width = view->width;
    switch (view->type) {
    case MIST_U8:
        STORE_ROW(uint8_t, clamp(rint(row[x]), 0, UINT8_MAX));
    case MIST_S8:
        STORE_ROW(int8_t, clamp(rint(row[x]), INT8_MIN, INT8_MAX));
    case MIST_U16:
        STORE_ROW(uint16_t, clamp(rint(row[x]), 0, UINT16_MAX));
    case MIST_S16:
        STORE_ROW(int16_t, clamp(rint(row[x]), INT16_MIN, INT16_MAX));
    case MIST_U32:
        STORE_ROW(uint32_t, clamp(rint(row[x]), 0, UINT32_MAX));
    case MIST_S32:
        STORE_ROW(int32_t, clamp(rint(row[x]), INT32_MIN, INT32_MAX));
    case MIST_F16:
        STORE_ROW(uint16_t, half_from_double(clamp_finite(row[x], 65504)));
    case MIST_F32:
        STORE_ROW(float, clamp_finite(row[x], FLT_MAX));
    case MIST_F64:
        STORE_ROW(double, row[x]);
    case MIST_S64: /* the largest doubles that the types hold */
        STORE_ROW(int64_t, clamp(rint(row[x]), -0x1p63, 0x1p63 - 0x1p10));
    case MIST_U64:
        STORE_ROW(uint64_t, clamp(rint(row[x]), 0, 0x1p64 - 0x1p11));
    case MIST_SAMPLE_TYPES:
        break;
    }
}

enum mist_status view_check(const struct mist_view *view, const char *what, struct mist_error *error)
{
    if (!view->data || mist_frame_bytes(view->type, view->width, view->height, view->components) == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: not an image within the limits (%u x %u x %u)", what,
                         view->width, view->height, view->components);
    return MIST_OK;
}
