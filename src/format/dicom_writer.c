/* SPDX-License-Identifier: BSD-2-Clause */
/* DICOM files from frames: the original to the byte, or a derived image at another resolution. */
#include "format/dicom_writer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/dicom_derive.h"
#include "format/dicom_restore.h"

#include <string.h>

/* How the pixel data is put together: known when the first frame comes. */
enum way { UNDECIDED, SAMPLES, CODESTREAMS };

struct dicom_writer {
    struct format_writer base;
    struct file_writer file;
    const struct format_archive *archive; /* the caller's */
    bool original;                        /* the full image: where it was not compressed, the file as it was */
    bool whole;                           /* the suffix does not begin with the rest of a frame's last byte */
    struct dicom_archived archived;
    struct dicom_pixels pixels; /* of the output */
    enum way way;
    struct mist_buffer header;        /* what comes before samples; empty once it is written */
    struct mist_buffer suffix;        /* what comes behind them */
    struct format_restorer *restorer; /* makes the bytes of samples or fragments */
    struct mist_buffer bytes;         /* those of one frame */
    uint32_t written;                 /* frames */
};

static void write_bytes(struct dicom_writer *writer, const struct mist_buffer *bytes)
{
    if (bytes->size)
        fwrite(bytes->data, 1, bytes->size, writer->file.stream);
}

/* The header of an original, when its first frame shows how it comes; those of others were written at once. */
static enum mist_status start(struct dicom_writer *writer, enum way way, struct mist_error *error)
{
    if (writer->way == way)
        return MIST_OK;
    if (writer->way != UNDECIDED || (way == CODESTREAMS && !(writer->original && writer->archived.fragments)))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frames of this DICOM file are %s", writer->file.path,
                         way == CODESTREAMS ? "samples" : "codestreams");
    writer->way = way;
    bool good = true;
    enum mist_status status = MIST_OK;
    if (way == CODESTREAMS) {
        writer->header.size = writer->suffix.size = 0;
        good = buffer_append(&writer->header, writer->archive->prefix.data, writer->archive->prefix.size) &&
               buffer_append(&writer->suffix, writer->archive->suffix.data, writer->archive->suffix.size);
    }
    if (good)
        status = dicom_restorer_new(&writer->pixels, writer->original ? &writer->archived : NULL, writer->whole,
                                    &writer->restorer, error);
    write_bytes(writer, &writer->header);
    return good ? status : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->file.path);
}

static enum mist_status dicom_write_frame(struct format_writer *base, const struct mist_view *frame,
                                          struct mist_error *error)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    enum mist_status status = start(writer, SAMPLES, error);
    writer->bytes.size = 0;
    if (!status && (status = format_restorer_frame(writer->restorer, frame, &writer->bytes, error)))
        error_prefix(error, status, "%s", writer->file.path);
    if (!status)
        write_bytes(writer, &writer->bytes);
    writer->written++;
    return status;
}

static enum mist_status dicom_write_bytes(struct format_writer *base, const uint8_t *data, size_t size,
                                          struct mist_error *error)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    enum mist_status status = start(writer, CODESTREAMS, error);
    writer->bytes.size = 0;
    if (!status && (status = format_restorer_bytes(writer->restorer, data, size, &writer->bytes, error)))
        error_prefix(error, status, "%s", writer->file.path);
    if (!status)
        write_bytes(writer, &writer->bytes);
    writer->written++;
    return status;
}

static enum mist_status dicom_finish(struct format_writer *base, struct mist_error *error)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    if (writer->written != writer->pixels.frames)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: %u of %u frames were written", writer->file.path,
                         writer->written, writer->pixels.frames);
    write_bytes(writer, &writer->suffix);
    return file_writer_commit(&writer->file, error);
}

static void dicom_free(struct format_writer *base)
{
    struct dicom_writer *writer = (struct dicom_writer *)base;
    file_writer_cancel(&writer->file);
    format_restorer_free(&writer->restorer);
    mist_buffer_free(&writer->header);
    mist_buffer_free(&writer->suffix);
    mist_buffer_free(&writer->bytes);
    memory_free(writer);
}

enum mist_status dicom_output_pixels(const struct format_target *target, const struct dicom_pixels *original,
                                     struct dicom_pixels *pixels, struct mist_error *error)
{
    const struct mist_image_info *info = &target->info;
    if (info->type != original->type || info->components != original->components || info->frames != original->frames)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "the frames to be written are of another kind than those of the original DICOM file");
    *pixels = *original;
    if (target->syntax != FORMAT_SYNTAX_SOURCE)
        pixels->big_endian = pixels->paired = false;
    if (target->reduce == 0 && !target->resampled) {
        if (info->width != original->columns || info->height != original->rows)
            return error_set(error, MIST_ERROR_ARGUMENT, "an original DICOM file is %u x %u, not %u x %u",
                             original->columns, original->rows, info->width, info->height);
        return MIST_OK;
    }
    if (mist_frame_bytes(info->type, info->width, info->height, info->components) == 0)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM image of %u x %u pixels cannot be written", info->width,
                         info->height);
    dicom_pixels_resize(pixels, info->width, info->height);
    return MIST_OK;
}

