/* SPDX-License-Identifier: BSD-2-Clause */
/* DICOM files from frames: the original to the byte, or a derived image at another resolution. */
#include "format/dicom_writer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_derive.h"
#include "format/dicom_header.h"
#include "format/dicom_layout.h"
#include "format/dicom_pixels.h"

#include <string.h>

struct dicom_writer {
    struct format_writer base;
    struct file_writer file;
    struct dicom_pixels pixels; /* of the output */
    struct mist_buffer frame;   /* one frame as the file has it */
    struct mist_buffer suffix;  /* what comes behind the samples */
    uint32_t written;           /* frames */
};

static enum mist_status dicom_write_frame(struct format_writer *base, const struct mist_view *frame,
                                          struct mist_error *error)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    const struct dicom_pixels *pixels = &writer->pixels;
    if (writer->written >= pixels->frames || frame->type != pixels->type || frame->width != pixels->columns ||
        frame->height != pixels->rows || frame->components != pixels->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frame %u does not belong into this DICOM file",
                         writer->file.path, writer->written);
    dicom_pixels_pack(pixels, frame, writer->frame.data);
    fwrite(writer->frame.data, 1, pixels->frame_bytes, writer->file.stream);
    writer->written++;
    return MIST_OK;
}

static enum mist_status dicom_finish(struct format_writer *base, struct mist_error *error)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    if (writer->written != writer->pixels.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u frames were written", writer->file.path,
                         writer->written, writer->pixels.frames);
    if (writer->suffix.size)
        fwrite(writer->suffix.data, 1, writer->suffix.size, writer->file.stream);
    return file_writer_commit(&writer->file, error);
}

static void dicom_free(struct format_writer *base)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    file_writer_cancel(&writer->file);
    mist_buffer_free(&writer->frame);
    mist_buffer_free(&writer->suffix);
    memory_free(writer);
}

/* The output's pixels: the original's at the target's size. */
static enum mist_status reduced_pixels(const struct format_target *target, const struct dicom_pixels *original,
                                       struct dicom_pixels *reduced, struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    if (info->type != original->type || info->components != original->components || info->frames != original->frames)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "the frames to be written are of another kind than those of the original DICOM file");
    *reduced = *original;
    reduced->columns = info->width;
    reduced->rows = info->height;
    reduced->frame_bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    if (reduced->frame_bytes == 0)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM image of %u x %u pixels cannot be written", info->width,
                         info->height);
    return MIST_OK;
}

/* Fills `header` with all that comes before the samples, and writer->suffix with what comes behind them. */
static enum mist_status make_header(struct dicom_writer *writer, const struct format_target *target,
                                    struct mist_buffer *header, struct mist_error *error)
{
    const struct format_archive *archive = target->archive;
    struct dicom_layout layout;
    struct dicom_header original;
    struct dicom_pixels pixels;
    enum mist_status status = dicom_layout_read(archive->prefix.data, archive->prefix.size, &layout, error);
    if (!status && layout.pixels != archive->prefix.size)
        status = error_set(error, MIST_ERROR_CORRUPT, "the archived DICOM header does not end at its pixel data");
    if (!status)
        status = dicom_header_read(archive->prefix.data, &layout, &original, NULL, error);
    if (!status)
        status = dicom_pixels_from_header(&layout, &original, &pixels, error);
    if (!status)
        status = reduced_pixels(target, &pixels, &writer->pixels, error);
    if (status)
        return status;
    bool enough = true;
    if (target->reduce == 0 && !target->resampled) {
        if (writer->pixels.columns != pixels.columns || writer->pixels.rows != pixels.rows)
            return error_set(error, MIST_ERROR_ARGUMENT, "an original DICOM file is %u x %u, not %u x %u",
                             pixels.columns, pixels.rows, writer->pixels.columns, writer->pixels.rows);
        enough = buffer_append(header, archive->prefix.data, archive->prefix.size) &&
                 buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size);
    } else {
        struct dicom_derivation derivation;
        status = dicom_derivation_make(target, &original, &writer->pixels, &derivation, error);
        if (!status)
            status = dicom_header_derive(archive->prefix.data, &layout, &derivation, header, error);
        if (!status && (writer->pixels.frame_bytes & writer->pixels.frames & 1))
            enough = buffer_append_zeros(&writer->suffix, 1);
    }
    return status || enough ? status : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

enum mist_status dicom_writer_open(const struct format_target *target, struct format_writer **result,
                                   struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = dicom_write_frame, .finish = dicom_finish, .free = dicom_free};
    *result = NULL;
    if (target->source_kind != FORMAT_DICOM)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: DICOM files are written from DICOM sources only",
                         target->path);
    if (!target->archive)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: writing DICOM needs the original header, in the item's tail, which is not here",
                         target->path);
    struct dicom_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    struct mist_buffer header = {0};
    enum mist_status status = make_header(writer, target, &header, error);
    if (!status && !buffer_reserve(&writer->frame, writer->pixels.frame_bytes))
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = file_writer_open(target->path, &writer->file, error);
    if (!status)
        fwrite(header.data, 1, header.size, writer->file.stream);
    mist_buffer_free(&header);
    if (status) {
        dicom_free(&writer->base);
        return status;
    }
    *result = &writer->base;
    return MIST_OK;
}
