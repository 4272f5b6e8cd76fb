/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_picture_write(): one frame of samples into a plain picture file. */
#include "format/format.h"

#include "base/error.h"

#include <mist/picture.h>

static enum mist_status check(const char *path, const struct format_output *output, const struct mist_view *picture,
                              unsigned precision, struct mist_error *error)
{
    char names[FORMAT_LIST_SIZE];
    if (!output || !output->picture_bits)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: the name must end in one of %s", path,
                         format_picture_outputs(names));
    if (output->picture_components && output->picture_components != picture->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file has %u component(s), the picture %u", path,
                         output->name, output->picture_components, picture->components);
    if (mist_sample_is_signed(picture->type) && !output->picture_signed)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file cannot hold signed samples; .npy and .pgx can",
                         path, output->name);
    if (precision > output->picture_bits)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file holds at most %u bits a sample, the picture has %u",
                         path, output->name, output->picture_bits, precision);
    return MIST_OK;
}

enum mist_status mist_picture_write(const char *path, const struct mist_view *picture, unsigned precision,
                                    struct mist_error *error)
{
    const struct format *format;
    const struct format_output *output = format_output_of_path(path, &format);
    enum mist_status status = check(path, output, picture, precision, error);
    if (status)
        return status;
    const struct mist_image_info info = {.type = picture->type,
                                         .precision = precision,
                                         .width = picture->width,
                                         .height = picture->height,
                                         .components = picture->components,
                                         .frames = 1};
    const struct format_target target = {
        .kind = format->kind, .path = path, .info = info, .source = &info, .source_kind = FORMAT_UNKNOWN};
    struct format_writer *writer = NULL;
    status = format_writer_open(&target, &writer, error);
    if (!status)
        status = format_writer_frame(writer, picture, error);
    if (!status)
        return format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    return status;
}
