/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/session.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CATALOG "catalog.jsonl.zst"
#define CATALOG_MAX_FILE ((uint64_t)1 << 32)

/* ---- the catalog ---- */

struct spooled {
    int descriptor;
    uint64_t size;
};

static enum mist_status take_bytes(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct spooled *spooled = context;
    enum mist_status status = file_write_at(spooled->descriptor, spooled->size, bytes, size, error);
    spooled->size += size;
    return status ? error_prefix(error, status, "a temporary file for the catalog (TMPDIR)") : MIST_OK;
}

struct names {
    char text[200];
    size_t length;
};

static enum mist_status add_name(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct names *names = context;
    int added = snprintf(names->text + names->length, sizeof names->text - names->length, "%s%s",
                         names->length ? ", " : "", info->name);
    if (added > 0 && names->length + (size_t)added < sizeof names->text)
        names->length += (size_t)added;
    else
        names->text[names->length] = '\0';
    return MIST_OK;
}

/* The sentence for a place without a catalog; names the datasets where it is a store on this machine. */
static enum mist_status no_dataset(const struct session *session, struct mist_error *error)
{
    const struct url *url = &session->settings.url;
    struct names names = {.length = 0};
    mist_store *store = NULL;
    if (url->kind == URL_DIRECTORY && mist_store_open(url->base, &store, NULL) == MIST_OK) {
        mist_store_datasets(store, add_name, &names, NULL);
        mist_store_close(&store);
        return error_set(error, MIST_ERROR_NOT_FOUND, "%.200s is a whole store; add one of its datasets: %s", url->base,
                         names.text);
    }
    return error_set(error, MIST_ERROR_NOT_FOUND, "%.300s is no MIST dataset: there is no %s in it", url->base,
                     CATALOG);
}

enum mist_status session_fetch_list(struct session *session, const char *path, uint64_t size, uint8_t **data,
                                    size_t *got, struct mist_error *error)
{
    struct spooled spooled = {.descriptor = file_open_spool(NULL, error)};
    *data = NULL;
    *got = 0;
    if (spooled.descriptor < 0)
        return MIST_ERROR_IO;
    enum mist_status status = MIST_OK;
    if (!session->transport)
        status = transport_new(&session->settings, &session->transport, error);
    struct transport_request request = {.path = path,
                                        .name = session->settings.url.base,
                                        .end = size ? size : TRANSPORT_TO_END,
                                        .size = size,
                                        .limit = CATALOG_MAX_FILE,
                                        .first_contact = size == 0,
                                        .sink = take_bytes,
                                        .context = &spooled};
    if (!status)
        status = transport_fetch(session->transport, &request, error);
    session->report.catalog_bytes += spooled.size;
    if (!status && spooled.size) {
        void *map = mmap(NULL, (size_t)spooled.size, PROT_READ, MAP_PRIVATE, spooled.descriptor, 0);
        if (map == MAP_FAILED)
            status = error_set_errno(error, errno, "%s", path);
        else
            *data = map;
    }
    *got = *data ? (size_t)spooled.size : 0;
    close(spooled.descriptor);
    return status;
}

void session_free_list(uint8_t *data, size_t size)
{
    if (data)
        munmap(data, size);
}

static enum mist_status fetch_catalog(struct session *session, struct mist_error *error)
{
    struct mist_error failure = {0};
    enum mist_status status =
        session_fetch_list(session, CATALOG, 0, &session->catalog, &session->catalog_size, &failure);
    const bool reached = atomic_load(&session->shared.requests) > 0; /* else there is not even a directory */
    if (status == MIST_ERROR_NOT_FOUND && reached)
        return no_dataset(session, error);
    return status ? error_set(error, status, "%s", failure.message) : MIST_OK;
}

static enum mist_status open_catalog(const struct session *session, mist_catalog **catalog, struct mist_error *error)
{
    static const uint8_t nothing[1];
    return mist_catalog_open_memory(session->catalog ? session->catalog : nothing, session->catalog_size,
                                    session->settings.url.base, catalog, error);
}

