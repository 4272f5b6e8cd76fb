/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream of an item: what it codes, by which coder, and how its bytes are cut into chunks (docs/format.md, section
 * 5). Nothing here knows a coder.
 */
#ifndef CODER_STREAM_H
#define CODER_STREAM_H

#include "base/bytes.h"
#include "coder/step.h"

#include <mist/buffer.h>
#include <mist/image.h>

#define STREAM_MAX_HEADERS_BYTES ((size_t)1 << 26) /* all unit headers of a stream */
#define STREAM_MAX_UNIT_SAMPLES ((uint64_t)1 << 31)
#define STREAM_MAX_PARAMETERS ((uint64_t)1 << 16)

enum coder_role { CODER_PICTURE = 1, CODER_HOLES, CODER_VALUES, CODER_EXACT, CODER_ORIGINAL, CODER_ROLES };

/* The planes that a stream codes: integers, all frames alike. */
struct coder_plane {
    enum mist_sample_type type; /* u8 .. s32; ranks and holes: u16 */
    unsigned precision;         /* bits, sign included where the type is signed */
    uint32_t width, height, components;
    uint32_t slices, volumes;
    unsigned levels;      /* of the item */
    unsigned steps;       /* of the item: S */
    bool color_transform; /* writers only: components may be mixed */
};

struct coder_stream {
    unsigned coder; /* enum coder_id */
    unsigned role;  /* enum coder_role */
    unsigned first; /* the level that it begins at */
    unsigned coded; /* coded levels: at least plane.levels - first */
    uint32_t unit;  /* slices of a unit; 0: all frames of the item are one unit */
    struct coder_plane plane;
    struct mist_buffer parameters; /* the coder's own */
    /* Distinct headers of units, and which of them each unit has (NULL where there is one, or none). */
    uint32_t headers;
    struct mist_buffer *header;
    uint32_t *header_of; /* [stream_units()] */
};

/* Units of the stream; and of a class, the slots: units that have slices of it. */
uint32_t stream_units(const struct coder_stream *stream);
uint32_t stream_slots(const struct coder_stream *stream, unsigned class);
/* The slot of a unit in a class; UINT32_MAX where it has no slice of the class. */
uint32_t stream_slot(const struct coder_stream *stream, uint32_t unit, unsigned class);
/* The unit that a slot of a class belongs to. */
uint32_t stream_slot_unit(const struct coder_stream *stream, uint32_t slot, unsigned class);
/* The unit that holds a frame, and the frame's slice counted from the unit's first one. */
uint32_t stream_unit_of(const struct coder_stream *stream, uint32_t frame, uint32_t *slice);
/* First frame and number of frames of a unit. */
uint32_t stream_unit_frames(const struct coder_stream *stream, uint32_t unit, uint32_t *first);

/* Coded levels that level `first` holds beyond one. */
static inline unsigned stream_extra(const struct coder_stream *stream)
{
    return stream->coded - (stream->plane.levels - stream->first);
}
/* The level of the item that holds a coded level. */
static inline unsigned stream_level_of(const struct coder_stream *stream, unsigned coded)
{
    unsigned extra = stream_extra(stream);
    return coded <= extra ? stream->first : stream->first + coded - extra;
}
/* How many coded levels a reader has who has levels 0 .. level; 0 below the first one. */
static inline unsigned stream_coded_upto(const struct coder_stream *stream, unsigned level)
{
    return level < stream->first ? 0 : level - stream->first + stream_extra(stream) + 1;
}
/* Classes that a unit's chunks are of: 1 for units of one frame or of all, else steps + 1. */
static inline unsigned stream_unit_classes(const struct coder_stream *stream)
{
    return stream->unit > 1 ? stream->plane.steps + 1 : 1;
}

/* The header of a unit; size 0 where there is none. */
struct mist_buffer stream_header(const struct coder_stream *stream, uint32_t unit);
/* Notes the header of a unit while writing: units in ascending order. False when memory is short or it is too much. */
bool stream_add_header(struct coder_stream *stream, uint32_t unit, const struct mist_buffer *header);

/* Appends what meta says of a stream. False when memory is short. */
bool stream_write(const struct coder_stream *stream, struct mist_buffer *out);
/*
 * Reads it; `stream->plane` has been set. Checks all that does not depend on the coder. Freed with stream_free().
 */
enum mist_status stream_read(struct byte_reader *reader, struct coder_stream *stream, struct mist_error *error);
void stream_free(struct coder_stream *stream);

#endif
