/* SPDX-License-Identifier: BSD-2-Clause */
/* Going through all frames of an item to choose its value map. */
#include "image/value_fit.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "image/value_bits.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What the threads share, and what each has to itself. */
struct chooser {
    const struct value_map_frames *frames;
    const struct value_options *options;
    unsigned threads;
    struct mist_view *buffers;   /* [threads] a frame each, data NULL until used */
    struct value_state **states; /* [threads] NULL until used; all findings are merged into the first one */

    /* The second pass, over floats: */
    const struct value_map *known; /* its holes; NULL in the first pass */
    struct value_core core;
    struct value_map proposals[VALUE_PROPOSALS];
    unsigned count;
    atomic_bool refuted[VALUE_PROPOSALS];
};

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "looking at the sample values: out of memory");
}

/* ---- passes ---- */

/* A value that is followed by itself counts once. */
static void look_again_at(struct chooser *chooser, struct value_state *state, uint64_t pattern)
{
    enum mist_sample_type type = state->type;
    double value = pattern_value(type, pattern);
    int64_t k;
    if (!pattern_is_finite(type, pattern) ||
        (value_is_candidate(chooser->options, type, pattern) &&
         value_holes_find(&chooser->known->holes, pattern_cut(type, pattern, chooser->known->hole_bits))))
        return;
    if (value < chooser->core.lower_limit || value > chooser->core.upper_limit) {
        value_state_add_hole(state, pattern);
        return;
    }
    uint64_t code = order_code(type, pattern);
    state->low = code < state->low ? code : state->low;
    state->high = code > state->high ? code : state->high;
    for (unsigned i = 0; i < chooser->count; i++)
        if (!atomic_load_explicit(&chooser->refuted[i], memory_order_relaxed) &&
            !value_map_linear_code(&chooser->proposals[i], value == 0 ? 0 : pattern, &k))
            atomic_store(&chooser->refuted[i], true);
}

static void look_again(struct chooser *chooser, struct value_state *state, const struct mist_view *frame)
{
    size_t size = type_bytes(state->type);
    for (uint32_t y = 0; y < frame->height && !state->failed; y++)
        for (uint32_t c = 0; c < frame->components; c++) {
            const char *at = sample_at(frame, y, c);
            uint64_t last = 0;
            for (uint32_t x = 0; x < frame->width; x++, at += frame->column_stride) {
                uint64_t pattern = pattern_load(size, at);
                if (x == 0 || pattern != last)
                    look_again_at(chooser, state, pattern);
                last = pattern;
            }
        }
}

static enum mist_status look(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct chooser *chooser = context;
    const struct value_map_frames *frames = chooser->frames;
    struct mist_view *buffer = &chooser->buffers[worker];
    if (!buffer->data)
        *buffer = mist_view_interleaved(
            memory_allocate_aligned(mist_frame_bytes(frames->type, frames->width, frames->height, frames->components)),
            frames->type, frames->width, frames->height, frames->components);
    if (!chooser->states[worker])
        chooser->states[worker] = value_state_new(frames, chooser->options);
    struct value_state *state = chooser->states[worker];
    if (!buffer->data || !state)
        return out_of_memory(error);
    enum mist_status status = frames->read(frames->context, (uint32_t)index, buffer, error);
    if (status)
        return status;
    if (chooser->known)
        look_again(chooser, state, buffer);
    else
        value_state_scan(state, buffer);
    return state->failed ? out_of_memory(error) : MIST_OK;
}

/* One pass over all frames; the findings are in the first state then, and the others are gone. */
static enum mist_status pass(struct chooser *chooser, struct mist_error *error)
{
    enum mist_status status = pool_run(chooser->threads, chooser->frames->frames, look, chooser, error);
    for (unsigned i = 1; i < chooser->threads && !status; i++) {
        if (chooser->states[0] && chooser->states[i]) {
            value_state_merge(chooser->states[0], chooser->states[i]);
            value_state_free(&chooser->states[i]);
        } else if (chooser->states[i]) { /* the caller's own thread came too late for any frame */
            chooser->states[0] = chooser->states[i];
            chooser->states[i] = NULL;
        }
    }
    return !status && chooser->states[0]->failed ? out_of_memory(error) : status;
}

/* ---- holes ---- */

static enum mist_status take_holes(struct value_state *state, struct value_map *map, struct mist_error *error)
{
    uint32_t count = state->holes.count;
    memory_free(map->holes.pattern);
    map->holes = (struct value_holes){0};
    map->hole_bits = state->hole_bits;
    map->remainder = map->remainder || state->hole_bits > 0;
    if (count == 0)
        return MIST_OK;
    map->holes.pattern = memory_allocate_array(count, sizeof *map->holes.pattern);
    if (!map->holes.pattern)
        return out_of_memory(error);
    memcpy(map->holes.pattern, state->holes.values, count * sizeof *map->holes.pattern);
    map->holes.count = count;
    value_holes_sort(&map->holes);
    return MIST_OK;
}

