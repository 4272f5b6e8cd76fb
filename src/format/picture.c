/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_picture_write(): one frame of samples into a plain picture file. */
#include "format/format.h"

#include "base/error.h"

#include <string.h>
#include <strings.h>

/* What each extension takes: 0 components means any number. */
static const struct picture_kind {
    const char *extension;
    enum format_kind kind;
    uint32_t components;
    bool is_signed; /* may be */
    unsigned precision;
} kinds[] = {
    {".npy", FORMAT_NPY, 0, true, 32}, {".pgm", FORMAT_PNM, 1, false, 16}, {".ppm", FORMAT_PNM, 3, false, 16},
    {".pgx", FORMAT_PGX, 1, true, 32}, {".png", FORMAT_PNG, 0, false, 16},
};

static const struct picture_kind *kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof kinds / sizeof *kinds; i++)
        if (strcasecmp(dot, kinds[i].extension) == 0)
            return &kinds[i];
    return NULL;
}

static enum mist_status check(const char *path, const struct picture_kind *kind, const struct mist_view *picture,
                              unsigned precision, struct mist_error *error)
{
    if (!kind)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: the name must end in .npy, .pgm, .ppm, .pgx or .png", path);
    if (kind->components && kind->components != picture->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file has %u component(s), the picture %u", path,
                         kind->extension + 1, kind->components, picture->components);
    if (mist_sample_is_signed(picture->type) && !kind->is_signed)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file cannot hold signed samples; .npy and .pgx can",
                         path, kind->extension + 1);
    if (precision > kind->precision)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a %s file holds at most %u bits a sample, the picture has %u",
                         path, kind->extension + 1, kind->precision, precision);
    return MIST_OK;
}

enum mist_status mist_picture_write(const char *path, const struct mist_view *picture, unsigned precision,
                                    struct mist_error *error)
{
    const struct picture_kind *kind = kind_of(path);
    enum mist_status status = check(path, kind, picture, precision, error);
    if (status)
        return status;
    const struct mist_image_info info = {.type = picture->type,
                                         .precision = precision,
                                         .width = picture->width,
                                         .height = picture->height,
                                         .components = picture->components,
                                         .frames = 1};
    const struct format_target target = {
        .kind = kind->kind, .path = path, .info = info, .source = &info, .source_kind = FORMAT_UNKNOWN};
    struct format_writer *writer = NULL;
    status = format_writer_open(&target, &writer, error);
    if (!status)
        status = format_writer_frame(writer, picture, error);
    if (!status)
        return format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    return status;
}
