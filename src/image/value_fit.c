/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the values lie, and the maps that are not exact by themselves: tables and quantised floats. */
#include "image/value_fit.h"

#include "base/memory.h"
#include "image/value_bits.h"

#include <stdlib.h>

/* ---- the bulk of the values ---- */

/* The least and the largest value of a bin. */
static double bin_edge(enum mist_sample_type type, uint32_t bin, bool upper)
{
    enum mist_sample_type binned = mist_sample_is_float(type) ? type : MIST_F64;
    unsigned below = 8 * (unsigned)mist_sample_size(binned) - 16;
    uint64_t code = (uint64_t)bin << below;
    return pattern_value(binned, order_pattern(binned, upper ? code | (((uint64_t)1 << below) - 1) : code));
}

/* The bin in which the n-th sample is, counted from 0; of bin `without` none. */
static uint32_t bin_of_rank(const struct value_state *state, uint64_t rank, uint32_t without)
{
    uint64_t sum = 0;
    uint32_t last = 0;
    for (uint32_t bin = 0; bin < VALUE_BINS; bin++)
        if (state->bins[bin] && bin != without) {
            sum += state->bins[bin];
            last = bin;
            if (sum > rank)
                break;
        }
    return last;
}

/* Zero is no outlier unless it is very far: it is what most backgrounds are. */
static void set_limits(struct value_core *core)
{
    const double zero_spans = 2048;
    double span = core->high / 2 - core->low / 2; /* halves: differences of the largest doubles overflow */
    core->lower_limit = core->low - 2 * VALUE_OUTLIER_SPANS * span;
    core->upper_limit = core->high + 2 * VALUE_OUTLIER_SPANS * span;
    if (core->lower_limit > 0 && core->low / 2 <= zero_spans * span)
        core->lower_limit = 0;
    if (core->upper_limit < 0 && -core->high / 2 <= zero_spans * span)
        core->upper_limit = 0;
}

bool value_find_core(const struct value_state *state, struct value_core *core)
{
    enum mist_sample_type type = state->type;
    uint64_t total = 0;
    uint32_t commonest = 0;
    if (state->low > state->high)
        return false;
    double least = pattern_value(type, order_pattern(type, state->low));
    double greatest = pattern_value(type, order_pattern(type, state->high));
    for (uint32_t bin = 0; bin < VALUE_BINS; bin++) {
        total += state->bins[bin];
        commonest = state->bins[bin] > state->bins[commonest] ? bin : commonest;
    }
    uint64_t rest = total - state->bins[commonest];
    bool background = rest > 0 && state->bins[commonest] >= total / 4;
    uint64_t count = background ? rest : total, aside = count / 200;
    uint32_t without = background ? commonest : VALUE_BINS;
    if (count) {
        core->low = fmax(least, bin_edge(type, bin_of_rank(state, aside, without), false));
        core->high = fmin(greatest, bin_edge(type, bin_of_rank(state, count - 1 - aside, without), true));
    }
    if (!count || !(core->low < core->high)) {
        core->low = least;
        core->high = greatest;
    }
    core->lower_limit = -INFINITY;
    core->upper_limit = INFINITY;
    if (mist_sample_is_float(type) && core->low < core->high)
        set_limits(core);
    return true;
}

/* ---- tables ---- */

/*
 * codes[i]: the nearest to (value - a) / b that is above all before. Returns how far, in steps, the farthest code is
 * above where it belongs, or infinity if a code is beyond the largest.
 */
