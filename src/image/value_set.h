/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of 64-bit values that never holds more than a stated number of them. */
#ifndef IMAGE_VALUE_SET_H
#define IMAGE_VALUE_SET_H

#include <stdbool.h>
#include <stdint.h>

#define VALUE_SET_NONE UINT32_MAX
#define VALUE_SET_SAMPLE 4096u

/*
 * While the set has at most `limit` different values it has all of them, in the order in which they came. Beyond that
 * it is thinned: it keeps those whose hash begins with `level` zero bits, for the smallest level of at least 1 at which
 * at most VALUE_SET_SAMPLE remain. What it keeps depends on the values only, not on their order or on which thread saw
 * them.
 * Start with `limit` set and all else zero; release with value_set_free().
 */
struct value_set {
    uint32_t limit;
    uint32_t count;
    unsigned level; /* 0: complete */
    uint64_t *values;
    uint32_t capacity;   /* of values */
    uint32_t *slots;     /* hash table of indices + 1; 0: free */
    uint32_t slot_count; /* a power of two, at least twice the capacity */
};

/* Adds a value. *index: its place in values, or VALUE_SET_NONE if it is thinned out. False when memory is short. */
bool value_set_add(struct value_set *set, uint64_t value, uint32_t *index);
bool value_set_has(const struct value_set *set, uint64_t value);
void value_set_free(struct value_set *set);
/* Adds all of `other`, thinned if either is. */
bool value_set_merge(struct value_set *set, const struct value_set *other);
/* Ascending; value_set_reindex() must follow before the set is used as one. */
void value_set_sort(struct value_set *set);
/* After values were moved or taken out. */
void value_set_reindex(struct value_set *set);

#endif
