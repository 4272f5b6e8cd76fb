/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/reading.h"

#include "base/error.h"

#include <string.h>

/* ---- the way ---- */

enum mist_status reading_check(const struct mist_resolution_request *request, struct mist_error *error)
{
    const uint32_t most = MIST_MAX_SIDE;
    if (request->exact && (!request->width || !request->height || request->width > most || request->height > most ||
                           request->depth > most))
        return error_set(error, MIST_ERROR_ARGUMENT, "an exact size needs a size, of sides up to %u", most);
    return MIST_OK;
}

enum mist_status reading_plan(const struct mist_catalog_item *row, const struct mist_resolution_request *request,
                              struct reading_way *way, struct mist_error *error)
{
    enum mist_status status = reading_check(request, error);
    if (status)
        return status;
    const struct mist_choice made = mist_choice_within(row, mist_choose(row, request));
    *way = (struct reading_way){.options = {.reduce = made.reduce, .step = made.step, .grid = request->grid}};
    if (request->exact) {
        way->options.exact_width = request->width;
        way->options.exact_height = request->height;
        way->options.exact_depth = request->depth;
    }
    status = export_grid(&row->image, row->centred, &way->options, &way->grid, error);
    if (status)
        return status;
    const uint64_t frames = (uint64_t)(row->image.frames / row->image.slices) * way->grid.slices;
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %llu frames; at most %u are made", row->path,
                         (unsigned long long)frames, MIST_MAX_FRAMES);
    way->fetched = (struct mist_choice){way->grid.reduce, way->grid.step};
    way->image = row->image;
    way->image.width = way->grid.width;
    way->image.height = way->grid.height;
    way->image.slices = way->grid.slices;
    way->image.frames = (uint32_t)frames;
    way->image.geometry = sampling_geometry(&way->grid.sampling, &row->image.geometry);
    return MIST_OK;
}

enum mist_status mist_request_image(const struct mist_catalog_item *item, const struct mist_resolution_request *request,
                                    struct mist_image_info *image, struct mist_error *error)
{
    struct reading_way way;
    enum mist_status status = reading_plan(item, request, &way, error);
    if (!status)
        *image = way.image;
    return status;
}

enum mist_status mist_request_plan(const struct mist_catalog_item *item, const struct mist_resolution_request *request,
                                   struct mist_reading_plan *plan, struct mist_error *error)
{
    struct reading_way way;
    enum mist_status status = reading_plan(item, request, &way, error);
    if (status)
        return status;
    *plan = (struct mist_reading_plan){.image = way.image, .fetched = way.fetched};
    plan->ranges = mist_catalog_item_ranges(item, way.fetched, false, plan->range);
    return MIST_OK;
}

/* ---- of an open item ---- */

/* What a catalog would say of the item, without its files. */
static struct mist_catalog_item row_of(const mist_item *item)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct mist_catalog_item row = {.path = item->name,
                                    .image = info->image,
                                    .levels = info->levels,
                                    .steps = info->steps,
                                    .centred = info->centred,
                                    .label = info->label,
                                    .kept = info->kept,
                                    .head_end = info->head_end,
                                    .range_end = info->range_end,
                                    .size = info->size,
                                    .id = info->id,
                                    .source_bytes = info->source_bytes};
    memcpy(row.format, info->format, sizeof row.format);
    memcpy(row.level_end, info->level_end, sizeof row.level_end);
    return row;
}

enum mist_status mist_item_plan(const mist_item *item, const struct mist_resolution_request *request,
                                struct mist_reading_plan *plan, struct mist_error *error)
{
    const struct mist_catalog_item row = row_of(item);
    return mist_request_plan(&row, request, plan, error);
}

enum mist_status reading_check_frames(const struct reading_way *way, const char *name, uint32_t first, uint32_t count,
                                      struct mist_error *error)
{
    if (count == 0 || first >= way->image.frames || count > way->image.frames - first)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: frames %u to %llu of %u", name, first,
                         (unsigned long long)first + count, way->image.frames);
    return MIST_OK;
}

enum mist_status reading_ranges(const struct reading_way *way, const mist_item *item, uint32_t first, uint32_t count,
                                void (*visit)(void *context, uint64_t offset, uint64_t size), void *context,
                                struct mist_error *error)
{
    enum mist_status status = reading_check_frames(way, item->name, first, count, error);
    for (uint32_t n = first; !status && n < first + count; n++) {
        const struct regrid_source from = regrid_source(&item->info.image, &way->grid, n);
        status = mist_item_ranges(item, from.frame, 1, way->fetched.reduce, visit, context, error);
        if (!status && from.next != from.frame)
            status = mist_item_ranges(item, from.next, 1, way->fetched.reduce, visit, context, error);
    }
    return status;
}

enum mist_status mist_item_plan_frames(const mist_item *item, const struct mist_resolution_request *request,
                                       uint32_t first, uint32_t count,
                                       void (*visit)(void *context, uint64_t offset, uint64_t size), void *context,
                                       struct mist_error *error)
{
    const struct mist_catalog_item row = row_of(item);
    struct reading_way way;
    enum mist_status status = reading_plan(&row, request, &way, error);
    return status ? status : reading_ranges(&way, item, first, count, visit, context, error);
}

enum mist_status reading_check_views(const struct reading_way *way, const char *name, uint32_t count,
                                     const struct mist_view *views, struct mist_error *error)
{
    const struct mist_image_info *image = &way->image;
    for (uint32_t i = 0; i < count; i++)
        if (views[i].type != image->type || views[i].components != image->components ||
            views[i].width != image->width || views[i].height != image->height)
            return error_set(error, MIST_ERROR_ARGUMENT, "%s: view %u is not of the frames' type and size", name, i);
    return MIST_OK;
}

enum mist_status reading_frames(const struct reading_way *way, const mist_item *item, mist_decoder *decoder,
                                uint32_t first, uint32_t count, struct mist_view *views, struct mist_error *error)
{
    struct regrid_room room = {0};
    const struct regrid regrid = {.item = item, .options = &way->options, .grid = way->grid};
    enum mist_status status = regrid_room_make(&regrid, &room)
                                  ? MIST_OK
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->name);
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct regrid_source from = regrid_source(&item->info.image, &way->grid, first + i);
        status = regrid_frame(&regrid, decoder, &from, &room, &views[i], error);
    }
    regrid_room_free(&room);
    return status;
}

enum mist_status mist_item_read(const mist_item *item, mist_decoder *decoder,
                                const struct mist_resolution_request *request, uint32_t first, uint32_t count,
                                struct mist_view *views, struct mist_error *error)
{
    const struct mist_catalog_item row = row_of(item);
    struct reading_way way;
    enum mist_status status = reading_plan(&row, request, &way, error);
    if (!status)
        status = reading_check_frames(&way, item->name, first, count, error);
    if (!status)
        status = reading_check_views(&way, item->name, count, views, error);
    return status ? status : reading_frames(&way, item, decoder, first, count, views, error);
}
