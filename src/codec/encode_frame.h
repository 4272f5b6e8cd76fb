/* SPDX-License-Identifier: BSD-2-Clause */
/* The encoding of one frame, as encode.c and encode_strips.c share it. */
#ifndef CODEC_ENCODE_FRAME_H
#define CODEC_ENCODE_FRAME_H

#include "codec/context.h"
#include "codec/encode_setup.h"
#include "codec/tile.h"

#include <pthread.h>

/* What a thread needs for coding blocks. */
struct block_worker {
    void *scratch;
    uint8_t *bytes; /* room for coded blocks, from the arena */
    size_t bytes_left;
};

/* One row of code-blocks of a precinct's part of a band: what a thread codes at a time. */
struct block_row {
    const struct resolution *resolution;
    const struct band *band;
    const struct precinct_band *part;
    uint32_t row;
    const void *samples; /* of the band, from row first_row on */
    uint32_t first_row;
    size_t stride;
};

struct encoder {
    mist_codec *codec;
    struct arena *arena;        /* the codec's */
    pthread_mutex_t arena_lock; /* the workers share the arena */
    const struct codec_kernels *kernels;
    const struct mist_view *frame;
    const struct mist_encode_options *options;
    struct encode_setup setup;
    struct tile tile;
    enum codec_lane lane;
    void *plane[MIST_MAX_COMPONENTS]; /* lane elements, or floats */
    size_t stride;
    struct block_row *rows; /* those still to be coded, highest resolution level first */
    uint64_t row_count, row_capacity;
    struct block_worker *worker; /* [pool_threads()] */
    struct mist_error *error;
};

/* The plane of a band, or of a resolution level: in the encoder's lane, or floats. */
struct band_plane {
    void *data;
    size_t stride;
};

/* Sets error to MIST_ERROR_MEMORY. */
enum mist_status encode_no_memory(const struct encoder *encoder, struct mist_error *error);
/* ... to MIST_ERROR_RANGE. */
enum mist_status encode_out_of_range(const struct encoder *encoder, struct mist_error *error);

/* How component c comes into a plane, which is to be set. */
struct transfer_job encode_transfer(const struct encoder *encoder, uint32_t c);

/* Codes a row of blocks; `thread` < pool_threads() is the one that runs. */
enum mist_status encode_block_row(struct encoder *encoder, const struct block_row *row, unsigned thread,
                                  struct mist_error *error);

/*
 * The highest resolution level of component c from the frame itself, strip by strip: the rows that a row of code-blocks
 * comes from are loaded, transformed and coded while they are in the cache of one core. Leaves LL in *low. Only where
 * encode_in_strips() says so; precinct 0 has been made.
 */
bool encode_in_strips(const struct encoder *encoder, const struct resolution *resolution);
enum mist_status encode_strips(struct encoder *encoder, uint32_t c, struct resolution *resolution,
                               struct band_plane *low);

#endif
