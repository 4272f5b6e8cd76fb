/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/select.h"

#include "base/error.h"
#include "item/export_plan.h"
#include "source/reading.h"

#include <inttypes.h>
#include <string.h>

/* ---- which ---- */

bool select_takes(const struct select *select, const struct mist_catalog_entry *entry)
{
    return selection_takes(select->selection, entry);
}

/* ---- how ---- */

bool select_wants_items(const struct select *select)
{
    return select->format && strcmp(select->format, "mist") == 0;
}

enum mist_status select_check(const struct select *select, struct mist_error *error)
{
    char names[FORMAT_LIST_SIZE];
    const struct format *format = NULL;
    const struct mist_resolution_request *asked = &select->resolution;
    bool items = select_wants_items(select);
    if (select->format && !items && !format_output_find(select->format, &format))
        return error_set(error, MIST_ERROR_ARGUMENT, "no format '%.20s' can be written; there is %s, mist",
                         select->format, format_item_outputs(names));
    enum mist_status status = reading_check(asked, error);
    if (status)
        return status;
    bool resampled = asked->exact || asked->grid != MIST_GRID_NATIVE;
    if (resampled && (items || (format && format->whole_codestream)))
        return error_set(error, MIST_ERROR_ARGUMENT, "format %s is written on the native grid only", select->format);
    return MIST_OK;
}

enum mist_status select_start(struct select *select, const struct mist_selection *which, struct mist_error *error)
{
    enum mist_status status = select_check(select, error);
    return status ? status : selection_new(which, &select->selection, error);
}

void select_end(struct select *select)
{
    selection_free(&select->selection);
}

struct mist_export_options select_export(const struct select *select, const struct selected *selected)
{
    struct mist_export_options options = {.reduce = selected->written.reduce,
                                          .step = selected->written.step,
                                          .grid = select->resolution.grid,
                                          .format = select->format};
    if (select->resolution.exact) {
        options.exact_width = select->resolution.width;
        options.exact_height = select->resolution.height;
        options.exact_depth = select->resolution.depth;
    }
    return options;
}

/* Files of many frames that are written from their original headers keep all frames: the headers speak of each. */
static bool keeps_all_slices(const struct select *select, const struct mist_catalog_item *item)
{
    enum format_kind source = format_from_name(item->format);
    const struct format *format = format_of(source);
    if (!format || !format->needs_tail_when_reduced || item->file_count == item->image.frames ||
        (select->format && !format_output_is_of(select->format, source)))
        return false;
    return true;
}

/* Some (DICOM) need their original header at every size; others what follows their samples, when they are to be the
 * originals again. */
static bool wants_tail(const struct select *select, const struct mist_catalog_item *item,
                       const struct export_grid *grid, struct mist_choice written)
{
    const enum format_kind source = format_from_name(item->format);
    if (select->format && !format_output_is_of(select->format, source))
        return false;
    bool original = written.reduce == 0 && written.step == 0 && !grid->resampled && !grid->between_slices;
    return original || (source != FORMAT_UNKNOWN && format_of(source)->needs_tail_when_reduced);
}

/* Of a frame of so many samples: coefficients of 32 bits, the samples as they are decoded, and as they are written. */
static uint64_t frame_memory(const struct mist_image_info *image, uint32_t width, uint32_t height)
{
    uint64_t samples = (uint64_t)width * height * image->components; /* a frame's bytes are limited: item_problem() */
    return samples * (sizeof(int32_t) + 2 * mist_sample_size(image->type));
}

static uint64_t memory_of(const struct mist_image_info *image, const struct export_grid *grid,
                          struct mist_choice fetched)
{
    uint64_t decoded = frame_memory(image, mist_reduced_size(image->width, fetched.reduce),
                                    mist_reduced_size(image->height, fetched.reduce));
    uint64_t written = grid->resampled ? frame_memory(image, grid->width, grid->height) : 0;
    return decoded > written ? decoded : written;
}

