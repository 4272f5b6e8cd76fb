/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalogs: what a host with no program behind it has to say of a dataset, in the words of one that has (docs/http.md).
 */
#include "wasm/wasm.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/plan_row.h"

#include <string.h>

struct catalog {
    uint8_t *bytes; /* the file */
    size_t size;
    char *name;
    mist_catalog *open; /* read as far as the last answer went; NULL: from the beginning */
};

WASM_EXPORT(catalog_free) void wasm_catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    mist_catalog_close(&catalog->open);
    memory_free(catalog->bytes);
    memory_free(catalog->name);
    memory_free(catalog);
}

static enum mist_status start(struct catalog *catalog)
{
    mist_catalog_close(&catalog->open);
    return mist_catalog_open_memory(catalog->bytes, catalog->size, catalog->name, &catalog->open, &wasm_error);
}

/* Takes the bytes of the file, from wasm_allocate(). NULL with a sentence where it is no catalog. */
WASM_EXPORT(catalog_new) struct catalog *wasm_catalog_new(uint8_t *bytes, size_t size, const char *name)
{
    struct catalog *catalog = memory_allocate_zeroed(1, sizeof *catalog);
    if (catalog) {
        catalog->bytes = bytes;
        catalog->size = size;
        catalog->name = memory_copy_text(name);
    } else {
        memory_free(bytes);
    }
    if (catalog && catalog->name && start(catalog) == MIST_OK)
        return catalog;
    if (!catalog || !catalog->name)
        wasm_no_memory();
    wasm_catalog_free(catalog);
    return NULL;
}

/* As /v1/datasets/{d}, in wasm_text. */
WASM_EXPORT(catalog_about) enum mist_status wasm_catalog_about(struct catalog *catalog)
{
    wasm_text.size = 0;
    return mist_dataset_info_write(mist_catalog_dataset(catalog->open), NULL, 0, &wasm_text, &wasm_error);
}

static const char *path_of(const struct mist_catalog_entry *entry)
{
    return entry->kind == MIST_CATALOG_ITEM ? entry->item.path : entry->attachment.path;
}

/* One item's row, as /v1/datasets/{d}/items has it, in wasm_text; MIST_ERROR_NOT_FOUND. */
WASM_EXPORT(catalog_item) enum mist_status wasm_catalog_item(struct catalog *catalog, const char *path)
{
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    enum mist_status status = start(catalog);
    while (!status) {
        status = mist_catalog_next(catalog->open, &entry, &wasm_error);
        if (status || entry.kind != MIST_CATALOG_ITEM || strcmp(path_of(&entry), path) >= 0)
            break;
    }
    if (status)
        return status;
    if (entry.kind != MIST_CATALOG_ITEM || strcmp(path_of(&entry), path) != 0)
        return error_set(&wasm_error, MIST_ERROR_NOT_FOUND, "%s: there is no such item", path);
    wasm_text.size = 0;
    return mist_catalog_entry_write(&entry, &wasm_text, &wasm_error);
}

/* ---- plans ---- */

struct plan {
    struct select select;
    struct plan_totals totals;
    bool totals_only;
};

static enum mist_status each_entry(struct catalog *catalog,
                                   enum mist_status (*visit)(struct plan *plan, const struct mist_catalog_entry *entry),
                                   struct plan *plan)
{
    struct mist_catalog_entry entry;
    enum mist_status status = start(catalog);
    while (!status) {
        status = mist_catalog_next(catalog->open, &entry, &wasm_error);
        if (status || entry.kind == MIST_CATALOG_END)
            break;
        status = visit(plan, &entry);
    }
    return status;
}

static enum mist_status look(struct plan *plan, const struct mist_catalog_entry *entry)
{
    return selection_look(plan->select.selection, entry, &wasm_error);
}

static enum mist_status write(struct plan *plan, const struct mist_catalog_entry *entry)
{
    if (!select_takes(&plan->select, entry))
        return MIST_OK;
    if (!plan_row_write(&plan->select, entry, &plan->totals, &wasm_text))
        return wasm_no_memory();
    if (plan->totals_only)
        wasm_text.size = 0;
    return MIST_OK;
}

/*
 * As /v1/datasets/{d}/plan, in wasm_text: the request's numbers, and one pattern and one condition (NULL: none). With
 * `totals_only` nothing but the last line.
 */
WASM_EXPORT(catalog_plan)
enum mist_status wasm_catalog_plan(struct catalog *catalog, const double *numbers, const char *include,
                                   const char *where, uint32_t limit, int totals_only)
{
    struct plan plan = {.select.resolution = wasm_request(numbers), .totals_only = totals_only != 0};
    const struct mist_selection which = {.include = &include,
                                         .include_count = include != NULL,
                                         .where = &where,
                                         .where_count = where != NULL,
                                         .limit = limit};
    enum mist_status status = select_start(&plan.select, &which, &wasm_error);
    while (!status && !selection_is_ready(plan.select.selection)) {
        status = each_entry(catalog, look, &plan);
        if (!status)
            status = selection_looked(plan.select.selection, &wasm_error);
    }
    wasm_text.size = 0;
    if (!status)
        status = each_entry(catalog, write, &plan);
    if (!status && !plan_totals_write(&plan.totals, &wasm_text))
        status = wasm_no_memory();
    select_end(&plan.select);
    return status;
}
