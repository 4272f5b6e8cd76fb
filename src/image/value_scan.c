/* SPDX-License-Identifier: BSD-2-Clause */
/* First pass over the samples: ranges, and a sample of the distinct float values. */
#include "image/value_scan.h"

#include "base/memory.h"
#include "image/value_bits.h"

#include <limits.h>
#include <math.h>

struct value_map_state *value_map_state_new(enum mist_sample_type type)
{
    struct value_map_state *state = memory_allocate_zeroed(1, sizeof *state);
    if (!state)
        return NULL;
    *state = (struct value_map_state){.type = type, .minimum = INT64_MAX, .maximum = INT64_MIN};
    state->lowest = state->finite_lowest = INT32_MAX;
    state->highest = state->finite_highest = INT32_MIN;
    state->least = INFINITY;
    state->greatest = -INFINITY;
    state->lowest_bit = INT_MAX;
    if (mist_sample_is_float(type)) {
        state->slots = memory_allocate_zeroed(VALUE_SLOTS, sizeof *state->slots);
        if (!state->slots)
            value_map_state_free(&state);
    }
    return state;
}

void value_map_state_free(struct value_map_state **state)
{
    if (state && *state) {
        memory_free((*state)->slots);
        memory_free(*state);
        *state = NULL;
    }
}

/* ---- the sample of distinct values ---- */