/* Order codes of small types: seen or not. Fills the state's range and holes as scanning does for the others. */
static void gather_small(struct value_state *state)
{
    for (uint32_t i = 0; i < 1u << (8 * type_bytes(state->type)); i++) {
        if (!state->seen[i])
            continue;
        if (value_is_candidate(state->options, state->type, i)) {
            value_state_add_hole(state, i);
            continue;
        }
        uint64_t code = order_code(state->type, i);
        state->low = code < state->low ? code : state->low;
        state->high = code > state->high ? code : state->high;
    }
}

/*
 * Candidates among the measurements, or next to them, are measurements. Codes of holes are gone through outwards, so
 * that a run of neighbours is taken in whole.
 */
static void settle_candidates(struct value_state *state)
{
    struct value_set *holes = &state->holes;
    enum mist_sample_type type = state->type;
    uint64_t next = !type_is_float(type), kept = 0;
    bool none = state->low > state->high; /* then nothing is a hole but what is no number */
    value_set_sort(holes);
    if (state->options->candidates)
        for (int pass = 0; pass < 2; pass++) /* patterns of negative floats are in descending order */
            for (uint32_t i = 0; i < 2 * holes->count; i++) {
                uint64_t pattern = holes->values[i < holes->count ? i : 2 * holes->count - 1 - i];
                uint64_t code = order_code(type, pattern);
                if (!pattern_is_finite(type, pattern) || (!none && ((code < state->low && state->low - code > next) ||
                                                                    (code > state->high && code - state->high > next))))
                    continue;
                state->low = code < state->low ? code : state->low;
                state->high = code > state->high ? code : state->high;
            }
    uint32_t count = holes->count;
    uint64_t *values = holes->values;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t code = order_code(type, values[i]);
        if (!pattern_is_finite(type, values[i]) || code < state->low || code > state->high)
            values[kept++] = values[i];
    }
    holes->count = (uint32_t)kept;
    value_set_reindex(holes);
}

/* ---- maps of integers ---- */

static void set_coded_range(struct value_map *map, int64_t lowest, int64_t highest)
{
    bool is_signed = lowest < 0;
    map->lowest = lowest;
    map->highest = highest;
    map->precision = bits_of_range(lowest, highest, is_signed);
    map->coded = map->precision <= 16 ? (is_signed ? MIST_S16 : MIST_U16) : (is_signed ? MIST_S32 : MIST_U32);
}

static void make_identity(const struct value_state *state, struct value_map *map)
{
    enum mist_sample_type type = state->type;
    int64_t low = (int64_t)pattern_value(type, order_pattern(type, state->low));
    int64_t high = (int64_t)pattern_value(type, order_pattern(type, state->high));
    unsigned precision = bits_of_range(low, high, type_is_signed(type));
    *map = value_map_identity(type, state->components, precision);
    if (state->holes.count) {
        map->lowest = low;
        map->highest = high;
    }
}

static void make_wide(const struct value_state *state, struct value_map *map)
{
    enum mist_sample_type type = state->type;
    uint64_t low = order_pattern(type, state->low), high = order_pattern(type, state->high);
    double least = pattern_value(type, low), greatest = pattern_value(type, high);
    bool is_signed = type == MIST_S64;
    *map = (struct value_map){.kind = VALUE_MAP_LINEAR, .source = type, .b = 1};
    if (state->high - state->low <= UINT32_MAX && fabs(least) <= 0x1p52) {
        if (is_signed && least >= INT32_MIN && greatest <= INT32_MAX)
            set_coded_range(map, (int64_t)low, (int64_t)high);
        else if (least >= 0 && greatest <= UINT32_MAX)
            set_coded_range(map, (int64_t)low, (int64_t)high);
        else {
            map->a = least;
            set_coded_range(map, 0, (int64_t)(state->high - state->low));
        }
        return;
    }
    struct value_core core = {0};
    value_find_core(state, &core);
    value_fit_quantised(type, &core, least, greatest, map);
}

