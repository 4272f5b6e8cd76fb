/* SPDX-License-Identifier: BSD-2-Clause */
/* HTJ2K codestreams (.j2c), written only: the frame's codestream as it is. */
#include "format/ops.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

struct codestream_writer {
    struct format_writer base;
    struct file_writer file;
    bool written;
};

static enum mist_status codestream_bytes(struct format_writer *base, const uint8_t *bytes, size_t size,
                                         struct mist_error *error)
{
    struct codestream_writer *writer = (struct codestream_writer *)base;
    if (writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a codestream file holds one frame", writer->file.path);
    writer->written = true;
    fwrite(bytes, 1, size, writer->file.stream); /* what fails is found by commit */
    return MIST_OK;
}

static enum mist_status codestream_finish(struct format_writer *base, struct mist_error *error)
{
    struct codestream_writer *writer = (struct codestream_writer *)base;
    if (!writer->written)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no frame was written", writer->file.path);
    return file_writer_commit(&writer->file, error);
}

static void codestream_free(struct format_writer *base)
{
    struct codestream_writer *writer = (struct codestream_writer *)base;
    file_writer_cancel(&writer->file);
    memory_free(writer);
}

static enum mist_status codestream_writer_open(const struct format_target *target, struct format_writer **result,
                                               struct mist_error *error)
{
    static const struct format_writer_ops ops = {
        .bytes = codestream_bytes, .finish = codestream_finish, .free = codestream_free};
    struct codestream_writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", target->path);
    writer->base.ops = &ops;
    enum mist_status status = format_target_file(target, &writer->file, error);
    if (status)
        codestream_free(&writer->base);
    else
        *result = &writer->base;
    return status;
}

const struct format_ops format_ops_codestream = {.writer_open = codestream_writer_open};
