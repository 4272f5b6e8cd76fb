/* SPDX-License-Identifier: BSD-2-Clause */
/* The instances of one DICOM series: their order along the slice normal, and the geometry of the whole. */
#ifndef FORMAT_DICOM_SERIES_H
#define FORMAT_DICOM_SERIES_H

#include "format/dicom_reading.h"

#include <mist/image.h>

/* What is kept of each file of a series while it is open. */
struct dicom_instance {
    struct format_input input;    /* owned */
    uint32_t index;               /* in the inputs given to format_open() */
    uint32_t frames;              /* in this file */
    uint32_t first;               /* frame of the item: set by dicom_series_sort() */
    struct dicom_reading reading; /* how its frames are read; owned */
    struct dicom_bytes kept;      /* of deflated files of several frames: read once; else empty */
    struct dicom_frames said;     /* what the file says of each frame; owned */
    bool has_plane;
    bool regular;
    double position[3];
    double last_position[3];
    double depth; /* of position along the normal, in steps that dicom_series_sort() makes */
    int32_t temporal;
    int32_t acquisition;
    int32_t instance;
};

/*
 * Sorts: along the normal row x column of ImageOrientationPatient where every instance has a position (positions within
 * a hundredth of a millimetre are one), then by temporal position, acquisition number, instance number, path, index.
 * Sets `first`. The orientation is that of `header`, one of the series.
 */
void dicom_series_sort(struct dicom_instance *instances, uint32_t count, const struct dicom_header *header);

/*
 * The geometry of sorted instances. The affine is there only if frames lie on a line at even distances (within a
 * quarter of one), so a series with several images per position, with a gap or of unknown position has none. The
 * spacing of frames is then that of SpacingBetweenSlices or SliceThickness.
 */
struct mist_geometry dicom_series_geometry(const struct dicom_instance *instances, uint32_t count,
                                           const struct dicom_header *header);

#endif