/* A bijection that spreads patterns evenly (multiply and xor-shift, odd constants). */
static uint64_t hash(uint64_t pattern)
{
    uint64_t h = pattern + 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

static bool is_sampled(const struct value_map_state *state, uint64_t h)
{
    return state->level == 0 || h >> (64 - state->level) == 0;
}

static void place(struct value_map_state *state, uint64_t stored, uint64_t h)
{
    uint64_t at = h % VALUE_SLOTS;
    while (state->slots[at] && state->slots[at] != stored)
        at = (at + 1) % VALUE_SLOTS;
    if (!state->slots[at]) {
        state->slots[at] = stored;
        state->count++;
    }
}

/* Raises the level and drops what is not sampled at it. */
static void raise_level(struct value_map_state *state, unsigned level)
{
    uint64_t kept[VALUE_SAMPLE + 1];
    uint32_t count = 0;
    state->level = level;
    for (uint32_t i = 0; i < VALUE_SLOTS; i++) {
        if (state->slots[i] && is_sampled(state, hash(~state->slots[i])))
            kept[count++] = state->slots[i];
        state->slots[i] = 0;
    }
    state->count = 0;
    for (uint32_t i = 0; i < count; i++)
        place(state, kept[i], hash(~kept[i]));
}

static void sample_value(struct value_map_state *state, uint64_t bits)
{
    uint64_t h = hash(bits);
    if (!is_sampled(state, h))
        return;
    place(state, ~bits, h); /* never 0: all ones would be a NaN */
    while (state->count > VALUE_SAMPLE)
        raise_level(state, state->level + 1);
}

/* ---- scanning ---- */

static int lowest_bit_of(double value)
{
    uint64_t bits = bits_from_value(MIST_F64, value), fraction = bits & (((uint64_t)1 << 52) - 1);
    int exponent = (int)((bits >> 52) & 2047);
    if (exponent)
        fraction |= (uint64_t)1 << 52;
    return (exponent ? exponent : 1) - 1075 + __builtin_ctzll(fraction);
}

static void scan_float(struct value_map_state *state, uint64_t bits)
{
    enum mist_sample_type type = state->type;
    int32_t code = order_code(type, bits), infinity = order_infinity(type);
    state->lowest = code < state->lowest ? code : state->lowest;
    state->highest = code > state->highest ? code : state->highest;
    state->low_words = state->low_words || (type == MIST_F64 && (uint32_t)bits != 0);
    if (code >= infinity || code <= -1 - infinity) {
        state->not_linear = true;
        return;
    }
    state->finite_lowest = code < state->finite_lowest ? code : state->finite_lowest;
    state->finite_highest = code > state->finite_highest ? code : state->finite_highest;
    double value = value_from_bits(type, bits);
    if (value == 0 && bits != 0)
        state->not_linear = true;
    if (state->not_linear)
        return;
    state->least = value < state->least ? value : state->least;
    state->greatest = value > state->greatest ? value : state->greatest;
    if (value != 0) {
        int low = lowest_bit_of(value);
        state->lowest_bit = low < state->lowest_bit ? low : state->lowest_bit;
    }
    sample_value(state, bits);
}

static void scan_float_row(struct value_map_state *state, const char *at, uint32_t width, size_t step)
{
    uint64_t last = bits_load(state->type, at);
    scan_float(state, last);
    for (uint32_t x = 1; x < width; x++) {
        at += step;
        uint64_t bits = bits_load(state->type, at);
        if (bits != last) /* backgrounds are long runs */
            scan_float(state, bits);
        last = bits;
    }
}

#define SCAN_ROW(sample_type)                                                       \
    {                                                                               \
        sample_type low, high;                                                      \
        memcpy(&low, at, sizeof low);                                               \
        high = low;                                                                 \
        if (step == sizeof low)                                                     \
            for (uint32_t x = 1; x < width; x++) { /* vectorised by the compiler */ \
                sample_type sample = ((const sample_type *)(const void *)at)[x];    \
                low = sample < low ? sample : low;                                  \
                high = sample > high ? sample : high;                               \
            }                                                                       \
        else                                                                        \
            for (uint32_t x = 1; x < width; x++) {                                  \
                sample_type sample;                                                 \
                memcpy(&sample, at + x * step, sizeof sample);                      \
                low = sample < low ? sample : low;                                  \
                high = sample > high ? sample : high;                               \
            }                                                                       \
        state->minimum = low < state->minimum ? low : state->minimum;               \
        state->maximum = high > state->maximum ? high : state->maximum;             \
    }                                                                               \
    break

static void scan_row(struct value_map_state *state, const char *at, uint32_t width, size_t step)
{
    switch (state->type) {
    case MIST_U8:
        SCAN_ROW(uint8_t);
    case MIST_S8:
        SCAN_ROW(int8_t);
    case MIST_U16:
        SCAN_ROW(uint16_t);
    case MIST_S16:
        SCAN_ROW(int16_t);
    case MIST_U32:
        SCAN_ROW(uint32_t);
    case MIST_S32:
        SCAN_ROW(int32_t);
    default:
        scan_float_row(state, at, width, step);
    }
}

void value_map_scan(struct value_map_state *state, const struct mist_view *frame)
{
    for (uint32_t y = 0; y < frame->height; y++)
        for (uint32_t c = 0; c < frame->components; c++)
            scan_row(state, (const char *)frame->data + y * frame->row_stride + c * frame->component_stride,
                     frame->width, frame->column_stride);
}

#define TAKE_LESS(member) state->member = other->member < state->member ? other->member : state->member
#define TAKE_MORE(member) state->member = other->member > state->member ? other->member : state->member

void value_map_merge(struct value_map_state *state, const struct value_map_state *other)
{
    TAKE_LESS(minimum);
    TAKE_MORE(maximum);
    TAKE_LESS(lowest);
    TAKE_MORE(highest);
    TAKE_LESS(finite_lowest);
    TAKE_MORE(finite_highest);
    TAKE_LESS(least);
    TAKE_MORE(greatest);
    TAKE_LESS(lowest_bit);
    state->low_words = state->low_words || other->low_words;
    state->not_linear = state->not_linear || other->not_linear;
    if (!state->slots || state->not_linear)
        return;
    if (other->level > state->level)
        raise_level(state, other->level);
    for (uint32_t i = 0; i < VALUE_SLOTS; i++)
        if (other->slots[i])
            sample_value(state, ~other->slots[i]);
}
