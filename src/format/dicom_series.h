/* SPDX-License-Identifier: BSD-2-Clause */
/* The instances of one DICOM series: their order, the geometry of the whole, and what an item keeps of its frames. */
#ifndef FORMAT_DICOM_SERIES_H
#define FORMAT_DICOM_SERIES_H

#include "format/dicom_attributes.h"
#include "format/dicom_reading.h"
#include "format/dicom_volume.h"

#include <mist/image.h>

/* What is kept of each file of a series while it is open. */
struct dicom_instance {
    struct format_input input;          /* owned */
    uint32_t index;                     /* in the inputs given to format_open() */
    uint32_t frames;                    /* in this file */
    uint32_t first;                     /* frame of the item: set by dicom_series_arrange() */
    struct dicom_reading reading;       /* how its frames are read; owned */
    struct dicom_bytes kept;            /* of deflated files of several frames: read once; else empty */
    struct dicom_frames said;           /* what the file says of each frame; owned */
    struct dicom_attributes attributes; /* and of itself */
    uint64_t identity;                  /* checksum of SOPInstanceUID; 0 where there is none */
    uint32_t rank;                      /* for dicom_series_arrange() */
};

/*
 * Sorts the instances into the order of the item, whatever order they come in, and sets `first`. The frames of the
 * first plan of dicom_volume_plan() come first, those of its volume 0 foremost; then those of other plans; then
 * duplicates. A file's own frames stay together and in their order.
 *
 * Sets slices and geometry of `info`: those of the plan where it has all frames in the order of the item (or each
 * volume backwards); slices 1 and no affine otherwise, so that no slice of anything is left out of a smaller item.
 */
enum mist_status dicom_series_arrange(struct dicom_instance *instances, uint32_t count, struct mist_image_info *info,
                                      char warning[160], struct mist_error *error);

/*
 * What the frames of a series are, in the order of the item: kept in the item's head (docs/format.md, section 8.2), so
 * that other formats can be written without the headers of all instances.
 */
struct dicom_series {
    struct dicom_volume_options options;
    uint32_t count;
    struct dicom_volume_frame *frames; /* [count], to be planned; a caller may leave out some */
    struct dicom_frame_info *infos;    /* [count], which frames[i].info points to */
    struct mist_buffer sidecar;        /* JSON of the first instance, as dicom_sidecar() */
};
/* `contents` (may be NULL): checksums of the samples of each frame, in the item's order. */
enum mist_status dicom_series_describe(const struct dicom_instance *instances, uint32_t count, const uint64_t *contents,
                                       struct dicom_series *series, struct mist_error *error);
void dicom_series_free(struct dicom_series *series);

/* Appends it, compact and not compressed. Duplicates are marked, so that checksums need not be kept. */
enum mist_status dicom_series_store(const struct dicom_series *series, struct mist_buffer *out,
                                    struct mist_error *error);
/*
 * Reads it again; `count` is the number of frames that the item has. MIST_ERROR_CORRUPT where it is not that of so many
 * frames. Takes any bytes; memory is bounded by `count`.
 */
enum mist_status dicom_series_load(const uint8_t *data, size_t size, uint32_t count, struct dicom_series *series,
                                   struct mist_error *error);

#endif
