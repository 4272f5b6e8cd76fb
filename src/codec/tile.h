/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One tile: its tile-components, resolution levels, sub-bands, precincts and code-blocks, as decoding needs them.
 *
 *     tile -> tile_component [component] -> resolution [level] -> band [1 or 3]
 *                                                     \-> precinct [n] -> precinct_band [band] -> code_block [n]
 *
 * All of it lives in the codec's arena. Precincts and code-blocks are made when the first packet that needs them
 * arrives, so that memory follows the bytes at hand and not what a header claims.
 */
#ifndef CODEC_TILE_H
#define CODEC_TILE_H

#include "codec/codestream.h"
#include "codec/context.h"
#include "codec/geometry.h"
#include "codec/tagtree.h"

/* What the packets read so far say of a code-block. Only its last HT set counts (15444-15, 7.1). */
struct code_block {
    const uint8_t *cleanup;       /* HT cleanup segment of the last set; NULL: none has arrived */
    const uint8_t *refinement[2]; /* HT refinement segment, in the pieces in which layers brought it */
    uint32_t cleanup_size;
    uint32_t refinement_size[2];
    uint16_t passes;        /* all coding passes, placeholders included */
    uint8_t set_passes;     /* of the last set: 1 cleanup, 2 SigProp too, 3 MagRef too */
    uint8_t planes_skipped; /* zero bit-planes and those of earlier or placeholder sets: S_blk */
    uint8_t zero_planes;    /* as signalled by the tag tree */
    uint8_t length_bits;    /* Lblock */
    bool included;
    bool coding; /* the first cleanup pass has been seen: no more placeholder passes */
};

/* The code-blocks of one precinct in one band. */
struct precinct_band {
    struct rect area;
    struct geometry_blocks grid;
    struct code_block *block;       /* [wide * high] */
    struct tagtree_node *inclusion; /* first layer that includes the block */
    struct tagtree_node *planes;    /* zero bit-planes */
};

struct precinct {
    struct precinct_band band[3]; /* one at resolution level 0 */
};

struct band {
    enum band_kind kind;
    unsigned index;  /* in the quantiser's order */
    unsigned planes; /* Mb + Maxshift: magnitude bit-planes that are coded */
    struct rect rect;
};

struct resolution {
    struct rect rect;
    struct geometry_precincts grid;
    unsigned bands; /* 1 at level 0, else 3; present even where empty */
    struct band band[3];
    uint64_t precincts;
    struct precinct **precinct; /* [precincts], NULL where no packet with content has come; NULL before the first */
    uint16_t *next_layer;       /* [precincts] layers already walked; only with progression order changes */
    uint64_t packets_read;      /* complete ones */
};

struct tile_component {
    struct rect rect;
    struct codestream_component sampling;
    const struct codestream_component_coding *coding;
    unsigned resolutions;
    struct resolution *resolution; /* [resolutions] */
};

struct tile {
    struct rect rect; /* on the reference grid */
    uint32_t components;
    struct tile_component *component;
    struct codestream_style style;
    const struct codestream_progressions *progressions;
    uint64_t blocks;    /* made so far */
    uint64_t precincts; /* slots made so far */
};

/*
 * Limits on what the packets of one tile may make of a file of `size` bytes. A packet takes a byte at least, but one
 * packet can stand for many blocks that are all zero, and a cut stream has precincts whose packets are missing.
 */
#define TILE_MAX_BLOCKS(size) (((uint64_t)1 << 20) + 64 * (uint64_t)(size))
#define TILE_MAX_PRECINCTS(size) (((uint64_t)1 << 22) + (uint64_t)(size))
#define TILE_MAX_RESOLUTIONS ((uint64_t)1 << 18) /* of all its components together */

/* Lays out tile `index` down to its precinct grids. `tile` refers to both headers. */
enum mist_status tile_build(struct arena *arena, const struct codestream_header *header,
                            const struct codestream_tile_header *tile_header, uint32_t index, struct tile *tile,
                            struct mist_error *error);

/* Makes precinct n if it is not there yet; `size` is that of the input, for the limits. */
enum mist_status tile_make_precinct(struct arena *arena, struct tile *tile, struct resolution *resolution, uint64_t n,
                                    size_t size, struct mist_error *error);

#endif
