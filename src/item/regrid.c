/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/regrid.h"

#include "base/memory.h"
#include "coder/step.h"
#include "image/between.h"
#include "image/resample.h"

#include <math.h>

/* ---- in-plane ---- */

/* How large the decoded and the made samples are along an axis: a reduced image covers whole blocks of 2^r. */
static struct resample_pitch pitch_of(const struct regrid *regrid, uint32_t full, uint32_t made)
{
    if (!regrid->options->exact_width) /* labels on the centred grid */
        return (struct resample_pitch){1, (uint64_t)1 << regrid->options->reduce};
    return (struct resample_pitch){((uint64_t)1 << regrid->grid.reduce) * made, full};
}

static enum mist_status resample(const struct regrid *regrid, mist_decoder *decoder, uint32_t frame,
                                 struct regrid_room *room, struct mist_view *out, struct mist_error *error)
{
    const mist_item *item = regrid->item;
    const struct mist_image_info *image = &item->info.image;
    const unsigned reduce = regrid->options->reduce;
    const struct resample_pitch x = pitch_of(regrid, image->width, regrid->grid.width);
    const struct resample_pitch y = pitch_of(regrid, image->height, regrid->grid.height);
    enum mist_status status = mist_item_decode(item, decoder, frame, regrid->grid.reduce, &room->native, error);
    if (status)
        return status;
    if (image->label)
        return resample_pitched(&room->native, out, &x, &y, true, error);
    const bool centred = item->info.centred || reduce == 0;
    if (!regrid->options->exact_width)
        return centred ? mist_grid_native(&room->native, reduce, out, error)
                       : mist_grid_center(&room->native, reduce, out, error);
    const struct mist_view *source = &room->native;
    if (!centred) {
        status = mist_grid_center(&room->native, reduce, &room->centered, error);
        source = &room->centered;
    }
    return status ? status : resample_pitched(source, out, &x, &y, false, error);
}

static enum mist_status make_plane(const struct regrid *regrid, mist_decoder *decoder, uint32_t frame,
                                   struct regrid_room *room, struct mist_view *out, struct mist_error *error)
{
    return regrid->grid.resampled ? resample(regrid, decoder, frame, room, out, error)
                                  : mist_item_decode(regrid->item, decoder, frame, regrid->grid.reduce, out, error);
}

/* ---- between slices ---- */

struct regrid_source regrid_source(const struct mist_image_info *image, const struct export_grid *grid, uint32_t n)
{
    const uint32_t volume = n / grid->slices * image->slices, slice = n % grid->slices;
    const uint32_t last = step_slices(image->slices, grid->step) - 1; /* of those that are decoded */
    const double at = ldexp(slice * grid->sampling.factor[2] + grid->sampling.shift[2], -(int)grid->step);
    uint32_t place = slice;
    double behind = 0;
    if (grid->between_slices && image->label) {
        place = (uint32_t)((2 * (uint64_t)slice + 1) * image->slices / (2 * (uint64_t)grid->slices));
    } else if (grid->between_slices) {
        place = !(at > 0) ? 0 : at >= last ? last : (uint32_t)at;
        behind = at > 0 && at < last ? at - floor(at) : 0;
    }
    const uint32_t frame = volume + (place << grid->step);
    return (struct regrid_source){frame, behind > 0 ? frame + (1u << grid->step) : frame, behind};
}

enum mist_status regrid_frame(const struct regrid *regrid, mist_decoder *decoder, const struct regrid_source *source,
                              struct regrid_room *room, struct mist_view *out, struct mist_error *error)
{
    enum mist_status status = make_plane(regrid, decoder, source->frame, room, out, error);
    if (status || !(source->behind > 0))
        return status;
    status = make_plane(regrid, decoder, source->next, room, &room->behind, error);
    return status ? status : resample_between(out, &room->behind, source->behind, error);
}

/* ---- scratch ---- */

bool regrid_room_make(const struct regrid *regrid, struct regrid_room *room)
{
    const struct mist_image_info *image = &regrid->item->info.image;
    const struct export_grid *grid = &regrid->grid;
    const uint32_t width = mist_reduced_size(image->width, grid->reduce);
    const uint32_t height = mist_reduced_size(image->height, grid->reduce);
    bool good = true;
    *room = (struct regrid_room){0};
    if (grid->resampled) {
        room->native = item_new_view(image->type, width, height, image->components);
        good = room->native.data != NULL;
    }
    if (good && grid->resampled && regrid->options->exact_width && grid->reduce) {
        room->centered = item_new_view(image->type, width, height, image->components);
        good = room->centered.data != NULL;
    }
    if (good && grid->between_slices && !image->label) {
        room->behind = item_new_view(image->type, grid->width, grid->height, image->components);
        good = room->behind.data != NULL;
    }
    return good;
}

void regrid_room_free(struct regrid_room *room)
{
    memory_free(room->native.data);
    memory_free(room->centered.data);
    memory_free(room->behind.data);
    *room = (struct regrid_room){0};
}
