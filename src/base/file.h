/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: mapped for reading; written aside, synced and renamed. Paths that stay inside their root. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <mist/buffer.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A regular file mapped read-only. An empty file has data != NULL and size 0. */
struct file_map {
    const uint8_t *data;
    size_t size;
};
enum mist_status file_map_open(const char *path, struct file_map *map, struct mist_error *error);
/* The same of an open file, which the caller may close afterwards; `name` is for messages. */
enum mist_status file_map_descriptor(int descriptor, const char *name, struct file_map *map, struct mist_error *error);
void file_map_close(struct file_map *map);

/* The whole of a small file (at most `limit` bytes, else MIST_ERROR_LIMIT), with a NUL behind it (not in size). */
enum mist_status file_read(const char *path, size_t limit, struct mist_buffer *buffer, struct mist_error *error);

/*
 * A file being written aside: bytes go to "PATH.part"; file_writer_commit() syncs it and its directory and renames
 * it to PATH. Parent directories are made. Until then PATH is untouched.
 */
struct file_writer {
    FILE *stream; /* write here with fwrite(); errors are sticky and found by commit */
    char *path;
    char *part;
    bool unsynced; /* set by the caller: commit waits for no disk; whoever needs the file there sees to it */
};
enum mist_status file_writer_open(const char *path, struct file_writer *writer, struct mist_error *error);
/* The same with bytes going to `part`, on the same file system: where somebody's own file may be called PATH.part. */
enum mist_status file_writer_open_aside(const char *path, const char *part, struct file_writer *writer,
                                        struct mist_error *error);
/* Frees the writer whatever happens; on failure the part file is removed. */
enum mist_status file_writer_commit(struct file_writer *writer, struct mist_error *error);
/* Removes the part file. Safe on a zeroed, committed or cancelled writer. */
void file_writer_cancel(struct file_writer *writer);

/* All of `bytes` through a file_writer. */
enum mist_status file_write_whole(const char *path, const void *bytes, size_t size, struct mist_error *error);

/*
 * An anonymous temporary file beside `near` (or in TMPDIR if NULL), already unlinked, for spooling; -1 on failure.
 * Parent directories are made.
 */
int file_open_spool(const char *near, struct mist_error *error);
/* All `size` bytes at `offset`, or an error; short reads are MIST_ERROR_TRUNCATED. */
enum mist_status file_read_at(int descriptor, uint64_t offset, void *bytes, size_t size, struct mist_error *error);
enum mist_status file_write_at(int descriptor, uint64_t offset, const void *bytes, size_t size,
                               struct mist_error *error);

/* Makes a directory and its parents; fine if it is there. */
enum mist_status directory_make(const char *path, struct mist_error *error);

/* "a/b" from "a" and "b"; NULL when memory is short. Freed with memory_free(). */
char *path_join(const char *directory, const char *name);

/* The longest relative path that may be used below a root, in bytes without the NUL, and the longest of its parts. */
enum { PATH_LIMIT = 1024, PATH_PART_LIMIT = 255 };
/* Room for such a path with its NUL: `char path[PATH_ROOM]`. */
enum { PATH_ROOM = PATH_LIMIT + 1 };

/*
 * Whether a relative path may be used below a root: not empty, not absolute, '/'-separated parts none of which is
 * empty, "." or "..", no NUL, backslash or control character (U+0001 .. U+001F, U+007F .. U+009F), valid UTF-8, at most
 * PATH_LIMIT bytes, each part at most PATH_PART_LIMIT.
 */
bool path_is_safe(const char *path, size_t length);

#ifdef __cplusplus
}
#endif
#endif
