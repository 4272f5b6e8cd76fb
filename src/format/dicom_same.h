/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether two DICOM files say the same besides their pixel data. */
#ifndef FORMAT_DICOM_SAME_H
#define FORMAT_DICOM_SAME_H

#include "format/dicom_reading.h"
#include "format/format.h"

enum { DICOM_DIFFERENCE_SIZE = FORMAT_DIFFERENCE_SIZE };

/*
 * Compares element by element, in sequences too: tags, value representations and values. `a` and `b` are whole files
 * (inflated). `difference` names the first element that differs, or is "".
 *
 * Not compared, for another coding of the same samples changes them: pixel data (group 7FE0), TransferSyntaxUID,
 * PhotometricInterpretation, PlanarConfiguration, BitsAllocated, BitsStored, HighBit; lengths of groups, sequences and
 * items; the version of the file meta information and who wrote it (0002,0001; 0002,0012; 0002,0013); the byte that
 * pads a value to an even length; DataSetTrailingPadding. An element of VR UN equals one of the same bytes with its VR.
 * `b` may have elements of file meta information that `a` lacks, for some must be there. Thread-safe.
 */
enum mist_status dicom_same(const struct dicom_bytes *a, const struct dicom_layout *a_layout,
                            const struct dicom_bytes *b, const struct dicom_layout *b_layout,
                            char difference[DICOM_DIFFERENCE_SIZE], struct mist_error *error);

#endif
