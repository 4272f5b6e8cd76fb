/* SPDX-License-Identifier: BSD-2-Clause */
/* Datasets by their address: each of their files is a source that fetches what is read of it. */
#include <mist/remote.h>

#include "base/error.h"
#include "base/memory.h"
#include "source/dataset.h"
#include "transport/transport.h"

#include <string.h>

enum { RETRIES = 5, TIMEOUT = 30 /* seconds */ };

/* One connection, for all files of a dataset. */
struct connection {
    struct transport_shared shared;
    struct transport_settings settings;
    struct transport *transport;
    char name[512]; /* for messages */
};

/* One file. */
struct remote {
    struct mist_source source;
    struct connection *connection;
    char *path;
    char etag[TRANSPORT_ETAG_SIZE];
    struct mist_buffer whole; /* of the catalog: all its bytes */
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

static enum mist_status read_range(struct mist_source *source, uint64_t offset, uint8_t *bytes, size_t size,
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
    return size ? transport_fetch(remote->connection->transport, &request, error) : MIST_OK;
}

static enum mist_status read_whole(struct mist_source *source, uint64_t offset, uint8_t *bytes, size_t size,
                                   struct mist_error *error)
{
    const struct remote *remote = source->context;
    if (offset > source->size || size > source->size - offset)
        return error_set(error, MIST_ERROR_TRUNCATED, "%s: it ends too early", remote->path);
    if (size)
        memcpy(bytes, remote->whole.data + offset, size);
    return MIST_OK;
}

static void close_remote(struct mist_source *source)
{
    struct remote *remote = source->context;
    mist_buffer_free(&remote->whole);
    memory_free(remote->path);
    memory_free(remote);
}

static enum mist_status append(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    return buffer_append(context, bytes, size) ? MIST_OK
                                               : error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
}

/* The catalog, which is fetched first, has no size that is known before it is here. */
static enum mist_status fetch_whole(struct remote *remote, struct mist_error *error)
{
    const struct transport_request request = {.path = remote->path,
                                              .name = remote->connection->name,
                                              .end = TRANSPORT_TO_END,
                                              .limit = DATASET_CATALOG_MAX,
                                              .first_contact = true,
                                              .sink = append,
                                              .context = &remote->whole};
    enum mist_status status = transport_fetch(remote->connection->transport, &request, error);
    remote->source.read = read_whole;
    remote->source.size = remote->whole.size;
    return status;
}

static enum mist_status open_remote(void *context, const char *path, struct mist_source **source,
                                    struct mist_error *error)
{
    struct remote *remote = memory_allocate_zeroed(1, sizeof *remote);
    *source = NULL;
    if (!remote || !(remote->path = memory_copy_text(path))) {
        memory_free(remote);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    remote->connection = context;
    remote->source =
        (struct mist_source){.read = read_range, .close = close_remote, .size = UINT64_MAX, .context = remote};
    *source = &remote->source;
    enum mist_status status = strcmp(path, DATASET_CATALOG) == 0 ? fetch_whole(remote, error) : MIST_OK;
    if (status)
        mist_source_close(source);
    return status;
}

static void disconnect(void *context)
{
    struct connection *connection = context;
    transport_free(&connection->transport);
    url_free(&connection->settings.url);
    memory_free(connection);
}

static enum mist_status connect_to(const char *url, const char *token, struct connection **made,
                                   struct mist_error *error)
{
    struct connection *connection = *made = memory_allocate_zeroed(1, sizeof *connection);
    if (!connection)
        return error_set(error, MIST_ERROR_MEMORY, "opening a dataset: out of memory");
    mist_url_without_secrets(url, connection->name, sizeof connection->name);
    connection->settings = (struct transport_settings){
        .token = token, .retries = RETRIES, .timeout = TIMEOUT, .shared = &connection->shared};
    enum mist_status status = url_parse(url, &connection->settings.url, error);
    if (!status)
        status = transport_new(&connection->settings, &connection->transport, error);
    if (status)
        disconnect(connection);
    return status;
}

enum mist_status mist_dataset_open(const char *url, const char *token, mist_dataset **dataset, struct mist_error *error)
{
    struct connection *connection;
    *dataset = NULL;
    enum mist_status status = connect_to(url, token, &connection, error);
    if (status)
        return status;
    const struct dataset_files files = {.open = open_remote, .context = connection, .close = disconnect};
    return dataset_open(&files, connection->name, dataset, error);
}
