/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coders: planes of integers, unit by unit, into chunks of bytes, one for each coded level and class of slices, and
 * back. Each coder is one file and one row of the table in coder.c; docs/format.md, section 5.2, lists them.
 *
 * A unit of one frame, or of all frames, has one chunk for each coded level; a unit of several slices one for each
 * coded level and class: chunk [coded level * classes + class], with stream_unit_classes() classes.
 */
#ifndef CODER_CODER_H
#define CODER_CODER_H

#include "coder/piece.h"
#include "coder/stream.h"

#include <mist/codec.h>

enum coder_id {
    CODER_HTJ2K = 1,
    CODER_LATTICE,
    CODER_PYRAMID,
    CODER_REMAINDER,
    CODER_TABLE,
    CODER_JPEG,
    CODER_J2K,
    CODER_SOURCE
};

#define CODER_MAX_CHUNKS (MIST_MAX_LEVELS * (STEP_MAX + 1))
#define CODER_MAX_CHUNK ((uint64_t)UINT32_MAX - 14) /* bytes of a chunk */

/* "htj2k", "lattice" ...; NULL for a number that is no coder. */
const char *coder_name(unsigned coder);

/* What a unit was coded into: the chunks back to back. */
struct coder_coded {
    struct mist_buffer header; /* what units of a kind have in common; may stay empty */
    struct mist_buffer bytes;
    uint64_t size[CODER_MAX_CHUNKS];
};
void coder_coded_free(struct coder_coded *coded);

/*
 * Codes a unit of `frames` frames (views of the plane's type and size; of coders of sources, see there). `codec` is
 * scratch, one for each thread; `threads` may work on it. `coded` is overwritten.
 */
enum mist_status coder_encode(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                              const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                              struct mist_error *error);

/* What is at hand of a unit. */
struct coder_parts {
    uint32_t frames;
    struct mist_buffer header; /* not owned */
    struct coder_piece piece[CODER_MAX_CHUNKS];
};

/*
 * Decodes the slices of step `step` of a unit at 1/2^reduce. `out` has views of the plane's type and the reduced size,
 * one for each slice; those of units with several slices are packed one behind the other in memory. Chunks of finer
 * levels and of classes below `step` are not looked at; others whose data is NULL are MIST_ERROR_TRUNCATED.
 */
enum mist_status coder_decode(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                              unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error);

/*
 * For coders that keep what a source came compressed as. coder_split(): a unit's bytes into chunks, and what gives the
 * bytes back besides (`rebuild`; both are overwritten); MIST_ERROR_UNSUPPORTED where they cannot be kept so.
 * coder_original(): the bytes again, of all chunks.
 */
bool coder_keeps(unsigned coder);
enum mist_status coder_split(const struct coder_stream *stream, const uint8_t *data, size_t size,
                             struct coder_coded *coded, struct mist_buffer *rebuild, struct mist_error *error);
enum mist_status coder_original(const struct coder_stream *stream, const struct coder_parts *parts,
                                struct coder_piece rebuild, struct mist_buffer *out, struct mist_error *error);

/* Whether reduced levels of this coder lie on the conventional grid. */
bool coder_is_centred(unsigned coder);

/* Whether a stream that was read from a file is one that its coder can decode (MIST_ERROR_CORRUPT, _UNSUPPORTED). */
enum mist_status coder_check(const struct coder_stream *stream, struct mist_error *error);

/* ---- for the coders: what a row of the table has ---- */

struct coder {
    const char *name;
    enum mist_status (*encode)(mist_codec *codec, unsigned threads, const struct coder_stream *stream,
                               const struct mist_view *frame, uint32_t frames, struct coder_coded *coded,
                               struct mist_error *error);
    enum mist_status (*decode)(mist_codec *codec, const struct coder_stream *stream, const struct coder_parts *parts,
                               unsigned reduce, unsigned step, struct mist_view *out, struct mist_error *error);
    enum mist_status (*check)(const struct coder_stream *stream, struct mist_error *error);
    /* Of coders that keep what a source came compressed as; then there is no encode. */
    enum mist_status (*split)(const struct coder_stream *stream, const uint8_t *data, size_t size,
                              struct coder_coded *coded, struct mist_buffer *rebuild, struct mist_error *error);
    enum mist_status (*original)(const struct coder_stream *stream, const struct coder_parts *parts,
                                 struct coder_piece rebuild, struct mist_buffer *out, struct mist_error *error);
    bool centred; /* reduced levels lie on the conventional grid */
};
extern const struct coder coder_htj2k, coder_lattice, coder_pyramid, coder_jpeg, coder_j2k;

#endif
