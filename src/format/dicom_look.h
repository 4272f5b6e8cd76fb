/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the values of a DICOM series are meant to look, as bytes: what its source has as head, so that pictures are made
 * without the archive. The rescaling and window are those of the file whose name comes first, and of its first frame.
 */
#ifndef FORMAT_DICOM_LOOK_H
#define FORMAT_DICOM_LOOK_H

#include "format/dicom_header.h"
#include "format/ops.h"

/*
 * A version (1), colour, bits, shape of the window (one byte each), then slope, intercept, centre and width as
 * little-endian binary64. Width 0: no window. Behind that the lookup tables, as dicom_tables_read() gives them.
 */
enum { DICOM_LOOK_SIZE = 36 };

void dicom_look_write(const struct dicom_header *header, enum format_color color, uint8_t bytes[DICOM_LOOK_SIZE]);
/* format_ops.appearance of DICOM. */
void dicom_look_read(const uint8_t *head, size_t size, struct format_appearance *appearance);

#endif
