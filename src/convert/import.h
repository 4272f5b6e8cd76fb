/* SPDX-License-Identifier: BSD-2-Clause */
/* An import under way, as import.c (frames through the coders) and import_plan.c (which coders) share it. */
#ifndef ITEM_IMPORT_H
#define ITEM_IMPORT_H

#include "convert/content.h"
#include "item/item.h"
#include "item/write.h"

#include <mist/convert.h>
#include <stdatomic.h>

/* One frame under way. Views have data NULL where they are not needed. */
struct import_slot {
    struct mist_view samples;        /* as in the source */
    struct mist_view plane;          /* what the picture stream codes, where that is not the samples */
    struct mist_view holes;          /* u16 */
    struct mist_view remainder;      /* of exact values */
    struct coder_coded *coded;       /* [streams] where units are frames */
    struct mist_view again;          /* of kept sources: the samples as the kept bytes give them, to be compared */
    struct mist_buffer source_bytes; /* of kept sources: the frame as it came compressed */
    struct mist_buffer rebuild;      /* ... and what gives it back from its chunks */
    struct coder_parts *parts;       /* ... scratch, for comparing what the chunks give with the samples */
};

/* The slices of a unit of several, until it is whole. */
struct import_unit {
    struct mist_buffer samples;
};

/*
 * How an item is coded. In this order, the first one that goes: as the source came compressed; what came compressed
 * with loss, as the highest level above others; integers at the precision that the source declares, without a look at
 * them; after a look at all samples.
 */
enum import_way { IMPORT_KEEP, IMPORT_ABOVE, IMPORT_TRUST, IMPORT_LOOK, IMPORT_WAYS };

struct import {
    const struct mist_import_options *options;
    const char *path;
    struct format_source *source;
    struct manifest manifest;
    enum import_way way;
    unsigned levels, steps;
    bool looks_like_labels;
    atomic_bool colored; /* a pixel that is not grey was seen */
    double common;       /* share of the commonest value, where samples were looked at */
    unsigned threads;
    mist_codec **codecs;    /* [threads] */
    struct mist_view *held; /* [frames] samples of small items, from one look to the next; NULL where they are large */
    struct import_slot *slots;
    uint32_t slot_count;
    uint32_t first; /* frame in slot 0 */
    struct item_writer writer;
    struct import_unit unit[LAYOUT_MAX_STREAMS];
    struct coder_coded coded; /* of units of several slices */
    struct content content;   /* of the source file that the frames are of */
    uint32_t file;            /* that file */
    uint32_t frame_in_file;
    uint64_t *contents; /* [frames] checksums of their samples, where the source describes its frames by them */
};

enum mist_status import_out_of_memory(const struct import *import, struct mist_error *error);

/* As the source's read_frame(), but of small items only once: by several threads, each frame by one at a time. */
enum mist_status import_read(struct import *import, uint32_t frame, struct mist_view *out, struct mist_error *error);
/* Keep frames once read, if all of them together are small; and free them. */
void import_hold_small(struct import *import);
void import_free_held(struct import *import);

/*
 * Says how the samples become planes and which streams code them, by import->way. Sets manifest.image.label, values,
 * streams, levels and steps. MIST_ERROR_UNSUPPORTED where it cannot be done in this way.
 */
enum mist_status import_plan(struct import *import, struct mist_error *error);

/* Takes a frame's original bytes as the highest level, and away what the picture has there. */
enum mist_status import_above(struct import *import, uint32_t frame, struct import_slot *slot,
                              struct mist_error *error);

/* Takes a frame of a kept source apart, into the slot. MIST_ERROR_UNSUPPORTED where its samples would not be the same.
 */
enum mist_status import_keep(struct import *import, uint32_t frame, struct import_slot *slot, mist_codec *codec,
                             struct mist_error *error);

#endif
