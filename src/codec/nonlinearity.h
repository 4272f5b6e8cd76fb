/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The non-linearity of type 3 (15444-2, NLT segment: "binary complement to sign-magnitude"): how floats are coded, and
 * whatever else comes as sign and magnitude. A pattern whose sign bit is set has the bits below it inverted, so that
 * the integers that are coded, as two's complement, are in the order of the values.
 */
#ifndef CODEC_NONLINEARITY_H
#define CODEC_NONLINEARITY_H

#include "codec/context.h"

#define NONLINEARITY_SIGN_MAGNITUDE 3

/* The integer type that holds the bit patterns of a float type: s16, s32; MIST_SAMPLE_TYPES for all others. */
enum mist_sample_type nonlinearity_pattern_type(enum mist_sample_type type);

/* A planar copy of a frame of f16 or f32, mapped to s16 or s32, in the arena. False when memory is short. */
bool nonlinearity_forward(struct arena *arena, const struct mist_view *frame, struct mist_view *mapped);

/* The reverse on one component of an integer view, in place; samples of `precision` bits, sign included. */
void nonlinearity_undo(const struct mist_view *view, uint32_t component, unsigned precision);

#endif
