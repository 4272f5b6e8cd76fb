/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows as JSON lines. */
#include "source/catalog.h"
#include "source/card.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

void catalog_row_free(struct catalog_row *row)
{
    mist_buffer_free(&row->text);
    mist_buffer_free(&row->files);
    mist_buffer_free(&row->ends);
    mist_buffer_free(&row->columns);
    memset(row, 0, sizeof *row);
}

static bool put_image(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    const struct mist_image_info *image = &item->image;
    const double *spacing = image->geometry.spacing;
    bool good =
        json_put(out, ",\"format\":") && json_put_string(out, item->format) &&
        json_put(out,
                 ",\"type\":\"%s\",\"precision\":%u,\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"slices\":%" PRIu32,
                 mist_sample_name(image->type), image->precision, image->width, image->height, image->slices);
    if (good && image->frames != image->slices)
        good = json_put(out, ",\"volumes\":%" PRIu32, image->frames / image->slices);
    good = good && json_put(out, ",\"components\":%" PRIu32, image->components);
    if (good && image->label)
        good = json_put(out, ",\"label\":") && json_put_string(out, item->label ? item->label : "");
    if (good && item->kept)
        good = json_put(out, ",\"kept\":") && json_put_string(out, item->kept);
    if (good && item->centred)
        good = json_put(out, ",\"centred\":true");
    if (good && (image->axes[0] != 0 || image->axes[1] != 1))
        good = json_put(out, ",\"axes\":[%u,%u,%u]", image->axes[0], image->axes[1], image->axes[2]);
    if (good && (spacing[0] > 0 || spacing[1] > 0 || spacing[2] > 0)) {
        good = json_put(out, ",\"spacing\":[") && json_put_number(out, spacing[0]) && json_put(out, ",") &&
               json_put_number(out, spacing[1]) && json_put(out, ",") && json_put_number(out, spacing[2]) &&
               json_put(out, "]");
    }
    return good;
}

static bool put_files(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    if (item->file_count == 1 && strcmp(item->files[0].path, item->path) == 0)
        return true;
    bool good = json_put(out, ",\"files\":[");
    for (uint32_t i = 0; i < item->file_count && good; i++) {
        good = json_put(out, "%s{\"path\":", i ? "," : "") && json_put_string(out, item->files[i].path) &&
               json_put(out, ",\"frames\":%" PRIu32 "}", item->files[i].frames);
    }
    return good && json_put(out, "]");
}

static bool put_columns(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    bool good = item->column_count == 0 || json_put(out, ",\"columns\":{");
    for (uint32_t i = 0; i < item->column_count && good; i++)
        good = json_put(out, "%s", i ? "," : "") && json_put_string(out, item->columns[i].name) && json_put(out, ":") &&
               json_put_string(out, item->columns[i].value);
    return good && (item->column_count == 0 || json_put(out, "}"));
}

static bool put_item(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    bool good = json_put(out, "{\"path\":") && json_put_string(out, item->path) && put_image(item, out) &&
                json_put(out, ",\"levels\":%u", item->levels);
    if (good && item->steps)
        good = json_put(out, ",\"steps\":%u", item->steps);
    good = good && json_put(out, ",\"head_end\":%" PRIu64 ",\"ends\":[", item->head_end);
    for (unsigned range = 0; range < item->levels * (item->steps + 1) && good; range++)
        good = json_put(out, "%s%" PRIu64, range ? "," : "", item->range_end[range]);
    good = good && json_put(out, "],\"size\":%" PRIu64 ",\"id\":\"%016" PRIx64 "\",\"source_bytes\":%" PRIu64,
                            item->size, item->id, item->source_bytes);
    return good && put_files(item, out) && put_columns(item, out) && json_put(out, "}");
}

enum mist_status mist_catalog_entry_write(const struct mist_catalog_entry *entry, struct mist_buffer *out,
                                          struct mist_error *error)
{
    bool good;
    size_t before = out->size;
    if (entry->kind == MIST_CATALOG_ITEM) {
        good = put_item(&entry->item, out);
    } else {
        const struct mist_catalog_attachment *attachment = &entry->attachment;
        good = json_put(out, "{\"file\":") && json_put_string(out, attachment->path) &&
               json_put(out, ",\"size\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"", attachment->size,
                        attachment->checksum);
        if (good && attachment->kept)
            good = json_put(out, ",\"kept\":") && json_put_string(out, attachment->kept);
        if (good && attachment->table)
            good = json_put(out, ",\"table\":") && json_put_string(out, attachment->table);
        if (good && attachment->table && attachment->wide)
            good = json_put(out, ",\"wide\":true");
        good = good && json_put(out, "}");
    }
    if (!good)
        return error_set(error, MIST_ERROR_MEMORY, "a catalog row: out of memory");
    if (out->size - before > CATALOG_MAX_LINE)
        return error_set(error, MIST_ERROR_LIMIT, "%s: its catalog row would be longer than %zu bytes",
                         entry->item.path, CATALOG_MAX_LINE);
    return MIST_OK;
}

static bool put_dataset(const struct mist_dataset_info *info, struct mist_buffer *out)
{
    return json_put(out, "\"dataset\":") && json_put_string(out, info->name) &&
           json_put(out, ",\"items\":%" PRIu64 ",\"files\":%" PRIu64 ",\"source_bytes\":%" PRIu64, info->items,
                    info->attachments, info->source_bytes) &&
           json_put(out, ",\"item_bytes\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"id\":\"%016" PRIx64 "\"",
                    info->item_bytes, info->attachment_bytes, info->id) &&
           (card_is_empty(&info->card) || (json_put(out, ",\"card\":") && card_write(&info->card, out)));
}

static bool put_tree(const struct mist_dataset_tree *tree, struct mist_buffer *out)
{
    return tree->size == 0 ||
           json_put(out,
                    ",\"tree\":{\"size\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\",\"files\":%" PRIu64
                    ",\"directories\":%" PRIu64 ",\"empty\":%" PRIu64 ",\"links\":%" PRIu64 "}",
                    tree->size, tree->checksum, tree->files, tree->directories, tree->empty, tree->links);
}

enum mist_status mist_catalog_header_write(const struct mist_dataset_info *info, struct mist_buffer *out,
                                           struct mist_error *error)
{
    bool good = json_put(out, "{\"format\":\"mist-catalog\",\"version\":%d,", CATALOG_VERSION) &&
                put_dataset(info, out) && put_tree(&info->tree, out) && json_put(out, "}");
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a catalog header: out of memory");
}

enum mist_status mist_dataset_info_write(const struct mist_dataset_info *info, const struct mist_level_totals *totals,
                                         unsigned levels, struct mist_buffer *out, struct mist_error *error)
{
    bool good = json_put(out, "{") && put_dataset(info, out);
    if (good && totals)
        good = json_put(out, ",\"unfinished\":%s,\"bytes_by_reduce\":[", info->unfinished ? "true" : "false");
    for (unsigned reduce = 0; totals && reduce < levels && reduce < MIST_MAX_LEVELS && good; reduce++)
        good = json_put(out, "%s%" PRIu64, reduce ? "," : "", totals->bytes[reduce]);
    good = good && json_put(out, totals ? "]}" : "}");
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", info->name);
}
