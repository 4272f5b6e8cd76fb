/* SPDX-License-Identifier: BSD-2-Clause */
/* What the coded plane has under holes. */
#ifndef IMAGE_VALUE_FILL_H
#define IMAGE_VALUE_FILL_H

#include <mist/image.h>

/*
 * Fills component c of `coded` wherever `holes` (u16) is not 0 by pull-push: on grids of half the size each time a cell
 * is the mean of the known ones among its four; back from the coarsest, what is unknown is interpolated between the
 * cells of the coarser grid. Results are kept between lowest and highest. Deterministic; what is far from a hole does
 * not change its filling by more than its weight in the means. Time and memory: linear in the pixels.
 */
enum mist_status value_fill_holes(struct mist_view *coded, const struct mist_view *holes, uint32_t c, int64_t lowest,
                                  int64_t highest, struct mist_error *error);

#endif
