/* SPDX-License-Identifier: BSD-2-Clause */
/* What the three jpeg_levels*.c files share: the coders of DC sums and of AC bands, each for both directions. */
#ifndef CODER_JPEG_LEVELS_H
#define CODER_JPEG_LEVELS_H

#include "coder/jpeg_bins.h"
#include "coder/jpeg_file.h"

enum { JPEG_GROUPS = 2 }; /* models for the first component, and for all others */

struct jpeg_dc_models; /* opaque outside jpeg_levels_dc.c */
struct jpeg_ac_models;

/* The models of one chunk, all at one half; NULL when memory is short. Free with memory_free(). */
struct jpeg_dc_models *jpeg_dc_models_new(void);
struct jpeg_ac_models *jpeg_ac_models_new(void);

/* The sums of the lowest level, in rows. False if decoding found a sum that no file has. */
bool jpeg_dc_base(struct bins *bins, struct jpeg_dc_models *models, unsigned group, struct jpeg_sums *sums);
/* The sums of depth - 1 (`fine`, of which sizes and depth are set) where those of `coarse` are known. */
bool jpeg_dc_refine(struct bins *bins, struct jpeg_dc_models *models, unsigned group, const struct jpeg_sums *coarse,
                    struct jpeg_sums *fine);

/*
 * Band 1, 2, 3: places 1 .. 3, 4 .. 15, 16 .. 63 of every block, where all lower ones are known. False if memory is
 * short or decoding found a coefficient that no file has.
 */
bool jpeg_ac_band(struct bins *bins, struct jpeg_ac_models *models, unsigned group, unsigned band,
                  const uint16_t quant[64], struct jpeg_plane *plane);

#endif
