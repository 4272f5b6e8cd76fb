/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixels: by libjpeg-turbo from a sequential file of the coefficients, and below 1/8 from sums of DC coefficients. */
#include "coder/jpeg_file.h"

#include "base/error.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

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

/* libjpeg reports a failure by a function that must not return. */
struct failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
};

static void on_failure(j_common_ptr codec)
{
    longjmp(((struct failure *)codec->err)->back, 1);
}

static void be_silent(j_common_ptr codec, int level)
{
    (void)codec;
    (void)level;
}

/* What outlives the jump is here, not in variables of the function that it lands in. */
struct job {
    struct jpeg_decompress_struct codec;
    struct failure failure;
    uint8_t *row;
};

static void put_row(const struct mist_view *out, uint32_t y, const uint8_t *row)
{
    uint8_t *to = (uint8_t *)out->data + (size_t)y * out->row_stride;
    if (out->component_stride == 1 && out->column_stride == out->components) {
        memcpy(to, row, (size_t)out->width * out->components);
        return;
    }
    for (uint32_t x = 0; x < out->width; x++)
        for (unsigned c = 0; c < out->components; c++)
            to[x * out->column_stride + c * out->component_stride] = row[(size_t)x * out->components + c];
}

static bool decompress(struct job *job, const struct jpeg_frame *frame, unsigned reduce, const struct mist_buffer *file,
                       const struct mist_view *out)
{
    static const J_COLOR_SPACE stored[] = {JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK, JCS_YCCK};
    static const J_COLOR_SPACE wanted[] = {JCS_GRAYSCALE, JCS_RGB, JCS_RGB, JCS_CMYK, JCS_CMYK};
    struct jpeg_decompress_struct *codec = &job->codec;
    codec->err = jpeg_std_error(&job->failure.base);
    job->failure.base.error_exit = on_failure;
    job->failure.base.emit_message = be_silent;
    if (setjmp(job->failure.back))
        return false;
    jpeg_create_decompress(codec);
    jpeg_mem_src(codec, file->data, file->size);
    if (jpeg_read_header(codec, TRUE) != JPEG_HEADER_OK)
        return false;
    codec->jpeg_color_space = stored[frame->colour];
    codec->out_color_space = wanted[frame->colour];
    codec->scale_num = 8u >> reduce;
    codec->scale_denom = 8;
    jpeg_start_decompress(codec);
    if (codec->output_width != out->width || codec->output_height != out->height ||
        codec->output_components != (int)out->components)
        return false;
    while (codec->output_scanline < codec->output_height) {
        uint32_t y = codec->output_scanline;
        JSAMPROW row = job->row;
        if (jpeg_read_scanlines(codec, &row, 1) != 1)
            return false;
        put_row(out, y, job->row);
    }
    return job->failure.base.num_warnings == 0;
}

enum mist_status jpeg_pixels_decode(const struct jpeg_reduced *reduced, unsigned reduce, const struct mist_view *out,
                                    struct mist_error *error)
{
    struct mist_buffer file = {0};
    enum mist_status status = jpeg_file_write(&reduced->frame, &reduced->planes, &file, error);
    struct job *job = status ? NULL : memory_allocate_zeroed(1, sizeof *job);
    if (job)
        job->row = memory_allocate_array(out->width, out->components);
    if (!status && (!job || !job->row))
        status = error_set(error, MIST_ERROR_MEMORY, "decoding a JPEG picture: out of memory");
    if (!status && !decompress(job, &reduced->frame, reduce, &file, out))
        status = error_set(error, MIST_ERROR_CORRUPT, "libjpeg does not decode the JPEG picture (its message %d)",
                           job->failure.base.msg_code);
    if (job) {
        jpeg_destroy_decompress(&job->codec);
        memory_free(job->row);
    }
    memory_free(job);
    mist_buffer_free(&file);
    return status;
}
