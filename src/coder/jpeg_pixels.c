/* SPDX-License-Identifier: BSD-2-Clause */
/* Pixels down to 1/8 of the size: by libjpeg-turbo from a sequential file of the coefficients. */
#include "coder/jpeg_file.h"

#include "base/error.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

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
