/* SPDX-License-Identifier: BSD-2-Clause */
/* The irreversible path: floats from and to samples and quantised integers, ICT. A part of transfer.c. */
#ifndef CODEC_TRANSFER_FLOAT_H
#define CODEC_TRANSFER_FLOAT_H

static inline int64_t view_value(const char *sample, enum mist_sample_type type)
{
    switch (type) {
    case MIST_U8:
        return *(const uint8_t *)sample;
    case MIST_S8:
        return *(const int8_t *)sample;
    case MIST_U16:
        return *(const uint16_t *)sample;
    case MIST_S16:
        return *(const int16_t *)sample;
    case MIST_U32:
        return *(const uint32_t *)sample;
    default:
        return *(const int32_t *)sample;
    }
}

static inline void view_set(char *sample, enum mist_sample_type type, int64_t value)
{
    switch (type_bits(type)) {
    case 8:
        *(uint8_t *)sample = (uint8_t)value;
        break;
    case 16:
        *(uint16_t *)sample = (uint16_t)value;
        break;
    default:
        *(uint32_t *)sample = (uint32_t)value;
        break;
    }
}

static bool load_float(const struct transfer_job *job)
{
    const struct mist_view *view = job->view;
    if (view->type > MIST_S32)
        return false;
    bool inside = true;
    for (uint32_t y = 0; y < view->height; y++) {
        const char *row = view_row(job, y);
        float *out = (float *)job->plane + y * job->stride;
        for (uint32_t x = 0; x < view->width; x++) {
            int64_t value = view_value(row + x * view->column_stride, view->type);
            inside &= value >= job->low && value <= job->high;
            out[x] = (float)(value - job->shift);
        }
    }
    return inside;
}

/* The nearest integer, ties to even, of |value| < 2^51: adding 3 * 2^51 leaves no bits behind the point. */
static inline int64_t nearest(double value)
{
    const double magic = 0x1.8p52;
    double sum = value + magic;
    int64_t bits, magic_bits;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&magic_bits, &magic, sizeof magic_bits);
    return bits - magic_bits;
}

static bool store_float(const struct transfer_job *job)
{
    const struct mist_view *view = job->view;
    if (view->type > MIST_S32)
        return false;
    const double low = (double)(job->low - job->shift), high = (double)(job->high - job->shift);
    int64_t type_low, type_high;
    type_range(view->type, &type_low, &type_high);
    bool fits = true;
    for (uint32_t y = 0; y < view->height; y++) {
        char *row = view_row(job, y);
        const float *in = (const float *)job->plane + y * job->stride;
        for (uint32_t x = 0; x < view->width; x++) {
            double sample = in[x];
            sample = sample > low ? sample : low; /* NaN too */
            sample = sample < high ? sample : high;
            int64_t value = nearest(sample) + job->shift;
            int64_t held = value < type_low ? type_low : value > type_high ? type_high : value;
            fits &= held == value;
            view_set(row + x * view->column_stride, view->type, held);
        }
    }
    return fits;
}

static void ict_forward(const struct color_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        float *restrict a = (float *)job->plane[0] + y * job->stride;
        float *restrict b = (float *)job->plane[1] + y * job->stride;
        float *restrict c = (float *)job->plane[2] + y * job->stride;
        for (uint32_t x = 0; x < job->width; x++) {
            float red = a[x], green = b[x], blue = c[x];
            a[x] = 0.299f * red + 0.587f * green + 0.114f * blue;
            b[x] = -0.16875f * red - 0.33126f * green + 0.5f * blue;
            c[x] = 0.5f * red - 0.41869f * green - 0.08131f * blue;
        }
    }
}

static void ict_inverse(const struct color_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        float *restrict a = (float *)job->plane[0] + y * job->stride;
        float *restrict b = (float *)job->plane[1] + y * job->stride;
        float *restrict c = (float *)job->plane[2] + y * job->stride;
        for (uint32_t x = 0; x < job->width; x++) {
            float luma = a[x], cb = b[x], cr = c[x];
            a[x] = luma + 1.402f * cr;
            b[x] = luma - 0.34413f * cb - 0.71414f * cr;
            c[x] = luma + 1.772f * cb;
        }
    }
}

static void quantize(const struct quantize_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        const float *in = job->floats + y * job->float_stride;
        int32_t *out = (int32_t *)job->integers + y * job->integer_stride;
        for (uint32_t x = 0; x < job->width; x++) {
            float magnitude = fabsf(in[x]) * job->scale;
            int32_t integer = magnitude < 2147483648.0f ? (int32_t)magnitude : INT32_MAX;
            out[x] = in[x] < 0 ? -integer : integer;
        }
    }
}

static void dequantize(const struct quantize_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        const int32_t *in = (const int32_t *)job->integers + y * job->integer_stride;
        float *out = job->floats + y * job->float_stride;
        for (uint32_t x = 0; x < job->width; x++)
            out[x] = (float)in[x] * job->scale;
    }
}

#endif
