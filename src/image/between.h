/* SPDX-License-Identifier: BSD-2-Clause */
/* Between two planes. */
#ifndef IMAGE_BETWEEN_H
#define IMAGE_BETWEEN_H

#include <mist/image.h>

/*
 * here = (1 - t) here + t behind, 0 <= t <= 1; integers are rounded to nearest (ties to even). Both have the same type,
 * size and components. A sample that is no finite number in one of them is that of the nearer plane.
 */
enum mist_status resample_between(struct mist_view *here, const struct mist_view *behind, double t,
                                  struct mist_error *error);

#endif
