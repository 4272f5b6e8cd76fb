/* SPDX-License-Identifier: BSD-2-Clause */
/* Uncompressed DICOM pixel data (PS3.5, 8.1): what MIST takes, and samples between file and memory. */
#ifndef FORMAT_DICOM_PIXELS_H
#define FORMAT_DICOM_PIXELS_H

#include "format/dicom_header.h"

#include <mist/image.h>

struct dicom_pixels {
    enum mist_sample_type type;
    /*
     * HighBit + 1: the bits that the header declares to be used, sign included. Files exist whose samples have other
     * bits set, or whose negative values are not extended beyond BitsStored; encoding those with this precision gives
     * MIST_ERROR_RANGE, and the caller then takes the full width of the type.
     */
    unsigned precision;
    uint32_t columns;
    uint32_t rows;
    uint32_t components;
    uint32_t frames;
    bool planar;
    bool big_endian;
    size_t frame_bytes;
};

/* MIST_ERROR_UNSUPPORTED, with the reason, for what is no image or of a kind that is not handled. */
enum mist_status dicom_pixels_from_header(const struct dicom_layout *layout, const struct dicom_header *header,
                                          struct dicom_pixels *pixels, struct mist_error *error);

/* One frame between pixels->frame_bytes bytes of a file and a view of the same size, type and components. */
void dicom_pixels_unpack(const struct dicom_pixels *pixels, const uint8_t *bytes, const struct mist_view *view);
void dicom_pixels_pack(const struct dicom_pixels *pixels, const struct mist_view *view, uint8_t *bytes);

#endif
