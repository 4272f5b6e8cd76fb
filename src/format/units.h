/* SPDX-License-Identifier: BSD-2-Clause */
/* Stored values of a DICOM series in the units that its slopes and intercepts give them (HU, Bq/ml ...). */
#ifndef FORMAT_UNITS_H
#define FORMAT_UNITS_H

#include "format/dicom_volume.h"

/*
 * The type of values = slope * stored + intercept of all frames of a plan, stored ones being of `info`: the narrowest
 * integer type that holds all that `info`'s type and precision allow, where slopes and intercepts are integers; else
 * float, or double where stored values have more than 24 bits. Without any scaling, the stored type.
 */
enum mist_sample_type units_type(const struct dicom_volume_plan *plan, const struct mist_image_info *info);

/* Frame n (0 .. slices * volumes - 1) of the plan, packed, components fastest, native byte order, as `type`. */
void units_apply(const struct dicom_volume_plan *plan, uint32_t n, const struct mist_view *frame,
                 enum mist_sample_type type, void *packed);

#endif
