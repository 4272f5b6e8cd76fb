/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/deliver.h"

#include "base/error.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void add_written(void *context, const char *path)
{
    struct delivery *staged = context;
    size_t length = strlen(staged->path);
    const char *relative = path + length + (path[length] == '/');
    staged->failed = staged->failed || !buffer_append(&staged->paths, relative, strlen(relative) + 1);
    staged->count++;
}

/* The names in an item are its maker's: none may leave the directory or come into ours. */
static enum mist_status check_names(const mist_item *item, const char *name, struct mist_error *error)
{
    struct mist_item_file file;
    for (uint32_t i = 0; mist_item_file(item, i, &file); i++)
        if (!session_path_is_ours_to_write(file.path))
            return error_set(error, MIST_ERROR_CORRUPT, "%s: it wants to write %.200s, which is not allowed", name,
                             file.path);
    return MIST_OK;
}

/* Moves one file from `from_root` to the same path of the output directory and notes what it is like there. */
static enum mist_status place(const struct session *session, int from_root, const char *from, const char *path,
                              struct state_file *file, struct mist_error *error)
{
    struct stat about;
    char disk[PATH_ROOM];
    path_unescape(path, disk);
    enum mist_status status = confined_rename(from_root, from, session->root, disk, error);
    if (status)
        return status;
    if (!confined_stat(session->root, disk, &about))
        return error_set(error, MIST_ERROR_IO, "%s: not there after it was written", path);
    *file = (struct state_file){path, (uint64_t)about.st_size,
                                (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec};
    return MIST_OK;
}

/* Removes files of an earlier content (a slice that a series no longer has) that nothing has taken the place of. */
static void remove_stale(struct session *session, const struct mist_buffer *stale)
{
    const char *path = (const char *)stale->data, *end = path + stale->size;
    for (; path < end; path += strlen(path) + 1)
        state_discard(session->state, path);
}

/* Moves all staged files; nothing is moved if one of them belongs to somebody else. */
static enum mist_status place_all(struct session *session, const struct state_key *key, const struct delivery *staged,
                                  struct mist_error *error)
{
    struct state_file *files = memory_allocate_array(staged->count, sizeof *files);
    if (!files)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", key->path);
    struct mist_buffer stale = {0};
    const char *path = (const char *)staged->paths.data;
    enum mist_status status = state_claim(session->state, key, path, staged->count, &stale, error);
    for (size_t i = 0; i < staged->count && !status; i++, path += strlen(path) + 1)
        status = place(session, staged->directory, path, path, &files[i], error);
    if (!status)
        status = state_record(session->state, key, files, staged->count, error);
    if (!status && stale.size)
        remove_stale(session, &stale);
    mist_buffer_free(&stale);
    memory_free(files);
    return status;
}

/* On success the map must outlive the item. */
static enum mist_status open_fetched(const struct fetched *fetched, struct file_map *map, mist_item **open,
                                     struct mist_error *error)
{
    struct mist_item_piece pieces[MIST_MAX_RANGES];
    enum mist_status status = file_map_open(fetched->path, map, error);
    if (status)
        return status;
    for (unsigned i = 0; i < fetched->count && !status; i++) {
        const struct mist_byte_range *range = &fetched->range[i];
        if (range->end > map->size)
            status = error_set(error, MIST_ERROR_TRUNCATED, "%s: shorter than it was a moment ago", fetched->path);
        else
            pieces[i] =
                (struct mist_item_piece){range->start, map->data + range->start, (size_t)(range->end - range->start)};
    }
    if (!status)
        status = mist_item_open_pieces(pieces, fetched->count, fetched->path, open, error);
    if (status)
        file_map_close(map);
    return status;
}

enum mist_status deliver_write(struct session *session, const struct mist_catalog_item *item,
                               const struct selected *selected, const struct fetched *fetched, unsigned worker,
                               unsigned threads, struct delivery *delivery, struct mist_error *error)
{
    char name[16];
    mist_item *open;
    *delivery = (struct delivery){.item = item, .directory = -1};
    struct mist_export_options export = select_export(&session->select, selected);
    export.threads = threads;
    export.transfer_syntax = session->options->transfer_syntax;
    export.keep_uids = session->options->keep_uids;
    export.identical = session->options->identical;
    export.unsynced = true; /* deliver_place() does that, while others write */
    struct file_map map;
    enum mist_status status = open_fetched(fetched, &map, &open, error);
    if (status)
        return status;
    snprintf(name, sizeof name, "%u", worker % 1000);
    delivery->path = path_join(session->staging_path, name);
    plan_describe(session, selected, delivery->how);
    status =
        delivery->path ? check_names(open, item->path, error) : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    if (!status)
        status = confined_directory(session->staging, name, &delivery->directory, error);
    if (!status)
        status = mist_item_export(open, &export, delivery->path, add_written, delivery, error);
    mist_item_close(&open);
    file_map_close(&map);
    return status;
}

/* All that was staged is on the disk before any of it is in its place. */
static enum mist_status sync_staged(const struct delivery *delivery, struct mist_error *error)
{
    const char *path = (const char *)delivery->paths.data;
    for (size_t i = 0; i < delivery->count; i++, path += strlen(path) + 1) {
        int file = confined_open(delivery->directory, path, O_RDONLY);
        int reason = file < 0 || fsync(file) != 0 ? errno : 0;
        if (file >= 0)
            close(file);
        if (reason)
            return error_set_errno(error, reason, "%s: not written", path);
    }
    return MIST_OK;
}

enum mist_status deliver_place(struct session *session, const struct delivery *delivery, struct mist_error *error)
{
    const struct state_key key = plan_item_key(delivery->item, delivery->how);
    if (delivery->failed)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", key.path);
    enum mist_status status = sync_staged(delivery, error);
    return status ? status : place_all(session, &key, delivery, error);
}

void delivery_free(struct delivery *delivery)
{
    if (delivery->directory >= 0) {
        confined_clear(delivery->directory);
        close(delivery->directory);
    }
    mist_buffer_free(&delivery->paths);
    memory_free(delivery->path);
    *delivery = (struct delivery){.directory = -1};
}

enum mist_status deliver_attachment(struct session *session, const struct mist_catalog_attachment *attachment,
                                    struct mist_error *error)
{
    struct state_key key = plan_attachment_key(attachment);
    struct state_file file;
    char name[PART_NAME_MAX];
    plan_part_name(attachment, name);
    enum mist_status status = state_claim(session->state, &key, attachment->path, 1, NULL, error);
    if (!status)
        status = place(session, session->parts, name, attachment->path, &file, error);
    return status ? status : state_record(session->state, &key, &file, 1, error);
}

/* Records a file that is there. */
static enum mist_status record_as_it_is(struct session *session, const struct state_key *key, const char *path,
                                        struct mist_error *error)
{
    struct stat about;
    char disk[PATH_ROOM];
    path_unescape(path, disk);
    if (!confined_stat(session->root, disk, &about))
        return MIST_OK;
    struct state_file file = {path, (uint64_t)about.st_size,
                              (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec};
    return state_record(session->state, key, &file, 1, error);
}

enum mist_status deliver_known(struct session *session, const struct mist_catalog_attachment *attachment,
                               struct mist_error *error)
{
    struct state_key key = plan_attachment_key(attachment);
    bool recorded;
    enum mist_status status = state_is_current(session->state, &key, &recorded, error);
    if (status || recorded)
        return status;
    key.how = STATE_FOUND;
    return record_as_it_is(session, &key, attachment->path, error);
}

enum mist_status deliver_item_itself(struct session *session, const struct mist_catalog_item *item,
                                     struct mist_error *error)
{
    char name[CACHE_NAME_MAX];
    struct state_key key = {STATE_ITEM_FILE, item->path, item->id, "mist"};
    cache_name(item, false, name);
    return record_as_it_is(session, &key, name, error);
}
