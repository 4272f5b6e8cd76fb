/* SPDX-License-Identifier: BSD-2-Clause */
/* What the coded plane has under holes. */
#ifndef IMAGE_VALUE_FILL_H
#define IMAGE_VALUE_FILL_H

#include <mist/image.h>

/*
 * Fills component c of `coded` wherever `holes` (u16) is not 0, by pull-push: on grids of half the size each time a
 * cell is the mean of its known samples; back from the coarsest, an unknown cell is that of the coarser grid where both
 * its row and column are even, and else what the reversible 5/3 wavelet predicts from its neighbours. So the wavelet of
 * a large hole is zero at all levels. All values lie between those of the known samples; without any they are the one
 * of lowest .. highest that is nearest to 0. Deterministic. Time and memory: linear in the pixels, 16 bytes for each
 * three of them.
 */
enum mist_status value_fill_holes(struct mist_view *coded, const struct mist_view *holes, uint32_t c, int64_t lowest,
                                  int64_t highest, struct mist_error *error);

#endif
