/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG files (ISO/IEC 10918-1, 8 bits) through libjpeg: samples as it decodes them, grey, RGB or CMYK. They are what
 * the file shows; the file itself is its codestream, which src/coder/jpeg.h keeps, and cannot be made of them again.
 */
#include "format/bare.h"
#include "format/jpeg_markers.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/copy.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

/* Samples that a byte of a file may become: with one bit for each block of four times subsampled colour it is 1024. */
#define MOST_SAMPLES_A_BYTE 2048u
#define MOST_SCANS 100 /* usual scripts have ten; hundreds are an attack */

static bool jpeg_detect(const uint8_t *data, size_t size)
{
    return size >= 4 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff && data[3] >= 0xc0;
}

/* ---- libjpeg ---- */

/* What outlives the jump is here, not in variables of the function that it lands in. */
struct job {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    bool damaged; /* by a warning that stands for lost samples */
    char sentence[JMSG_LENGTH_MAX];
};

static void on_failure(j_common_ptr codec)
{
    struct job *job = codec->client_data;
    codec->err->format_message(codec, job->sentence);
    longjmp(job->back, 1);
}

static void on_message(j_common_ptr codec, int level)
{
    static const int lost[] = {JWRN_HIT_MARKER,     JWRN_JPEG_EOF,    JWRN_HUFF_BAD_CODE,
                               JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC, JWRN_BOGUS_PROGRESSION};
    struct job *job = codec->client_data;
    for (size_t i = 0; level < 0 && !job->damaged && i < sizeof lost / sizeof *lost; i++)
        if (codec->err->msg_code == lost[i]) {
            job->damaged = true;
            codec->err->format_message(codec, job->sentence);
        }
}

static void be_silent(j_common_ptr codec)
{
    (void)codec;
}

static void on_progress(j_common_ptr codec)
{
    struct job *job = codec->client_data;
    if (job->codec.input_scan_number <= MOST_SCANS)
        return;
    snprintf(job->sentence, sizeof job->sentence, "more than %d scans", MOST_SCANS);
    longjmp(job->back, 1);
}

static void start(struct job *job)
{
    job->codec.err = jpeg_std_error(&job->errors);
    job->errors.error_exit = on_failure;
    job->errors.emit_message = on_message;
    job->errors.output_message = be_silent;
    job->progress.progress_monitor = on_progress;
    job->codec.client_data = job;
}

static bool read_head(struct job *job, const struct file_map *map)
{
    if (setjmp(job->back))
        return false;
    jpeg_create_decompress(&job->codec);
    job->codec.client_data = job;
    job->codec.progress = &job->progress;
    jpeg_mem_src(&job->codec, map->data, map->size);
    jpeg_read_header(&job->codec, TRUE);
    const J_COLOR_SPACE stored = job->codec.jpeg_color_space;
    job->codec.out_color_space = stored == JCS_GRAYSCALE                    ? JCS_GRAYSCALE
                                 : stored == JCS_RGB || stored == JCS_YCbCr ? JCS_RGB
                                 : stored == JCS_CMYK || stored == JCS_YCCK ? JCS_CMYK
                                                                            : JCS_UNKNOWN;
    return true;
}

static bool decode(struct job *job, uint8_t *packed, size_t row)
{
    if (setjmp(job->back))
        return false;
    jpeg_start_decompress(&job->codec);
    while (job->codec.output_scanline < job->codec.output_height) {
        JSAMPROW line = packed + row * job->codec.output_scanline;
        jpeg_read_scanlines(&job->codec, &line, 1);
    }
    jpeg_finish_decompress(&job->codec);
    return !job->damaged;
}

/* ---- the source ---- */

static enum mist_status fill_info(struct bare_source *source, const struct job *job, struct mist_error *error)
{
    struct mist_image_info *info = &source->base.info;
    const char *name = source->input.name;
    const J_COLOR_SPACE space = job->codec.out_color_space;
    *info = (struct mist_image_info){.type = MIST_U8,
                                     .precision = 8,
                                     .width = job->codec.image_width,
                                     .height = job->codec.image_height,
                                     .components = space == JCS_GRAYSCALE ? 1
                                                   : space == JCS_RGB     ? 3
                                                                          : 4,
                                     .frames = 1};
    if (space == JCS_UNKNOWN)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: a JPEG file of %d components of unknown meaning", name,
                         job->codec.num_components);
    if (job->codec.arith_code) /* could not be kept, and samples do not give it back */
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: a JPEG file with arithmetic coding", name);
    const size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (!bytes)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %u x %u pixels are beyond the limits", name, info->width,
                         info->height);
    if (bytes / MOST_SAMPLES_A_BYTE > source->map.size)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: %zu bytes are too few for %u x %u pixels", name,
                         source->map.size, info->width, info->height);
    struct format_appearance look = {0};
    jpeg_appearance(source->base.head.data, source->base.head.size, &look);
    source->base.color = space == JCS_GRAYSCALE ? FORMAT_GREY : space == JCS_RGB ? FORMAT_RGB : look.color;
    source->base.stream = FORMAT_STREAM_JPEG;
    source->base.stream_lossy = true;
    return MIST_OK;
}

static enum mist_status jpeg_read_frame(struct format_source *base, uint32_t frame, struct mist_view *out,
                                        struct mist_error *error)
{
    const struct bare_source *source = (const struct bare_source *)base;
    const struct mist_image_info *info = &base->info;
    const struct copy_packing packing = {0};
    (void)frame;
    bool packed = copy_is_packed(out, packing);
    const size_t row = (size_t)info->width * info->components;
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    uint8_t *samples = packed ? out->data : memory_allocate(row * info->height);
    enum mist_status status = MIST_OK;
    if (!job || !samples) {
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    } else {
        start(job);
        if (!read_head(job, &source->map) || !decode(job, samples, row))
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the JPEG data is damaged: %s", source->input.name,
                               job->sentence);
        jpeg_destroy_decompress(&job->codec);
    }
    if (!status && !packed)
        copy_unpack(samples, packing, out);
    if (!packed)
        memory_free(samples);
    memory_free(job);
    return status;
}

static enum mist_status describe(struct bare_source *source, struct mist_error *error)
{
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    if (!job || !jpeg_markers_collect(source->map.data, source->map.size, &source->base.head)) {
        memory_free(job);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", source->input.name);
    }
    start(job);
    enum mist_status status = read_head(job, &source->map)
                                  ? fill_info(source, job, error)
                                  : error_set(error, MIST_ERROR_CORRUPT, "%s: the JPEG header cannot be read: %s",
                                              source->input.name, job->sentence);
    jpeg_destroy_decompress(&job->codec);
    memory_free(job);
    return status;
}

static enum mist_status jpeg_open(const struct format_input *inputs, uint32_t count, struct format_source **result,
                                  struct mist_error *error)
{
    static const struct format_source_ops ops = {.read_frame = jpeg_read_frame,
                                                 .read_archive = bare_read_archive,
                                                 .close = bare_close,
                                                 .codestream = bare_codestream};
    return bare_open(FORMAT_JPEG, &ops, describe, inputs, count, result, error);
}

static enum mist_status jpeg_look(const struct format_input *input, struct format_group *group,
                                  struct mist_error *error)
{
    (void)group;
    return bare_look(jpeg_open, input, error);
}

const struct format_ops format_ops_jpeg = {.detect = jpeg_detect,
                                           .look = jpeg_look,
                                           .open = jpeg_open,
                                           .writer_open = jpeg_writer_open,
                                           .restorer_open = bare_restorer_open,
                                           .appearance = jpeg_appearance};
