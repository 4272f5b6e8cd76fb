/* SPDX-License-Identifier: BSD-2-Clause */
/* First pass over the samples: which values there are, and how they lie beside each other. */
#include "image/value_scan.h"

#include "base/memory.h"
#include "image/value_bits.h"

#include <limits.h>
#include <stdlib.h>

bool value_is_small(enum mist_sample_type type)
{
    return type_bytes(type) <= 2 && !type_is_float(type);
}

/* Several components fit into one number of 64 bits. */
static bool can_pack(enum mist_sample_type type, uint32_t components)
{
    return components * type_bytes(type) <= 8;
}

static bool allocate(struct value_state *state, uint32_t width)
{
    bool small = value_is_small(state->type), packed = state->components > 1;
    bool binned = type_is_float(state->type) || type_bytes(state->type) == 8;
    size_t patterns = (size_t)1 << (8 * type_bytes(state->type) % 32);
    state->tallies = small && !packed ? (uint32_t)patterns : VALUE_LABEL_VALUES;
    if (packed && !can_pack(state->type, state->components))
        state->tallies = 0;
    state->seen = small ? memory_allocate_zeroed(patterns, 1) : NULL;
    state->bins = binned ? memory_allocate_zeroed(VALUE_BINS, sizeof *state->bins) : NULL;
    state->tally = memory_allocate_zeroed(state->tallies ? state->tallies : 1, sizeof *state->tally);
    state->row = memory_allocate_array(width, sizeof *state->row);
    state->above = memory_allocate_array(width, sizeof *state->above);
    state->codes = memory_allocate_array(width, sizeof *state->codes);
    return (state->seen || !small) && (state->bins || !binned) && state->tally && state->row && state->above &&
           state->codes;
}

struct value_state *value_state_new(const struct value_map_frames *frames, const struct value_options *options)
{
    struct value_state *state = memory_allocate_zeroed(1, sizeof *state);
    if (!state)
        return NULL;
    *state = (struct value_state){.type = frames->type, .components = frames->components, .options = options};
    state->low = UINT64_MAX;
    state->lowest_bit = INT_MAX;
    state->set.limit = VALUE_MAX_RANKS;
    state->pixel_set.limit = VALUE_MAX_RANKS;
    state->holes.limit = UINT32_MAX;
    if (!allocate(state, frames->width))
        value_state_free(&state);
    return state;
}

void value_state_free(struct value_state **state)
{
    if (!state || !*state)
        return;
    value_set_free(&(*state)->set);
    value_set_free(&(*state)->pixel_set);
    value_set_free(&(*state)->holes);
    memory_free((*state)->seen);
    memory_free((*state)->bins);
    memory_free((*state)->tally);
    memory_free((*state)->row);
    memory_free((*state)->above);
    memory_free((*state)->codes);
    memory_free(*state);
    *state = NULL;
}

const struct value_set *value_state_pixels(const struct value_state *state)
{
    return state->components > 1 ? &state->pixel_set : &state->set;
}

/* ---- holes ---- */

bool value_is_candidate(const struct value_options *options, enum mist_sample_type type, uint64_t pattern)
{
    for (uint32_t i = 0; i < options->candidates; i++) {
        uint64_t code = order_code(type, pattern), mask = pattern_mask(type);
        if (code >= order_code(type, options->candidate[i].low & mask) &&
            code <= order_code(type, options->candidate[i].high & mask))
            return true;
    }
    return false;
}

/* Lets go of the lowest bits of all holes. */
static void cut_holes(struct value_state *state, unsigned bits)
{
    uint32_t index;
    struct value_set fewer = {.limit = UINT32_MAX};
    state->hole_bits = bits;
    for (uint32_t i = 0; i < state->holes.count && !state->failed; i++)
        state->failed = !value_set_add(&fewer, pattern_cut(state->type, state->holes.values[i], bits), &index);
    value_set_free(&state->holes);
    state->holes = fewer;
}

