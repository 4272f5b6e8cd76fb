/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes of a DICOM dataset read in place, without DCMTK: what volumes are planned from beside dicom_frame.h, and
 * the JSON file that dcm2niix puts beside a NIfTI file.
 */
#ifndef FORMAT_DICOM_ATTRIBUTES_H
#define FORMAT_DICOM_ATTRIBUTES_H

#include "format/dicom_frame.h"
#include "format/dicom_pixels.h"

#include <mist/buffer.h>
#include <mist/status.h>

struct dicom_attributes {
    char component;        /* by ImageType: 'M', 'P', 'R', 'I'; 0 where it says none of them */
    char phase_encoding;   /* InPlanePhaseEncodingDirection: 'R', 'C', 0 */
    bool acquired_3d;      /* MRAcquisitionType is 3D */
    double philips_scale;  /* (2005,100E) of Philips MR; 0: none */
    uint32_t mosaic_tiles; /* slices of a Siemens mosaic; 0: not one */
    bool has_normal;       /* of the mosaic's slices, from its CSA header */
    double normal[3];
};

/* `data` is what `layout` was read from. Whatever is absent or damaged is as if unknown. Thread-safe. */
void dicom_attributes_read(const uint8_t *data, const struct dicom_layout *layout, struct dicom_attributes *attributes);

/*
 * Whether a dataset has a PatientName, PatientID or PatientBirthDate that is not empty, and does not say that identity
 * was removed (PatientIdentityRemoved is not YES). It need not have pixels. Thread-safe.
 */
bool dicom_names_patient(const uint8_t *data, const struct dicom_layout *layout);

/*
 * What the frames of a mosaic (dicom_pixels_split()) are: `tiles` has room for pixels->frames of them.
 * The file's position is that of a picture as large as the mosaic that shares its centre with the first slice.
 */
void dicom_mosaic_frames(const struct dicom_frame_info *picture, const struct dicom_attributes *attributes,
                         const struct dicom_pixels *pixels, struct dicom_frame_info *tiles);

/*
 * Appends the JSON object that belongs beside a NIfTI file of the series (BIDS' and dcm2niix's names and units): of
 * equipment, sequence, timing, geometry. Nothing that tells who the patient is, and no dates. `repetition` in seconds
 * and `units` are those of the plan. MIST_ERROR_MEMORY. Thread-safe.
 */
struct dicom_volume_plan;
enum mist_status dicom_sidecar(const uint8_t *data, const struct dicom_layout *layout, double repetition,
                               const char *units, struct mist_buffer *out, struct mist_error *error);
/*
 * The same from what dicom_sidecar() once made of one instance of the series (`kept`; anything that is no JSON object
 * of one member a line counts as empty) and from what is known of the plan's first frame: times, echo, units.
 */
enum mist_status dicom_sidecar_finish(const uint8_t *kept, size_t size, const struct dicom_volume_plan *plan,
                                      const struct dicom_frame_info *first, struct mist_buffer *out,
                                      struct mist_error *error);

#endif
