/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DICOM file in memory: grouping, opening, all frames, their codestreams, the archive. Files whose archive says so
 * must come back to the byte from their frames, or from their codestreams. The header of a reduced image can be made
 * and read.
 */
#include "fuzz.h"

#include "format/dicom_derive.h"
#include "format/dicom_writer.h"
#include "format/format.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FRAMES = 16 };

/* The next `size` bytes of the input must be these. */
static void must_follow(const uint8_t **data, size_t *left, const struct mist_buffer *bytes)
{
    if (bytes->size == 0)
        return;
    fuzz_require(bytes->size <= *left && memcmp(*data, bytes->data, bytes->size) == 0);
    *data += bytes->size;
    *left -= bytes->size;
}

static bool next_part(struct format_source *source, struct format_restorer *restorer, uint32_t frame, bool streams,
                      struct mist_view *view, struct mist_buffer *out)
{
    struct mist_buffer stream = {0};
    enum format_stream kind;
    enum mist_status status;
    out->size = 0;
    if (streams) {
        status = source->ops->codestream(source, frame, &stream, &kind, NULL);
        if (!status)
            status = format_restorer_bytes(restorer, stream.data, stream.size, out, NULL);
    } else {
        status = source->ops->read_frame(source, frame, view, NULL);
        if (!status)
            status = format_restorer_frame(restorer, view, out, NULL);
    }
    mist_buffer_free(&stream);
    return status == MIST_OK;
}

static void derive(const struct format_source *source, const struct format_archive *archive)
{
    struct format_target target = {.info = source->info, .source = &source->info, .archive = archive, .reduce = 1};
    target.sampling = sampling_reduce(1, 0, false);
    target.info.width = mist_reduced_size(source->info.width, 1);
    target.info.height = mist_reduced_size(source->info.height, 1);
    target.info.frames = source->file_frames[0];
    struct dicom_archived archived;
    struct dicom_pixels pixels;
    struct dicom_derivation derivation;
    struct dicom_layout layout;
    struct dicom_header header;
    struct mist_buffer out = {0};
    enum mist_status status = dicom_archive_read(archive, &archived, NULL);
    if (!status)
        status = dicom_output_pixels(&target, &archived.pixels, &pixels, NULL);
    if (!status)
        status = dicom_derivation_make(&target, &archived, &pixels, &derivation, NULL);
    if (!status)
        status = dicom_header_derive(archive->prefix.data, &archived.layout, &derivation, &out, NULL);
    if (!status && !dicom_layout_read(out.data, out.size, &layout, NULL) && layout.has_pixels &&
        !dicom_header_read(out.data, &layout, &header, NULL, NULL))
        fuzz_require(header.columns == derivation.columns && header.rows == derivation.rows);
    mist_buffer_free(&out);
}

static void restore(struct format_source *source, const uint8_t *data, size_t size, struct mist_view *view)
{
    struct format_archive archive;
    struct format_restorer *restorer = NULL;
    struct mist_buffer out = {0};
    bool streams = source->stream != FORMAT_STREAM_NONE;
    if (source->ops->read_archive(source, 0, &archive, NULL))
        return;
    bool exact = archive.raw || streams;
    enum mist_status status = format_restorer_open(FORMAT_DICOM, &archive, &source->info, &restorer, NULL);
    fuzz_require(status == MIST_OK || status == MIST_ERROR_MEMORY);
    bool good = !status;
    derive(source, &archive);
    /* A file that was deflated does not come back so: its prefix is what came out. */
    exact = exact && archive.prefix.size <= size && memcmp(data, archive.prefix.data, archive.prefix.size) == 0;
    if (exact)
        must_follow(&data, &size, &archive.prefix);
    for (uint32_t frame = 0; good && frame < source->info.frames; frame++) {
        good = next_part(source, restorer, frame, streams, view, &out);
        fuzz_require(good || !archive.raw);
        if (exact && good)
            must_follow(&data, &size, &out);
    }
    if (exact && good) {
        must_follow(&data, &size, &archive.suffix);
        fuzz_require(size == 0);
    }
    mist_buffer_free(&out);
    format_restorer_free(&restorer);
    format_archive_free(&archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_input input = format_input_memory("fuzz", data, size);
    struct format_group group;
    struct format_source *source = NULL;
    struct mist_error error = {0};
    enum mist_status looked = format_look(FORMAT_DICOM, &input, &group, &error);
    enum mist_status status = format_open(FORMAT_DICOM, &input, 1, &source, &error);
    fuzz_require(status == MIST_OK || (error.message[0] && looked));
    if (status)
        return 0;
    const struct mist_image_info *info = &source->info;
    uint64_t samples = (uint64_t)info->width * info->height * info->components;
    if (samples <= FUZZ_MAX_SAMPLES && info->frames <= MAX_FRAMES) {
        size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
        struct mist_view view =
            mist_view_interleaved(malloc(bytes), info->type, info->width, info->height, info->components);
        fuzz_require(view.data);
        for (uint32_t frame = 0; frame < info->frames; frame++)
            source->ops->read_frame(source, frame, &view, &error);
        restore(source, data, size, &view);
        free(view.data);
    }
    format_close(&source);
    return 0;
}
