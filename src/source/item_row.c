/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows from items. */
#include "source/catalog.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

enum mist_status catalog_row_from_item(const mist_item *item, const char *path, struct catalog_row *row,
                                       struct mist_error *error)
{
    const struct mist_item_info *info = mist_item_info(item);
    size_t path_size = strlen(path) + 1;
    row->text.size = row->files.size = row->columns.size = 0;
    bool good = buffer_append(&row->text, path, path_size);
    for (uint32_t i = 0; i < info->files && good; i++) {
        struct mist_item_file file;
        mist_item_file(item, i, &file);
        struct mist_catalog_file entry = {file.path, file.frames};
        good = buffer_append(&row->files, &entry, sizeof entry);
    }
    if (!good)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    row->entry = (struct mist_catalog_entry){.kind = MIST_CATALOG_ITEM};
    struct mist_catalog_item *out = &row->entry.item;
    out->path = (const char *)row->text.data;
    memcpy(out->format, info->format, sizeof out->format);
    out->image = info->image;
    out->image.geometry.has_affine = false;
    out->levels = info->levels;
    out->steps = info->steps;
    out->centred = info->centred;
    out->label = info->label;
    out->kept = info->kept;
    out->head_end = info->head_end;
    memcpy(out->level_end, info->level_end, sizeof out->level_end);
    out->range_end = info->range_end;
    out->size = info->size;
    out->id = info->id;
    out->source_bytes = info->source_bytes;
    out->file_count = info->files;
    out->files = (const struct mist_catalog_file *)(const void *)row->files.data;
    return MIST_OK;
}
