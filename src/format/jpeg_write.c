/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing JPEG: the original's bytes as they were, or pictures of 8 bits, of grey, RGB or (of JPEG sources) CMYK. */
#include "format/jpeg_markers.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/picture_map.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>

struct jpeg_writer {
    struct format_writer base;
    struct file_writer file;
    struct picture_map map;
    struct mist_buffer head; /* segments of the original, which reduced files have, too */
    double factor[2];        /* of columns and rows: densities are divided by it */
    int quality;
    bool own;      /* the source was JPEG, too */
    bool original; /* ... and this is the file itself: its own bytes must come */
    bool written;
};

/* ---- libjpeg ---- */

/* What outlives the jump is here, not in variables of the function that it lands in. */
struct job {
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    jmp_buf back;
    unsigned char *data;
    unsigned long size;
};

static void on_failure(j_common_ptr codec)
{
    struct job *job = codec->client_data;
    longjmp(job->back, 1);
}

static void be_silent(j_common_ptr codec)
{
    (void)codec;
}

static UINT16 density(unsigned value, double factor)
{
    double scaled = value / factor + 0.5;
    return (UINT16)(scaled < 1 ? 1 : scaled > 65535 ? 65535 : scaled);
}

/* JFIF's density, and whether four components of the original were as Adobe has them. */
static void follow_head(const struct jpeg_writer *writer, struct jpeg_compress_struct *codec)
{
    struct jpeg_segment segment;
    bool adobe = false;
    for (size_t at = 0; jpeg_markers_next(writer->head.data, writer->head.size, &at, &segment);) {
        if (jpeg_segment_is(&segment, 0xe0, "JFIF", 5) && segment.size >= 12) {
            const unsigned x = load_be16(segment.content + 8), y = load_be16(segment.content + 10);
            codec->density_unit = segment.content[7] <= 2 ? segment.content[7] : 0;
            codec->X_density = codec->density_unit ? density(x, writer->factor[0]) : (UINT16)(x ? x : 1);
            codec->Y_density = codec->density_unit ? density(y, writer->factor[1]) : (UINT16)(y ? y : 1);
        }
        adobe |= jpeg_segment_is(&segment, 0xee, "Adobe", 5);
    }
    if (codec->input_components == 4 && !adobe) {
        jpeg_set_colorspace(codec, JCS_CMYK);
        codec->write_Adobe_marker = FALSE;
    }
}

/* EXIF, ICC profile, comments ...; not what is written anew (JFIF, Adobe) nor what points into the file (MPF). */
static void write_segments(const struct jpeg_writer *writer, struct jpeg_compress_struct *codec)
{
    struct jpeg_segment segment;
    for (size_t at = 0; jpeg_markers_next(writer->head.data, writer->head.size, &at, &segment);)
        if (segment.marker != 0xe0 && segment.marker != 0xee && !jpeg_segment_is(&segment, 0xe2, "MPF", 4))
            jpeg_write_marker(codec, segment.marker, segment.content, (unsigned)segment.size);
}

static bool compress(struct job *job, const struct jpeg_writer *writer, uint8_t *packed)
{
    struct jpeg_compress_struct *codec = &job->codec;
    const struct picture_map *map = &writer->map;
    codec->err = jpeg_std_error(&job->errors);
    job->errors.error_exit = on_failure;
    job->errors.output_message = be_silent;
    if (setjmp(job->back))
        return false;
    codec->client_data = job;
    jpeg_create_compress(codec);
    codec->client_data = job;
    jpeg_mem_dest(codec, &job->data, &job->size);
    codec->image_width = map->width;
    codec->image_height = map->height;
    codec->input_components = (int)map->components;
    codec->in_color_space = map->components == 1 ? JCS_GRAYSCALE : map->components == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, writer->quality, TRUE);
    for (int i = 0; i < codec->num_components; i++) /* colour as fine as brightness */
        codec->comp_info[i].h_samp_factor = codec->comp_info[i].v_samp_factor = 1;
    codec->optimize_coding = TRUE;
    follow_head(writer, codec);
    jpeg_start_compress(codec, TRUE);
    write_segments(writer, codec);
    const size_t row = (size_t)map->width * map->components;
    while (codec->next_scanline < codec->image_height) {
        JSAMPROW line = packed + row * codec->next_scanline;
        jpeg_write_scanlines(codec, &line, 1);
    }
    jpeg_finish_compress(codec);
    return true;
}

/* ---- the file ---- */

static enum mist_status jpeg_frame(struct format_writer *base, const struct mist_view *frame, struct mist_error *error)
{
    struct jpeg_writer *writer = (struct jpeg_writer *)base;
    if (writer->original)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a file of format 'jpeg' cannot be made of its samples again",
                         writer->file.path);
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a JPEG file holds one frame", writer->file.path);
    writer->written = true;
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    uint8_t *packed = memory_allocate(picture_map_bytes(&writer->map));
    enum mist_status status = MIST_OK;
    if (!job || !packed)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->file.path);
    if (!status && (status = picture_map_frame(&writer->map, frame, packed, error)))
        error_prefix(error, status, "%s", writer->file.path);
    if (!status) {
        if (compress(job, writer, packed))
            fwrite(job->data, 1, job->size, writer->file.stream);
        else
            status = error_set(error, MIST_ERROR_MEMORY, "%s: the JPEG could not be made", writer->file.path);
        jpeg_destroy_compress(&job->codec);
        free(job->data);
    }
    memory_free(packed);
    memory_free(job);
    return status;
}

static enum mist_status jpeg_bytes(struct format_writer *base, const uint8_t *bytes, size_t size,
                                   struct mist_error *error)
{
    struct jpeg_writer *writer = (struct jpeg_writer *)base;
    if (!writer->own || writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a JPEG file is one codestream, of a JPEG file",
                         writer->file.path);
    writer->written = true;
    fwrite(bytes, 1, size, writer->file.stream);
    return MIST_OK;
}

static enum mist_status jpeg_finish(struct format_writer *base, struct mist_error *error)
{
    struct jpeg_writer *writer = (struct jpeg_writer *)base;
    if (!writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no frame was written", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void jpeg_free(struct format_writer *base)
{
    struct jpeg_writer *writer = (struct jpeg_writer *)base;
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->head);
    memory_free(writer);
}

enum mist_status jpeg_writer_open(const struct format_target *target, struct format_writer **result,
                                  struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = jpeg_frame, .bytes = jpeg_bytes, .finish = jpeg_finish, .free = jpeg_free};
    const bool own = target->source_kind == FORMAT_JPEG;
    const struct picture_limits limits = {.own = own, .bits = 8, .cmyk = own, .orientation = own};
    if (target->info.frames != 1)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a JPEG file holds one frame, not %u", target->path,
                         target->info.frames);
    struct jpeg_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    *writer = (struct jpeg_writer){
        .base = {.ops = &ops},
        .factor = {target->sampling.factor[0], target->sampling.factor[1]},
        .quality = (int)(target->quality && target->quality <= 100 ? target->quality : JPEG_QUALITY),
        .own = own,
        .original = own && target->reduce == 0 && !target->resampled,
    };
    picture_map_start(&writer->map, target, &limits);
    enum mist_status status = MIST_OK;
    if (writer->map.width > JPEG_MAX_DIMENSION || writer->map.height > JPEG_MAX_DIMENSION)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: a JPEG file has at most %ld columns and rows", target->path,
                           JPEG_MAX_DIMENSION);
    else if (own && !buffer_append(&writer->head, target->head, target->head_size))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    if (!status)
        status = format_target_file(target, &writer->file, error);
    if (status)
        jpeg_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}
