/* SPDX-License-Identifier: BSD-2-Clause */
/* Which integers may stand for the values of an item. */
#ifndef IMAGE_VALUE_FIT_H
#define IMAGE_VALUE_FIT_H

#include "image/value_scan.h"

/* Different finite values that are no holes, ascending; both zeros are one. */
struct value_numbers {
    enum mist_sample_type type;
    bool complete; /* false: some of many, the extremes among them */
    size_t count;
    double *value;  /* [count] */
    int lowest_bit; /* as in struct value_state */
};

/* Where the bulk of the finite values lies, and beyond what they are outliers. */
struct value_core {
    double low, high;                /* 0.5th and 99.5th percentile, without a commonest value of a quarter or more */
    double lower_limit, upper_limit; /* infinite for integers */
};
/* False if there are no values. */
bool value_find_core(const struct value_state *state, struct value_core *core);

/*
 * Maps of kind linear that all values of the list fit, in the order in which they should be tried. Where the list is
 * complete and one is proposed, it holds.
 */
#define VALUE_PROPOSALS 2
unsigned value_propose_linear(const struct value_numbers *numbers, struct value_map maps[VALUE_PROPOSALS]);

/*
 * A step b and an offset a of which every value is about a multiple, the rounding of several operations apart: the
 * codes are increasing and at most 65,535. False if there is none.
 */
bool value_find_lattice(const struct value_numbers *numbers, double *a, double *b);

/*
 * A map of kind table for a complete list: a lattice, or as few bits as are needed to have the values apart, in their
 * order, and near where they belong. *found is false if there is none. False when memory is short.
 */
bool value_fit_table(const struct value_numbers *numbers, const struct value_core *core, bool negative_zero,
                     struct value_map *map, bool *found);

/* The map of kind quantised; least and greatest: of the values that are no holes. */
void value_fit_quantised(enum mist_sample_type type, const struct value_core *core, double least, double greatest,
                         struct value_map *map);

#endif
