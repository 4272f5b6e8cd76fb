/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slice steps. Step s of a volume is every 2^s-th slice. Slices are stored by classes, so that each step is a prefix:
 * class S has every 2^S-th slice, class t < S those whose number 2 divides exactly t times. Step s = classes S .. s.
 */
#ifndef CODER_STEP_H
#define CODER_STEP_H

#include <stdint.h>

#define STEP_MAX 16u          /* the largest S */
#define STEP_FEWEST_SLICES 16 /* steps go on while so many slices are left */

/* ceil(slices / 2^step) */
static inline uint32_t step_slices(uint32_t slices, unsigned step)
{
    return (uint32_t)(((uint64_t)slices + ((uint64_t)1 << step) - 1) >> step);
}

/* The largest step that leaves at least STEP_FEWEST_SLICES slices. */
static inline unsigned step_most(uint32_t slices)
{
    unsigned step = 0;
    while (step < STEP_MAX && step_slices(slices, step + 1) >= STEP_FEWEST_SLICES)
        step++;
    return step;
}

static inline unsigned step_class(uint32_t slice, unsigned steps)
{
    unsigned zeros = slice ? (unsigned)__builtin_ctz(slice) : steps;
    return zeros < steps ? zeros : steps;
}

/* How many of `slices` slices are in a class; and the place of a slice of that class among them. */
static inline uint32_t step_class_slices(uint32_t slices, unsigned class, unsigned steps)
{
    if (class == steps)
        return step_slices(slices, steps);
    return step_slices(slices, class) - step_slices(slices, class + 1);
}
static inline uint32_t step_class_index(uint32_t slice, unsigned class, unsigned steps)
{
    return class == steps ? slice >> steps : slice >> (class + 1);
}

#endif