/* ---- maps of floats ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values that are measurements; those beyond the limits become holes where all are known. */
static enum mist_status gather_numbers(struct value_state *state, const struct value_core *core,
                                       struct value_numbers *numbers, struct mist_error *error)
{
    const struct value_set *set = &state->set;
    enum mist_sample_type type = state->type;
    *numbers = (struct value_numbers){.type = type, .complete = set->level == 0, .lowest_bit = state->lowest_bit};
    numbers->value = memory_allocate_array((size_t)set->count + 2, sizeof *numbers->value);
    if (!numbers->value)
        return out_of_memory(error);
    size_t count = 0, kept = 0;
    const uint64_t ends[2] = {order_pattern(type, state->low), order_pattern(type, state->high)};
    for (uint32_t i = 0; i < set->count + 2; i++) {
        uint64_t pattern = i < set->count ? set->values[i] : ends[i - set->count];
        double value = pattern_value(type, pattern);
        if (!pattern_is_finite(type, pattern) ||
            (value_is_candidate(state->options, type, pattern) &&
             value_set_has(&state->holes, pattern_cut(type, pattern, state->hole_bits))))
            continue;
        if (value >= core->lower_limit && value <= core->upper_limit)
            numbers->value[count++] = value == 0 ? 0 : value;
        else if (numbers->complete)
            value_state_add_hole(state, pattern);
    }
    qsort(numbers->value, count, sizeof *numbers->value, compare_doubles);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || numbers->value[i] != numbers->value[i - 1])
            numbers->value[kept++] = numbers->value[i];
    numbers->count = kept;
    return state->failed ? out_of_memory(error) : MIST_OK;
}

/* All values are known. */
static enum mist_status choose_from_all(struct value_state *state, const struct value_core *core,
                                        const struct value_numbers *numbers, struct value_map *map,
                                        struct mist_error *error)
{
    struct value_map proposals[VALUE_PROPOSALS];
    bool found = false;
    if (value_propose_linear(numbers, proposals)) {
        *map = proposals[0];
        map->remainder = state->negative_zero;
        return MIST_OK;
    }
    /* A table costs some bytes for each value. */
    if (numbers->count <= state->pixels * state->components / 4 &&
        !value_fit_table(numbers, core, state->negative_zero && !state->positive_zero, map, &found))
        return out_of_memory(error);
    if (found)
        map->remainder = state->negative_zero && state->positive_zero;
    else
        value_fit_quantised(state->type, core, numbers->value[0], numbers->value[numbers->count - 1], map);
    return MIST_OK;
}

/* There are more values than are kept: proposals are checked, and outliers gathered, in a second pass. */
static enum mist_status choose_from_some(struct chooser *chooser, const struct value_numbers *numbers,
                                         struct value_map *map, struct mist_error *error)
{
    struct value_state *state = chooser->states[0];
    const struct value_core *core = &chooser->core;
    enum mist_sample_type type = state->type;
    double least = pattern_value(type, order_pattern(type, state->low));
    double greatest = pattern_value(type, order_pattern(type, state->high));
    chooser->count = value_propose_linear(numbers, chooser->proposals);
    if (chooser->count || least < core->lower_limit || greatest > core->upper_limit) {
        struct value_map known = {0};
        enum mist_status status = take_holes(state, &known, error);
        chooser->known = &known;
        state->low = UINT64_MAX;
        state->high = 0;
        if (!status)
            status = pass(chooser, error);
        value_map_free(&known);
        if (status)
            return status;
    }
    uint64_t ends[2] = {order_pattern(type, state->low), order_pattern(type, state->high)};
    for (unsigned i = 0; i < 2; i++)
        ends[i] = pattern_value(type, ends[i]) == 0 ? 0 : ends[i]; /* -0.0 */
    for (unsigned i = 0; i < chooser->count; i++) {
        int64_t low, high;
        if (atomic_load(&chooser->refuted[i]) || !value_map_linear_code(&chooser->proposals[i], ends[0], &low) ||
            !value_map_linear_code(&chooser->proposals[i], ends[1], &high))
            continue;
        *map = chooser->proposals[i];
        set_coded_range(map, low, high);
        map->remainder = state->negative_zero;
        return MIST_OK;
    }
    value_fit_quantised(type, core, pattern_value(type, ends[0]), pattern_value(type, ends[1]), map);
    return MIST_OK;
}

static enum mist_status choose_floats(struct chooser *chooser, struct value_map *map, struct mist_error *error)
{
    struct value_state *state = chooser->states[0];
    struct value_numbers numbers = {0};
    if (!value_find_core(state, &chooser->core)) { /* nothing is a number */
        *map = (struct value_map){.kind = VALUE_MAP_LINEAR, .source = state->type, .b = 1};
        set_coded_range(map, 0, 0);
        return MIST_OK;
    }
    enum mist_status status = gather_numbers(state, &chooser->core, &numbers, error);
    if (!status && numbers.complete)
        status = choose_from_all(state, &chooser->core, &numbers, map, error);
    else if (!status)
        status = choose_from_some(chooser, &numbers, map, error);
    memory_free(numbers.value);
    return status;
}

