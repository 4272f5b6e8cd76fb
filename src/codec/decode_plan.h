/* SPDX-License-Identifier: BSD-2-Clause */
/* What must be decoded of a tile for the windows that are wanted: parts of bands, code-blocks, number formats. */
#ifndef CODEC_DECODE_PLAN_H
#define CODEC_DECODE_PLAN_H

#include "codec/decode_tile.h"

/* A band that is wanted, in part or whole. */
struct band_target {
    struct plane plane;
    const struct band *band;
    uint8_t region_shift; /* Maxshift */
    bool stripe_causal;
    bool half;   /* blocks are decoded to half units: the irreversible path */
    float scale; /* from half units to sample values */
};

struct block_target {
    const struct code_block *block; /* NULL: nothing has arrived for this rectangle */
    struct rect rect;
    const struct band_target *band;
};

/* A resolution level on its way up. */
struct level_plan {
    struct rect window;           /* computed: what the next level needs and a margin for the wavelet */
    struct band_target target[3]; /* LL alone at level 0 */
};

struct component_plan {
    const struct tile_component *component;
    struct tile_output *output;
    bool is_float;
    enum codec_lane lane;
    unsigned levels; /* that are used; 0 if nothing is wanted */
    bool strips;     /* the highest is for decode_strips.h: no planes, and its blocks are not in the list */
    struct level_plan *level;
};

struct decode_plan {
    struct tile_decode *decode;
    struct tile_scan scan;
    struct component_plan *component; /* [decode->outputs] */
    struct block_target *block;
    uint64_t blocks;
};

/* Before the packets are read: which levels and windows are needed. scan.wanted is set from it. */
enum mist_status decode_plan_windows(struct decode_plan *plan, struct mist_error *error);
/* When they have been read: lanes, planes, and the list of code-blocks. */
enum mist_status decode_plan_blocks(struct decode_plan *plan, struct mist_error *error);

/* The samples of a band one decomposition below `window` of a resolution level (B-15 with n = 1). */
struct rect decode_band_window(struct rect window, enum band_kind kind);

bool plane_allocate(struct arena *arena, struct rect window, bool is_float, enum codec_lane lane, struct plane *plane);

#endif
