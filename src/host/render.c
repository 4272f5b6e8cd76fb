/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/render.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/rows.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

enum { QUALITY = 90 };

/* One row, 8 bits a sample, components fastest; `values` is room for a component of it. */
static void pack_row(const struct mist_view *frame, uint32_t y, double low, double scale, double *values, uint8_t *out)
{
    for (uint32_t c = 0; c < frame->components; c++) {
        row_load(frame, y, c, values);
        for (uint32_t x = 0; x < frame->width; x++) {
            double value = (values[x] - low) * scale;
            out[(size_t)x * frame->components + c] = value >= 255 ? 255
                                                     : value > 0  ? (uint8_t)(value + 0.5)
                                                                  : 0; /* NaN: 0 */
        }
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
    double *values; /* of one component of a row */
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
        pack_row(frame, codec->next_scanline, low, scale, job->values, job->row);
        jpeg_write_scanlines(codec, &job->row, 1);
    }
    jpeg_finish_compress(codec);
    return true;
}

enum mist_status render_jpeg(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                             struct mist_error *error)
{
    double low = 0, high = 255;
    struct jpeg_job job = {.values = memory_allocate_array(frame->width, sizeof(double)),
                           .row = memory_allocate_array(frame->width, frame->components)};
    const bool room = job.values && job.row;
    if (frame->type != MIST_U8)
        mist_range(frame, &low, &high);
    out->size = 0;
    bool good = room && compress(&job, frame, low, high > low ? 255 / (high - low) : 0) &&
                buffer_append(out, job.data, job.size);
    if (room)
        jpeg_destroy_compress(&job.codec);
    free(job.data);
    memory_free(job.row);
    memory_free(job.values);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: the JPEG could not be made", name);
}
