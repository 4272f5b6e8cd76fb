/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request is met by an item: what is fetched, on which grid its frames are made. */
#ifndef SOURCE_READING_H
#define SOURCE_READING_H

#include "item/regrid.h"

#include <mist/source.h>

struct reading_way {
    struct mist_export_options options;
    struct export_grid grid;
    struct mist_choice fetched;
    struct mist_image_info image; /* of what is made; its affine where `row` has one */
};

/* MIST_ERROR_ARGUMENT where an exact size is asked for without a size, or one of more than MIST_MAX_SIDE. */
enum mist_status reading_check(const struct mist_resolution_request *request, struct mist_error *error);

/* Reads of the row what a catalog knows, but not its files. */
enum mist_status reading_plan(const struct mist_catalog_item *row, const struct mist_resolution_request *request,
                              struct reading_way *way, struct mist_error *error);

/* As mist_item_plan_frames() and mist_item_read(), the way known. */
enum mist_status reading_ranges(const struct reading_way *way, const mist_item *item, uint32_t first, uint32_t count,
                                void (*visit)(void *context, uint64_t offset, uint64_t size), void *context,
                                struct mist_error *error);
enum mist_status reading_frames(const struct reading_way *way, const mist_item *item, mist_decoder *decoder,
                                uint32_t first, uint32_t count, struct mist_view *views, struct mist_error *error);

/* MIST_ERROR_ARGUMENT where these are no frames of what is made. */
enum mist_status reading_check_frames(const struct reading_way *way, const char *name, uint32_t first, uint32_t count,
                                      struct mist_error *error);
/* MIST_ERROR_ARGUMENT where a view is not of the type and size of what is made. */
enum mist_status reading_check_views(const struct reading_way *way, const char *name, uint32_t count,
                                     const struct mist_view *views, struct mist_error *error);

#endif
