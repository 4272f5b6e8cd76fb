/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening a dataset, and going through its catalog. */
#include "source/dataset.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

static enum mist_status start_reading(mist_dataset *dataset, struct mist_error *error)
{
    static const uint8_t nothing[1];
    mist_catalog_close(&dataset->reader);
    memory_free(dataset->behind);
    dataset->behind = NULL;
    return mist_catalog_open_memory(dataset->catalog.data ? dataset->catalog.data : nothing, dataset->catalog.size,
                                    dataset->name, &dataset->reader, error);
}

static enum mist_status new_dataset(const char *name, mist_dataset **dataset, struct mist_error *error)
{
    *dataset = memory_allocate_zeroed(1, sizeof **dataset);
    if (*dataset && ((*dataset)->name = memory_copy_text(name)))
        return MIST_OK;
    mist_dataset_close(dataset);
    return error_set(error, MIST_ERROR_MEMORY, "opening a dataset: out of memory");
}

/* The whole of a source, in steps: sizes are not believed before their bytes are there. */
static enum mist_status read_all(struct mist_source *source, struct mist_buffer *out, struct mist_error *error)
{
    enum { STEP = 1 << 20 };
    if (source->size > DATASET_CATALOG_MAX)
        return error_set(error, MIST_ERROR_LIMIT, "the catalog is too large, or of unknown size");
    while (out->size < source->size) {
        size_t left = (size_t)source->size - out->size, size = left < STEP ? left : STEP;
        if (!buffer_reserve(out, out->size + size))
            return error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
        enum mist_status status = source->read(source, out->size, out->data + out->size, size, error);
        if (status)
            return status;
        out->size += size;
    }
    return MIST_OK;
}

enum mist_status dataset_open(const struct dataset_files *files, const char *name, mist_dataset **result,
                              struct mist_error *error)
{
    struct mist_source *source = NULL;
    enum mist_status status = new_dataset(name, result, error);
    if (status) {
        if (files->close)
            files->close(files->context);
        return status;
    }
    mist_dataset *dataset = *result;
    dataset->files = *files;
    status = files->open(files->context, DATASET_CATALOG, &source, error);
    if (!status)
        status = read_all(source, &dataset->catalog, error);
    mist_source_close(&source);
    if (!status)
        status = start_reading(dataset, error);
    if (status)
        mist_dataset_close(result);
    return status;
}

enum mist_status mist_dataset_open_sources(mist_source_open *open, void *context, const char *name,
                                           mist_dataset **dataset, struct mist_error *error)
{
    return dataset_open(&(struct dataset_files){.open = open, .context = context}, name, dataset, error);
}

void mist_dataset_close(mist_dataset **dataset)
{
    if (!dataset || !*dataset)
        return;
    selection_free(&(*dataset)->selection);
    mist_catalog_close(&(*dataset)->reader);
    if ((*dataset)->files.close)
        (*dataset)->files.close((*dataset)->files.context);
    mist_buffer_free(&(*dataset)->catalog);
    memory_free((*dataset)->behind);
    memory_free((*dataset)->name);
    memory_free(*dataset);
    *dataset = NULL;
}

/* ---- the catalog ---- */

const struct mist_dataset_info *mist_dataset_about(const mist_dataset *dataset)
{
    return mist_catalog_dataset(dataset->reader);
}

/* The next entry, selected or not. */
static enum mist_status next_entry(mist_dataset *dataset, struct mist_catalog_entry *entry, struct mist_error *error)
{
    enum mist_status status = mist_catalog_next(dataset->reader, &dataset->entry, error);
    if (status)
        return status;
    *entry = dataset->entry;
    memory_free(dataset->behind); /* behind the last item there is none */
    dataset->behind = memory_copy_text(entry->kind == MIST_CATALOG_ITEM ? entry->item.path : "\xff");
    return dataset->behind ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
}

enum mist_status mist_dataset_next(mist_dataset *dataset, struct mist_catalog_entry *entry, struct mist_error *error)
{
    enum mist_status status;
    do
        status = next_entry(dataset, entry, error);
    while (!status && entry->kind != MIST_CATALOG_END && dataset->selection &&
           !selection_takes(dataset->selection, entry));
    return status;
}

/* Goes through the catalog until the selection knows what it has to. */
static enum mist_status look_through(mist_dataset *dataset, struct selection *selection, struct mist_error *error)
{
    struct mist_catalog_entry entry;
    enum mist_status status = MIST_OK;
    while (!status && !selection_is_ready(selection)) {
        status = start_reading(dataset, error);
        while (!status && !(status = next_entry(dataset, &entry, error)) && entry.kind != MIST_CATALOG_END)
            status = selection_look(selection, &entry, error);
        if (!status)
            status = selection_looked(selection, error);
    }
    return status;
}

enum mist_status mist_dataset_select(mist_dataset *dataset, const struct mist_selection *which,
                                     struct mist_error *error)
{
    struct selection *selection = NULL;
    enum mist_status status = which ? selection_new(which, &selection, error) : MIST_OK;
    if (!status && selection)
        status = look_through(dataset, selection, error);
    if (!status)
        status = start_reading(dataset, error);
    if (status) {
        selection_free(&selection);
        return status;
    }
    selection_free(&dataset->selection);
    dataset->selection = selection;
    return MIST_OK;
}

enum mist_status mist_dataset_find(mist_dataset *dataset, const char *path, struct mist_catalog_entry *entry,
                                   struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    int place = dataset->behind ? strcmp(dataset->behind, path) : -1;
    if (place == 0) {
        *entry = dataset->entry;
        return MIST_OK;
    }
    if (place > 0)
        status = start_reading(dataset, error);
    while (!status && !(status = next_entry(dataset, entry, error)) && entry->kind == MIST_CATALOG_ITEM) {
        place = strcmp(entry->item.path, path);
        if (place == 0)
            return MIST_OK;
        if (place > 0)
            break;
    }
    return status ? status
                  : error_set(error, MIST_ERROR_NOT_FOUND, "%.200s: there is no item %.200s", dataset->name, path);
}