static double place_codes(const struct value_numbers *numbers, double a, double b, uint32_t *codes)
{
    double next = 0, farthest = 0;
    for (size_t i = 0; i < numbers->count; i++) {
        double position = (numbers->value[i] - a) / b, k = rint(position);
        k = k > next ? k : next;
        if (!(k < VALUE_MAX_RANKS))
            return INFINITY;
        codes[i] = (uint32_t)k;
        next = k + 1;
        farthest = k - position > farthest ? k - position : farthest;
    }
    return farthest;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The distance that half of the neighbours have at most: the step of a lattice, if most of it is taken. */
static double common_distance(const struct value_numbers *numbers, double *scratch)
{
    for (size_t i = 1; i < numbers->count; i++)
        scratch[i - 1] = numbers->value[i] - numbers->value[i - 1];
    qsort(scratch, numbers->count - 1, sizeof *scratch, compare_doubles);
    return scratch[(numbers->count - 1) / 2];
}

/*
 * The coarsest step with which the values are apart and nearly where they belong: that of a lattice, with a few values
 * beside it (a masked background of 0 in a z-scored image); else a fraction of the bulk.
 */
static bool find_steps(const struct value_numbers *numbers, const struct value_core *core, uint32_t *codes,
                       double *scratch, double *a, double *b)
{
    double span = core->high - core->low, first = numbers->value[0];
    double lattice_a = 0, lattice_b = 0;
    if (!value_find_lattice(numbers, &lattice_a, &lattice_b))
        lattice_b = 0;
    double nearly = span / 192, near = span / 512, excess;
    double distance = common_distance(numbers, scratch);
    for (double part = 1; part <= 4 && distance / part > fmax(span / 4096, 1.5 * lattice_b); part *= 2) {
        *a = first;
        *b = distance / part;
        excess = place_codes(numbers, *a, *b, codes);
        if (excess * *b <= nearly) {
            *a -= excess / 2 * *b;
            return true;
        }
    }
    *a = lattice_a;
    *b = lattice_b;
    if (lattice_b > 0 && place_codes(numbers, *a, *b, codes) < 1)
        return true;
    *a = first;
    for (unsigned bits = 9; bits <= 16; bits++) {
        *b = span / (double)((1u << bits) - 1);
        excess = place_codes(numbers, *a, *b, codes);
        if ((excess - 0.5) * *b <= near) {
            *a -= excess / 2 * *b;
            return true;
        }
    }
    return false;
}

/*
 * Entries that no value has are what a + b k is, kept between their neighbours: order codes never fall, and the first
 * of equal ones is the value's own.
 */
static bool fill_table(const struct value_numbers *numbers, const uint32_t *codes, bool negative_zero,
                       struct value_map *map)
{
    enum mist_sample_type type = map->source;
    map->table = memory_allocate_array((size_t)map->highest + 1, sizeof *map->table);
    if (!map->table)
        return false;
    uint64_t before = 0;
    uint32_t k = 0;
    for (size_t i = 0; i < numbers->count; i++) {
        double value = numbers->value[i];
        uint64_t pattern = pattern_from_value(type, value == 0 && negative_zero ? -0.0 : value);
        uint64_t code = order_code(type, pattern);
        for (; k < codes[i]; k++) {
            uint64_t guess = order_code(type, pattern_from_value(type, map->a + map->b * (double)k));
            guess = guess >= code ? code - 1 : guess;
            map->table[k] = order_pattern(type, guess < before ? before : guess);
        }
        map->table[k++] = pattern;
        before = code;
    }
    return true;
}

bool value_fit_table(const struct value_numbers *numbers, const struct value_core *core, bool negative_zero,
                     struct value_map *map, bool *found)
{
    double a, b;
    *found = false;
    if (numbers->count < 2 || numbers->count > VALUE_MAX_RANKS || !isfinite(core->high - core->low))
        return true;
    uint32_t *codes = memory_allocate_array(numbers->count, sizeof *codes);
    double *scratch = memory_allocate_array(numbers->count, sizeof *scratch);
    bool good = codes && scratch;
    if (good && find_steps(numbers, core, codes, scratch, &a, &b) && b > 0 && isfinite(a)) {
        *found = true;
        *map = (struct value_map){.kind = VALUE_MAP_TABLE, .source = numbers->type, .coded = MIST_U16, .a = a, .b = b};
        map->highest = codes[numbers->count - 1];
        map->precision = bits_of_range(0, map->highest, false);
        good = fill_table(numbers, codes, negative_zero, map);
    }
    memory_free(codes);
    memory_free(scratch);
    return good;
}

/* ---- quantised ---- */

void value_fit_quantised(enum mist_sample_type type, const struct value_core *core, double least, double greatest,
                         struct value_map *map)
{
    const double most = 0x1p24; /* steps between 0, or a, and the farthest value */
    int exponent = -1073;
    *map = (struct value_map){.kind = VALUE_MAP_QUANTISED, .source = type, .remainder = true};
    if (core->high > core->low) {
        frexp(core->high / 2 - core->low / 2, &exponent);
        exponent -= 10; /* 2^10 to 2^11 steps from low to high */
    }
    double farthest = fmax(fabs(least), fabs(greatest)), width = greatest / 2 - least / 2;
    exponent = exponent < -1074 ? -1074 : exponent;
    while (width / ldexp(1, exponent) > most / 2)
        exponent++;
    if (!mist_sample_is_float(type) && exponent < 0)
        exponent = 0;
    map->b = ldexp(1, exponent);
    map->a = farthest / map->b <= most ? 0 : rint(least / map->b) * map->b;
    map->lowest = (int64_t)rint((least - map->a) / map->b);
    map->highest = (int64_t)rint((greatest - map->a) / map->b);
    bool is_signed = map->lowest < 0;
    map->precision = bits_of_range(map->lowest, map->highest, is_signed);
    map->coded = map->precision <= 16 ? (is_signed ? MIST_S16 : MIST_U16) : (is_signed ? MIST_S32 : MIST_U32);
}
