/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows as JSON lines. */
#include "store/catalog.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

void catalog_row_free(struct catalog_row *row)
{
    mist_buffer_free(&row->text);
    mist_buffer_free(&row->files);
    memset(row, 0, sizeof *row);
}

static bool put_image(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    const struct mist_image_info *image = &item->image;
    const double *spacing = image->geometry.spacing;
    bool good = json_put(out, ",\"format\":") && json_put_string(out, item->format) &&
                json_put(out,
                         ",\"type\":\"%s\",\"precision\":%u,\"width\":%" PRIu32 ",\"height\":%" PRIu32
                         ",\"frames\":%" PRIu32 ",\"components\":%" PRIu32 ",\"label\":%s",
                         mist_sample_name(image->type), image->precision, image->width, image->height, image->frames,
                         image->components, image->label ? "true" : "false");
    if (good && (spacing[0] > 0 || spacing[1] > 0 || spacing[2] > 0)) {
        good = json_put(out, ",\"spacing\":[") && json_put_number(out, spacing[0]) && json_put(out, ",") &&
               json_put_number(out, spacing[1]) && json_put(out, ",") && json_put_number(out, spacing[2]) &&
               json_put(out, "]");
    }
    return good;
}

static bool put_item(const struct mist_catalog_item *item, struct mist_buffer *out)
{
    bool good = json_put(out, "{\"path\":") && json_put_string(out, item->path) && put_image(item, out) &&
                json_put(out, ",\"levels\":%u,\"head_end\":%" PRIu64 ",\"ends\":[", item->levels, item->head_end);
    for (unsigned level = 0; level < item->levels && good; level++)
        good = json_put(out, "%s%" PRIu64, level ? "," : "", item->level_end[level]);
    good = good && json_put(out, "],\"size\":%" PRIu64 ",\"id\":\"%016" PRIx64 "\",\"source_bytes\":%" PRIu64,
                            item->size, item->id, item->source_bytes);
    if (item->file_count == 1 && strcmp(item->files[0].path, item->path) == 0)
        return good && json_put(out, "}");
    good = good && json_put(out, ",\"files\":[");
    for (uint32_t i = 0; i < item->file_count && good; i++) {
        good = json_put(out, "%s{\"path\":", i ? "," : "") && json_put_string(out, item->files[i].path) &&
               json_put(out, ",\"frames\":%" PRIu32 "}", item->files[i].frames);
    }
    return good && json_put(out, "]}");
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
               json_put(out, ",\"size\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}", attachment->size,
                        attachment->checksum);
    }
    if (!good)
        return error_set(error, MIST_ERROR_MEMORY, "a catalog row: out of memory");
    if (out->size - before > CATALOG_MAX_LINE)
        return error_set(error, MIST_ERROR_LIMIT, "%s: its catalog row would be longer than %zu bytes",
                         entry->item.path, CATALOG_MAX_LINE);
    return MIST_OK;
}

enum mist_status mist_catalog_header_write(const struct mist_dataset_info *info, struct mist_buffer *out,
                                           struct mist_error *error)
{
    bool good = json_put(out, "{\"format\":\"mist-catalog\",\"version\":%d,\"dataset\":", CATALOG_VERSION) &&
                json_put_string(out, info->name) &&
                json_put(out, ",\"items\":%" PRIu64 ",\"files\":%" PRIu64 ",\"source_bytes\":%" PRIu64, info->items,
                         info->attachments, info->source_bytes) &&
                json_put(out, ",\"item_bytes\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"id\":\"%016" PRIx64 "\"}",
                         info->item_bytes, info->attachment_bytes, info->id);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a catalog header: out of memory");
}
