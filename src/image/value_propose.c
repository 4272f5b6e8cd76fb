/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which maps may hold, judged by the sample of distinct values. For floats: is there a step b, and an offset a, of
 * which all values are a multiple? Two searches: exact, on the values as integers times a power of two (integers in a
 * float, binary fractions, a float32 slope applied in double); and approximate, for a decimal slope whose products were
 * rounded to the type.
 */
#include "image/value_scan.h"

#include "image/value_bits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned bits_of_range(int64_t minimum, int64_t maximum, bool is_signed)
{
    uint64_t largest = (uint64_t)maximum;
    if (is_signed) { /* two's complement: -2^(n-1) .. 2^(n-1) - 1 */
        uint64_t down = minimum < 0 ? (uint64_t)(-1 - minimum) : 0, up = maximum > 0 ? (uint64_t)maximum : 0;
        largest = down > up ? down : up;
    }
    unsigned bits = is_signed;
    while (bits < 64 && largest >> (bits - is_signed))
        bits++;
    return bits ? bits : 1;
}

static struct value_map identity_map(const struct value_map_state *state)
{
    bool is_signed = mist_sample_is_signed(state->type);
    struct value_map map = {.kind = VALUE_MAP_IDENTITY, .source = state->type, .coded = state->type, .planes = 1};
    map.precision = bits_of_range(state->minimum, state->maximum, is_signed);
    return map;
}

static struct value_map ordered_map(const struct value_map_state *state)
{
    struct value_map map = {.kind = VALUE_MAP_ORDERED, .source = state->type, .planes = state->low_words ? 2 : 1};
    map.coded = state->type == MIST_F16 ? MIST_S16 : MIST_S32;
    map.lowest = state->lowest;
    map.highest = state->highest;
    map.finite_lowest = state->finite_lowest;
    map.finite_highest = state->finite_highest;
    map.precision = map.planes == 2 ? 32 : bits_of_range(map.lowest, map.highest, true);
    return map;
}

/* ---- linear ---- */

/* The sampled values in ascending order, the extremes among them. */
struct values {
    enum mist_sample_type type;
    size_t count;
    double value[VALUE_SAMPLE + 2];
};

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void gather(const struct value_map_state *state, struct values *values)
{
    double all[VALUE_SAMPLE + 2] = {state->least, state->greatest};
    size_t count = 2;
    for (size_t i = 0; i < VALUE_SLOTS; i++)
        if (state->slots[i])
            all[count++] = value_from_bits(state->type, ~state->slots[i]);
    qsort(all, count, sizeof *all, compare_values);
    values->type = state->type;
    values->count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || all[i] != all[i - 1])
            values->value[values->count++] = all[i];
}

