/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples of any type -> pictures of 8 or 16 bits as people look at them: windows, inversion, palettes, colour spaces,
 * orientation. The one place where that is done, for every format that holds pictures.
 */
#ifndef FORMAT_PICTURE_MAP_H
#define FORMAT_PICTURE_MAP_H

#include "format/ops.h"

struct picture_map {
    /* The pictures. */
    enum mist_sample_type type; /* MIST_U8 or MIST_U16 */
    uint32_t width, height;     /* turned, where the orientation says so */
    uint32_t components;
    /* How they are made. */
    bool exact; /* samples as they are, but for the sign, inversion and palettes */
    bool as_stored;
    bool label;
    struct format_window window;
    struct format_appearance look; /* its palette is a part of the target's head */
};

/* What a writer's format holds. */
struct picture_limits {
    bool own;         /* it is the format that the samples came in: they are written as they are */
    unsigned bits;    /* 8 or 16 */
    bool alpha;       /* two or four components, the last being alpha */
    bool cmyk;        /* four components of ink */
    bool orientation; /* the file itself says how it is turned: samples stay */
};

/* Of the frames of a target; `target->head` must stay. */
void picture_map_start(struct picture_map *map, const struct format_target *target,
                       const struct picture_limits *limits);
/* Whether the picture of a frame has the frame's samples as they lie there: it need not be made. */
bool picture_map_is_frame(const struct picture_map *map, const struct mist_view *frame);
/* Bytes of a packed picture. */
size_t picture_map_bytes(const struct picture_map *map);
/*
 * A frame of the target's type, size and components -> `packed`, interleaved, in the machine's byte order.
 * MIST_ERROR_RANGE for labels that a picture cannot hold: they are names, which no window may change.
 */
enum mist_status picture_map_frame(const struct picture_map *map, const struct mist_view *frame, uint8_t *packed,
                                   struct mist_error *error);

#endif
