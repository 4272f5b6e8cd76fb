/* SPDX-License-Identifier: BSD-2-Clause */
/* catalog.jsonl.zst, line by line. */
#include "source/catalog.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "source/lines.h"

#include <string.h>

struct mist_catalog {
    char *name; /* for messages */
    struct file_map map;
    bool mapped;
    struct lines_reader *lines;
    struct catalog_row row;
    struct mist_dataset_info info;
    uint64_t items;
    uint64_t attachments;
    struct mist_buffer last_path; /* of the same kind as the entry before */
    struct mist_error broken;     /* sticky */
};

static enum mist_status start(struct mist_catalog *catalog, const uint8_t *data, size_t size, const char *name,
                              struct mist_error *error)
{
    catalog->name = memory_copy_text(name);
    if (!catalog->name)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    const char *line;
    size_t length;
    enum mist_status status = lines_reader_open(data, size, "the catalog", CATALOG_MAX_LINE, &catalog->lines, error);
    if (!status)
        status = lines_reader_next(catalog->lines, &line, &length, error);
    if (!status && !line)
        status = error_set(error, MIST_ERROR_TRUNCATED, "the catalog is empty");
    if (!status)
        status = catalog_header_parse(line, length, &catalog->info, error);
    return status ? error_prefix(error, status, "%s", name) : MIST_OK;
}

static enum mist_status catalog_new(mist_catalog **catalog, const char *name, struct mist_error *error)
{
    *catalog = memory_allocate_zeroed(1, sizeof **catalog);
    return *catalog ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
}

enum mist_status mist_catalog_open_memory(const uint8_t *data, size_t size, const char *name, mist_catalog **catalog,
                                          struct mist_error *error)
{
    enum mist_status status = catalog_new(catalog, name, error);
    if (!status)
        status = start(*catalog, data, size, name, error);
    if (status)
        mist_catalog_close(catalog);
    return status;
}

enum mist_status mist_catalog_open(const char *path, mist_catalog **catalog, struct mist_error *error)
{
    enum mist_status status = catalog_new(catalog, path, error);
    if (status)
        return status;
    status = file_map_open(path, &(*catalog)->map, error);
    if (!status) {
        (*catalog)->mapped = true;
        status = start(*catalog, (*catalog)->map.data, (*catalog)->map.size, path, error);
    }
    if (status)
        mist_catalog_close(catalog);
    return status;
}

void mist_catalog_close(mist_catalog **catalog)
{
    if (!*catalog)
        return;
    if ((*catalog)->mapped)
        file_map_close(&(*catalog)->map);
    lines_reader_close(&(*catalog)->lines);
    mist_buffer_free(&(*catalog)->last_path);
    catalog_row_free(&(*catalog)->row);
    memory_free((*catalog)->name);
    memory_free(*catalog);
    *catalog = NULL;
}

const struct mist_dataset_info *mist_catalog_dataset(const mist_catalog *catalog)
{
    return &catalog->info;
}

/* Items first, each kind in ascending order of path: so no path comes twice. */
static enum mist_status check_order(struct mist_catalog *catalog, struct mist_error *error)
{
    const struct mist_catalog_entry *entry = &catalog->row.entry;
    bool item = entry->kind == MIST_CATALOG_ITEM;
    uint64_t *count = item ? &catalog->items : &catalog->attachments;
    const char *path = entry->item.path; /* the same as the attachment's */
    if (item && catalog->attachments > 0)
        return error_set(error, MIST_ERROR_CORRUPT, "an item follows the files in the catalog: %.80s", path);
    if (*count > 0 && strcmp((const char *)catalog->last_path.data, path) >= 0)
        return error_set(error, MIST_ERROR_CORRUPT, "the catalog is not in ascending order at %.80s", path);
    if (++*count > (item ? catalog->info.items : catalog->info.attachments))
        return error_set(error, MIST_ERROR_CORRUPT, "the catalog holds more than its first line says");
    catalog->last_path.size = 0;
    if (!buffer_append(&catalog->last_path, path, strlen(path) + 1))
        return error_set(error, MIST_ERROR_MEMORY, "reading the catalog: out of memory");
    return MIST_OK;
}

static enum mist_status next(struct mist_catalog *catalog, struct mist_error *error)
{
    const char *line;
    size_t size;
    enum mist_status status = lines_reader_next(catalog->lines, &line, &size, error);
    if (status)
        return status;
    if (line) {
        status = catalog_row_parse(line, size, &catalog->row, error);
        return status ? status : check_order(catalog, error);
    }
    catalog->row.entry = (struct mist_catalog_entry){.kind = MIST_CATALOG_END};
    if (catalog->items != catalog->info.items || catalog->attachments != catalog->info.attachments)
        return error_set(error, MIST_ERROR_TRUNCATED, "the catalog holds less than its first line says");
    return MIST_OK;
}

enum mist_status mist_catalog_next(mist_catalog *catalog, struct mist_catalog_entry *entry, struct mist_error *error)
{
    *entry = (struct mist_catalog_entry){.kind = MIST_CATALOG_END};
    if (!catalog->broken.status) {
        catalog->broken.status = next(catalog, &catalog->broken);
        if (catalog->broken.status)
            error_prefix(&catalog->broken, catalog->broken.status, "%s, line %llu", catalog->name,
                         (unsigned long long)(catalog->items + catalog->attachments + 2));
    }
    if (catalog->broken.status) {
        if (error)
            *error = catalog->broken;
        return catalog->broken.status;
    }
    *entry = catalog->row.entry;
    return MIST_OK;
}