/* Makes the map if every sampled value fits it. */
static bool try_linear(const struct values *values, double a, double b, struct value_map *map)
{
    struct value_map trial = {.kind = VALUE_MAP_LINEAR, .source = values->type, .planes = 1, .a = a, .b = b};
    int32_t code = 0, first = 0;
    if (!(b > 0) || !isfinite(b) || !isfinite(a))
        return false;
    for (size_t i = 0; i < values->count; i++) {
        if (!value_map_linear_code(&trial, bits_from_value(values->type, values->value[i]), &code))
            return false;
        first = i == 0 ? code : first;
    }
    bool is_signed = first < 0;
    trial.precision = bits_of_range(first, code, is_signed);
    trial.coded = trial.precision <= 16 ? (is_signed ? MIST_S16 : MIST_U16) : (is_signed ? MIST_S32 : MIST_U32);
    *map = trial;
    return true;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/*
 * Every value is an integer times 2^lowest_bit: their greatest common divisor is the step, from 0 or from the least.
 * Where not all values were sampled, a rarer one may need a finer step, so the finest one is proposed too.
 */
static unsigned propose_exact(const struct value_map_state *state, const struct values *values, struct value_map *maps)
{
    if (state->least == 0 && state->greatest == 0)
        return try_linear(values, 0, 1, maps);
    double unit = ldexp(1, state->lowest_bit);
    double largest = fmax(fabs(state->least), fabs(state->greatest));
    if (unit == 0 || !(largest / unit <= 0x1p53)) /* 2^-1074 is a unit too */
        return 0;
    uint64_t from_zero = 0, from_least = 0;
    for (size_t i = 0; i < values->count; i++) {
        /* integers of at most 2^53 in size */
        int64_t number = (int64_t)(values->value[i] / unit), above = number - (int64_t)(state->least / unit);
        from_zero = greatest_divisor((uint64_t)(number < 0 ? -number : number), from_zero);
        from_least = greatest_divisor((uint64_t)above, from_least);
    }
    unsigned count = try_linear(values, 0, (double)from_zero * unit, maps) ||
                     try_linear(values, state->least, (double)from_least * unit, maps);
    if (count && state->level > 0 && maps[0].b != unit)
        count += try_linear(values, 0, unit, maps + 1) || try_linear(values, state->least, unit, maps + 1);
    return count;
}

/* What rounding to the type may have added to a value. */
static double rounding(const struct values *values, double value)
{
    double relative = values->type == MIST_F16 ? 0x1p-11 : values->type == MIST_F32 ? 0x1p-24 : 0x1p-53;
    return fabs(value) * relative;
}

/* A step, and how wrong it may be. */
struct step {
    double size;
    double error;
};

/* Euclid's algorithm on the differences of neighbours, which are known up to their rounding. */
static bool common_step(const struct values *values, struct step *step)
{
    enum { ROUNDS = 64 };
    *step = (struct step){INFINITY, 0};
    for (int round = 0; round < ROUNDS; round++) {
        bool changed = false;
        for (size_t i = 1; i < values->count; i++) {
            double low = values->value[i - 1], high = values->value[i], difference = high - low;
            double doubt = 1.5 * (rounding(values, low) + rounding(values, high));
            double rest = difference < step->size ? difference : fabs(remainder(difference, step->size));
            double allowed = doubt + difference / step->size * step->error;
            if (rest > allowed && allowed < step->size / 4) {
                *step = (struct step){rest, allowed};
                changed = true;
            } else if (step->size == INFINITY) {
                *step = (struct step){difference, doubt};
                changed = true;
            }
        }
        if (step->error > step->size / 4 || values->value[values->count - 1] - values->value[0] > step->size * 0x1p25)
            return false;
        if (!changed)
            return true;
    }
    return false;
}

/* Longer and longer distances, counted in steps, tell the step more and more exactly. */
static bool refine_step(const struct values *values, struct step *step)
{
    double first = values->value[0];
    for (size_t i = 1; i < values->count; i++) {
        double distance = values->value[i] - first, count = rint(distance / step->size);
        if (count < 1 || count * step->error > step->size / 3)
            return false;
        double error = (rounding(values, first) + rounding(values, values->value[i])) / count;
        if (error < step->error)
            *step = (struct step){distance / count, error};
    }
    return true;
}

/* The decimal number with the fewest digits that is within `error` of `value`. */
static double shortest_decimal(double value, double error)
{
    for (int digits = 0; digits < 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*e", digits, value);
        double decimal = strtod(text, NULL);
        if (fabs(decimal - value) <= error)
            return decimal;
    }
    return value;
}

static bool propose_rounded(const struct values *values, struct value_map *map)
{
    struct step step;
    if (values->count < 3 || !common_step(values, &step) || !refine_step(values, &step))
        return false;
    double nearest = values->value[0]; /* the smallest value is the one least rounded */
    for (size_t i = 1; i < values->count; i++)
        if (fabs(values->value[i]) < fabs(nearest))
            nearest = values->value[i];
    /*
     * What people divide and multiply by: a short decimal, that as a float32, a float32 (within the doubt there may be
     * three), one part in a whole number, or none of these.
     */
    double error = 2 * step.error;
    double whole = shortest_decimal(1 / step.size, error / step.size / step.size);
    double decimal = shortest_decimal(step.size, error);
    float single = (float)step.size;
    double steps[] = {decimal,   (float)decimal, single, nextafterf(single, 0), nextafterf(single, INFINITY),
                      1 / whole, step.size};
    double offsets[] = {0, shortest_decimal(nearest, rounding(values, nearest)), nearest};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
            if (try_linear(values, offsets[i], steps[k], map))
                return true;
    return false;
}

unsigned value_map_propose(const struct value_map_state *state, struct value_map maps[VALUE_MAP_PROPOSALS])
{
    unsigned count = 0;
    if (!mist_sample_is_float(state->type)) {
        maps[count++] = identity_map(state);
        return count;
    }
    if (!state->not_linear) {
        struct values values;
        gather(state, &values);
        count = propose_exact(state, &values, maps);
        if (count == 0)
            count = propose_rounded(&values, maps);
    }
    maps[count++] = ordered_map(state);
    return count;
}
