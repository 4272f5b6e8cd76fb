/* SPDX-License-Identifier: BSD-2-Clause */
#include "image/value_set.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

/* A bijection that spreads values evenly (multiply and xor-shift, odd constants). */
static uint64_t hash(uint64_t value)
{
    uint64_t h = value + 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

static bool is_kept(const struct value_set *set, uint64_t h)
{
    return set->level == 0 || h >> (64 - set->level) == 0;
}

/* The slot of the value, or the free one where it belongs. */
static uint32_t *find_slot(const struct value_set *set, uint64_t value, uint64_t h)
{
    uint32_t at = (uint32_t)h & (set->slot_count - 1);
    while (set->slots[at] && set->values[set->slots[at] - 1] != value)
        at = (at + 1) & (set->slot_count - 1);
    return &set->slots[at];
}

static void fill_slots(struct value_set *set)
{
    memset(set->slots, 0, set->slot_count * sizeof *set->slots);
    for (uint32_t i = 0; i < set->count; i++)
        *find_slot(set, set->values[i], hash(set->values[i])) = i + 1;
}

static bool grow(struct value_set *set)
{
    uint32_t capacity = set->capacity ? 4 * set->capacity : FIRST_CAPACITY;
    uint64_t *values = memory_resize(set->values, capacity, sizeof *values);
    if (!values)
        return false;
    set->values = values;
    uint32_t *slots = memory_resize(set->slots, 2 * (size_t)capacity, sizeof *slots);
    if (!slots)
        return false;
    set->slots = slots;
    set->capacity = capacity;
    set->slot_count = 2 * capacity;
    fill_slots(set);
    return true;
}

static void thin(struct value_set *set, unsigned level)
{
    uint32_t kept = 0;
    set->level = level;
    for (uint32_t i = 0; i < set->count; i++)
        if (is_kept(set, hash(set->values[i])))
            set->values[kept++] = set->values[i];
    set->count = kept;
    if (set->slots)
        fill_slots(set);
}

/* As many as a set of this level may hold. */
static void thin_enough(struct value_set *set)
{
    while (set->count > (set->level ? VALUE_SET_SAMPLE : set->limit))
        thin(set, set->level + 1);
}

bool value_set_add(struct value_set *set, uint64_t value, uint32_t *index)
{
    uint64_t h = hash(value);
    *index = VALUE_SET_NONE;
    if (!is_kept(set, h))
        return true;
    if (set->count == set->capacity && !grow(set))
        return false;
    uint32_t *slot = find_slot(set, value, h);
    if (!*slot) {
        set->values[set->count++] = value;
        *slot = set->count;
    }
    *index = *slot - 1;
    unsigned level = set->level;
    thin_enough(set);
    if (set->level != level)
        *index = VALUE_SET_NONE;
    return true;
}

bool value_set_has(const struct value_set *set, uint64_t value)
{
    return set->count && *find_slot(set, value, hash(value));
}

void value_set_free(struct value_set *set)
{
    memory_free(set->values);
    memory_free(set->slots);
    *set = (struct value_set){.limit = set->limit};
}

void value_set_reindex(struct value_set *set)
{
    if (set->slots)
        fill_slots(set);
}

bool value_set_merge(struct value_set *set, const struct value_set *other)
{
    uint32_t index;
    bool good = true;
    if (other->level > set->level)
        thin(set, other->level);
    thin_enough(set);
    for (uint32_t i = 0; i < other->count && good; i++)
        good = value_set_add(set, other->values[i], &index);
    return good;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void value_set_sort(struct value_set *set)
{
    if (set->count)
        qsort(set->values, set->count, sizeof *set->values, compare);
}
