/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of any sample type as doubles, in which every sample is exact but 64-bit integers beyond 2^53, which are
 * rounded.
 */
#ifndef IMAGE_ROWS_H
#define IMAGE_ROWS_H

#include <mist/image.h>

/* row[0 .. width-1] = row y of component c. */
void row_load(const struct mist_view *view, uint32_t y, uint32_t c, double *row);
/*
 * The reverse. Integers are rounded to nearest (ties to even) and clamped to their type; finite values beyond the
 * largest float become that one, so that overshoot never makes an infinity.
 */
void row_store(struct mist_view *view, uint32_t y, uint32_t c, const double *row);

/* MIST_ERROR_ARGUMENT unless the view has samples within the limits of image.h. `what` names it. */
enum mist_status view_check(const struct mist_view *view, const char *what, struct mist_error *error);

#endif
