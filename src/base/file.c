/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What an empty file maps to, since mmap() refuses a length of 0. */
static const uint8_t no_bytes[1];

enum mist_status file_map_descriptor(int descriptor, const char *name, struct file_map *map, struct mist_error *error)
{
    struct stat about;
    *map = (struct file_map){0};
    if (fstat(descriptor, &about) != 0)
        return error_set_errno(error, errno, "%s", name);
    if (!S_ISREG(about.st_mode))
        return error_set(error, MIST_ERROR_IO, "%s: not a regular file", name);
    if (about.st_size == 0) {
        map->data = no_bytes;
        return MIST_OK;
    }
    void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return error_set_errno(error, errno, "%s", name);
    *map = (struct file_map){data, (size_t)about.st_size};
    return MIST_OK;
}

enum mist_status file_map_open(const char *path, struct file_map *map, struct mist_error *error)
{
    *map = (struct file_map){0};
    /* O_NONBLOCK: opening a FIFO that nobody writes to must not hang. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, errno, "%s", path);
    enum mist_status status = file_map_descriptor(descriptor, path, map, error);
    close(descriptor);
    return status;
}

void file_map_close(struct file_map *map)
{
    if (map->data && map->size)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct file_map){0};
}

enum mist_status file_read(const char *path, size_t limit, struct mist_buffer *buffer, struct mist_error *error)
{
    struct file_map map;
    enum mist_status status = file_map_open(path, &map, error);
    if (status)
        return status;
    buffer->size = 0;
    if (map.size > limit)
        status = error_set(error, MIST_ERROR_LIMIT, "%s: %zu bytes; at most %zu are read", path, map.size, limit);
    else if (!buffer_append(buffer, map.data, map.size) || !buffer_append_zeros(buffer, 1))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    else
        buffer->size--;
    file_map_close(&map);
    return status;
}

static void file_writer_release(struct file_writer *writer)
{
    memory_free(writer->path);
    memory_free(writer->part);
    *writer = (struct file_writer){0};
}

static enum mist_status make_parent(const char *path, struct mist_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return MIST_OK;
    char *parent = memory_copy_text(path);
    if (!parent)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    parent[slash - path] = '\0';
    enum mist_status status = directory_make(parent, error);
    memory_free(parent);
    return status;
}

/* Takes over `part`, which is NULL when memory is short. The directories are there. */
static enum mist_status writer_start(const char *path, char *part, struct file_writer *writer, struct mist_error *error)
{
    *writer = (struct file_writer){.path = memory_copy_text(path), .part = part};
    if (!writer->path || !writer->part) {
        file_writer_release(writer);
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    writer->stream = fopen(writer->part, "wbe");
    if (writer->stream)
        return MIST_OK;
    enum mist_status status = error_set_errno(error, errno, "%s", writer->part);
    file_writer_release(writer);
    return status;
}

/* "PATH.part"; where the name would be longer than file systems take, its last bytes make room for a checksum of it. */
static char *part_of(const char *path)
{
    enum { LONGEST = 255, SUFFIX = sizeof ".part" - 1, MARK = sizeof "~0123456789abcdef" - 1 };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const size_t before = (size_t)(name - path), length = strlen(name);
    size_t keep = length + SUFFIX > LONGEST ? LONGEST - SUFFIX - MARK : length;
    char *part = memory_allocate(before + length + MARK + sizeof ".part");
    if (!part)
        return NULL;
    memcpy(part, path, before + keep);
    char mark[MARK + 1] = "";
    if (keep < length)
        snprintf(mark, sizeof mark, "~%016" PRIx64, checksum((const uint8_t *)name, length));
    snprintf(part + before + keep, MARK + sizeof ".part", "%s.part", mark);
    return part;
}

enum mist_status file_writer_open(const char *path, struct file_writer *writer, struct mist_error *error)
{
    *writer = (struct file_writer){0};
    enum mist_status status = make_parent(path, error);
    return status ? status : writer_start(path, part_of(path), writer, error);
}

enum mist_status file_writer_open_aside(const char *path, const char *part, struct file_writer *writer,
                                        struct mist_error *error)
{
    *writer = (struct file_writer){0};
    enum mist_status status = make_parent(path, error);
    return status ? status : writer_start(path, memory_copy_text(part), writer, error);
}

/* Syncs the directory that holds `path`, so that a rename in it survives a power cut. */
static int sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? memory_copy_text(path) : memory_copy_text(".");
    if (!parent)
        return ENOMEM;
    if (slash)
        parent[slash == path ? 1 : slash - path] = '\0';
    int result = 0;
    int descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || (fsync(descriptor) != 0 && errno != EINVAL))
        result = errno;
    if (descriptor >= 0)
        close(descriptor);
    memory_free(parent);
    return result;
}