void value_state_add_hole(struct value_state *state, uint64_t pattern)
{
    uint32_t index;
    if (!value_set_add(&state->holes, pattern_cut(state->type, pattern, state->hole_bits), &index))
        state->failed = true;
    while (state->holes.count > VALUE_MAX_HOLES && !state->failed)
        cut_holes(state, state->hole_bits + 1);
}

/* ---- one sample of a type that is not small ---- */

static int lowest_bit_of(double value)
{
    uint64_t bits, fraction;
    memcpy(&bits, &value, sizeof bits);
    fraction = bits & (((uint64_t)1 << 52) - 1);
    int exponent = (int)((bits >> 52) & 2047);
    if (exponent)
        fraction |= (uint64_t)1 << 52;
    return (exponent ? exponent : 1) - 1075 + __builtin_ctzll(fraction);
}

static uint32_t bin_of(enum mist_sample_type type, uint64_t code, double value)
{
    uint64_t bits;
    if (type_is_float(type))
        return (uint32_t)(code >> (8 * type_bytes(type) - 16));
    memcpy(&bits, &value, sizeof bits);
    return (uint32_t)(order_code(MIST_F64, bits) >> 48);
}

static void scan_float(struct value_state *state, uint64_t pattern, double value)
{
    if (value != 0) {
        int low = lowest_bit_of(value);
        state->lowest_bit = low < state->lowest_bit ? low : state->lowest_bit;
        state->fraction = state->fraction || value != round_even(value);
    } else if (pattern) {
        state->negative_zero = true;
    } else {
        state->positive_zero = true;
    }
}

static void scan_value(struct value_state *state, uint64_t pattern, uint64_t times)
{
    enum mist_sample_type type = state->type;
    bool is_float = type_is_float(type);
    bool finite = !is_float || pattern_is_finite(type, pattern);
    bool candidate = state->options->candidates && value_is_candidate(state->options, type, pattern);
    double value = state->bins && finite ? pattern_value(type, pattern) : 0;
    if (is_float && finite)
        scan_float(state, pattern, value);
    if (!finite || candidate) {
        value_state_add_hole(state, pattern);
        return;
    }
    uint64_t code = order_code(type, pattern);
    state->low = code < state->low ? code : state->low;
    state->high = code > state->high ? code : state->high;
    if (state->bins)
        state->bins[bin_of(type, code, value)] += times;
}

/* A row of a component; ids, unless NULL: the index of each sample in the set. */
static void scan_row(struct value_state *state, const char *at, uint32_t width, size_t step, uint32_t *ids)
{
    size_t size = type_bytes(state->type);
    for (uint32_t x = 0; x < width;) {
        uint64_t pattern = pattern_load(size, at);
        uint32_t index, end = x + 1;
        at += step;
        for (; end < width && pattern_load(size, at) == pattern; end++)
            at += step;
        scan_value(state, pattern, end - x);
        if (!value_set_add(&state->set, pattern, &index))
            state->failed = true;
        for (; x < end; x++)
            if (ids)
                ids[x] = index;
    }
}

/* ---- small types ---- */

static void see_row(struct value_state *state, const char *at, uint32_t width, size_t step, uint32_t *ids)
{
    uint8_t *seen = state->seen;
    if (type_bytes(state->type) == 1)
        for (uint32_t x = 0; x < width; x++, at += step) {
            uint8_t pattern = *(const uint8_t *)at;
            state->seen_count += !seen[pattern];
            seen[pattern] = 1;
            ids[x] = pattern;
        }
    else
        for (uint32_t x = 0; x < width; x++, at += step) {
            uint16_t pattern;
            memcpy(&pattern, at, sizeof pattern);
            state->seen_count += !seen[pattern];
            seen[pattern] = 1;
            ids[x] = pattern;
        }
}