/* ---- labels ---- */

static enum mist_status make_ranks(const struct value_state *state, struct value_map *map, struct mist_error *error)
{
    enum mist_sample_type type = state->type;
    bool direct = value_is_small(type) && state->components == 1;
    const struct value_set *set = value_state_pixels(state);
    uint32_t patterns = direct ? 1u << (8 * type_bytes(type)) : set->count;
    struct value_holes ranks = {0};
    *map = (struct value_map){.kind = VALUE_MAP_RANKS, .source = type, .coded = MIST_U16};
    ranks.pattern = memory_allocate_array(patterns, sizeof *ranks.pattern);
    if (!ranks.pattern)
        return out_of_memory(error);
    for (uint32_t i = 0; i < patterns; i++)
        if (!direct || state->seen[i]) {
            uint64_t value = direct ? i : set->values[i];
            ranks.pattern[ranks.count++] = state->components > 1 ? value : order_code(type, value);
        }
    value_holes_sort(&ranks);
    map->rank = ranks.pattern;
    map->rank_count = ranks.count;
    map->highest = (int64_t)ranks.count - 1;
    map->precision = bits_of_range(0, map->highest, false);
    return MIST_OK;
}

/* ---- all of it ---- */

static enum mist_status choose_image(struct chooser *chooser, struct value_map *map, struct mist_error *error)
{
    struct value_state *state = chooser->states[0];
    enum mist_sample_type type = state->type;
    enum mist_status status = MIST_OK;
    if (value_is_small(type))
        gather_small(state);
    settle_candidates(state);
    if (state->failed)
        return out_of_memory(error);
    if (type_is_float(type))
        status = choose_floats(chooser, map, error);
    else if (type_bytes(type) == 8)
        make_wide(state, map);
    else
        make_identity(state, map);
    return status ? status : take_holes(state, map, error);
}

static enum mist_status choose(struct chooser *chooser, struct value_map *map, struct value_statistics *statistics,
                               struct mist_error *error)
{
    enum mist_status status = pass(chooser, error);
    if (status)
        return status;
    enum value_wish wish = chooser->options->wish;
    value_state_statistics(chooser->states[0], statistics);
    if (wish == VALUE_AS_LABELS && statistics->distinct > VALUE_MAX_RANKS)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "more than %u different values are no labels", VALUE_MAX_RANKS);
    if (wish == VALUE_AS_LABELS || (wish == VALUE_LABELS_IF_ALIKE && value_looks_like_labels(statistics)))
        status = make_ranks(chooser->states[0], map, error);
    else
        status = choose_image(chooser, map, error);
    map->components = chooser->frames->components;
    return status;
}

enum mist_status value_map_choose(const struct value_map_frames *frames, const struct value_options *options,
                                  unsigned threads, struct value_map *map, struct value_statistics *statistics,
                                  struct mist_error *error)
{
    struct value_statistics unwanted;
    *map = (struct value_map){0};
    if (frames->frames == 0 || mist_frame_bytes(frames->type, frames->width, frames->height, frames->components) == 0 ||
        options->candidates > VALUE_MAX_CANDIDATES)
        return error_set(error, MIST_ERROR_ARGUMENT, "there are no samples to map");
    struct chooser chooser = {.frames = frames, .options = options, .threads = threads ? threads : 1};
    chooser.buffers = memory_allocate_zeroed(chooser.threads, sizeof *chooser.buffers);
    chooser.states = memory_allocate_zeroed(chooser.threads, sizeof *chooser.states);
    enum mist_status status = chooser.buffers && chooser.states
                                  ? choose(&chooser, map, statistics ? statistics : &unwanted, error)
                                  : out_of_memory(error);
    for (unsigned i = 0; i < chooser.threads && chooser.buffers && chooser.states; i++) {
        memory_free(chooser.buffers[i].data);
        value_state_free(&chooser.states[i]);
    }
    memory_free(chooser.buffers);
    memory_free(chooser.states);
    if (status)
        value_map_free(map);
    return status;
}

/*
 * Of the images and label maps at hand, no image has a typical flatness above 0.27 and a flatness above 0.56 (8 bits
 * with text burnt in), and no label map less than 0.75 and 0.64 (vessels). Replicated pixels of an enlarged image have
 * 0.75 and many values, so many values must be flatter.
 */
bool value_looks_like_labels(const struct value_statistics *statistics)
{
    double least = statistics->distinct <= 64 ? 0.55 : 0.8;
    return statistics->whole && statistics->distinct <= VALUE_LABEL_VALUES && statistics->flatness >= least &&
           statistics->typical_flatness >= least;
}
