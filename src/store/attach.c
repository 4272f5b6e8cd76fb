/* SPDX-License-Identifier: BSD-2-Clause */
/* Files copied byte for byte. */
#include "store/encode.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };

/* Reads all of `in` for its checksum; `out`, unless NULL, receives the bytes too. */
static enum mist_status pass(const char *name, int in, FILE *out, uint64_t *size, uint64_t *checksum,
                             struct mist_error *error)
{
    struct checksum_state *state = checksum_start();
    uint8_t *chunk = memory_allocate(CHUNK);
    enum mist_status status = MIST_OK;
    *size = 0;
    if (!state || !chunk)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    while (chunk && !status) {
        ssize_t got = read(in, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = error_set_errno(error, errno, "%s", name);
        if (got <= 0)
            break;
        checksum_add(state, chunk, (size_t)got);
        *size += (uint64_t)got;
        if (out)
            fwrite(chunk, 1, (size_t)got, out); /* errors are sticky; the commit finds them */
    }
    if (state && !status)
        *checksum = checksum_value(state);
    checksum_free(state);
    memory_free(chunk);
    return status;
}

static int open_source(const char *path, struct mist_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        error_set_errno(error, errno, "%s", path);
    else
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    return descriptor;
}

enum mist_status checksum_file(const char *path, uint64_t *size, uint64_t *checksum, struct mist_error *error)
{
    struct mist_error local = {0};
    int in = open_source(path, &local);
    enum mist_status status = local.status;
    if (in >= 0) {
        status = pass(path, in, NULL, size, checksum, &local);
        close(in);
    }
    if (status && error)
        *error = local;
    return status;
}

enum mist_status copy_file(const char *from, const char *to, const char *aside, uint64_t *size, uint64_t *checksum,
                           bool *source_fault, struct mist_error *error)
{
    struct mist_error local = {0};
    struct file_writer writer;
    *source_fault = false;
    int in = open_source(from, &local);
    if (in < 0) {
        *source_fault = true;
        return error_set(error, local.status, "%s", local.message);
    }
    enum mist_status status = file_writer_open_aside(to, aside, &writer, error);
    if (!status) {
        /* Shares the blocks where the file system can (Btrfs, XFS, bcachefs); the bytes are read for the checksum. */
        bool cloned = ioctl(fileno(writer.stream), FICLONE, in) == 0;
        status = pass(from, in, cloned ? NULL : writer.stream, size, checksum, error);
        *source_fault = status != MIST_OK;
        if (!status)
            status = file_writer_commit(&writer, error);
        else
            file_writer_cancel(&writer);
    }
    close(in);
    return status;
}
