/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening a dataset, and going through its catalog. */
#include "source/dataset.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

#define CATALOG "catalog.jsonl.zst"
#define CATALOG_MAX_FILE ((uint64_t)1 << 32)
enum { RETRIES = 5, TIMEOUT = 30 /* seconds */ };

/* ---- files of a dataset by address ---- */

struct remote {
    struct mist_source source;
    struct transport *transport; /* the dataset's */
    char *path;
    char etag[TRANSPORT_ETAG_SIZE];
};

struct filling {
    uint8_t *bytes;
    size_t done;
};

static enum mist_status fill(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct filling *filling = context;
    (void)error;
    memcpy(filling->bytes + filling->done, bytes, size); /* the transport gives no more than was asked for */
    filling->done += size;
    return MIST_OK;
}

static enum mist_status read_remote(struct mist_source *source, uint64_t offset, uint8_t *bytes, size_t size,
                                    struct mist_error *error)
{
    struct remote *remote = source->context;
    struct filling filling = {bytes, 0};
    struct transport_request request = {.path = remote->path,
                                        .name = remote->path,
                                        .first = offset,
                                        .end = offset + size,
                                        .etag = remote->etag,
                                        .sink = fill,
                                        .context = &filling};
    return size ? transport_fetch(remote->transport, &request, error) : MIST_OK;
}

static void close_remote(struct mist_source *source)
{
    struct remote *remote = source->context;
    memory_free(remote->path);
    memory_free(remote);
}

static enum mist_status open_remote(void *context, const char *path, struct mist_source **source,
                                    struct mist_error *error)
{
    struct mist_dataset *dataset = context;
    struct remote *remote = memory_allocate_zeroed(1, sizeof *remote);
    *source = NULL;
    if (!remote || !(remote->path = memory_copy_text(path))) {
        memory_free(remote);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    remote->transport = dataset->transport;
    remote->source =
        (struct mist_source){.read = read_remote, .close = close_remote, .size = UINT64_MAX, .context = remote};
    *source = &remote->source;
    return MIST_OK;
}

static enum mist_status append(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    return buffer_append(context, bytes, size) ? MIST_OK
                                               : error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
}

/* ---- opening ---- */

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

static enum mist_status connect_to(mist_dataset *dataset, const char *url, const char *token, struct mist_error *error)
{
    dataset->settings =
        (struct transport_settings){.token = token, .retries = RETRIES, .timeout = TIMEOUT, .shared = &dataset->shared};
    enum mist_status status = url_parse(url, &dataset->settings.url, error);
    return status ? status : transport_new(&dataset->settings, &dataset->transport, error);
}

enum mist_status mist_dataset_open(const char *url, const char *token, mist_dataset **result, struct mist_error *error)
{
    char shown[512];
    mist_url_without_secrets(url, shown, sizeof shown);
    enum mist_status status = new_dataset(shown, result, error);
    if (status)
        return status;
    mist_dataset *dataset = *result;
    dataset->open = open_remote;
    dataset->context = dataset;
    struct transport_request request = {.path = CATALOG,
                                        .name = dataset->name,
                                        .end = TRANSPORT_TO_END,
                                        .limit = CATALOG_MAX_FILE,
                                        .first_contact = true,
                                        .sink = append,
                                        .context = &dataset->catalog};
    status = connect_to(dataset, url, token, error);
    if (!status)
        status = transport_fetch(dataset->transport, &request, error);
    if (!status)
        status = start_reading(dataset, error);
    if (status)
        mist_dataset_close(result);
    return status;
}

/* The whole of a source, in steps: sizes are not believed before their bytes are there. */
static enum mist_status read_all(struct mist_source *source, struct mist_buffer *out, struct mist_error *error)
{
    enum { STEP = 1 << 20 };
    if (source->size > CATALOG_MAX_FILE)
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

enum mist_status mist_dataset_open_sources(mist_source_open *open, void *context, const char *name,
                                           mist_dataset **result, struct mist_error *error)
{
    struct mist_source *source = NULL;
    enum mist_status status = new_dataset(name, result, error);
    if (status)
        return status;
    mist_dataset *dataset = *result;
    dataset->open = open;
    dataset->context = context;
    status = open(context, CATALOG, &source, error);
    if (!status)
        status = read_all(source, &dataset->catalog, error);
    mist_source_close(&source);
    if (!status)
        status = start_reading(dataset, error);
    if (status)
        mist_dataset_close(result);
    return status;
}

void mist_dataset_close(mist_dataset **dataset)
{
    if (!dataset || !*dataset)
        return;
    mist_catalog_close(&(*dataset)->reader);
    transport_free(&(*dataset)->transport);
    url_free(&(*dataset)->settings.url);
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

enum mist_status mist_dataset_next(mist_dataset *dataset, struct mist_catalog_entry *entry, struct mist_error *error)
{
    enum mist_status status = mist_catalog_next(dataset->reader, &dataset->entry, error);
    if (status)
        return status;
    *entry = dataset->entry;
    memory_free(dataset->behind); /* behind the last item there is none */
    dataset->behind = memory_copy_text(entry->kind == MIST_CATALOG_ITEM ? entry->item.path : "\xff");
    return dataset->behind ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
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
    while (!status && !(status = mist_dataset_next(dataset, entry, error)) && entry->kind == MIST_CATALOG_ITEM) {
        place = strcmp(entry->item.path, path);
        if (place == 0)
            return MIST_OK;
        if (place > 0)
            break;
    }
    return status ? status
                  : error_set(error, MIST_ERROR_NOT_FOUND, "%.200s: there is no item %.200s", dataset->name, path);
}
