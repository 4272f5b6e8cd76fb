/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known about all samples of an item when its value map is chosen. */
#ifndef IMAGE_VALUE_SCAN_H
#define IMAGE_VALUE_SCAN_H

#include "image/value_map.h"
#include "image/value_set.h"

/* Of the pixels of one value that have a left and an upper neighbour: two pairs each. */
struct value_tally {
    uint64_t pairs, equal;
};

#define VALUE_BINS 65536u

/* One thread's findings. "Small" types are the integers of up to 16 bits: their patterns index tables. */
struct value_state {
    enum mist_sample_type type;
    uint32_t components;
    const struct value_options *options;
    bool failed; /* memory was short */
    uint64_t pixels;

    uint8_t *seen;        /* small types: [2^n], whether a pattern was seen */
    uint32_t seen_count;  /* kept up while tallies are */
    uint64_t low, high;   /* other types: order codes of the finite samples that are no candidates; low > high: none */
    struct value_set set; /* other types: patterns of all samples */
    struct value_set pixel_set; /* several components: their order codes, the first one highest; limit 0: not kept */
    struct value_set holes;     /* other types: patterns of NaN, infinities and candidates, without hole_bits */
    unsigned hole_bits;

    /* Floats and 64-bit integers: finite samples that are no candidates, by the upper 16 bits of their order codes; */
    uint64_t *bins;     /* [VALUE_BINS] 64-bit integers by those of their doubles */
    bool fraction;      /* some sample is not a whole number */
    bool negative_zero; /* -0.0 was seen; +0.0 was seen */
    bool positive_zero;
    int lowest_bit; /* the smallest exponent e of which some value is an odd multiple of 2^e */

    struct value_tally *tally; /* by pattern of small single components, else by index in the set of pixels */
    uint32_t tallies;          /* how many of them; 0: there are too many values */
    uint32_t *row, *above;     /* [width]: which tally each pixel of a row is of */
    uint64_t *codes;           /* [width]: the row's pixels as one number each */
};

/* NULL when memory is short. `options` must outlive the state. */
struct value_state *value_state_new(const struct value_map_frames *frames, const struct value_options *options);
void value_state_free(struct value_state **state);
void value_state_scan(struct value_state *state, const struct mist_view *frame);
void value_state_merge(struct value_state *state, const struct value_state *other);

/* Adds a pattern to the holes, and lets go of low bits where there are too many. */
void value_state_add_hole(struct value_state *state, uint64_t pattern);
bool value_is_candidate(const struct value_options *options, enum mist_sample_type type, uint64_t pattern);
/* Integers of up to 16 bits. */
bool value_is_small(enum mist_sample_type type);
/* The set that the tallies are of where the type is not small or there are several components. */
const struct value_set *value_state_pixels(const struct value_state *state);
/* Of the merged state. */
void value_state_statistics(const struct value_state *state, struct value_statistics *statistics);

#endif
