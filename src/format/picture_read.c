/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_picture_read(): one frame out of an image file. */
#include "format/format.h"

#include "base/error.h"

#include <mist/picture.h>
#include "base/memory.h"

enum mist_status mist_picture_read(const char *path, uint32_t frame, struct mist_buffer *samples,
                                   struct mist_view *picture, unsigned *precision, struct mist_error *error)
{
    enum format_kind kind;
    *precision = 0;
    struct format_source *source = NULL;
    const struct format_input input = format_input_path(path);
    enum mist_status status = format_detect(&input, &kind, error);
    if (!status)
        status = format_open(kind, &input, 1, &source, error);
    if (status)
        return status;
    const struct mist_image_info *info = &source->info;
    size_t bytes = mist_frame_bytes(info->type, info->width, info->height, info->components);
    samples->size = 0;
    if (frame >= info->frames)
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: frame %u of %u", path, frame, info->frames);
    else if (!buffer_reserve(samples, bytes))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: no memory for the picture", path);
    if (!status) {
        samples->size = bytes;
        *precision = info->precision;
        *picture = mist_view_interleaved(samples->data, info->type, info->width, info->height, info->components);
        status = source->ops->read_frame(source, frame, picture, error);
    }
    format_close(&source);
    return status;
}
