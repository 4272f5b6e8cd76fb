/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/spool.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "item/layout.h"

#include <unistd.h>

#define CHUNK ((size_t)1 << LAYOUT_CHUNK_LOG2)
/* Bytes that wait in memory before they go to the temporary file. */
#define PENDING_LIMIT ((size_t)1 << 20)

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "writing an item: out of memory");
}

enum mist_status spool_start(struct spool *spool, const char *near, struct mist_error *error)
{
    *spool = (struct spool){.near = near, .descriptor = -1, .chunk = checksum_start()};
    return spool->chunk ? MIST_OK : out_of_memory(error);
}

static enum mist_status close_chunk(struct spool *spool, struct mist_error *error)
{
    uint8_t bytes[8];
    store_le64(bytes, checksum_value(spool->chunk));
    checksum_restart(spool->chunk);
    return buffer_append(&spool->checksums, bytes, sizeof bytes) ? MIST_OK : out_of_memory(error);
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
    const uint8_t *at = bytes;
    enum mist_status status = MIST_OK;
    while (size && !status) {
        size_t left = CHUNK - (size_t)(spool->size % CHUNK), step = size < left ? size : left;
        checksum_add(spool->chunk, at, step);
        if (!buffer_append(&spool->pending, at, step))
            return out_of_memory(error);
        spool->size += step;
        at += step;
        size -= step;
        if (step == left)
            status = close_chunk(spool, error);
        if (!status && spool->pending.size >= PENDING_LIMIT)
            status = flush(spool, error);
    }
    return status;
}

enum mist_status spool_finish(struct spool *spool, struct mist_error *error)
{
    return spool->size % CHUNK ? close_chunk(spool, error) : MIST_OK;
}

enum mist_status spool_copy(const struct spool *spool, FILE *stream, struct mist_error *error)
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
            fwrite(piece, 1, step, stream);
        at += step;
    }
    if (!status && spool->pending.size)
        fwrite(spool->pending.data, 1, spool->pending.size, stream);
    memory_free(piece);
    return status;
}

void spool_free(struct spool *spool)
{
    if (spool->near && spool->descriptor >= 0)
        close(spool->descriptor);
    mist_buffer_free(&spool->pending);
    mist_buffer_free(&spool->checksums);
    checksum_free(spool->chunk);
    *spool = (struct spool){0};
}
