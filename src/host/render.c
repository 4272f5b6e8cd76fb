/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/render.h"

#include "base/error.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

enum { QUALITY = 90 };

static double read_sample(const void *sample, enum mist_sample_type type)
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
    case MIST_S32:
        return *(const int32_t *)sample;
    case MIST_F32:
        return *(const float *)sample;
    default:
        return *(const double *)sample;
    }
}

/* One row, 8 bits a sample, components fastest. */
static void pack_row(const struct mist_view *frame, uint32_t y, double low, double scale, uint8_t *out)
{
    const uint8_t *row = (const uint8_t *)frame->data + y * frame->row_stride;
    for (uint32_t x = 0; x < frame->width; x++)
        for (uint32_t c = 0; c < frame->components; c++) {
            const void *sample = row + x * frame->column_stride + c * frame->component_stride;
            double value = (read_sample(sample, frame->type) - low) * scale;
            *out++ = value >= 255 ? 255 : value > 0 ? (uint8_t)(value + 0.5) : 0; /* NaN: 0 */
        }
}

/* libjpeg reports a failure by a function that must not return. */
struct jpeg_failure {
    struct jpeg_error_mgr base;
    jmp_buf back;
};

static void on_failure(j_common_ptr codec)
{
    longjmp(((struct jpeg_failure *)codec->err)->back, 1);
}

static void be_silent(j_common_ptr codec)
{
    (void)codec;
}

/* What outlives the jump is here, not in variables of the function that it lands in. */
struct jpeg_job {
    struct jpeg_compress_struct codec;
    struct jpeg_failure failure;
    unsigned char *data;
    unsigned long size;
    uint8_t *row;
};

static bool compress(struct jpeg_job *job, const struct mist_view *frame, double low, double scale)
{
    struct jpeg_compress_struct *codec = &job->codec;
    codec->err = jpeg_std_error(&job->failure.base);
    job->failure.base.error_exit = on_failure;
    job->failure.base.output_message = be_silent;
    if (setjmp(job->failure.back))
        return false;
    jpeg_create_compress(codec);
    jpeg_mem_dest(codec, &job->data, &job->size);
    codec->image_width = frame->width;
    codec->image_height = frame->height;
    codec->input_components = (int)frame->components;
    codec->in_color_space = frame->components == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, QUALITY, TRUE);
    jpeg_start_compress(codec, TRUE);
    while (codec->next_scanline < codec->image_height) {
        pack_row(frame, codec->next_scanline, low, scale, job->row);
        jpeg_write_scanlines(codec, &job->row, 1);
    }
    jpeg_finish_compress(codec);
    return true;
}

enum mist_status render_jpeg(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                             struct mist_error *error)
{
    double low = 0, high = 255;
    struct jpeg_job job = {.row = memory_allocate_array(frame->width, frame->components)};
    if (frame->type != MIST_U8)
        mist_range(frame, &low, &high);
    out->size = 0;
    bool good = job.row && compress(&job, frame, low, high > low ? 255 / (high - low) : 0) &&
                buffer_append(out, job.data, job.size);
    if (job.row)
        jpeg_destroy_compress(&job.codec);
    free(job.data);
    memory_free(job.row);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: the JPEG could not be made", name);
}
