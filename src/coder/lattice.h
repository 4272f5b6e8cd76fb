/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The coder of label maps: nested lattices of ranks, each sample predicted from its neighbours in context. A prefix of
 * the levels is exactly every 2^r-th sample, a prefix of the classes exactly every 2^s-th slice.
 *
 * A unit is a block of consecutive slices of one volume that is coded by itself: a picture is a unit of one slice. Who
 * cuts a volume into units makes each a multiple of 2^steps slices long (the last may be shorter), so that the lattices
 * of the units are one lattice of the volume. LATTICE_UNIT_SLICES is a good length.
 *
 * Level l has the samples whose x and y are multiples of 2^(levels - 1 - l). Slice z of the unit is of class `steps` if
 * z is a multiple of 2^steps, else of class t, the number of zero bits at the end of z. The chunk (l, t) codes the
 * samples of level l that are not of level l - 1 in the slices of class t. To decode it takes the chunks (l', t') with
 * l' <= l and t' >= t, and no other. docs/coder-lattice.md defines the bytes.
 *
 * All functions are thread-safe. They take 1.2 MB and, beside what the caller holds, 2 bytes for each sample of the
 * unit (decoding: 2.5 for each that is asked for) and margins of up to 23 columns and 8 rows; encoding 8 more bytes for
 * each sample that is not what all its neighbours are.
 */
#ifndef CODER_LATTICE_H
#define CODER_LATTICE_H

#include "coder/piece.h"

#include <mist/buffer.h>

#define LATTICE_MAX_LEVELS 33
#define LATTICE_MAX_STEPS 31
#define LATTICE_MAX_SYMBOLS 65536
#define LATTICE_UNIT_SLICES 32

struct lattice_shape {
    uint32_t width, height; /* 1 to MIST_MAX_SIDE */
    uint32_t slices;        /* of this unit, at least 1; width x height x slices at most 2^40 */
    unsigned levels;        /* 1 to LATTICE_MAX_LEVELS */
    unsigned steps;         /* slices are of the classes 0 to steps; at most LATTICE_MAX_STEPS */
    uint32_t symbols;       /* ranks are below this; 1 to LATTICE_MAX_SYMBOLS */
};

/* Where the chunk of a level and class stands in an array of levels * (steps + 1) of them. */
static inline size_t lattice_chunk(const struct lattice_shape *shape, unsigned level, unsigned class)
{
    return (size_t)level * (shape->steps + 1) + class;
}

/*
 * `ranks`: slices x height x width, packed. Each chunk is overwritten (its memory is used again); many are empty.
 * MIST_ERROR_ARGUMENT if the shape or a rank is out of its range, MIST_ERROR_MEMORY.
 */
enum mist_status lattice_encode(const struct lattice_shape *shape, const uint16_t *ranks, struct mist_buffer *chunks,
                                struct mist_error *error);

/*
 * Every 2^reduce-th sample of every 2^step-th slice, packed: ceil(slices / 2^step) x ceil(height / 2^reduce) x
 * ceil(width / 2^reduce) of them. `pieces` are the chunks; only those of the levels up to levels - 1 - reduce and of
 * the classes from `step` on are read. Any bytes decode to ranks below `symbols`, missing ones as zeros, in time in
 * proportion to the samples: whether the bytes are right, a checksum must tell.
 * MIST_ERROR_ARGUMENT if the shape is out of its range, or reduce >= levels or step > steps; MIST_ERROR_MEMORY.
 */
enum mist_status lattice_decode(const struct lattice_shape *shape, const struct coder_piece *pieces, unsigned reduce,
                                unsigned step, uint16_t *out, struct mist_error *error);

#endif
