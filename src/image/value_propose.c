/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is there a step b, and an offset a, of which all values are a multiple? Two searches: exact, on the values as
 * integers times a power of two (integers in a float, binary fractions, a float32 slope applied in double); and
 * approximate, for a decimal slope whose products were rounded to the type.
 */
#include "image/value_fit.h"

#include "image/value_bits.h"

#include <stdio.h>
#include <stdlib.h>

/* More bits than these are hardly scaled integers, and noise that a reduced level should not carry. */
enum { MAX_PRECISION = 20 };

/* Makes the map if every value fits it. */
static bool try_linear(const struct value_numbers *numbers, double a, double b, struct value_map *map)
{
    struct value_map trial = {.kind = VALUE_MAP_LINEAR, .source = numbers->type, .a = a, .b = b};
    int64_t code = 0;
    if (!(b > 0) || !isfinite(b) || !isfinite(a))
        return false;
    for (size_t i = 0; i < numbers->count; i++) {
        if (!value_map_linear_code(&trial, pattern_from_value(numbers->type, numbers->value[i]), &code))
            return false;
        trial.lowest = i == 0 ? code : trial.lowest;
    }
    trial.highest = code;
    bool is_signed = trial.lowest < 0;
    trial.precision = bits_of_range(trial.lowest, trial.highest, is_signed);
    trial.coded = trial.precision <= 16 ? (is_signed ? MIST_S16 : MIST_U16) : (is_signed ? MIST_S32 : MIST_U32);
    if (trial.precision > MAX_PRECISION)
        return false;
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
static unsigned propose_exact(const struct value_numbers *values, struct value_map *maps)
{
    double least = values->value[0], greatest = values->value[values->count - 1];
    if (least == 0 && greatest == 0)
        return try_linear(values, 0, 1, maps);
    double unit = ldexp(1, values->lowest_bit);
    double largest = fmax(fabs(least), fabs(greatest));
    if (unit == 0 || !(largest / unit <= 0x1p53)) /* 2^-1074 is a unit too */
        return 0;
    uint64_t from_zero = 0, from_least = 0;
    for (size_t i = 0; i < values->count; i++) {
        /* integers of at most 2^53 in size */
        int64_t number = (int64_t)(values->value[i] / unit), above = number - (int64_t)(least / unit);
        from_zero = greatest_divisor((uint64_t)(number < 0 ? -number : number), from_zero);
        from_least = greatest_divisor((uint64_t)above, from_least);
    }
    unsigned count = try_linear(values, 0, (double)from_zero * unit, maps) ||
                     try_linear(values, least, (double)from_least * unit, maps);
    if (count && !values->complete && maps[0].b != unit)
        count += try_linear(values, 0, unit, maps + 1) || try_linear(values, least, unit, maps + 1);
    return count;
}

/* What rounding to the type may have added to a value. */
static double rounding(const struct value_numbers *values, double value)
{
    double relative = values->type == MIST_F16 ? 0x1p-11 : values->type == MIST_F32 ? 0x1p-24 : 0x1p-53;
    return fabs(value) * relative;
}

/* A step, and how wrong it may be. */
struct step {
    double size;
    double error;
};

/*
 * Euclid's algorithm on the differences of neighbours, which are known up to their rounding, and up to `more` where
 * they were made in several operations.
 */
static bool common_step(const struct value_numbers *values, double more, struct step *step)
{
    enum { ROUNDS = 64 };
    *step = (struct step){INFINITY, 0};
    for (int round = 0; round < ROUNDS; round++) {
        bool changed = false;
        for (size_t i = 1; i < values->count; i++) {
            double low = values->value[i - 1], high = values->value[i], difference = high - low;
            double doubt = 1.5 * (rounding(values, low) + rounding(values, high)) + more;
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
static bool refine_step(const struct value_numbers *values, double more, struct step *step)
{
    double first = values->value[0];
    for (size_t i = 1; i < values->count; i++) {
        double distance = values->value[i] - first, count = rint(distance / step->size);
        if (count < 1 || count * step->error > step->size / 3)
            return false;
        double error = (rounding(values, first) + rounding(values, values->value[i]) + more) / count;
        if (error < step->error)
            *step = (struct step){distance / count, error};
    }
    return true;
}

bool value_find_lattice(const struct value_numbers *numbers, double *a, double *b)
{
    struct step step;
    double first = numbers->value[0], last = numbers->value[numbers->count - 1];
    /* Subtracting a mean and dividing by a deviation: four roundings of the largest are enough for both. */
    double more = 4 * rounding(numbers, fmax(fabs(first), fabs(last)));
    if (numbers->count < 3 || !common_step(numbers, more, &step) || !refine_step(numbers, more, &step))
        return false;
    double previous = -1;
    for (size_t i = 0; i < numbers->count; i++) {
        double position = (numbers->value[i] - first) / step.size, k = rint(position);
        if (fabs(position - k) > 0.125 || k <= previous || k >= VALUE_MAX_RANKS)
            return false;
        previous = k;
    }
    *a = first;
    *b = step.size;
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

static bool propose_rounded(const struct value_numbers *values, struct value_map *map)
{
    struct step step;
    if (values->count < 3 || !common_step(values, 0, &step) || !refine_step(values, 0, &step))
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

unsigned value_propose_linear(const struct value_numbers *numbers, struct value_map maps[VALUE_PROPOSALS])
{
    unsigned count = propose_exact(numbers, maps);
    return count ? count : propose_rounded(numbers, maps);
}
