/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The coder of sparse images: a pyramid of rounded means, each level coded in the context of the one below it. A sample
 * of level l - 1 is the mean of its 2 x 2 samples of level l (2 or 1 at odd edges), so that a reduced picture is an
 * average on the conventional grid. Lossless. Good where most samples are one value (masked and segmented images),
 * where a wavelet pays for edges that are none.
 *
 * A unit is a number of frames that are coded together: one chunk for each level. They share what the coder learns and
 * each frame is seen beside the one before it, so that more frames cost less and a single frame takes longer to reach.
 * docs/coder-pyramid.md defines the bytes.
 *
 * All functions are thread-safe and take about 6 bytes a sample of a unit (5 of decoding), and 100 kB.
 */
#ifndef CODER_PYRAMID_H
#define CODER_PYRAMID_H

#include "coder/piece.h"

#include <mist/buffer.h>
#include <mist/image.h>

#define PYRAMID_MAX_UNIT_SAMPLES ((uint64_t)1 << 32)
#define PYRAMID_UNIT_FRAMES 8 /* where frames need not be reached alone: 5 % less than 1 */

struct pyramid_shape {
    enum mist_sample_type type; /* MIST_U8, MIST_S8, MIST_U16, MIST_S16 */
    uint32_t width, height;     /* 1 to MIST_MAX_SIDE */
    uint32_t frames;            /* of this unit, at least 1; PYRAMID_MAX_UNIT_SAMPLES in all */
    unsigned levels;            /* 1 to MIST_MAX_LEVELS */
};

/*
 * `frames`: shape->frames views of one component, in the type and size of the shape. Chunk l of shape->levels is
 * overwritten with what level l adds. MIST_ERROR_ARGUMENT if the shape is out of its range or a view is not of it,
 * MIST_ERROR_MEMORY.
 */
enum mist_status pyramid_encode(const struct pyramid_shape *shape, const struct mist_view *frames,
                                struct mist_buffer *chunks, struct mist_error *error);

/*
 * Writes each frame reduced `reduce` times into out[frame], views of one component of ceil(width / 2^reduce) x
 * ceil(height / 2^reduce) samples of the type. `pieces` are the chunks; those of the levels from levels - reduce on are
 * not read. Any bytes decode to some samples, missing ones as zeros, in time in proportion to the samples: whether the
 * bytes are right, a checksum must tell. MIST_ERROR_ARGUMENT as above or if reduce >= levels; MIST_ERROR_MEMORY.
 */
enum mist_status pyramid_decode(const struct pyramid_shape *shape, const struct coder_piece *pieces, unsigned reduce,
                                struct mist_view *out, struct mist_error *error);

#endif
