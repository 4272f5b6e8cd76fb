/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of an item on the grid that is asked for: decoded, resampled in-plane, interpolated between slices. */
#ifndef ITEM_REGRID_H
#define ITEM_REGRID_H

#include "item/export_plan.h"
#include "item/item.h"

struct regrid {
    const mist_item *item;
    const struct mist_export_options *options;
    struct export_grid grid; /* export_grid() of these */
};

/* What one frame that is made comes from: a frame of the item, and the slice behind it as far as it counts. */
struct regrid_source {
    uint32_t frame;
    uint32_t next; /* the same as `frame` where behind is 0 */
    double behind; /* how far it lies from `frame` on the way to `next`, 0 .. 1 */
};

/* The n-th frame of all that are made, volume after volume. */
struct regrid_source regrid_source(const struct mist_image_info *image, const struct export_grid *grid, uint32_t n);

/* A thread's scratch. */
struct regrid_room {
    struct mist_view native;   /* decoded, where it must be resampled; data NULL where not */
    struct mist_view centered; /* for exact sizes, where reduced */
    struct mist_view behind;   /* the slice behind, where slices are interpolated */
};
/* False when memory is short; release in both cases. */
bool regrid_room_make(const struct regrid *regrid, struct regrid_room *room);
void regrid_room_free(struct regrid_room *room);

/* One frame into `out`, which is of the grid's width and height and the item's type. */
enum mist_status regrid_frame(const struct regrid *regrid, mist_decoder *decoder, const struct regrid_source *source,
                              struct regrid_room *room, struct mist_view *out, struct mist_error *error);

#endif
