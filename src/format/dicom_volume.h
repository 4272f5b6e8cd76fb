/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the frames of one DICOM series form volumes: which frame is which slice of which volume, where they lie in the
 * patient, what one NIfTI file made of them says. The judge is dcm2niix; docs/dicom-to-nifti.md says where MIST differs
 * from it on purpose. Pure functions of the frames' descriptions: no file is read.
 */
#ifndef FORMAT_DICOM_VOLUME_H
#define FORMAT_DICOM_VOLUME_H

#include "format/dicom_frame.h"

#include <mist/image.h>
#include <mist/status.h>

/* One frame of the series, in the order of the item. */
struct dicom_volume_frame {
    const struct dicom_frame_info *info;
    uint64_t identity; /* checksum of SOPInstanceUID and of the frame's number in it; 0: unknown */
    uint64_t content;  /* checksum of its samples; 0: unknown */
    uint32_t file;     /* which file it is of: frames of one file are no copies of each other */
    char component;    /* of complex MR images: 'P' phase, 'R' real, 'I' imaginary; 'M' or 0: neither */
    uint32_t tile;     /* 1 + its place in a Siemens mosaic; 0: not of one */
    bool copy;         /* known to be a duplicate: in no volume */
};

/* What holds for all frames of a series; zeroed: nothing is known. See dicom_attributes.h for what fills it. */
struct dicom_volume_options {
    double philips_scale; /* (2005,100E): values are divided by it, as dcm2niix does; 0: none */
    bool acquired_3d;     /* MRAcquisitionType is 3D */
    char phase_encoding;  /* InPlanePhaseEncodingDirection: 'R' ROW, 'C' COL, 0 unknown */
};

/* One NIfTI file. */
struct dicom_volume_plan {
    uint32_t slices;
    uint32_t volumes;
    uint32_t *frame; /* [volumes * slices], the slices of volume 0 first: which frame of the series */
    /*
     * RAS+ millimetres of (column, row, slice) with rows as DICOM has them, the first one uppermost. Without affine
     * the spacing may still be known (0 where not). dicom_volume_flip() makes it that of a NIfTI file.
     */
    struct mist_geometry geometry;
    double slice_distance; /* along the normal: pixdim[3]. Where `tilt` is 0 it is geometry.spacing[2] */
    double tilt;           /* degrees between the step from slice to slice and the normal; 0 below a third of one */
    double repetition;     /* seconds from volume to volume, else RepetitionTime; 0: unknown. pixdim[4] */
    double slope;          /* value = slope * stored + intercept, for all frames unless `scales` is there */
    double intercept;
    double *scales;    /* [volumes * slices][2] slope and intercept of each; NULL where they are all alike */
    char units[17];    /* of the values: "HU", "BQML", "US" ...; "" where unknown */
    bool flip;         /* rows are written last first, as dcm2niix does but where a 3D acquisition has no positions */
    uint8_t dim_info;  /* NIfTI's field: directions of frequency and phase encoding and of slices; 0 unknown */
    char suffix[48];   /* what the file's name has behind the item's; "" for the only one, else "_e1", "_ph" ... */
    char warning[400]; /* sentences for the user, "; " between them; "" where all is well */
};

struct dicom_volume_plans {
    struct dicom_volume_plan *plan; /* [count], the one with the series' first frame first */
    uint32_t count;
    uint32_t duplicates; /* frames that are in no plan because another one is the same */
};

/*
 * Plans all frames (1 .. MIST_MAX_FRAMES) of a series.
 *
 * - Frames of other orientation, echo or complex component form a plan of their own, as dcm2niix makes files of them.
 * - Frames of one position, number and time are taken once if they also have one identity or, in several files, one
 *   content. (Identifiers alone prove nothing: careless programs give one to all instances.)
 * - Slices ascend along the normal row x column (mosaics: in the order of their tiles); positions within a hundredth of
 *   a millimetre are one. Where all positions have the same number of frames these are volumes, told apart by temporal
 *   position, acquisition, time, trigger time, b-value or echo, in the order of their instance numbers.
 * - Volumes that lack slices come into a plan of their own ("_rest").
 * - Without positions frames are slices in the order of instance numbers, and there is no affine.
 *
 * n log n. MIST_ERROR_MEMORY, MIST_ERROR_ARGUMENT (no frames, too many). Thread-safe.
 */
enum mist_status dicom_volume_plan(const struct dicom_volume_frame *frames, uint32_t count,
                                   const struct dicom_volume_options *options, struct dicom_volume_plans *plans,
                                   struct mist_error *error);
/* Safe on zeroed and freed ones. */
void dicom_volume_plans_free(struct dicom_volume_plans *plans);

/* The geometry of the same image with its `height` rows turned upside down, as dcm2niix writes them. */
struct mist_geometry dicom_volume_flip(const struct mist_geometry *geometry, uint32_t height);

#endif
