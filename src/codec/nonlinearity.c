/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/nonlinearity.h"

enum mist_sample_type nonlinearity_pattern_type(enum mist_sample_type type)
{
    return type == MIST_F16 ? MIST_S16 : type == MIST_F32 ? MIST_S32 : MIST_SAMPLE_TYPES;
}

/* The map is its own inverse: x -> x for 0 and more, else all bits but the sign inverted. */
static void map_row(const struct mist_view *from, const struct mist_view *to, uint32_t c, uint32_t y,
                    unsigned precision)
{
    uint32_t flip = ((uint32_t)1 << (precision - 1)) - 1;
    const unsigned char *source = (const unsigned char *)from->data + c * from->component_stride + y * from->row_stride;
    unsigned char *target = (unsigned char *)to->data + c * to->component_stride + y * to->row_stride;
    for (uint32_t x = 0; x < from->width; x++, source += from->column_stride, target += to->column_stride) {
        if (to->type == MIST_S8) {
            int8_t value = *(const int8_t *)source;
            *(int8_t *)target = value < 0 ? (int8_t)(value ^ (int8_t)flip) : value;
        } else if (to->type == MIST_S16) {
            int16_t value = *(const int16_t *)source;
            *(int16_t *)target = value < 0 ? (int16_t)(value ^ (int16_t)flip) : value;
        } else if (to->type == MIST_S32) {
            int32_t value = *(const int32_t *)source;
            *(int32_t *)target = value < 0 ? value ^ (int32_t)flip : value;
        }
    }
}

bool nonlinearity_forward(struct arena *arena, const struct mist_view *frame, struct mist_view *mapped)
{
    size_t bytes = mist_frame_bytes(frame->type, frame->width, frame->height, frame->components);
    void *copy = arena_allocate(arena, bytes, 1);
    if (!copy)
        return false;
    *mapped =
        mist_view_planar(copy, nonlinearity_pattern_type(frame->type), frame->width, frame->height, frame->components);
    for (uint32_t c = 0; c < frame->components; c++)
        for (uint32_t y = 0; y < frame->height; y++)
            map_row(frame, mapped, c, y, (unsigned)(8 * mist_sample_size(frame->type)));
    return true;
}

void nonlinearity_undo(const struct mist_view *view, uint32_t component, unsigned precision)
{
    for (uint32_t y = 0; y < view->height; y++)
        map_row(view, view, component, y, precision);
}