/* To an even number of bytes: PS3.5, 8.1.1. */
static bool pad(struct dicom_writer *writer)
{
    return buffer_append_zeros(&writer->suffix, writer->pixels.total_bytes & 1);
}

/* What follows the fragments: behind the sequence delimiter, which is of no use to samples. */
static bool keep_elements_behind(struct dicom_writer *writer)
{
    static const uint8_t delimiter[8] = {0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0};
    const struct mist_buffer *suffix = &writer->archive->suffix;
    size_t at = suffix->size >= 8 && memcmp(suffix->data, delimiter, 8) == 0 ? 8 : 0;
    return buffer_append(&writer->suffix, suffix->data + at, suffix->size - at);
}

/* Fills writer->header with all that comes before the samples, and writer->suffix with what comes behind them. */
static enum mist_status make_header(struct dicom_writer *writer, const struct format_target *target,
                                    struct mist_error *error)
{
    const struct format_archive *archive = target->archive;
    const struct dicom_archived *archived = &writer->archived;
    const bool converts = target->syntax != FORMAT_SYNTAX_SOURCE;
    writer->archive = archive;
    writer->base.converts = converts;
    enum mist_status status = dicom_output_pixels(target, &archived->pixels, &writer->pixels, error);
    if (status)
        return status;
    writer->original = target->reduce == 0 && !target->resampled;
    bool decoded = archived->layout.fragments, enough = true;
    if (writer->original && archive->raw && !converts) {
        enough = buffer_append(&writer->header, archive->prefix.data, archive->prefix.size) &&
                 buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size);
    } else {
        struct dicom_derivation derivation;
        status = dicom_derivation_make(target, archived, &writer->pixels, &derivation, error);
        if (!status)
            status = dicom_header_derive(archive->prefix.data, &archived->layout, &derivation, &writer->header, error);
        if (!status && writer->original && !decoded && !converts) { /* was deflated */
            enough = buffer_append(&writer->suffix, archive->suffix.data, archive->suffix.size);
        } else if (!status) {
            writer->whole = true;
            enough = pad(writer) && (!writer->original || converts || keep_elements_behind(writer));
        }
    }
    return status || enough ? status : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

/* The transfer syntax that is meant: an original that has the one asked for already stays as it is. */
static enum format_syntax choose_syntax(const struct format_target *target, const struct dicom_layout *layout)
{
    const bool original = target->reduce == 0 && !target->resampled;
    const char *syntax = layout->transfer_syntax;
    const bool plain = strcmp(syntax, "1.2.840.10008.1.2.1") == 0 && !layout->fragments && layout->has_meta;
    const bool htj2k =
        strncmp(syntax, "1.2.840.10008.1.2.4.20", 22) == 0 && syntax[22] >= '1' && syntax[22] <= '3' && !syntax[23];
    if (original && (target->syntax == FORMAT_SYNTAX_EXPLICIT ? plain : htj2k))
        return FORMAT_SYNTAX_SOURCE;
    return target->syntax;
}

/* Samples, or fragments as they came. */
static enum mist_status open_samples(const struct format_target *target, const struct dicom_archived *archived,
                                     struct format_writer **result, struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .frame = dicom_write_frame, .bytes = dicom_write_bytes, .finish = dicom_finish, .free = dicom_free};
    struct dicom_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    writer->archived = *archived;
    enum mist_status status = make_header(writer, target, error);
    if (status)
        error_prefix(error, status, "%s", target->path);
    else
        status = format_target_file(target, &writer->file, error);
    if (status) {
        dicom_free(&writer->base);
        return status;
    }
    *result = &writer->base;
    return MIST_OK;
}

enum mist_status dicom_writer_open(const struct format_target *target, struct format_writer **result,
                                   struct mist_error *error)
{
    *result = NULL;
    if (target->source_kind != FORMAT_DICOM)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: DICOM files are written from DICOM sources only",
                         target->path);
    if (!target->archive)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: writing DICOM needs the original header, in the item's tail, which is not here",
                         target->path);
    struct dicom_archived archived;
    struct format_target meant = *target;
    enum mist_status status = dicom_archive_read(target->archive, &archived, error);
    if (status)
        return error_prefix(error, status, "%s", target->path);
    meant.syntax = choose_syntax(target, &archived.layout);
    if (meant.syntax == FORMAT_SYNTAX_HTJ2K && dicom_encapsulate_fits(&archived))
        return dicom_encapsulate_open(&meant, &archived, result, error);
    if (meant.syntax == FORMAT_SYNTAX_HTJ2K)
        meant.syntax = FORMAT_SYNTAX_EXPLICIT;
    return open_samples(&meant, &archived, result, error);
}
