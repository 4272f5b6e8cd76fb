/* SPDX-License-Identifier: BSD-2-Clause */
/* From the packets of a tile to planes of samples: block decoding, dequantisation, inverse wavelet. */
#ifndef CODEC_DECODE_TILE_H
#define CODEC_DECODE_TILE_H

#include "codec/context.h"
#include "codec/stream.h"

/* Samples [window.x0, window.x1) x [window.y0, window.y1) of a band or resolution level, in the arena. */
struct plane {
    struct rect window;
    bool is_float;        /* the irreversible path */
    enum codec_lane lane; /* of integers */
    size_t stride;        /* in samples */
    void *data;
};

static inline size_t plane_element(const struct plane *plane)
{
    return plane->is_float ? sizeof(float) : codec_lane_size(plane->lane);
}
static inline void *plane_at(const struct plane *plane, uint32_t x, uint32_t y)
{
    size_t index = (size_t)(y - plane->window.y0) * plane->stride + (x - plane->window.x0);
    return (unsigned char *)plane->data + index * plane_element(plane);
}

/* One component of the tile that is to be decoded. */
struct tile_output {
    uint32_t component;
    struct rect window; /* wanted, in samples of the reduced component; may be empty */
    /* Where the window goes in the end, its plane not set, or NULL. Integers may go there with the last step. */
    const struct transfer_job *store;
    /* Set by decode_tile(): the samples were stored, and whether they fit; or else the plane, at least of `window`. */
    bool stored, fits;
    struct plane plane;
};

struct block_worker;
struct tile_decode {
    mist_codec *codec;
    struct block_worker *worker; /* decode_blocks_start() */
    const struct stream *stream;
    uint32_t index;
    unsigned reduce;
    bool best_effort;
    struct tile_output *output; /* [outputs], in ascending order of component */
    uint32_t outputs;
    bool component_transform; /* set by decode_tile(): RCT or ICT is to be undone on outputs 0..2 */
    bool needs_all_three; /* set by decode_tile(), which then did nothing: the tile mixes outputs that are not here */
    unsigned levels_used; /* set by decode_tile(): the most levels of any component that contributed */
};

/*
 * Decodes the wanted windows. MIST_ERROR_TRUNCATED if packets that they need are missing, unless best_effort is set.
 */
enum mist_status decode_tile(struct tile_decode *decode, struct mist_error *error);

#endif
