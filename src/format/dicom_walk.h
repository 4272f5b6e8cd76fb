/* SPDX-License-Identifier: BSD-2-Clause */
/* The elements of a DICOM dataset in place: the top level, and what an enhanced object says of all or its first frame.
 */
#ifndef FORMAT_DICOM_WALK_H
#define FORMAT_DICOM_WALK_H

#include "format/dicom_layout.h"

struct dicom_value {
    uint32_t tag;
    char vr[3]; /* "" in implicit VR */
    bool big_endian;
    bool nested; /* in a functional group; elements of the dataset itself come before those */
    const uint8_t *data;
    size_t length;
};

/*
 * Calls `visit` for every element but sequences of the dataset before the pixel data, then for those within the Shared
 * and the first item of the Per-frame Functional Groups. Stops at damage. Never reads outside
 * [layout->dataset, layout->dataset_end) of `data`; nesting is limited as in dicom_layout.h.
 */
void dicom_walk(const uint8_t *data, const struct dicom_layout *layout,
                void (*visit)(void *context, const struct dicom_value *value), void *context);

/* The text without blanks and NULs around it, cut to `size` - 1 bytes. Returns its length. */
size_t dicom_value_text(const struct dicom_value *value, char *text, size_t size);
/* The n-th number of a value whose VR is `vr` where the file does not say; false if there is none. */
bool dicom_value_number(const struct dicom_value *value, const char *vr, unsigned n, double *number);

#endif
