/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/progression.h"

#include "base/error.h"

#include <string.h>

/* The walk over one progression volume: the packets between the bounds of COD or of one POC entry. */
struct walk {
    struct tile *tile;
    const struct progression_visitor *visitor;
    struct codestream_progression bounds; /* ends clipped to what the tile has */
    struct arena *arena;                  /* set when packets may come in more than one volume */
    uint64_t idle;                        /* steps since the beginning that met no packet */
    struct mist_error *error;
};

static enum mist_status idle_step(struct walk *walk)
{
    if (++walk->idle <= PROGRESSION_MAX_STEPS)
        return MIST_OK;
    return error_set(walk->error, MIST_ERROR_LIMIT, "the progression order visits too many empty positions");
}

/* One packet, unless an earlier volume has brought it. */
static enum mist_status visit(struct walk *walk, uint32_t c, unsigned r, uint64_t precinct, unsigned layer)
{
    struct progression_packet packet = {c, r, precinct, layer};
    if (walk->arena) {
        struct resolution *resolution = &walk->tile->component[c].resolution[r];
        if (!resolution->next_layer) {
            if (resolution->precincts > TILE_MAX_PRECINCTS(0))
                return error_set(walk->error, MIST_ERROR_LIMIT, "too many precincts for progression order changes");
            resolution->next_layer =
                arena_allocate_zeroed(walk->arena, (size_t)resolution->precincts, sizeof *resolution->next_layer);
            if (!resolution->next_layer)
                return error_set(walk->error, MIST_ERROR_MEMORY, "no memory for the progression order changes");
        }
        if (layer != resolution->next_layer[precinct])
            return idle_step(walk);
        resolution->next_layer[precinct]++;
    }
    return walk->visitor->packet(walk->visitor->context, &packet, walk->error);
}

/* A component's level that is in the tile and the volume. */
static struct resolution *resolution_at(const struct walk *walk, uint32_t c, unsigned r)
{
    struct tile_component *component = &walk->tile->component[c];
    return r < component->resolutions && component->resolution[r].precincts ? &component->resolution[r] : NULL;
}

#define STOPPED(walk, status) ((status) || *(walk)->visitor->stop)

static enum mist_status all_precincts(struct walk *walk, unsigned r, unsigned layer)
{
    enum mist_status status = MIST_OK;
    for (uint32_t c = walk->bounds.component_start; c < walk->bounds.component_end; c++) {
        const struct resolution *resolution = resolution_at(walk, c, r);
        if (!resolution)
            status = idle_step(walk);
        for (uint64_t n = 0; resolution && n < resolution->precincts && !STOPPED(walk, status); n++)
            status = visit(walk, c, r, n, layer);
        if (STOPPED(walk, status))
            break;
    }
    return status;
}

/* B.12.1.1 */
static enum mist_status walk_lrcp(struct walk *walk)
{
    enum mist_status status = MIST_OK;
    for (unsigned layer = 0; layer < walk->bounds.layer_end; layer++)
        for (unsigned r = walk->bounds.resolution_start; r < walk->bounds.resolution_end; r++) {
            status = all_precincts(walk, r, layer);
            if (STOPPED(walk, status))
                return status;
        }
    return status;
}

/* B.12.1.2 */
static enum mist_status walk_rlcp(struct walk *walk)
{
    enum mist_status status = MIST_OK;
    for (unsigned r = walk->bounds.resolution_start; r < walk->bounds.resolution_end; r++)
        for (unsigned layer = 0; layer < walk->bounds.layer_end; layer++) {
            status = all_precincts(walk, r, layer);
            if (STOPPED(walk, status))
                return status;
        }
    return status;
}

/*
 * The orders by position go over points of the reference grid. Only points that lie on a boundary of some precinct
 * column and row, or on the tile's upper or left edge, can bring packets, so the walk jumps from one to the next.
 */
struct span {
    uint32_t component_start, component_end;
    unsigned resolution_start, resolution_end;
};

static unsigned levels_down(const struct walk *walk, uint32_t c, unsigned r)
{
    return walk->tile->component[c].resolutions - 1 - r;
}

/* Distance on the reference grid between the starts of precincts: dx 2^(PPx + NL - r), at most 255 * 2^47. */
static uint64_t precinct_step(const struct walk *walk, uint32_t c, unsigned r, bool vertical)
{
    const struct tile_component *component = &walk->tile->component[c];
    const struct geometry_precincts *grid = &component->resolution[r].grid;
    uint64_t sampling = vertical ? component->sampling.dy : component->sampling.dx;
    return sampling << ((vertical ? grid->height_log2 : grid->width_log2) + levels_down(walk, c, r));
}

/* The next coordinate after `at` where a precinct of the span may start; UINT64_MAX when there is no precinct. */
static uint64_t next_position(const struct walk *walk, const struct span *span, uint64_t at, bool vertical)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t c = span->component_start; c < span->component_end; c++)
        for (unsigned r = span->resolution_start; r < span->resolution_end; r++) {
            if (!resolution_at(walk, c, r))
                continue;
            uint64_t step = precinct_step(walk, c, r, vertical), candidate = (at / step + 1) * step;
            if (candidate < next)
                next = candidate;
        }
    return next;
}

/*
 * Whether a precinct of (c, r) starts at this coordinate (the conditions in B.12.1.3), and which column or row of the
 * precinct grid that is.
 */
