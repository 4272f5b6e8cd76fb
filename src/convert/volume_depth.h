/* SPDX-License-Identifier: BSD-2-Clause */
/* A volume of a DICOM series with another number of slices over the same field of view. */
#ifndef CONVERT_VOLUME_DEPTH_H
#define CONVERT_VOLUME_DEPTH_H

#include "format/dicom_volume.h"
#include "image/sampling.h"
#include "item/regrid.h"

/* What a volume of that many slices is made of. */
struct volume_depth {
    struct dicom_volume_plan plan; /* of what is written; `frame`, `scales` are not: they are the other plan's */
    struct sampling sampling;      /* along slices: how those that are written lie among the plan's */
    struct regrid_source *source;  /* [plan.slices * plan.volumes], owned: frames of the item */
    uint32_t (*places)[2];         /* [plan.slices * plan.volumes], owned: where these are among the other plan's */
};

/*
 * The plan's volumes with `depth` slices (1 .. MIST_MAX_SIDE) each: interpolated, or of labels the nearest ones. The
 * slices of a plan count as evenly spaced, as the affine of the plan says. Only the frames that `had` (of all frames of
 * the item) names are used: between others it is further from one to the next.
 *
 * MIST_ERROR_LIMIT for more than MIST_MAX_FRAMES frames, MIST_ERROR_NOT_FOUND where none of a volume can be had.
 */
enum mist_status volume_depth_plan(const struct dicom_volume_plan *plan, uint32_t depth, bool label, const bool *had,
                                   struct volume_depth *made, struct mist_error *error);
void volume_depth_free(struct volume_depth *made);

#endif
