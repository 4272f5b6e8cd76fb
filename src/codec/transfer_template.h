/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfer and RCT in one lane: LANE_BITS, SAMPLE (signed), WORD: the unsigned type to compute in, at least 32 bits.
 */

#define NAME(base) KERNEL_JOIN(base, LANE_BITS)

/* A row of one sample type to the lane; widens *low and *high to the values seen. */
#define LOAD_ROW(type)                                                                                              \
    static inline void NAME(load_steps_##type)(const char *row, size_t step, SAMPLE *restrict out, uint32_t width,  \
                                               WORD shift, type##_t *low, type##_t *high)                           \
    {                                                                                                               \
        type##_t least = *low, most = *high;                                                                        \
        for (uint32_t x = 0; x < width; x++) {                                                                      \
            type##_t value = AT(const type##_t, row, step, x);                                                      \
            least = value < least ? value : least;                                                                  \
            most = value > most ? value : most;                                                                     \
            out[x] = (SAMPLE)((WORD)value - shift);                                                                 \
        }                                                                                                           \
        *low = least;                                                                                               \
        *high = most;                                                                                               \
    }                                                                                                               \
    static bool NAME(load_##type)(const struct transfer_job *job)                                                   \
    {                                                                                                               \
        const struct mist_view *view = job->view;                                                                   \
        type##_t low = *(const type##_t *)view_row(job, 0), high = low;                                             \
        for (uint32_t y = 0; y < view->height; y++) {                                                               \
            const char *row = view_row(job, y);                                                                     \
            SAMPLE *out = (SAMPLE *)job->plane + y * job->stride;                                                   \
            if (view->column_stride == sizeof low)                                                                  \
                NAME(load_steps_##type)(row, sizeof low, out, view->width, (WORD)job->shift, &low, &high);          \
            else                                                                                                    \
                NAME(load_steps_##type)(row, view->column_stride, out, view->width, (WORD)job->shift, &low, &high); \
        }                                                                                                           \
        return low >= job->low && high <= job->high;                                                                \
    }

LOAD_ROW(uint8)
LOAD_ROW(int8)
LOAD_ROW(uint16)
LOAD_ROW(int16)
LOAD_ROW(uint32)
LOAD_ROW(int32)
#undef LOAD_ROW

static bool NAME(load)(const struct transfer_job *job)
{
    switch (job->view->type) {
    case MIST_U8:
        return NAME(load_uint8)(job);
    case MIST_S8:
        return NAME(load_int8)(job);
    case MIST_U16:
        return NAME(load_uint16)(job);
    case MIST_S16:
        return NAME(load_int16)(job);
    case MIST_U32:
        return NAME(load_uint32)(job);
    case MIST_S32:
        return NAME(load_int32)(job);
    default:
        return false;
    }
}

/* A row of the lane, clamped to low .. high, to one sample type. */
#define STORE_ROW(type)                                                                                            \
    static inline void NAME(store_steps_##type)(const SAMPLE *restrict in, char *row, size_t step, uint32_t width, \
                                                WORD shift, SAMPLE low, SAMPLE high)                               \
    {                                                                                                              \
        for (uint32_t x = 0; x < width; x++) {                                                                     \
            SAMPLE value = in[x] < low ? low : in[x];                                                              \
            value = value > high ? high : value;                                                                   \
            AT(type##_t, row, step, x) = (type##_t)((WORD)value + shift);                                          \
        }                                                                                                          \
    }                                                                                                              \
    static void NAME(store_##type)(const struct transfer_job *job, SAMPLE low, SAMPLE high)                        \
    {                                                                                                              \
        const struct mist_view *view = job->view;                                                                  \
        for (uint32_t y = 0; y < view->height; y++) {                                                              \
            char *row = view_row(job, y);                                                                          \
            const SAMPLE *in = (const SAMPLE *)job->plane + y * job->stride;                                       \
            if (view->column_stride == sizeof(type##_t))                                                           \
                NAME(store_steps_##type)(in, row, sizeof(type##_t), view->width, (WORD)job->shift, low, high);     \
            else                                                                                                   \
                NAME(store_steps_##type)(in, row, view->column_stride, view->width, (WORD)job->shift, low, high);  \
        }                                                                                                          \
    }

STORE_ROW(uint8)
STORE_ROW(int8)
STORE_ROW(uint16)
STORE_ROW(int16)
STORE_ROW(uint32)
STORE_ROW(int32)
#undef STORE_ROW

/* Whether a sample of the plane, clamped to the component's range, is outside low .. high. */
static bool NAME(any_outside)(const struct transfer_job *job, int64_t low, int64_t high)
{
    for (uint32_t y = 0; y < job->view->height; y++) {
        const SAMPLE *in = (const SAMPLE *)job->plane + y * job->stride;
        for (uint32_t x = 0; x < job->view->width; x++) {
            int64_t value = (int64_t)((uint64_t)in[x] + (uint64_t)job->shift);
            value = value < job->low ? job->low : value > job->high ? job->high : value;
            if (value < low || value > high)
                return true;
        }
    }
    return false;
}

/* A limit on values as one on samples of the lane. */
static SAMPLE NAME(limit)(int64_t value, int64_t shift)
{
    const int64_t least = -((int64_t)1 << (LANE_BITS - 2)) * 2, most = -(least + 1);
    value -= shift;
    return (SAMPLE)(value < least ? least : value > most ? most : value);
}

static bool NAME(store)(const struct transfer_job *job)
{
    if (job->view->type > MIST_S32)
        return false;
    int64_t type_low, type_high;
    type_range(job->view->type, &type_low, &type_high);
    bool fits = (job->low >= type_low && job->high <= type_high) || !NAME(any_outside)(job, type_low, type_high);
    /* Where the component's range and the type's do not meet, everything becomes the type's nearest value. */
    int64_t low = job->low < type_low ? type_low : job->low > type_high ? type_high : job->low;
    int64_t high = job->high > type_high ? type_high : job->high < type_low ? type_low : job->high;
    SAMPLE least = NAME(limit)(low, job->shift), most = NAME(limit)(high, job->shift);
    switch (job->view->type) {
    case MIST_U8:
        NAME(store_uint8)(job, least, most);
        break;
    case MIST_S8:
        NAME(store_int8)(job, least, most);
        break;
    case MIST_U16:
        NAME(store_uint16)(job, least, most);
        break;
    case MIST_S16:
        NAME(store_int16)(job, least, most);
        break;
    case MIST_U32:
        NAME(store_uint32)(job, least, most);
        break;
    case MIST_S32:
        NAME(store_int32)(job, least, most);
        break;
    default:
        return false;
    }
    return fits;
}

/* RCT: Y = floor((R + 2 G + B) / 4), Cb = B - G, Cr = R - G. */
static void NAME(rct_forward)(const struct color_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        SAMPLE *restrict a = (SAMPLE *)job->plane[0] + y * job->stride;
        SAMPLE *restrict b = (SAMPLE *)job->plane[1] + y * job->stride;
        SAMPLE *restrict c = (SAMPLE *)job->plane[2] + y * job->stride;
        for (uint32_t x = 0; x < job->width; x++) {
            WORD red = (WORD)a[x], green = (WORD)b[x], blue = (WORD)c[x];
            a[x] = (SAMPLE)((SAMPLE)(red + 2 * green + blue) >> 2);
            b[x] = (SAMPLE)(blue - green);
            c[x] = (SAMPLE)(red - green);
        }
    }
}

static void NAME(rct_inverse)(const struct color_job *job)
{
    for (uint32_t y = 0; y < job->height; y++) {
        SAMPLE *restrict a = (SAMPLE *)job->plane[0] + y * job->stride;
        SAMPLE *restrict b = (SAMPLE *)job->plane[1] + y * job->stride;
        SAMPLE *restrict c = (SAMPLE *)job->plane[2] + y * job->stride;
        for (uint32_t x = 0; x < job->width; x++) {
            WORD green = (WORD)a[x] - (WORD)((SAMPLE)((WORD)b[x] + (WORD)c[x]) >> 2);
            WORD red = (WORD)c[x] + green, blue = (WORD)b[x] + green;
            a[x] = (SAMPLE)red;
            b[x] = (SAMPLE)green;
            c[x] = (SAMPLE)blue;
        }
    }
}

#undef NAME
#undef LANE_BITS
#undef SAMPLE
#undef WORD
