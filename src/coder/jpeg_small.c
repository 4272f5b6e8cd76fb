/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixels below 1/8 of the size: from sums of DC coefficients, without libjpeg. */
#include "coder/jpeg_file.h"

int32_t jpeg_sums_mean(const struct jpeg_sums *sums, const struct jpeg_plane *plane, uint32_t x, uint32_t y,
                       unsigned scale)
{
    /* Blocks that the sum is of: fewer at the right and lower edge. */
    uint32_t side = 1u << sums->depth, left_x = plane->wide - (x << sums->depth),
             left_y = plane->high - (y << sums->depth);
    int64_t count = (int64_t)(left_x < side ? left_x : side) * (left_y < side ? left_y : side);
    int64_t sum = (int64_t)sums->sum[(size_t)y * sums->wide + x] * scale;
    return (int32_t)((sum >= 0 ? 2 * sum + count : 2 * sum - count) / (2 * count));
}

static uint8_t clamp(int value)
{
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

/* JFIF's equations in the 16-bit fixed point of libjpeg. */
static void to_rgb(uint8_t pixel[4])
{
    int y = pixel[0], cb = pixel[1] - 128, cr = pixel[2] - 128;
    pixel[0] = clamp(y + ((91881 * cr + 32768) >> 16));
    pixel[1] = clamp(y + ((-22554 * cb - 46802 * cr + 32768) >> 16));
    pixel[2] = clamp(y + ((116130 * cb + 32768) >> 16));
}

/* Which of a component's `size` sums (or blocks) along one axis lie in pixel `at` of the reduced picture: at least one.
 */
struct span {
    uint32_t first, end;
};
static struct span span_of(uint32_t at, unsigned reduce, uint32_t factor, uint32_t largest, unsigned depth,
                           uint32_t size)
{
    uint64_t step = (uint64_t)factor << reduce, cell = (uint64_t)largest << (depth + 3);
    uint64_t first = at * step / cell, end = (at + (uint64_t)1) * step / cell;
    first = first < size ? first : size - 1;
    end = end > first ? end : first + 1;
    return (struct span){(uint32_t)first, (uint32_t)(end < size ? end : size)};
}

/* The mean of the component's samples in pixel (x, y) of the reduced picture. */
static uint8_t small_sample(const struct jpeg_reduced *reduced, unsigned c, unsigned reduce, uint32_t x, uint32_t y)
{
    const struct jpeg_frame *frame = &reduced->frame;
    const struct jpeg_component *component = &frame->component[c];
    const struct jpeg_plane *plane = &reduced->planes.plane[c];
    const struct jpeg_sums *sums = &reduced->sums[c];
    unsigned depth = plane->block ? 0 : sums->depth;
    uint32_t wide = plane->block ? plane->wide : sums->wide, high = plane->block ? plane->high : sums->high;
    struct span across = span_of(x, reduce, component->h, frame->h_max, depth, wide);
    struct span down = span_of(y, reduce, component->v, frame->v_max, depth, high);
    int64_t sum = 0, count = (int64_t)(across.end - across.first) * (down.end - down.first);
    for (uint32_t j = down.first; j < down.end; j++)
        for (uint32_t i = across.first; i < across.end; i++)
            sum += plane->block
                       ? plane->block[((size_t)j * plane->wide + i) * plane->stride] * (int64_t)component->quant[0]
                       : jpeg_sums_mean(sums, plane, i, j, component->quant[0]);
    /* A DC coefficient is 8 times the block's mean less 128. 65536 is there and gone: a dividend below 0 rounds up. */
    int64_t value = 128 + (2 * sum + 8 * count + 16 * count * 65536) / (16 * count) - 65536;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}

enum mist_status jpeg_pixels_small(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                   struct mist_error *error)
{
    enum jpeg_colour colour = reduced->frame.colour;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            uint8_t pixel[4] = {0};
            for (unsigned c = 0; c < out->components; c++)
                pixel[c] = small_sample(reduced, c, reduce, x, y);
            if (colour == JPEG_YCBCR || colour == JPEG_YCCK)
                to_rgb(pixel);
            for (unsigned c = 0; c < 3 && colour == JPEG_YCCK; c++)
                pixel[c] = (uint8_t)(255 - pixel[c]);
            uint8_t *to = (uint8_t *)out->data + y * out->row_stride + x * out->column_stride;
            for (unsigned c = 0; c < out->components; c++)
                to[c * out->component_stride] = pixel[c];
        }
    return MIST_OK;
}
