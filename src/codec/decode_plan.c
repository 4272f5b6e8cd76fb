/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/decode_plan.h"

#include "base/error.h"
#include "codec/parts.h"

#include <math.h>
#include <string.h>

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for decoding a tile");
}

bool plane_allocate(struct arena *arena, struct rect window, bool is_float, enum codec_lane lane, struct plane *plane)
{
    *plane = (struct plane){.window = window, .is_float = is_float, .lane = lane};
    size_t bytes, per_line = 64 / plane_element(plane); /* rows start on a cache line */
    plane->stride = ((size_t)rect_width(window) + per_line - 1) / per_line * per_line;
    if (__builtin_mul_overflow(plane->stride * plane_element(plane), (size_t)rect_height(window), &bytes))
        return false;
    plane->data = arena_allocate(arena, bytes, 1);
    return plane->data != NULL;
}

/* ---- windows ---- */

static uint32_t lower(uint32_t value, uint32_t by, uint32_t bound)
{
    return value - bound > by ? value - by : bound;
}

static uint32_t raise(uint32_t value, uint32_t by, uint32_t bound)
{
    return bound - value > by ? value + by : bound;
}

/*
 * The window of a level that must be synthesised so that `wanted` comes out right. Beyond its edges the kernel mirrors
 * the samples, which is right only at the edges of the tile-component; elsewhere it spoils one sample for each lifting
 * step.
 */
static struct rect synthesis_window(struct rect wanted, struct rect level, bool reversible)
{
    uint32_t margin = reversible ? WAVELET_MARGIN_53 : WAVELET_MARGIN_97;
    return (struct rect){lower(wanted.x0, margin, level.x0), lower(wanted.y0, margin, level.y0),
                         raise(wanted.x1, margin, level.x1), raise(wanted.y1, margin, level.y1)};
}

struct rect decode_band_window(struct rect window, enum band_kind kind)
{
    uint64_t low_x = kind & 1 ? 0 : 1, low_y = kind & 2 ? 0 : 1;
    return (struct rect){(uint32_t)((window.x0 + low_x) / 2), (uint32_t)((window.y0 + low_y) / 2),
                         (uint32_t)((window.x1 + low_x) / 2), (uint32_t)((window.y1 + low_y) / 2)};
}

/* Step size of a band (E-3) in half units, which is what irreversible blocks are decoded to. */
static float band_scale(const struct tile_component *component, const struct band *band)
{
    const struct codestream_quantizer *quantizer = &component->coding->quantizer;
    int range = component->sampling.precision + (int)band_gain_log2(band->kind);
    int exponent = (int)codestream_band_exponent(quantizer, band->index);
    double mantissa = 1.0 + codestream_band_mantissa(quantizer, band->index) / 2048.0;
    return (float)ldexp(mantissa, range - exponent - 1);
}

/* From the wanted window down to the lowest level. */
static enum mist_status plan_levels(struct arena *arena, struct component_plan *plan, struct mist_error *error)
{
    const struct codestream_component_coding *coding = plan->component->coding;
    struct rect wanted = plan->output->window;
    plan->level = arena_allocate_zeroed(arena, plan->levels, sizeof *plan->level);
    if (!plan->level)
        return no_memory(error);
    for (unsigned r = plan->levels; r--;) {
        const struct resolution *resolution = &plan->component->resolution[r];
        struct level_plan *level = &plan->level[r];
        level->window = r ? synthesis_window(wanted, resolution->rect, coding->coding.reversible) : wanted;
        for (unsigned b = 0; b < resolution->bands; b++) {
            const struct band *band = &resolution->band[b];
            struct band_target *target = &level->target[b];
            target->plane.window = r ? decode_band_window(level->window, band->kind) : wanted;
            target->band = band;
            target->region_shift = coding->region_shift;
            target->stripe_causal = coding->coding.block_style & BLOCK_STYLE_VERTICALLY_CAUSAL;
            target->half = plan->is_float;
            target->scale = band_scale(plan->component, band);
        }
        wanted = decode_band_window(level->window, BAND_LL);
    }
    return MIST_OK;
}