/* The same where nothing is tallied any more. */
static void see_only(struct value_state *state, const char *at, uint32_t width, size_t step)
{
    uint8_t *seen = state->seen;
    uint16_t pattern;
    if (type_bytes(state->type) == 1)
        for (uint32_t x = 0; x < width; x++)
            seen[((const uint8_t *)at)[x * step]] = 1;
    else
        for (uint32_t x = 0; x < width; x++) {
            memcpy(&pattern, at + x * step, sizeof pattern);
            seen[pattern] = 1;
        }
}

/* ---- rows of pixels ---- */

/* All components of each pixel as one number, and its index in the set of pixels. */
static void pack_row(struct value_state *state, const struct mist_view *frame, uint32_t y)
{
    size_t size = type_bytes(state->type);
    memset(state->codes, 0, frame->width * sizeof *state->codes);
    for (uint32_t c = 0; c < frame->components; c++) {
        const char *at = sample_at(frame, y, c);
        for (uint32_t x = 0; x < frame->width; x++, at += frame->column_stride)
            state->codes[x] = (state->codes[x] << (8 * size % 64)) | order_code(state->type, pattern_load(size, at));
    }
    for (uint32_t x = 0; x < frame->width; x++)
        if (x && state->codes[x] == state->codes[x - 1])
            state->row[x] = state->row[x - 1];
        else if (!value_set_add(&state->pixel_set, state->codes[x], &state->row[x]))
            state->failed = true;
}

static void tally_row(struct value_state *state, uint32_t width)
{
    for (uint32_t x = 1; x < width; x++) {
        uint32_t id = state->row[x];
        if (id < state->tallies) {
            state->tally[id].pairs += 2;
            state->tally[id].equal += (id == state->row[x - 1]) + (id == state->above[x]);
        }
    }
}

static void scan_pixels(struct value_state *state, const struct mist_view *frame, uint32_t y)
{
    bool small = value_is_small(state->type), several = frame->components > 1;
    for (uint32_t c = 0; c < frame->components; c++) {
        const char *at = sample_at(frame, y, c);
        if (small && (several || !state->tallies))
            see_only(state, at, frame->width, frame->column_stride);
        else if (small)
            see_row(state, at, frame->width, frame->column_stride, state->row);
        else
            scan_row(state, at, frame->width, frame->column_stride, several ? NULL : state->row);
    }
    /* A set that is thinned has told all that it can: there are too many values for ranks. */
    if (several && can_pack(state->type, frame->components) && state->pixel_set.level == 0)
        pack_row(state, frame, y);
    uint32_t count = small && !several ? state->seen_count : value_state_pixels(state)->count;
    if (count > VALUE_LABEL_VALUES || value_state_pixels(state)->level)
        state->tallies = 0;
    if (state->tallies && y > 0)
        tally_row(state, frame->width);
    uint32_t *row = state->row;
    state->row = state->above;
    state->above = row;
}

void value_state_scan(struct value_state *state, const struct mist_view *frame)
{
    state->pixels += (uint64_t)frame->width * frame->height;
    for (uint32_t y = 0; y < frame->height && !state->failed; y++)
        scan_pixels(state, frame, y);
}

/* ---- several threads' findings ---- */

static void merge_tallies(struct value_state *state, const struct value_state *other)
{
    bool direct = value_is_small(state->type) && state->components == 1;
    const struct value_set *set = value_state_pixels(other);
    for (uint32_t i = 0; i < other->tallies && (direct || i < set->count); i++) {
        uint32_t index = i;
        if (!direct && !value_set_add(state->components > 1 ? &state->pixel_set : &state->set, set->values[i], &index))
            state->failed = true;
        if (index < state->tallies) {
            state->tally[index].pairs += other->tally[i].pairs;
            state->tally[index].equal += other->tally[i].equal;
        }
    }
    if (!other->tallies)
        state->tallies = 0;
}

