/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are one codestream and nothing else (JPEG, JPEG 2000): its bytes are the file. */
#include "format/ops.h"

#include "base/error.h"
#include "base/memory.h"

static enum mist_status restore_frame(struct format_restorer *restorer, const struct mist_view *frame,
                                      struct mist_buffer *out, struct mist_error *error)
{
    (void)restorer;
    (void)frame;
    (void)out;
    return error_set(error, MIST_ERROR_ARGUMENT, "a file that is one codestream cannot be made of its samples again");
}

static enum mist_status restore_bytes(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                                      struct mist_buffer *out, struct mist_error *error)
{
    (void)restorer;
    return buffer_append(out, codestream, size) ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "out of memory");
}

static void restore_free(struct format_restorer *restorer)
{
    memory_free(restorer);
}

enum mist_status format_bare_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                           struct format_restorer **restorer, struct mist_error *error)
{
    static const struct format_restorer_ops ops = {restore_frame, restore_bytes, restore_free};
    (void)archive;
    (void)info;
    *restorer = memory_allocate(sizeof **restorer);
    if (!*restorer)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    (*restorer)->ops = &ops;
    return MIST_OK;
}
