/* SPDX-License-Identifier: BSD-2-Clause */
/* How the samples of a smaller (or resampled) image lie among those of the full-resolution one. */
#ifndef IMAGE_SAMPLING_H
#define IMAGE_SAMPLING_H

#include <mist/image.h>

/*
 * Along columns (0: from one column to the next), rows (1) and slices (2): sample n lies on full-resolution sample
 * shift + factor * n. Of the full image itself factors are 1 and shifts 0.
 */
struct sampling {
    double factor[3]; /* > 0 */
    double shift[3];
};

struct sampling sampling_full(void);
/*
 * Every 2^reduce-th column and row and every 2^slice_reduce-th slice, as the wavelet's low-pass and labels have them;
 * `centered`: on the conventional grid in-plane, each sample in the middle of those that it stands for.
 */
struct sampling sampling_reduce(unsigned reduce, unsigned slice_reduce, bool centered);
/* Resampled in-plane from width x height to new_width x new_height over the same field of view. */
struct sampling sampling_resize(uint32_t width, uint32_t height, uint32_t new_width, uint32_t new_height);

/* One axis resampled from `size` to `new_size` samples over the same field of view. */
void sampling_resize_axis(struct sampling *sampling, unsigned axis, uint32_t size, uint32_t new_size);

/* The geometry of the image so sampled. */
struct mist_geometry sampling_geometry(const struct sampling *sampling, const struct mist_geometry *full);

#endif
