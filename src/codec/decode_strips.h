/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The highest level that is wanted, strip by strip: a row of code-blocks of its three high bands is decoded, and what
 * it and the level below make of the image is stored, while all of it is in the cache of one core.
 *
 * The rows of the image where two strips meet need rows of the bands from both. Each strip puts its first and its last
 * rows aside, and when all strips are done the seams are.
 */
#ifndef CODEC_DECODE_STRIPS_H
#define CODEC_DECODE_STRIPS_H

#include "codec/decode_plan.h"

/* For components whose plan says `strips`. `low` is the level below. Sets output->stored and fits. */
enum mist_status decode_strips(const struct decode_plan *plan, const struct component_plan *component,
                               const struct plane *low, struct mist_error *error);

#endif
