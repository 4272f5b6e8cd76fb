/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/units.h"

#include <math.h>
#include <string.h>

struct scale {
    double slope, intercept;
};

static struct scale scale_of(const struct dicom_volume_plan *plan, uint32_t n)
{
    const double *own = plan->scales ? plan->scales + 2 * (size_t)n : NULL;
    return own ? (struct scale){own[0], own[1]} : (struct scale){plan->slope, plan->intercept};
}

static bool is_whole(double value)
{
    return fabs(value) < 0x1p31 && value == floor(value);
}

/* The integer types, the narrowest first. */
static const struct range {
    enum mist_sample_type type;
    double low, high;
} ranges[] = {{MIST_U8, 0, 0xff},          {MIST_S8, -0x80, 0x7f},    {MIST_U16, 0, 0xffff},
              {MIST_S16, -0x8000, 0x7fff}, {MIST_U32, 0, 0xffffffff}, {MIST_S32, -0x80000000ll, 0x7fffffff}};
enum { RANGES = sizeof ranges / sizeof *ranges };

/* MIST_F64 where there is none. */
static enum mist_sample_type narrowest(double low, double high)
{
    for (size_t i = 0; i < RANGES; i++)
        if (low >= ranges[i].low && high <= ranges[i].high)
            return ranges[i].type;
    return MIST_F64;
}

enum mist_sample_type units_type(const struct dicom_volume_plan *plan, const struct mist_image_info *info)
{
    const bool is_signed = mist_sample_is_signed(info->type), real = mist_sample_is_float(info->type);
    const double least = is_signed ? -ldexp(1, (int)info->precision - 1) : 0;
    const double most = ldexp(1, (int)info->precision - is_signed) - 1;
    const bool wide = info->type == MIST_F64 || (!real && info->precision > 24);
    double low = INFINITY, high = -INFINITY;
    bool plain = true, whole = !real;
    uint32_t count = plan->scales ? plan->slices * plan->volumes : 1;
    for (uint32_t n = 0; n < count; n++) {
        struct scale scale = scale_of(plan, n);
        double first = least * scale.slope + scale.intercept, last = most * scale.slope + scale.intercept;
        plain = plain && scale.slope == 1 && scale.intercept == 0;
        whole = whole && is_whole(scale.slope) && is_whole(scale.intercept);
        low = fmin(low, fmin(first, last));
        high = fmax(high, fmax(first, last));
    }
    if (plain)
        return info->type;
    return whole ? narrowest(low, high) : wide ? MIST_F64 : MIST_F32;
}

/* ---- samples ---- */

#define LOAD(type)                            \
    {                                         \
        type value;                           \
        memcpy(&value, sample, sizeof value); \
        return (double)value;                 \
    }

static double load(const uint8_t *sample, enum mist_sample_type type)
{
    switch (type) {
    case MIST_U8:
        return *sample;
    case MIST_S8:
        LOAD(int8_t)
    case MIST_U16:
        LOAD(uint16_t)
    case MIST_S16:
        LOAD(int16_t)
    case MIST_U32:
        LOAD(uint32_t)
    case MIST_S32:
        LOAD(int32_t)
    case MIST_F32:
        LOAD(float)
    case MIST_F64:
        LOAD(double)
    default:
        return 0; /* DICOM has no others */
    }
}

#define STORE(type)                             \
    {                                           \
        type stored = (type)value;              \
        memcpy(sample, &stored, sizeof stored); \
        break;                                  \
    }

static void store(double value, uint8_t *sample, enum mist_sample_type type)
{
    switch (type) {
    case MIST_U8:
        STORE(uint8_t)
    case MIST_S8:
        STORE(int8_t)
    case MIST_U16:
        STORE(uint16_t)
    case MIST_S16:
        STORE(int16_t)
    case MIST_U32:
        STORE(uint32_t)
    case MIST_S32:
        STORE(int32_t)
    case MIST_F32:
        STORE(float)
    case MIST_F64:
        STORE(double)
    default:
        break;
    }
}

void units_apply(const struct dicom_volume_plan *plan, uint32_t n, const struct mist_view *frame,
                 enum mist_sample_type type, void *packed)
{
    const struct scale scale = scale_of(plan, n);
    const size_t size = mist_sample_size(type);
    double low = -INFINITY, high = INFINITY; /* hostile samples may have more bits than their item says */
    for (size_t i = 0; i < RANGES; i++)
        if (ranges[i].type == type) {
            low = ranges[i].low;
            high = ranges[i].high;
        }
    uint8_t *out = packed;
    for (uint32_t y = 0; y < frame->height; y++)
        for (uint32_t x = 0; x < frame->width; x++)
            for (uint32_t c = 0; c < frame->components; c++, out += size) {
                const uint8_t *sample = (const uint8_t *)frame->data + y * frame->row_stride +
                                        x * frame->column_stride + c * frame->component_stride;
                double value = load(sample, frame->type) * scale.slope + scale.intercept;
                store(value < low ? low : value > high ? high : value, out, type);
            }
}
