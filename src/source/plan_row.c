/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/plan_row.h"

#include "base/json.h"
#include "coder/step.h"

#include <inttypes.h>

bool plan_start_write(const struct mist_dataset_info *dataset, struct mist_buffer *out)
{
    return json_put(out, "{\"dataset\": ") && json_put_string(out, dataset->name) &&
           json_put(out, ", \"id\": \"%016" PRIx64 "\"}\n", dataset->id);
}

static bool put_ranges(const struct mist_catalog_item *item, const struct selected *selected, struct mist_buffer *out)
{
    struct mist_byte_range ranges[MIST_MAX_RANGES];
    unsigned count = mist_catalog_item_ranges(item, selected->fetched, selected->tail, ranges);
    bool good = true;
    for (unsigned i = 0; i < count && good; i++)
        good = json_put(out, "%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", ranges[i].start, ranges[i].end);
    return good;
}

static bool put_refused(const struct mist_catalog_item *item, const char *why, struct mist_buffer *out)
{
    return json_put(out, "{\"path\": ") && json_put_string(out, item->path) &&
           json_put(out, ", \"bytes\": 0, \"size\": %" PRIu64 ", \"id\": \"%016" PRIx64 "\", \"refused\": ", item->size,
                    item->id) &&
           json_put_string(out, why) && json_put(out, "}\n");
}

static bool put_item(const struct select *select, const struct mist_catalog_item *item, struct plan_totals *totals,
                     struct mist_buffer *out)
{
    const struct selected selected = select_item(select, item);
    const unsigned reduce = selected.written.reduce, step = selected.written.step;
    const char *why = select_not_reduced(select, item, &selected);
    struct mist_error refused;
    totals->items++;
    if (select_check_item(select, item, &selected, &refused))
        return put_refused(item, refused.message, out);
    totals->bytes += selected.bytes;
    bool good =
        json_put(out, "{\"path\": ") && json_put_string(out, item->path) &&
        json_put(out,
                 ", \"reduce\": %u, \"step\": %u, \"width\": %" PRIu32 ", \"height\": %" PRIu32 ", \"frames\": %" PRIu32
                 ", \"bytes\": %" PRIu64 ", \"size\": %" PRIu64 ", \"id\": \"%016" PRIx64 "\", \"ranges\": [",
                 reduce, step, mist_reduced_size(item->image.width, reduce),
                 mist_reduced_size(item->image.height, reduce),
                 item->image.frames / item->image.slices * step_slices(item->image.slices, step), selected.bytes,
                 item->size, item->id) &&
        put_ranges(item, &selected, out) && json_put(out, "]");
    if (good && why)
        good = json_put(out, ", \"not_reduced\": ") && json_put_string(out, why);
    return good && json_put(out, "}\n");
}

static bool put_file(const struct select *select, const struct mist_catalog_attachment *attachment,
                     struct plan_totals *totals, struct mist_buffer *out)
{
    const char *why = select_reduces(select) ? attachment->kept : NULL;
    totals->files++;
    totals->bytes += attachment->size;
    return json_put(out, "{\"file\": ") && json_put_string(out, attachment->path) &&
           json_put(out, ", \"bytes\": %" PRIu64 ", \"checksum\": \"%016" PRIx64 "\"", attachment->size,
                    attachment->checksum) &&
           (!why || (json_put(out, ", \"not_reduced\": ") && json_put_string(out, why))) && json_put(out, "}\n");
}

bool plan_row_write(const struct select *select, const struct mist_catalog_entry *entry, struct plan_totals *totals,
                    struct mist_buffer *out)
{
    return entry->kind == MIST_CATALOG_ITEM ? put_item(select, &entry->item, totals, out)
                                            : put_file(select, &entry->attachment, totals, out);
}

bool plan_totals_write(const struct plan_totals *totals, struct mist_buffer *out)
{
    return json_put(out, "{\"items\": %" PRIu64 ", \"files\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", totals->items,
                    totals->files, totals->bytes);
}
