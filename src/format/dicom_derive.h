/* SPDX-License-Identifier: BSD-2-Clause */
/* How a reduced DICOM file relates to its original: sampling, identifiers, description. */
#ifndef FORMAT_DICOM_DERIVE_H
#define FORMAT_DICOM_DERIVE_H

#include "format/dicom_restore.h"

/*
 * Fills `derivation` for writing `target` from an original that was archived so.
 * Identifiers are UUID-derived (PS3.5, B.2) and depend only on the original's identifier, the reduction, the grid and
 * the size: two downloads of one instance agree, and all instances of a series land in one new series. `reduced` are
 * the pixels of the output.
 */
enum mist_status dicom_derivation_make(const struct format_target *target, const struct dicom_archived *archived,
                                       const struct dicom_pixels *reduced, struct dicom_derivation *derivation,
                                       struct mist_error *error);

/* "2.25." and 128 bits of the SHA-256 of "original|how" as a decimal number. */
enum mist_status dicom_derived_uid(const char *original, const char *how, char uid[DICOM_UID_SIZE],
                                   struct mist_error *error);

#endif
