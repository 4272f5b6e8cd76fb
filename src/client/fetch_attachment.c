/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/fetch.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/confined.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

struct arrival {
    int descriptor;
    uint64_t size;
    struct checksum_state *state;
};

static enum mist_status take_bytes(void *context, const uint8_t *bytes, size_t size, struct mist_error *error)
{
    struct arrival *arrival = context;
    checksum_add(arrival->state, bytes, size);
    enum mist_status status = file_write_at(arrival->descriptor, arrival->size, bytes, size, error);
    arrival->size += size;
    return status;
}

/* Takes what an earlier try has left into the checksum. */
static enum mist_status take_old(struct arrival *arrival, uint64_t size, struct mist_error *error)
{
    uint8_t *chunk = memory_allocate(CHUNK);
    enum mist_status status = chunk ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    while (!status && arrival->size < size) {
        size_t take = size - arrival->size < CHUNK ? (size_t)(size - arrival->size) : CHUNK;
        status = file_read_at(arrival->descriptor, arrival->size, chunk, take, error);
        if (!status)
            checksum_add(arrival->state, chunk, take);
        arrival->size += take;
    }
    memory_free(chunk);
    return status;
}

static enum mist_status fetch_rest(struct transport *transport, struct arrival *arrival,
                                   const struct mist_catalog_attachment *attachment, struct mist_error *error)
{
    char remote[PATH_ROOM + sizeof "items/.mist"];
    struct stat about;
    snprintf(remote, sizeof remote, "files/%s", attachment->path);
    uint64_t old = fstat(arrival->descriptor, &about) == 0 ? (uint64_t)about.st_size : 0;
    for (;;) {
        if (old > attachment->size)
            old = 0;
        checksum_restart(arrival->state);
        arrival->size = 0;
        enum mist_status status = take_old(arrival, old, error);
        if (!status && ftruncate(arrival->descriptor, (off_t)old) != 0)
            status = error_set_errno(error, errno, "writing");
        struct transport_request request = {.path = remote,
                                            .name = attachment->path,
                                            .first = old,
                                            .end = attachment->size,
                                            .size = attachment->size,
                                            .sink = take_bytes,
                                            .context = arrival};
        if (!status && old < attachment->size)
            status = transport_fetch(transport, &request, error);
        if (status || checksum_value(arrival->state) == attachment->checksum)
            return status;
        if (ftruncate(arrival->descriptor, 0) != 0)
            return error_set_errno(error, errno, "writing");
        if (old == 0)
            return error_set(error, MIST_ERROR_CHECKSUM,
                             "%s: not the bytes that the catalog promises: damaged on the way or on the host, or "
                             "changed there; run again",
                             attachment->path);
        old = 0; /* what was there may have been wrong */
    }
}

enum mist_status fetch_attachment(struct transport *transport, int directory, const char *name,
                                  const struct mist_catalog_attachment *attachment, struct mist_error *error)
{
    struct arrival arrival = {.descriptor = -1, .state = checksum_start()};
    enum mist_status status = arrival.state ? confined_open_writable(directory, name, &arrival.descriptor, error)
                                            : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (!status)
        status = fetch_rest(transport, &arrival, attachment, error);
    if (!status && fsync(arrival.descriptor) != 0)
        status = error_set_errno(error, errno, "%s", attachment->path);
    if (arrival.descriptor >= 0 && close(arrival.descriptor) != 0 && !status)
        status = error_set_errno(error, errno, "%s", attachment->path);
    checksum_free(arrival.state);
    return status;
}
