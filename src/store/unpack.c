/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/unpack.h"

#include "base/error.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void unpack_start(struct encode *encode)
{
    pthread_mutex_init(&encode->unpacking.lock, NULL);
    pthread_cond_init(&encode->unpacking.changed, NULL);
}

void unpack_end(struct encode *encode)
{
    struct unpacking *unpacking = &encode->unpacking;
    archive_source_close(&unpacking->open);
    for (uint32_t i = 0; i < unpacking->count; i++)
        memory_free(unpacking->paths[i]);
    memory_free(unpacking->paths);
    pthread_cond_destroy(&unpacking->changed);
    pthread_mutex_destroy(&unpacking->lock);
}

enum mist_status unpack_add_archive(struct encode *encode, const char *path, struct mist_error *error)
{
    struct unpacking *unpacking = &encode->unpacking;
    char **paths = memory_resize(unpacking->paths, unpacking->count + 1, sizeof *paths);
    if (paths) {
        unpacking->paths = paths;
        paths[unpacking->count] = memory_copy_text(path);
    }
    if (!paths || !paths[unpacking->count])
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    unpacking->count++;
    return MIST_OK;
}

/* A dataset.json, which is read while the archive stands at it. */
static enum mist_status read_listed(struct walk *walk, const char *path, const char *disk, struct mist_error *error)
{
    char directory[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) : 0, path);
    return walk_read_listed(walk, directory, disk, error);
}

enum mist_status unpack_list(struct walk *walk, struct archive_source *source, const char *path, const char *name,
                             const struct packed_entry *entry, uint64_t number, struct mist_error *error)
{
    struct encode *encode = walk->encode;
    struct found_file found = {path,        name,
                               entry->size, entry->mtime,
                               entry->mode, (int64_t)encode->unpacking.count << PLACE_SHIFT | (int64_t)number};
    const char *base = strrchr(path, '/');
    const bool listing = strcmp(base ? base + 1 : path, "dataset.json") == 0;
    char file[32], *disk = NULL;
    enum mist_status status = MIST_OK;
    if (number >> PLACE_SHIFT)
        return error_set(error, MIST_ERROR_LIMIT, "%s: too many entries", walk->source);
    if (encode->unpack_to) {
        snprintf(file, sizeof file, "%" PRIu64, walk->files);
        disk = path_join(encode->unpack_to, file);
        found.place = 0;
        found.disk = disk;
    } else if (listing) {
        disk = maker_scratch(&encode->maker, "look", 0);
    }
    if ((encode->unpack_to || listing) && !disk)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", name);
    struct mist_error damaged = {0};
    if (!status && disk && archive_source_extract(source, disk, &damaged)) {
        walk_leave_out(walk, name, damaged.message);
        memory_free(disk);
        return MIST_OK;
    }
    if (!status)
        status = walk_add_file(walk, &found, error);
    if (!status && listing)
        status = read_listed(walk, path, disk, error);
    if (disk && !encode->unpack_to)
        unlink(disk);
    memory_free(disk);
    return status;
}

enum mist_status unpack_entry(struct encode *encode, int64_t place, const char *to, struct mist_error *error)
{
    struct unpacking *unpacking = &encode->unpacking;
    const uint32_t number = (uint32_t)(place >> PLACE_SHIFT);
    enum mist_status status = MIST_OK;
    if (number == 0 || number > unpacking->count)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: there is no such archive", to);
    if (unpacking->open && unpacking->number != number)
        archive_source_close(&unpacking->open);
    if (!unpacking->open)
        status = archive_source_open(unpacking->paths[number - 1], &unpacking->open, error);
    unpacking->number = number;
    if (!status)
        status = archive_source_seek(unpacking->open, (uint64_t)place & (((uint64_t)1 << PLACE_SHIFT) - 1), error);
    return status ? status : archive_source_extract(unpacking->open, to, error);
}

void unpack_take_turn(struct encode *encode, uint64_t index)
{
    struct unpacking *unpacking = &encode->unpacking;
    pthread_mutex_lock(&unpacking->lock);
    while (unpacking->turn != index)
        pthread_cond_wait(&unpacking->changed, &unpacking->lock);
    pthread_mutex_unlock(&unpacking->lock);
}

void unpack_end_turn(struct encode *encode)
{
    struct unpacking *unpacking = &encode->unpacking;
    pthread_mutex_lock(&unpacking->lock);
    unpacking->turn++;
    pthread_cond_broadcast(&unpacking->changed);
    pthread_mutex_unlock(&unpacking->lock);
}
