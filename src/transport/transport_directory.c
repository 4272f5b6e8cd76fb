/* SPDX-License-Identifier: BSD-2-Clause */
/* A dataset in a directory: the same ranges, read from its files. */
#include "transport/transport.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

struct directory_transport {
    struct transport base;
    int root;
    uint8_t *chunk;
};

/* Hands [first, end) of the file on. */
static enum mist_status copy_range(struct directory_transport *transport, int descriptor,
                                   const struct transport_request *request, uint64_t end, struct mist_error *error)
{
    struct transport_shared *shared = transport->base.settings->shared;
    enum mist_status status = MIST_OK;
    for (uint64_t at = request->first; at < end && !status;) {
        size_t size = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
        if (atomic_load(&shared->stop))
            return error_set(error, MIST_ERROR_CANCELLED, "stopped");
        status = file_read_at(descriptor, at, transport->chunk, size, error);
        if (status)
            return error_prefix(error, status, "%s", request->name);
        atomic_fetch_add(&shared->received, size);
        status = request->sink(request->context, transport->chunk, size, error);
        at += size;
    }
    return status;
}

static enum mist_status directory_fetch(struct transport *base, const struct transport_request *request,
                                        struct mist_error *error)
{
    struct directory_transport *transport = (struct directory_transport *)base;
    int descriptor;
    struct stat about;
    atomic_fetch_add(&base->settings->shared->requests, 1);
    if (confined_open_following(transport->root, request->path, &descriptor, NULL))
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: there is no %s in %s", request->name, request->path,
                         base->settings->url.base);
    enum mist_status status = MIST_OK;
    uint64_t size = fstat(descriptor, &about) == 0 ? (uint64_t)about.st_size : 0;
    uint64_t end = request->end == TRANSPORT_TO_END ? size : request->end;
    if (request->size && size != request->size)
        status = error_set(error, MIST_ERROR_CORRUPT,
                           "%s: the file has %llu bytes where the catalog says %llu: one of them has changed",
                           request->name, (unsigned long long)size, (unsigned long long)request->size);
    else if (end > size || request->first > size)
        status = error_set(error, MIST_ERROR_TRUNCATED, "%s: the file ends too early", request->name);
    else if (request->end == TRANSPORT_TO_END && size > request->limit)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: %llu bytes; at most %llu are taken", request->name,
                           (unsigned long long)size, (unsigned long long)request->limit);
    else
        status = copy_range(transport, descriptor, request, end, error);
    close(descriptor);
    return status;
}

static void directory_free(struct transport *base)
{
    struct directory_transport *transport = (struct directory_transport *)base;
    if (transport->root >= 0)
        close(transport->root);
    memory_free(transport->chunk);
    memory_free(transport);
}

enum mist_status transport_directory_new(const struct transport_settings *settings, struct transport **result,
                                         struct mist_error *error)
{
    static const struct transport_ops ops = {directory_fetch, directory_free};
    struct directory_transport *transport = memory_allocate_zeroed(1, sizeof *transport);
    const char *path = settings->url.base;
    if (!transport)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    transport->base = (struct transport){&ops, settings};
    transport->chunk = memory_allocate(CHUNK);
    transport->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum mist_status status = MIST_OK;
    if (transport->root < 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (!transport->chunk)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    if (status)
        directory_free(&transport->base);
    else
        *result = &transport->base;
    return status;
}