enum mist_status session_each(const struct session *session, session_visit *visit, void *context,
                              struct mist_error *error)
{
    mist_catalog *catalog;
    struct mist_catalog_entry entry;
    enum mist_status status = open_catalog(session, &catalog, error);
    if (status)
        return status;
    while (!(status = mist_catalog_next(catalog, &entry, error)) && entry.kind != MIST_CATALOG_END &&
           !(status = visit(context, &entry, error)))
        ;
    mist_catalog_close(&catalog);
    return status;
}

/* ---- options ---- */

static bool is_token(const char *token)
{
    for (const unsigned char *p = (const unsigned char *)token; *p; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return false;
    return *token != '\0';
}

static enum mist_status check_options(const struct mist_get_options *options, struct mist_error *error)
{
    if (!options->url || (options->directory && !*options->directory))
        return error_set(error, MIST_ERROR_ARGUMENT, "there is no address or no directory");
    if (options->timeout > 3600)
        return error_set(error, MIST_ERROR_ARGUMENT, "a host is waited for for an hour at most");
    if (options->token && !is_token(options->token))
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "the token (MIST_TOKEN) is empty or has characters that no token has");
    return MIST_OK;
}

enum mist_status session_open(struct session *session, const struct mist_get_options *options, struct mist_error *error)
{
    mist_catalog *catalog;
    *session = (struct session){.options = options,
                                .root = -1,
                                .base = -1,
                                .area = -1,
                                .staging = -1,
                                .parts = -1,
                                .lock = -1,
                                .cache = {.items = -1},
                                .report = {.budget_reduce = -1}};
    session->select =
        (struct select){.resolution = options->resolution,
                        .format = options->format,
                        .max_memory = options->max_memory ? options->max_memory : memory_of_machine() / 4};
    enum mist_status status = check_options(options, error);
    if (!status)
        status = select_start(&session->select, &options->selection, error);
    if (!status)
        status = url_parse(options->url, &session->settings.url, error);
    if (status)
        return status;
    session->settings.token = options->token;
    session->settings.ca_file = options->ca_file;
    session->settings.certificate = options->certificate;
    session->settings.certificate_key = options->certificate_key;
    session->settings.retries = options->retries;
    session->settings.timeout = options->timeout ? options->timeout : SESSION_DEFAULT_TIMEOUT;
    session->settings.shared = &session->shared;
    status = fetch_catalog(session, error);
    if (!status)
        status = open_catalog(session, &catalog, error);
    if (!status) {
        session->dataset = *mist_catalog_dataset(catalog);
        memcpy(session->report.dataset, session->dataset.name, sizeof session->report.dataset);
        session->report.card = session->dataset.card;
        mist_catalog_close(&catalog);
    }
    return status;
}

enum mist_status session_sync(const struct session *session, struct mist_error *error)
{
    if (syncfs(session->root) != 0 && errno != EINVAL && errno != ENOSYS) /* as of file systems that cannot */
        return error_set_errno(error, errno, "%s: not all of it has reached the disk", session->options->directory);
    return MIST_OK;
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void session_close(struct session *session)
{
    transport_free(&session->transport);
    select_end(&session->select);
    state_close(&session->state);
    close_descriptor(&session->cache.items);
    close_descriptor(&session->staging);
    close_descriptor(&session->parts);
    close_descriptor(&session->area);
    if (session->base >= 0 && session->root >= 0) /* what was needed for this run only */
        unlinkat(session->root, SESSION_AREA, AT_REMOVEDIR);
    close_descriptor(&session->base);
    close_descriptor(&session->lock);
    close_descriptor(&session->root);
    memory_free(session->cache.items_path);
    memory_free(session->staging_path);
    memory_free(session->base_path);
    memory_free(session->delivered_path);
    session_free_list(session->catalog, session->catalog_size);
    url_free(&session->settings.url);
}

bool session_path_is_ours_to_write(const char *path)
{
    size_t area = sizeof SESSION_AREA - 1;
    return path_is_safe(path, strlen(path)) &&
           !(strncmp(path, SESSION_AREA, area) == 0 && (path[area] == '/' || path[area] == '\0'));
}
