/* SPDX-License-Identifier: BSD-2-Clause */
/* An import under way, as import.c (frames through the coders) and import_plan.c (which coders) share it. */
#ifndef ITEM_IMPORT_H
#define ITEM_IMPORT_H

#include "item/content.h"
#include "item/item.h"
#include "item/write.h"

/* One frame under way. */
struct import_slot {
    struct mist_view samples;   /* as in the source */
    struct mist_view plane;     /* what the picture stream codes; data NULL where that is the samples */
    struct mist_view holes;     /* u16; data NULL where there are none */
    struct mist_view remainder; /* data NULL where there is none */
    struct coder_coded *coded;  /* [streams] where units are frames */
};

/* The slices of a unit of several, until it is whole. */
struct import_unit {
    struct mist_buffer samples;
    uint32_t frames; /* so far */
};

struct import {
    const struct mist_import_options *options;
    const char *path;
    struct format_source *source;
    struct manifest manifest;
    unsigned levels, steps;
    bool looks_like_labels;
    unsigned threads;
    mist_codec **codecs; /* [threads] */
    struct import_slot *slots;
    uint32_t slot_count;
    uint32_t first; /* frame in slot 0 */
    struct item_writer writer;
    struct import_unit unit[LAYOUT_MAX_STREAMS];
    struct coder_coded coded; /* of units of several slices */
    struct content content;   /* of the source file that the frames are of */
    uint32_t file;            /* that file */
    uint32_t frame_in_file;
};

enum mist_status import_out_of_memory(const struct import *import, struct mist_error *error);

/*
 * Says how the samples become planes and which streams code them: looks at all samples, but for integers whose
 * precision the source declares if `trust` is set. Sets manifest.image.label, values, streams, levels and steps.
 */
enum mist_status import_plan(struct import *import, bool trust, struct mist_error *error);

#endif
