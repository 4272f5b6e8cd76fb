/* SPDX-License-Identifier: BSD-2-Clause */
#include "kind/archive.h"

#include "base/error.h"
#include "base/memory.h"

enum mist_status format_archive_around(struct format_archive *archive, const uint8_t *prefix, size_t prefix_size,
                                       const uint8_t *suffix, size_t suffix_size, const char *name,
                                       struct mist_error *error)
{
    if (buffer_append(&archive->prefix, prefix, prefix_size) && buffer_append(&archive->suffix, suffix, suffix_size))
        return MIST_OK;
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
}

void format_archive_free(struct format_archive *archive)
{
    if (archive) {
        mist_buffer_free(&archive->prefix);
        mist_buffer_free(&archive->suffix);
        mist_buffer_free(&archive->extra);
        *archive = (struct format_archive){0};
    }
}