static bool precinct_at(const struct walk *walk, uint32_t c, unsigned r, uint64_t at, bool vertical, uint32_t *index)
{
    const struct tile_component *component = &walk->tile->component[c];
    const struct resolution *resolution = &component->resolution[r];
    const struct geometry_precincts *grid = &resolution->grid;
    unsigned down = levels_down(walk, c, r), exponent = vertical ? grid->height_log2 : grid->width_log2;
    uint64_t origin = vertical ? resolution->rect.y0 : resolution->rect.x0;
    uint64_t tile_origin = vertical ? walk->tile->rect.y0 : walk->tile->rect.x0;
    uint64_t sampling = vertical ? component->sampling.dy : component->sampling.dx;
    uint64_t cell = (uint64_t)1 << (exponent + down);
    if (at % (sampling * cell) && !(at == tile_origin && (origin << down) % cell))
        return false;
    uint64_t sample = ceil_shift((at + sampling - 1) / sampling, down);
    uint64_t first = vertical ? grid->first_y : grid->first_x, position = sample >> exponent;
    if (position < first || position - first >= (vertical ? grid->high : grid->wide))
        return false;
    *index = (uint32_t)(position - first);
    return true;
}

/* All layers of the precinct of (c, r) that starts at (x, y), if one does. */
static enum mist_status visit_position(struct walk *walk, uint32_t c, unsigned r, uint64_t x, uint64_t y)
{
    const struct resolution *resolution = resolution_at(walk, c, r);
    uint32_t column, row;
    enum mist_status status = MIST_OK;
    if (!resolution || !precinct_at(walk, c, r, y, true, &row) || !precinct_at(walk, c, r, x, false, &column))
        return idle_step(walk);
    uint64_t n = (uint64_t)row * resolution->grid.wide + column;
    for (unsigned layer = 0; layer < walk->bounds.layer_end && !STOPPED(walk, status); layer++)
        status = visit(walk, c, r, n, layer);
    return status;
}

/* All (component, resolution) of the span at all positions: components vary slower than resolutions. */
static enum mist_status walk_positions(struct walk *walk, const struct span *span)
{
    const struct rect *tile = &walk->tile->rect;
    enum mist_status status = MIST_OK;
    for (uint64_t y = tile->y0; y < tile->y1; y = next_position(walk, span, y, true))
        for (uint64_t x = tile->x0; x < tile->x1; x = next_position(walk, span, x, false))
            for (uint32_t c = span->component_start; c < span->component_end; c++)
                for (unsigned r = span->resolution_start; r < span->resolution_end; r++) {
                    status = visit_position(walk, c, r, x, y);
                    if (STOPPED(walk, status))
                        return status;
                }
    return status;
}

/* B.12.1.3 to B.12.1.5: what is outside the loop over positions makes one span after the other. */
static enum mist_status walk_by_position(struct walk *walk)
{
    const struct codestream_progression *bounds = &walk->bounds;
    const struct span all = {bounds->component_start, bounds->component_end, bounds->resolution_start,
                             bounds->resolution_end};
    enum mist_status status = MIST_OK;
    if (bounds->order == MIST_PCRL)
        return walk_positions(walk, &all);
    if (bounds->order == MIST_RPCL) {
        for (unsigned r = all.resolution_start; r < all.resolution_end && !STOPPED(walk, status); r++) {
            struct span span = {all.component_start, all.component_end, r, r + 1};
            status = walk_positions(walk, &span);
        }
        return status;
    }
    for (uint32_t c = all.component_start; c < all.component_end && !STOPPED(walk, status); c++) {
        struct span span = {c, c + 1, all.resolution_start, all.resolution_end};
        status = walk_positions(walk, &span);
    }
    return status;
}

static enum mist_status walk_volume(struct walk *walk, struct codestream_progression bounds, unsigned resolutions)
{
    if (bounds.component_end > walk->tile->components)
        bounds.component_end = (uint16_t)walk->tile->components;
    if (bounds.layer_end > walk->tile->style.layers)
        bounds.layer_end = walk->tile->style.layers;
    if (bounds.resolution_end > resolutions)
        bounds.resolution_end = (uint8_t)resolutions;
    walk->bounds = bounds;
    switch (bounds.order) {
    case MIST_LRCP:
        return walk_lrcp(walk);
    case MIST_RLCP:
        return walk_rlcp(walk);
    default:
        return walk_by_position(walk);
    }
}

enum mist_status progression_walk(struct arena *arena, struct tile *tile, const struct progression_visitor *visitor,
                                  struct mist_error *error)
{
    const struct codestream_progressions *changes = tile->progressions;
    struct walk walk = {.tile = tile, .visitor = visitor, .error = error};
    unsigned resolutions = 0;
    enum mist_status status = MIST_OK;
    for (uint32_t c = 0; c < tile->components; c++) {
        if (resolutions < tile->component[c].resolutions)
            resolutions = tile->component[c].resolutions;
    }
    if (!changes->count) {
        struct codestream_progression whole = {
            0, (uint8_t)resolutions, 0, (uint16_t)tile->components, tile->style.layers, tile->style.progression};
        return walk_volume(&walk, whole, resolutions);
    }
    walk.arena = arena;
    for (uint32_t i = 0; i < changes->count && !STOPPED(&walk, status); i++)
        status = walk_volume(&walk, changes->change[i], resolutions);
    return status;
}
