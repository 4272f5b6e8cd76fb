/* SPDX-License-Identifier: BSD-2-Clause */
/* What the axes of a written .npy array are, and the JSON beside an array of a DICOM series that says so. */
#ifndef FORMAT_NPY_SIDECAR_H
#define FORMAT_NPY_SIDECAR_H

#include "format/dicom_volume.h"

#include <mist/buffer.h>

enum { NPY_MAX_AXES = 5 };

struct npy_axis {
    uint32_t side;
    const char *name; /* "volume", "slice", "row", "column", "component" */
};

/*
 * The axes of an array of images from other formats, the slowest first: frames (of a DICOM series: volumes, slices),
 * rows, columns, components; sides of 1 are left out but for rows and columns. Returns how many. `plan` may be NULL.
 */
unsigned npy_axes(const struct mist_image_info *info, const struct dicom_volume_plan *plan,
                  struct npy_axis axes[NPY_MAX_AXES]);

/*
 * Appends {"axes": [names], "spacing": [column, row, slice in mm], "affine": 4 x 4, (column, row, slice, 1) -> RAS+ mm,
 * "units": of the values, "RepetitionTime": seconds from volume to volume}, without what is not known.
 */
enum mist_status npy_sidecar(const struct mist_image_info *info, const struct dicom_volume_plan *plan,
                             const char *units, struct mist_buffer *out, struct mist_error *error);

#endif