/*
 * Why the stream has not taken all bytes, or 0. What fwrite() found stays as a flag, but its errno is gone and nothing
 * may be left to flush: one more byte asks again.
 */
static int stream_error(FILE *stream)
{
    errno = 0;
    if (fflush(stream) == 0 && !ferror(stream))
        return 0;
    if (errno)
        return errno;
    clearerr(stream);
    return (putc(0, stream) == EOF || fflush(stream) != 0) && errno ? errno : EIO;
}

enum mist_status file_writer_commit(struct file_writer *writer, struct mist_error *error)
{
    int reason = stream_error(writer->stream);
    const bool synced = !writer->unsynced;
    if (!reason && synced && fsync(fileno(writer->stream)) != 0)
        reason = errno;
    bool failed = reason != 0;
    if (fclose(writer->stream) != 0 && !failed) {
        failed = true;
        reason = errno;
    }
    writer->stream = NULL;
    if (!failed && rename(writer->part, writer->path) != 0) {
        failed = true;
        reason = errno;
    }
    enum mist_status status = MIST_OK;
    if (failed) {
        status = error_set_errno(error, reason, "%s: not written", writer->path);
        unlink(writer->part);
    } else if (synced && (reason = sync_parent(writer->path)) != 0) {
        status = error_set_errno(error, reason, "%s: its directory could not be synced", writer->path);
    }
    file_writer_release(writer);
    return status;
}

void file_writer_cancel(struct file_writer *writer)
{
    if (writer->stream)
        fclose(writer->stream);
    if (writer->part)
        unlink(writer->part);
    file_writer_release(writer);
}

static enum mist_status write_and_commit(struct file_writer *writer, const void *bytes, size_t size,
                                         struct mist_error *error)
{
    if (size)
        fwrite(bytes, 1, size, writer->stream);
    return file_writer_commit(writer, error);
}

enum mist_status file_write_whole(const char *path, const void *bytes, size_t size, struct mist_error *error)
{
    struct file_writer writer;
    enum mist_status status = file_writer_open(path, &writer, error);
    return status ? status : write_and_commit(&writer, bytes, size, error);
}

enum mist_status mist_buffer_write_file(const struct mist_buffer *buffer, const char *path, struct mist_error *error)
{
    struct file_writer writer;
    enum mist_status status = writer_start(path, part_of(path), &writer, error);
    return status ? status : write_and_commit(&writer, buffer->data, buffer->size, error);
}

int file_open_spool(const char *near, struct mist_error *error)
{
    const char *directory = getenv("TMPDIR");
    if (!directory || !*directory)
        directory = "/tmp";
    char *name = path_join(near ? near : directory, near ? "" : "mist");
    size_t length = name ? strlen(name) : 0;
    if (name && make_parent(name, error)) {
        memory_free(name);
        return -1;
    }
    char *template = name ? memory_resize(name, length + 16, 1) : NULL;
    if (!template) {
        memory_free(name);
        error_set(error, MIST_ERROR_MEMORY, "a temporary file: out of memory");
        return -1;
    }
    memcpy(template + length, ".spool-XXXXXX", 14);
    int descriptor = mkostemp(template, O_CLOEXEC);
    if (descriptor < 0)
        error_set_errno(error, errno, "%s: a temporary file cannot be made", template);
    else
        unlink(template);
    memory_free(template);
    return descriptor;
}

enum mist_status file_read_at(int descriptor, uint64_t offset, void *bytes, size_t size, struct mist_error *error)
{
    uint8_t *at = bytes;
    while (size) {
        ssize_t got = pread(descriptor, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(error, errno, "reading");
        if (got == 0)
            return error_set(error, MIST_ERROR_TRUNCATED, "reading: the file ends too early");
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return MIST_OK;
}

enum mist_status file_write_at(int descriptor, uint64_t offset, const void *bytes, size_t size,
                               struct mist_error *error)
{
    const uint8_t *at = bytes;
    while (size) {
        ssize_t put = pwrite(descriptor, at, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_set_errno(error, errno, "writing");
        at += put;
        offset += (uint64_t)put;
        size -= (size_t)put;
    }
    return MIST_OK;
}

enum mist_status directory_make(const char *path, struct mist_error *error)
{
    char *copy = memory_copy_text(path);
    if (!copy)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    enum mist_status status = MIST_OK;
    size_t length = strlen(copy);
    for (size_t i = 1; i <= length && !status; i++) {
        if (copy[i] != '/' && copy[i] != '\0')
            continue;
        char kept = copy[i];
        copy[i] = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            status = error_set_errno(error, errno, "%s: the directory cannot be made", copy);
        copy[i] = kept;
    }
    struct stat about;
    if (!status && (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)))
        status = error_set(error, MIST_ERROR_IO, "%s: not a directory", path);
    memory_free(copy);
    return status;
}
