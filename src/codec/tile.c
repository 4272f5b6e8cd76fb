/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/tile.h"

#include "base/error.h"

#include <string.h>

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for the structure of a tile");
}

static void build_resolution(struct tile_component *component, unsigned level)
{
    const struct codestream_coding *coding = &component->coding->coding;
    struct resolution *resolution = &component->resolution[level];
    unsigned down = coding->decompositions - level, decomposition = level ? down + 1 : down;
    memset(resolution, 0, sizeof *resolution);
    resolution->rect = geometry_resolution(component->rect, down);
    resolution->grid = geometry_precincts(resolution->rect, coding, level);
    resolution->precincts = (uint64_t)resolution->grid.wide * resolution->grid.high;
    resolution->bands = level ? 3 : 1;
    for (unsigned b = 0; b < resolution->bands; b++) {
        struct band *band = &resolution->band[b];
        band->kind = level ? (enum band_kind)(b + 1) : BAND_LL;
        band->index = level ? 3 * (level - 1) + 1 + b : 0;
        band->planes = codestream_band_planes(&component->coding->quantizer, band->index);
        band->planes += component->coding->region_shift;
        band->rect = geometry_band(component->rect, band->kind, decomposition);
    }
}

static enum mist_status build_component(struct arena *arena, struct tile_component *component, uint64_t *resolutions,
                                        struct mist_error *error)
{
    const struct codestream_component_coding *coding = component->coding;
    unsigned decompositions = coding->coding.decompositions;
    if (coding->quantizer.style != QUANTIZATION_DERIVED && coding->quantizer.bands < 3 * decompositions + 1)
        return error_set(error, MIST_ERROR_CORRUPT, "%u quantisation steps for %u bands", coding->quantizer.bands,
                         3 * decompositions + 1);
    component->resolutions = decompositions + 1;
    *resolutions += component->resolutions;
    if (*resolutions > TILE_MAX_RESOLUTIONS)
        return error_set(error, MIST_ERROR_LIMIT, "the components of a tile have too many resolution levels");
    component->resolution = arena_allocate(arena, component->resolutions, sizeof *component->resolution);
    if (!component->resolution)
        return no_memory(error);
    for (unsigned level = 0; level < component->resolutions; level++)
        build_resolution(component, level);
    return MIST_OK;
}

enum mist_status tile_build(struct arena *arena, const struct codestream_header *header,
                            const struct codestream_tile_header *tile_header, uint32_t index, struct tile *tile,
                            struct mist_error *error)
{
    uint64_t resolutions = 0;
    enum mist_status status = MIST_OK;
    memset(tile, 0, sizeof *tile);
    tile->rect = geometry_tile(&header->siz, index);
    tile->components = header->siz.components;
    tile->style = tile_header->style;
    tile->progressions = tile_header->progressions;
    tile->component = arena_allocate_zeroed(arena, tile->components, sizeof *tile->component);
    if (!tile->component)
        return no_memory(error);
    for (uint32_t c = 0; c < tile->components && !status; c++) {
        struct tile_component *component = &tile->component[c];
        component->sampling = header->component[c];
        component->coding = &tile_header->coding[c];
        component->rect = geometry_component(tile->rect, &component->sampling);
        status = build_component(arena, component, &resolutions, error);
    }
    return status;
}

static bool build_precinct_band(struct arena *arena, const struct resolution *resolution, const struct band *band,
                                uint64_t n, struct precinct_band *part)
{
    part->area = geometry_precinct_band(&resolution->grid, band->rect, n);
    part->grid = geometry_blocks(&resolution->grid, part->area);
    uint64_t blocks = (uint64_t)part->grid.wide * part->grid.high;
    uint64_t nodes = tagtree_nodes(part->grid.wide, part->grid.high);
    if (!blocks)
        return true;
    part->block = arena_allocate_zeroed(arena, blocks, sizeof *part->block);
    part->inclusion = arena_allocate_zeroed(arena, nodes, sizeof *part->inclusion);
    part->planes = arena_allocate_zeroed(arena, nodes, sizeof *part->planes);
    return part->block && part->inclusion && part->planes;
}

/* Code-blocks of precinct n in all bands, before anything is allocated for them. */
static uint64_t count_blocks(const struct resolution *resolution, uint64_t n)
{
    uint64_t blocks = 0;
    for (unsigned b = 0; b < resolution->bands; b++) {
        struct rect area = geometry_precinct_band(&resolution->grid, resolution->band[b].rect, n);
        struct geometry_blocks grid = geometry_blocks(&resolution->grid, area);
        blocks += (uint64_t)grid.wide * grid.high;
    }
    return blocks;
}

static enum mist_status build_precinct(struct arena *arena, struct tile *tile, struct resolution *resolution,
                                       uint64_t n, size_t size, struct mist_error *error)
{
    tile->blocks += count_blocks(resolution, n);
    if (tile->blocks > TILE_MAX_BLOCKS(size))
        return error_set(error, MIST_ERROR_LIMIT, "a tile of more than %llu code-blocks in a codestream of %zu bytes",
                         (unsigned long long)TILE_MAX_BLOCKS(size), size);
    struct precinct *precinct = arena_allocate_zeroed(arena, 1, sizeof *precinct);
    bool made = precinct != NULL;
    for (unsigned b = 0; made && b < resolution->bands; b++)
        made = build_precinct_band(arena, resolution, &resolution->band[b], n, &precinct->band[b]);
    if (!made)
        return no_memory(error);
    resolution->precinct[n] = precinct;
    return MIST_OK;
}

enum mist_status tile_make_precinct(struct arena *arena, struct tile *tile, struct resolution *resolution, uint64_t n,
                                    size_t size, struct mist_error *error)
{
    if (!resolution->precinct) {
        tile->precincts += resolution->precincts;
        if (tile->precincts > TILE_MAX_PRECINCTS(size))
            return error_set(error, MIST_ERROR_LIMIT, "a tile of more than %llu precincts in a codestream of %zu bytes",
                             (unsigned long long)TILE_MAX_PRECINCTS(size), size);
        resolution->precinct =
            arena_allocate_zeroed(arena, (size_t)resolution->precincts, sizeof *resolution->precinct);
        if (!resolution->precinct)
            return no_memory(error);
    }
    return resolution->precinct[n] ? MIST_OK : build_precinct(arena, tile, resolution, n, size, error);
}
