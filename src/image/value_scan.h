/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known about all samples of an item when its value map is chosen. */
#ifndef IMAGE_VALUE_SCAN_H
#define IMAGE_VALUE_SCAN_H

#include "image/value_map.h"

/*
 * A sample of the distinct values: those whose hash starts with `level` zero bits, where level is the smallest at which
 * at most VALUE_SAMPLE remain. It depends on the set of values only, not on their order or on which thread saw them.
 */
enum { VALUE_SAMPLE = 4096, VALUE_SLOTS = 4 * VALUE_SAMPLE };

struct value_map_state {
    enum mist_sample_type type;
    int64_t minimum, maximum; /* integers */

    /* floats: order codes as in struct value_map */
    int32_t lowest, highest, finite_lowest, finite_highest;
    bool low_words;  /* binary64: some lower 32 bits are not zero */
    bool not_linear; /* a NaN, an infinity or a -0.0 was seen; what is below is not kept up any more */
    double least;    /* smallest and largest value */
    double greatest;
    int lowest_bit;  /* the smallest exponent e of which some value is an odd multiple of 2^e */
    unsigned level;  /* of the sample of values */
    uint32_t count;  /* values in it */
    uint64_t *slots; /* [VALUE_SLOTS] hash table of complemented patterns; 0: free */
};

#endif
