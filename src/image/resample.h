/* SPDX-License-Identifier: BSD-2-Clause */
/* Resampling between two grids that begin at the same edge but need not end at one: a reduced image covers whole
 * blocks. */
#ifndef IMAGE_RESAMPLE_H
#define IMAGE_RESAMPLE_H

#include <mist/image.h>

/* How large the samples of both images are along an axis, in any one unit: at least 1, at most 2^48. */
struct resample_pitch {
    uint64_t src;
    uint64_t dst;
};

/* As mist_resize(), which is the case of both images covering the same field of view. */
enum mist_status resample_pitched(const struct mist_view *src, struct mist_view *dst, const struct resample_pitch *x,
                                  const struct resample_pitch *y, bool nearest, struct mist_error *error);

#endif
