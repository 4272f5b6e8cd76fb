/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_instance.h"

#include "base/error.h"
#include "format/dicom_derive.h"
#include "format/dicom_writer.h"

enum mist_status dicom_instance_start(const struct format_target *target, struct dicom_instance *instance,
                                      struct mist_error *error)
{
    *instance = (struct dicom_instance){.target = *target};
    instance->target.syntax = FORMAT_SYNTAX_EXPLICIT;
    enum mist_status status = dicom_archive_read(target->archive, &instance->archived, error);
    if (!status)
        status = dicom_output_pixels(&instance->target, &instance->archived.pixels, &instance->pixels, error);
    if (status)
        return status;
    struct dicom_pixels *pixels = &instance->pixels;
    dicom_pixels_resize(pixels, pixels->columns, pixels->rows); /* all chroma, none of it missing */
    pixels->planar = false;
    instance->frames = pixels->across ? 1 : pixels->frames;
    instance->decoded = instance->archived.layout.fragments;
    return MIST_OK;
}

/* Appends the header of a file of this image, up to its samples. */
static enum mist_status make_header(const struct dicom_instance *instance, struct mist_buffer *header,
                                    struct mist_error *error)
{
    struct dicom_derivation derivation;
    enum mist_status status =
        dicom_derivation_make(&instance->target, &instance->archived, &instance->pixels, &derivation, error);
    derivation.interleaved = instance->archived.header.planar && instance->pixels.components > 1;
    return status ? status
                  : dicom_header_derive(instance->target.archive->prefix.data, &instance->archived.layout, &derivation,
                                        header, error);
}

enum mist_status dicom_instance_attributes(const struct dicom_instance *instance,
                                           const struct dicom_json_options *options, struct mist_buffer *out,
                                           struct mist_error *error)
{
    struct mist_buffer header = {0};
    struct dicom_layout layout;
    enum mist_status status = make_header(instance, &header, error);
    if (!status)
        status = dicom_layout_read(header.data, header.size, &layout, error);
    if (!status)
        status = dicom_json(header.data, &layout, options, out, error);
    mist_buffer_free(&header);
    return status;
}

enum mist_status dicom_instance_value(const struct dicom_instance *instance, uint32_t tag, struct mist_buffer *out,
                                      struct mist_error *error)
{
    return dicom_json_value(instance->target.archive->prefix.data, &instance->archived.layout, tag, out, error);
}

enum mist_status dicom_instance_packer(const struct dicom_instance *instance, struct format_restorer **packer,
                                       struct mist_error *error)
{
    struct dicom_pixels one = instance->pixels;
    if (!one.across) {
        one.frames = 1;
        dicom_pixels_resize(&one, one.columns, one.rows);
    }
    return dicom_restorer_new(&one, NULL, true, packer, error);
}