/* RCT and ICT need three components of one size and one wavelet. */
static enum mist_status plan_transform(struct decode_plan *plan, struct mist_error *error)
{
    struct tile_decode *decode = plan->decode;
    const struct component_plan *component = plan->component;
    bool transform = plan->scan.tile.style.component_transform;
    decode->component_transform = transform && decode->outputs >= 3 && component[0].output->component == 0;
    decode->needs_all_three = transform && !decode->component_transform && plan->scan.tile.components >= 3 &&
                              component[0].output->component < 3;
    for (unsigned c = 1; decode->component_transform && c < 3; c++) {
        if (component[c].is_float != component[0].is_float ||
            memcmp(&component[c].output->window, &component[0].output->window, sizeof(struct rect)))
            return error_set(error, MIST_ERROR_CORRUPT,
                             "the component transform needs three components of one size and one wavelet");
    }
    return MIST_OK;
}

enum mist_status decode_plan_windows(struct decode_plan *plan, struct mist_error *error)
{
    struct tile_decode *decode = plan->decode;
    struct arena *arena = &decode->codec->arena;
    enum mist_status status = MIST_OK;
    memset(plan->scan.wanted, 0, plan->scan.tile.components);
    plan->component = arena_allocate_zeroed(arena, decode->outputs, sizeof *plan->component);
    if (!plan->component)
        return no_memory(error);
    for (uint32_t i = 0; i < decode->outputs && !status; i++) {
        struct component_plan *component = &plan->component[i];
        component->output = &decode->output[i];
        component->component = &plan->scan.tile.component[component->output->component];
        component->is_float = !component->component->coding->coding.reversible;
        if (component->component->resolutions <= decode->reduce)
            return error_set(error, MIST_ERROR_ARGUMENT, "tile %u has only %u resolution levels to reduce by %u",
                             decode->index, component->component->resolutions, decode->reduce);
        if (rect_empty(component->output->window))
            continue;
        component->levels = component->component->resolutions - decode->reduce;
        plan->scan.wanted[component->output->component] = (uint8_t)component->levels;
        status = plan_levels(arena, component, error);
    }
    return status ? status : plan_transform(plan, error);
}

/* ---- lanes ---- */

/*
 * Dynamic range of the reversible path. Let samples have P bits (one more with RCT), so |x| <= 2^(P-1) after the level
 * shift. encode_reversible_planes() bounds the values of bands and of what lies between the two directions of a step;
 * here the largest number is a sum of two neighbours inside a lifting step. Adding two neighbouring high-pass samples
 * of decomposition d, each high-pass in the other direction too, is a filter whose taps have the absolute sum 8, 11.88,
 * 14.44, 15.23, 15.50, 15.71, 15.82 for d = 1 .. 7 at most, growing to 15.98; all other sums are smaller. Rounding adds
 * at most 2 * 16.6 d, the step itself 2. So for P = 12 and d <= 7 it is below 15.82 * 2^11 + 235 < 2^15: LANE_16. For
 * P = 28 and d <= 32 it is below 15.98 * 2^27 + 1065 < 2^31: LANE_32. For P = 38 it is far inside LANE_64.
 *
 * A block that was cut above bit-plane 0 decodes to values that are off by less than e = 2^p, and the errors of all
 * bands add up: a level turns errors of e into e + 5.25 e at most, 33 levels into 175 e. As e is less than the bound of
 * the band, cut streams get eight bits more room: LANE_32 to P = 20, LANE_64 beyond.
 *
 * Damaged streams may exceed all this; the kernels wrap.
 */
#define LANE_32_BITS 28
#define LANE_32_BITS_CUT 20

