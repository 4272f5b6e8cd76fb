/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are: tiles, tile-components, resolution levels, sub-bands, precincts and code-blocks as rectangles
 * (15444-1 Annex B), for any image and tile offset and any sub-sampling. Pure functions of the marker parameters.
 */
#ifndef CODEC_GEOMETRY_H
#define CODEC_GEOMETRY_H

#include "codec/codestream.h"

/* Half-open: [x0, x1) x [y0, y1). Empty where x1 <= x0 or y1 <= y0. */
struct rect {
    uint32_t x0, y0, x1, y1;
};

/* ceil(a / 2^shift), floor(a / 2^shift); shift may be 32 or more. */
static inline uint32_t ceil_shift(uint64_t a, unsigned shift)
{
    return shift > 63 ? a > 0 : (uint32_t)((a + (((uint64_t)1 << shift) - 1)) >> shift);
}
static inline uint32_t floor_shift(uint64_t a, unsigned shift)
{
    return shift > 63 ? 0 : (uint32_t)(a >> shift);
}
static inline uint32_t ceil_divide(uint64_t a, uint32_t b)
{
    return (uint32_t)((a + b - 1) / b);
}
static inline uint32_t rect_width(struct rect r)
{
    return r.x1 > r.x0 ? r.x1 - r.x0 : 0;
}
static inline uint32_t rect_height(struct rect r)
{
    return r.y1 > r.y0 ? r.y1 - r.y0 : 0;
}
static inline bool rect_empty(struct rect r)
{
    return r.x1 <= r.x0 || r.y1 <= r.y0;
}
static inline uint64_t rect_area(struct rect r)
{
    return (uint64_t)rect_width(r) * rect_height(r);
}
static inline struct rect rect_intersect(struct rect a, struct rect b)
{
    return (struct rect){a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0, a.x1 < b.x1 ? a.x1 : b.x1,
                         a.y1 < b.y1 ? a.y1 : b.y1};
}

/* Sub-bands as 2-bit numbers: bit 0 horizontally high-pass, bit 1 vertically high-pass. */
enum band_kind { BAND_LL = 0, BAND_HL = 1, BAND_LH = 2, BAND_HH = 3 };

/* log2 of the nominal gain of a band with the reversible transform (Table E.1): LL 0, HL and LH 1, HH 2. */
static inline unsigned band_gain_log2(enum band_kind kind)
{
    return ((unsigned)kind & 1) + ((unsigned)kind >> 1);
}

/* A tile on the reference grid (B-7 .. B-10); `tile` = column + row * tiles_wide. */
struct rect geometry_tile(const struct codestream_siz *siz, uint32_t tile);

/* A rectangle of the reference grid in samples of a component (B-12). */
struct rect geometry_component(struct rect area, const struct codestream_component *component);

/* A tile-component `levels_down` decompositions below the full resolution (B-14). */
struct rect geometry_resolution(struct rect tile_component, unsigned levels_down);

/* A sub-band that is `decomposition` levels down (1 .. decompositions; LL too) (B-15). */
struct rect geometry_band(struct rect tile_component, enum band_kind kind, unsigned decomposition);

/*
 * The grid of precincts over one resolution level (B-16) and of code-blocks over its bands (B-17, B-18). Precinct and
 * block sizes are powers of two anchored at 0. For resolution level 0 the only band is LL, which is the resolution
 * itself; above it the bands HL, LH, HH are half its size, and so is the part of a precinct in them.
 */
struct geometry_precincts {
    uint8_t width_log2; /* PPx, PPy: of a precinct in the resolution level */
    uint8_t height_log2;
    uint8_t block_width_log2; /* xcb', ycb': limited by the precinct's part in the band */
    uint8_t block_height_log2;
    uint32_t first_x, first_y; /* grid position of the first precinct: floor(trx0 / 2^PPx) */
    uint32_t wide, high;       /* numprecinctswide, numprecinctshigh: 0 where the resolution is empty */
    bool lowest;               /* resolution level 0 */
};
struct geometry_precincts geometry_precincts(struct rect resolution, const struct codestream_coding *coding,
                                             unsigned level);

/* The samples of band `band` that belong to precinct n (= column + row * wide); may be empty. */
struct rect geometry_precinct_band(const struct geometry_precincts *grid, struct rect band, uint64_t n);

/* The grid of code-blocks that cover `area` (part of a band in one precinct). */
struct geometry_blocks {
    uint32_t first_x, first_y; /* in units of the block size */
    uint32_t wide, high;
};
struct geometry_blocks geometry_blocks(const struct geometry_precincts *grid, struct rect area);

/* Code-block (column, row) of that grid, clipped to `area`. */
struct rect geometry_block(const struct geometry_precincts *grid, const struct geometry_blocks *blocks,
                           struct rect area, uint32_t column, uint32_t row);

#endif
