/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/spool.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <unistd.h>

/* Bytes that wait in memory before they go to the temporary file. */
#define PENDING_LIMIT ((size_t)1 << 20)

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "writing an item: out of memory");
}

void spool_start(struct spool *spool, const char *near)
{
    *spool = (struct spool){.near = near, .descriptor = -1};
}

static enum mist_status flush(struct spool *spool, struct mist_error *error)
{
    if (spool->descriptor < 0)
        spool->descriptor = file_open_spool(spool->near, error);
    if (spool->descriptor < 0)
        return MIST_ERROR_IO;
    enum mist_status status =
        file_write_at(spool->descriptor, spool->written, spool->pending.data, spool->pending.size, error);
    spool->written += spool->pending.size;
    spool->pending.size = 0;
    return status;
}

enum mist_status spool_append(struct spool *spool, const void *bytes, size_t size, struct mist_error *error)
{
    if (!buffer_append(&spool->pending, bytes, size))
        return out_of_memory(error);
    spool->size += size;
    return spool->pending.size >= PENDING_LIMIT ? flush(spool, error) : MIST_OK;
}

enum mist_status spool_read(const struct spool *spool, spool_take *take, void *context, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    size_t capacity = spool->written < PENDING_LIMIT ? (size_t)spool->written : PENDING_LIMIT;
    uint8_t *piece = memory_allocate(capacity);
    if (!piece)
        return out_of_memory(error);
    for (uint64_t at = 0; at < spool->written && !status;) {
        size_t step = spool->written - at < capacity ? (size_t)(spool->written - at) : capacity;
        status = file_read_at(spool->descriptor, at, piece, step, error);
        if (!status)
            status = take(context, piece, step, error);
        at += step;
    }
    if (!status && spool->pending.size)
        status = take(context, spool->pending.data, spool->pending.size, error);
    memory_free(piece);
    return status;
}

void spool_free(struct spool *spool)
{
    if (spool->near && spool->descriptor >= 0)
        close(spool->descriptor);
    mist_buffer_free(&spool->pending);
    *spool = (struct spool){0};
}