static unsigned lowest_plane(const struct code_block *block, const struct band *band)
{
    unsigned planes = band->planes - block->planes_skipped - 1;
    return planes && block->set_passes == 3 ? planes - 1 : planes;
}

/* What the blocks that have arrived say about a component. */
struct component_facts {
    unsigned planes; /* the most of any band */
    bool cut;        /* a block ends above bit-plane 0 */
};

static void gather_band(const struct resolution *resolution, unsigned b, struct component_facts *facts)
{
    for (uint64_t n = 0; resolution->precinct && n < resolution->precincts; n++) {
        const struct precinct_band *part = resolution->precinct[n] ? &resolution->precinct[n]->band[b] : NULL;
        uint64_t count = part ? (uint64_t)part->grid.wide * part->grid.high : 0;
        for (uint64_t i = 0; i < count && !facts->cut; i++)
            facts->cut = part->block[i].cleanup && lowest_plane(&part->block[i], &resolution->band[b]);
    }
}

static enum mist_status choose_lane(const struct decode_plan *plan, struct component_plan *component,
                                    struct mist_error *error)
{
    struct component_facts facts = {0};
    for (unsigned r = 0; r < component->levels; r++) {
        const struct resolution *resolution = &component->component->resolution[r];
        for (unsigned b = 0; b < resolution->bands; b++) {
            if (facts.planes < resolution->band[b].planes)
                facts.planes = resolution->band[b].planes;
            if (!component->is_float)
                gather_band(resolution, b, &facts);
        }
    }
    if (facts.planes > block_decode_max_planes(LANE_64, component->is_float))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "sub-bands of %u bit-planes; %u are supported", facts.planes,
                         block_decode_max_planes(LANE_64, component->is_float));
    unsigned bits = component->component->sampling.precision + plan->decode->component_transform;
    bool shallow = component->component->coding->coding.decompositions <= LANE_16_DECOMPOSITIONS;
    if (bits <= LANE_16_BITS && shallow && !facts.cut && facts.planes <= block_decode_max_planes(LANE_16, false))
        component->lane = LANE_16;
    else if (bits <= (facts.cut ? LANE_32_BITS_CUT : LANE_32_BITS) &&
             facts.planes <= block_decode_max_planes(LANE_32, false))
        component->lane = LANE_32;
    else
        component->lane = LANE_64;
    return MIST_OK;
}

/* The three components that RCT mixes go in the widest lane of them. */
static void agree_on_lane(struct decode_plan *plan)
{
    enum codec_lane lane = LANE_16;
    for (unsigned c = 0; c < 3; c++)
        lane = plan->component[c].lane > lane ? plan->component[c].lane : lane;
    for (unsigned c = 0; c < 3; c++)
        plan->component[c].lane = lane;
}

/* ---- blocks ---- */

static void add_block(struct block_target *list, uint64_t *count, struct block_target block)
{
    if (list)
        list[*count] = block;
    ++*count;
}

/* Adds the blocks of one precinct that the band's window touches; with `list` NULL only counts. */
static void list_precinct(const struct resolution *resolution, unsigned b, uint64_t n, const struct band_target *target,
                          struct block_target *list, uint64_t *count)
{
    const struct precinct *precinct = resolution->precinct[n];
    struct rect window = target->plane.window;
    struct rect area = geometry_precinct_band(&resolution->grid, target->band->rect, n);
    if (rect_empty(rect_intersect(area, window)))
        return;
    if (!precinct) {
        add_block(list, count, (struct block_target){NULL, area, target});
        return;
    }
    const struct precinct_band *part = &precinct->band[b];
    for (uint32_t row = 0; row < part->grid.high; row++)
        for (uint32_t column = 0; column < part->grid.wide; column++) {
            struct rect rect = geometry_block(&resolution->grid, &part->grid, part->area, column, row);
            const struct code_block *block = &part->block[(size_t)row * part->grid.wide + column];
            if (!rect_empty(rect_intersect(rect, window)))
                add_block(list, count, (struct block_target){block, rect, target});
        }
}