void value_state_merge(struct value_state *state, const struct value_state *other)
{
    size_t patterns = state->seen ? (size_t)1 << (8 * type_bytes(state->type)) : 0;
    state->failed = state->failed || other->failed;
    state->pixels += other->pixels;
    for (size_t i = 0; i < patterns; i++)
        state->seen[i] |= other->seen[i];
    for (size_t i = 0; state->bins && i < VALUE_BINS; i++)
        state->bins[i] += other->bins[i];
    state->low = other->low < state->low ? other->low : state->low;
    state->high = other->high > state->high ? other->high : state->high;
    state->fraction = state->fraction || other->fraction;
    state->negative_zero = state->negative_zero || other->negative_zero;
    state->positive_zero = state->positive_zero || other->positive_zero;
    state->lowest_bit = other->lowest_bit < state->lowest_bit ? other->lowest_bit : state->lowest_bit;
    if (state->hole_bits < other->hole_bits)
        cut_holes(state, other->hole_bits);
    for (uint32_t i = 0; i < other->holes.count && !state->failed; i++)
        value_state_add_hole(state, other->holes.values[i]);
    merge_tallies(state, other);
    if (!value_set_merge(&state->set, &other->set) || !value_set_merge(&state->pixel_set, &other->pixel_set))
        state->failed = true;
}

/* ---- statistics ---- */

static uint32_t count_distinct(const struct value_state *state)
{
    if (value_is_small(state->type) && state->components == 1) {
        uint32_t count = 0;
        for (size_t i = 0; i < (size_t)1 << (8 * type_bytes(state->type)); i++)
            count += state->seen[i];
        return count;
    }
    const struct value_set *set = value_state_pixels(state);
    return set->level || !can_pack(state->type, state->components) ? VALUE_MAX_RANKS + 1 : set->count;
}

static int compare_shares(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void fill_flatness(const struct value_state *state, struct value_statistics *statistics)
{
    double shares[VALUE_LABEL_VALUES];
    uint64_t all = 0, pairs = 0, equal = 0, common = 0;
    uint32_t values = 0, commonest = 0;
    for (uint32_t i = 0; i < state->tallies; i++) {
        all += state->tally[i].pairs;
        if (state->tally[i].pairs > common) {
            common = state->tally[i].pairs;
            commonest = i;
        }
    }
    for (uint32_t i = 0; i < state->tallies && values < VALUE_LABEL_VALUES; i++)
        if (i != commonest && state->tally[i].pairs) {
            pairs += state->tally[i].pairs;
            equal += state->tally[i].equal;
            shares[values++] = (double)state->tally[i].equal / (double)state->tally[i].pairs;
        }
    qsort(shares, values, sizeof *shares, compare_shares);
    statistics->common = all ? (double)common / (double)all : 1;
    statistics->flatness = pairs ? (double)equal / (double)pairs : 1;
    statistics->typical_flatness = values ? shares[values / 2] : 1;
}

static void fill_range(const struct value_state *state, struct value_statistics *statistics)
{
    enum mist_sample_type type = state->type;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; state->seen && i < (size_t)1 << (8 * type_bytes(type)); i++)
        if (state->seen[i]) {
            low = fmin(low, pattern_value(type, i));
            high = fmax(high, pattern_value(type, i));
        }
    if (!state->seen && state->low <= state->high) {
        low = pattern_value(type, order_pattern(type, state->low));
        high = pattern_value(type, order_pattern(type, state->high));
    }
    for (uint32_t i = 0; i < state->holes.count; i++)
        if (pattern_is_finite(type, state->holes.values[i])) {
            low = fmin(low, pattern_value(type, state->holes.values[i]));
            high = fmax(high, pattern_value(type, state->holes.values[i]));
        }
    statistics->minimum = low <= high ? low : 0;
    statistics->maximum = low <= high ? high : 0;
}

void value_state_statistics(const struct value_state *state, struct value_statistics *statistics)
{
    *statistics = (struct value_statistics){.pixels = state->pixels, .whole = !state->fraction};
    statistics->distinct = count_distinct(state);
    fill_range(state, statistics);
    if (statistics->distinct <= VALUE_LABEL_VALUES)
        fill_flatness(state, statistics);
}
