/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/geometry.h"

static uint32_t clamp64(uint64_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : (uint32_t)value;
}

struct rect geometry_tile(const struct codestream_siz *siz, uint32_t tile)
{
    uint64_t column = tile % siz->tiles_wide, row = tile / siz->tiles_wide;
    uint64_t left = siz->tile_x0 + column * siz->tile_width, top = siz->tile_y0 + row * siz->tile_height;
    return (struct rect){clamp64(left, siz->x0, siz->x1), clamp64(top, siz->y0, siz->y1),
                         clamp64(left + siz->tile_width, siz->x0, siz->x1),
                         clamp64(top + siz->tile_height, siz->y0, siz->y1)};
}

struct rect geometry_component(struct rect area, const struct codestream_component *component)
{
    return (struct rect){ceil_divide(area.x0, component->dx), ceil_divide(area.y0, component->dy),
                         ceil_divide(area.x1, component->dx), ceil_divide(area.y1, component->dy)};
}

struct rect geometry_resolution(struct rect tile_component, unsigned levels_down)
{
    return (struct rect){ceil_shift(tile_component.x0, levels_down), ceil_shift(tile_component.y0, levels_down),
                         ceil_shift(tile_component.x1, levels_down), ceil_shift(tile_component.y1, levels_down)};
}

/* One bound of (B-15): ceil((t - 2^(n-1) o) / 2^n). Negative numerators round up to 0. */
static uint32_t band_bound(uint32_t t, bool high_pass, unsigned n)
{
    uint64_t offset = high_pass ? (uint64_t)1 << (n - 1) : 0;
    return t <= offset ? 0 : ceil_shift(t - offset, n);
}

struct rect geometry_band(struct rect tc, enum band_kind kind, unsigned decomposition)
{
    if (decomposition == 0)
        return tc;
    bool high_x = kind & 1, high_y = kind & 2;
    return (struct rect){band_bound(tc.x0, high_x, decomposition), band_bound(tc.y0, high_y, decomposition),
                         band_bound(tc.x1, high_x, decomposition), band_bound(tc.y1, high_y, decomposition)};
}

struct geometry_precincts geometry_precincts(struct rect resolution, const struct codestream_coding *coding,
                                             unsigned level)
{
    struct geometry_precincts grid = {0};
    unsigned ppx = coding->precinct[level] & 15, ppy = coding->precinct[level] >> 4;
    unsigned half = level ? 1 : 0; /* a precinct's part in a band above level 0 is half as wide (B-17, B-18) */
    unsigned limit_x = ppx > half ? ppx - half : 0, limit_y = ppy > half ? ppy - half : 0;
    grid.lowest = level == 0;
    grid.width_log2 = (uint8_t)ppx;
    grid.height_log2 = (uint8_t)ppy;
    grid.block_width_log2 = (uint8_t)(coding->block_width_log2 < limit_x ? coding->block_width_log2 : limit_x);
    grid.block_height_log2 = (uint8_t)(coding->block_height_log2 < limit_y ? coding->block_height_log2 : limit_y);
    if (rect_empty(resolution))
        return grid;
    grid.first_x = floor_shift(resolution.x0, ppx);
    grid.first_y = floor_shift(resolution.y0, ppy);
    grid.wide = ceil_shift(resolution.x1, ppx) - grid.first_x;
    grid.high = ceil_shift(resolution.y1, ppy) - grid.first_y;
    return grid;
}

struct rect geometry_precinct_band(const struct geometry_precincts *grid, struct rect band, uint64_t n)
{
    unsigned half = grid->lowest ? 0 : 1;
    unsigned shift_x = grid->width_log2 - half, shift_y = grid->height_log2 - half;
    uint64_t column = grid->first_x + n % grid->wide, row = grid->first_y + n / grid->wide;
    struct rect cell = {clamp64(column << shift_x, 0, UINT32_MAX), clamp64(row << shift_y, 0, UINT32_MAX),
                        clamp64((column + 1) << shift_x, 0, UINT32_MAX), clamp64((row + 1) << shift_y, 0, UINT32_MAX)};
    return rect_intersect(cell, band);
}

struct geometry_blocks geometry_blocks(const struct geometry_precincts *grid, struct rect area)
{
    struct geometry_blocks blocks = {0};
    if (rect_empty(area))
        return blocks;
    blocks.first_x = floor_shift(area.x0, grid->block_width_log2);
    blocks.first_y = floor_shift(area.y0, grid->block_height_log2);
    blocks.wide = ceil_shift(area.x1, grid->block_width_log2) - blocks.first_x;
    blocks.high = ceil_shift(area.y1, grid->block_height_log2) - blocks.first_y;
    return blocks;
}

struct rect geometry_block(const struct geometry_precincts *grid, const struct geometry_blocks *blocks,
                           struct rect area, uint32_t column, uint32_t row)
{
    uint64_t x = (uint64_t)(blocks->first_x + column) << grid->block_width_log2;
    uint64_t y = (uint64_t)(blocks->first_y + row) << grid->block_height_log2;
    struct rect cell = {clamp64(x, 0, UINT32_MAX), clamp64(y, 0, UINT32_MAX),
                        clamp64(x + ((uint64_t)1 << grid->block_width_log2), 0, UINT32_MAX),
                        clamp64(y + ((uint64_t)1 << grid->block_height_log2), 0, UINT32_MAX)};
    return rect_intersect(cell, area);
}