/*
 * The precincts that a band's window touches, and no others: a header of a few bytes can claim a thousand million.
 * Where no packet of the level had anything in it, the window is one empty block.
 */
static void list_band(const struct resolution *resolution, unsigned b, const struct band_target *target,
                      struct block_target *list, uint64_t *count)
{
    const struct geometry_precincts *grid = &resolution->grid;
    struct rect window = rect_intersect(target->plane.window, target->band->rect);
    unsigned half = grid->lowest ? 0 : 1, shift_x = grid->width_log2 - half, shift_y = grid->height_log2 - half;
    if (rect_empty(window))
        return;
    if (!resolution->precinct) {
        add_block(list, count, (struct block_target){NULL, window, target});
        return;
    }
    uint32_t left = (window.x0 >> shift_x) - grid->first_x, right = ((window.x1 - 1) >> shift_x) - grid->first_x;
    uint32_t top = (window.y0 >> shift_y) - grid->first_y, bottom = ((window.y1 - 1) >> shift_y) - grid->first_y;
    for (uint32_t row = top; row <= bottom; row++)
        for (uint32_t column = left; column <= right; column++)
            list_precinct(resolution, b, (uint64_t)row * grid->wide + column, target, list, count);
}

static uint64_t list_blocks(const struct decode_plan *plan, struct block_target *list)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < plan->decode->outputs; i++) {
        const struct component_plan *component = &plan->component[i];
        for (unsigned r = 0; r < component->levels - component->strips; r++) {
            const struct resolution *resolution = &component->component->resolution[r];
            for (unsigned b = 0; b < resolution->bands; b++)
                list_band(resolution, b, &component->level[r].target[b], list, &count);
        }
    }
    return count;
}

/* Whether decode_strips() can do it: a whole reversible level in one precinct, that goes straight to the output. */
static bool goes_in_strips(const struct decode_plan *plan, const struct component_plan *component)
{
    if (component->levels < 2 || !component->output->store || component->is_float || plan->decode->component_transform)
        return false;
    const struct level_plan *level = &component->level[component->levels - 1];
    const struct resolution *resolution = &component->component->resolution[component->levels - 1];
    const struct rect whole = resolution->rect;
    return resolution->precincts == 1 && resolution->precinct && resolution->precinct[0] && !whole.x0 && !whole.y0 &&
           rect_height(whole) > 1 && !memcmp(&whole, &level->window, sizeof whole) && !level->target[0].region_shift &&
           parts_strip_count(resolution) >= pool_threads(plan->decode->codec->pool);
}

static bool allocate_planes(struct arena *arena, const struct component_plan *component)
{
    for (unsigned r = 0; r < component->levels - component->strips; r++)
        for (unsigned b = 0; b < component->component->resolution[r].bands; b++) {
            struct plane *plane = &component->level[r].target[b].plane;
            if (!plane_allocate(arena, plane->window, component->is_float, component->lane, plane))
                return false;
        }
    return true;
}

enum mist_status decode_plan_blocks(struct decode_plan *plan, struct mist_error *error)
{
    struct arena *arena = &plan->decode->codec->arena;
    for (uint32_t i = 0; i < plan->decode->outputs; i++) {
        enum mist_status status = choose_lane(plan, &plan->component[i], error);
        if (status)
            return status;
    }
    if (plan->decode->component_transform)
        agree_on_lane(plan);
    for (uint32_t i = 0; i < plan->decode->outputs; i++) {
        plan->component[i].strips = goes_in_strips(plan, &plan->component[i]);
        if (!allocate_planes(arena, &plan->component[i]))
            return no_memory(error);
    }
    plan->blocks = list_blocks(plan, NULL);
    plan->block = arena_allocate(arena, plan->blocks, sizeof *plan->block);
    if (!plan->block)
        return no_memory(error);
    list_blocks(plan, plan->block);
    return MIST_OK;
}
