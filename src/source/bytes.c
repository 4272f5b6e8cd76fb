/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources of bytes: memory and files. */
#include <mist/source.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <string.h>

struct mapped {
    struct mist_source source;
    struct file_map map; /* of a file */
    const uint8_t *data;
};

static enum mist_status read_mapped(struct mist_source *source, uint64_t offset, uint8_t *bytes, size_t size,
                                    struct mist_error *error)
{
    const struct mapped *mapped = source->context;
    if (offset > source->size || size > source->size - offset)
        return error_set(error, MIST_ERROR_TRUNCATED, "the file ends too early");
    if (size)
        memcpy(bytes, mapped->data + offset, size);
    return MIST_OK;
}

static void close_mapped(struct mist_source *source)
{
    struct mapped *mapped = source->context;
    if (mapped->map.data)
        file_map_close(&mapped->map);
    memory_free(mapped);
}

static enum mist_status new_mapped(struct mapped **made, struct mist_error *error)
{
    struct mapped *mapped = *made = memory_allocate_zeroed(1, sizeof *mapped);
    if (!mapped)
        return error_set(error, MIST_ERROR_MEMORY, "opening a source: out of memory");
    mapped->source = (struct mist_source){.read = read_mapped, .close = close_mapped, .context = mapped};
    return MIST_OK;
}

enum mist_status mist_source_memory(const uint8_t *data, size_t size, struct mist_source **source,
                                    struct mist_error *error)
{
    struct mapped *mapped;
    enum mist_status status = new_mapped(&mapped, error);
    *source = NULL;
    if (status)
        return status;
    mapped->data = data;
    mapped->source.size = size;
    *source = &mapped->source;
    return MIST_OK;
}

enum mist_status mist_source_file(const char *path, struct mist_source **source, struct mist_error *error)
{
    struct mapped *mapped;
    enum mist_status status = new_mapped(&mapped, error);
    *source = NULL;
    if (status)
        return status;
    status = file_map_open(path, &mapped->map, error);
    if (status) {
        memory_free(mapped);
        return status;
    }
    mapped->data = mapped->map.data;
    mapped->source.size = mapped->map.size;
    *source = &mapped->source;
    return MIST_OK;
}

void mist_source_close(struct mist_source **source)
{
    struct mist_source *closing = source ? *source : NULL;
    if (source)
        *source = NULL;
    if (closing && closing->close)
        closing->close(closing);
}
