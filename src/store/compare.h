/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether what came back is what went in. */
#ifndef STORE_COMPARE_H
#define STORE_COMPARE_H

#include <mist/status.h>
#include <mist/store.h>

/*
 * Compares two files: as bytes (both gunzipped where they are gzip), then, if they differ, as images, sample by sample.
 * Floats are compared by their bits.
 */
enum mist_status compare_files(const char *original, const char *copy, enum mist_lossless *result,
                               struct mist_error *error);

/*
 * The same in more detail, for one file that was in a dataset: MIST_RESTORED_BYTES, _CONTENT, _PIXELS or _NOT. `why`
 * says what is not the same.
 */
enum { COMPARE_WHY_SIZE = 200 };
enum mist_status compare_restored(const char *original, const char *copy, enum mist_restored *how,
                                  char why[COMPARE_WHY_SIZE], struct mist_error *error);

#endif
