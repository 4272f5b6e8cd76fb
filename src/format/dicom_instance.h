/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instance of an item as DICOMweb gives it (PS3.18): its attributes and its frames, at the original's size or
 * reduced. Both describe decoded samples, explicit VR little endian, so that they agree with one another whatever the
 * file was: whole samples of all colours, interleaved.
 */
#ifndef FORMAT_DICOM_INSTANCE_H
#define FORMAT_DICOM_INSTANCE_H

#include "format/dicom_json.h"
#include "format/dicom_restore.h"

struct dicom_instance {
    struct format_target target; /* its pointers are the caller's */
    struct dicom_archived archived;
    struct dicom_pixels pixels; /* of the frames that are given */
    uint32_t frames;            /* of the instance: of a mosaic 1, whose tiles are frames of the item */
    bool decoded;               /* the samples are not those that lie in the file: it came compressed */
};

/*
 * `target` says which image: reduce, sampling, info of the reduced frames, source, archive, keep_uids. It is copied;
 * its archive must stay.
 */
enum mist_status dicom_instance_start(const struct format_target *target, struct dicom_instance *instance,
                                      struct mist_error *error);

/* As dicom_json(), of the header that a file of this image would have. */
enum mist_status dicom_instance_attributes(const struct dicom_instance *instance,
                                           const struct dicom_json_options *options, struct mist_buffer *out,
                                           struct mist_error *error);
/* Appends the value of an attribute of the dataset itself, little-endian; MIST_ERROR_NOT_FOUND where there is none. */
enum mist_status dicom_instance_value(const struct dicom_instance *instance, uint32_t tag, struct mist_buffer *out,
                                      struct mist_error *error);
/*
 * What makes the bytes of one frame of the instance from frames of the item (one; of a mosaic all tiles):
 * little-endian, without bits that are no part of the stored values. Freed with format_restorer_free().
 */
enum mist_status dicom_instance_packer(const struct dicom_instance *instance, struct format_restorer **packer,
                                       struct mist_error *error);

#endif