static struct selected select_at(const struct select *select, const struct mist_catalog_item *item,
                                 struct mist_choice asked)
{
    struct selected selected = {.written = mist_choice_within(item, asked)};
    if (select_wants_items(select) || keeps_all_slices(select, item))
        selected.written.step = 0; /* an item's file is a prefix */
    selected.fetched = selected.written;
    if (select_wants_items(select)) {
        selected.tail = selected.written.reduce == 0;
    } else {
        struct mist_export_options options = select_export(select, &selected);
        struct export_grid grid = {0};
        if (export_grid(&item->image, item->centred, &options, &grid, NULL) == MIST_OK)
            selected.fetched = (struct mist_choice){grid.reduce, grid.step};
        selected.between_slices = grid.between_slices;
        selected.tail = wants_tail(select, item, &grid, selected.written);
        selected.memory = memory_of(&item->image, &grid, selected.fetched);
    }
    selected.bytes = mist_catalog_item_bytes(item, selected.fetched, selected.tail);
    return selected;
}

static enum mist_status check_memory(const struct select *select, const struct mist_catalog_item *item,
                                     const struct selected *selected, struct mist_error *error)
{
    if (!select->max_memory || selected->memory <= select->max_memory)
        return MIST_OK;
    return error_set(error, MIST_ERROR_LIMIT,
                     "%.200s: a picture of %" PRIu32 " x %" PRIu32 " takes about %" PRIu64
                     " MB of memory where at most %" PRIu64
                     " MB are allowed (--max-memory): nothing of it is fetched; a smaller size may fit",
                     item->path, mist_reduced_size(item->image.width, selected->fetched.reduce),
                     mist_reduced_size(item->image.height, selected->fetched.reduce), selected->memory / 1000000,
                     select->max_memory / 1000000);
}

enum mist_status select_check_item(const struct select *select, const struct mist_catalog_item *item,
                                   const struct selected *selected, struct mist_error *error)
{
    const struct export_names names = {
        .source = format_from_name(item->format), .format = select->format, .files = item->file_count};
    enum mist_status status = check_memory(select, item, selected, error);
    if (status || !selected->between_slices)
        return status;
    status = export_check_between(&names, error);
    return status ? error_prefix(error, status, "%.200s: nothing of it is fetched", item->path) : MIST_OK;
}

static struct mist_choice asked_of(const struct select *select, const struct mist_catalog_item *item)
{
    return mist_choose(item, &select->resolution);
}

struct selected select_item(const struct select *select, const struct mist_catalog_item *item)
{
    struct mist_choice asked = asked_of(select, item);
    if (asked.reduce < select->least_reduce)
        asked.reduce = select->least_reduce;
    return select_at(select, item, asked);
}

const char *select_not_reduced(const struct select *select, const struct mist_catalog_item *item,
                               const struct selected *selected)
{
    struct mist_catalog_item endless = *item;
    endless.levels = MIST_MAX_LEVELS;
    if (select->resolution.exact || selected->written.reduce + 1 < item->levels ||
        mist_choose(&endless, &select->resolution).reduce <= selected->written.reduce)
        return NULL;
    return item->kept ? item->kept : "its smallest level is larger than asked for";
}

bool select_reduces(const struct select *select)
{
    const struct mist_resolution_request *asked = &select->resolution;
    if (asked->by_reduce)
        return asked->reduce || asked->step;
    return asked->width || asked->spacing[0] > 0 || select->least_reduce;
}

/* ---- --max-bytes ---- */

void select_budget_add(const struct select *select, const struct mist_catalog_entry *entry,
                       struct select_budget *budget)
{
    if (!select_takes(select, entry))
        return;
    struct mist_choice asked = {0};
    if (entry->kind == MIST_CATALOG_ITEM)
        asked = asked_of(select, &entry->item);
    uint64_t bytes = entry->attachment.size;
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++) {
        struct mist_choice choice = {reduce > asked.reduce ? reduce : asked.reduce, asked.step};
        if (entry->kind == MIST_CATALOG_ITEM && (reduce == 0 || reduce < entry->item.levels))
            bytes = select_at(select, &entry->item, choice).bytes;
        budget->bytes[reduce] += bytes;
    }
}

enum mist_status select_budget_choose(struct select *select, const struct select_budget *budget, uint64_t max_bytes,
                                      struct mist_error *error)
{
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++)
        if (budget->bytes[reduce] <= max_bytes) {
            select->least_reduce = reduce;
            return MIST_OK;
        }
    return error_set(error, MIST_ERROR_LIMIT,
                     "even at the smallest size this takes %" PRIu64 " bytes, more than the %" PRIu64
                     " allowed; choose less with --include or --exclude",
                     budget->bytes[MIST_MAX_LEVELS - 1], max_bytes);
}
