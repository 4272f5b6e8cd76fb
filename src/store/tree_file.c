/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/tree_file.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "source/lines.h"
#include "source/tree_list.h"
#include "store/queries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *file_path(const struct maker *maker, struct mist_error *error)
{
    char *path = path_join(maker->directory, TREE_LIST_NAME);
    if (!path)
        error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    return path;
}

enum mist_status tree_file_map(mist_store *store, const char *dataset, struct file_map *map, struct mist_error *error)
{
    int descriptor;
    *map = (struct file_map){0};
    enum mist_status status =
        mist_store_open_file(store, dataset, MIST_CATALOG_END, TREE_LIST_NAME, &descriptor, error);
    if (status)
        return status;
    status = file_map_descriptor(descriptor, TREE_LIST_NAME, map, error);
    close(descriptor);
    return status;
}

void tree_file_describe(const struct maker *maker, struct mist_dataset_tree *tree)
{
    struct file_map map = {0};
    struct tree_list *list = NULL;
    char *path = file_path(maker, NULL);
    *tree = (struct mist_dataset_tree){0};
    if (path && !file_map_open(path, &map, NULL)) {
        if (!tree_list_open(map.data, map.size, &list, tree, NULL)) {
            tree->size = map.size;
            tree->checksum = checksum(map.data, map.size);
        } else {
            *tree = (struct mist_dataset_tree){0};
        }
        tree_list_close(&list);
        file_map_close(&map);
    }
    memory_free(path);
}

static void count(const struct tree_entry *entry, struct mist_dataset_tree *tree)
{
    tree->directories += entry->directory;
    tree->empty += entry->empty;
    tree->links += entry->target != NULL;
    tree->files += !entry->directory && !entry->target;
}

/* Rows of Q_TREE -> an entry; *row is false behind the last one. */
static enum mist_status next_row(struct maker *maker, sqlite3_stmt *rows, struct tree_entry *entry, bool *row,
                                 struct mist_error *error)
{
    enum mist_status status = database_step(&maker->database, rows, row, error);
    if (status || !*row)
        return status;
    *entry = (struct tree_entry){.path = column_text(rows, 0),
                                 .target = column_text(rows, 1),
                                 .directory = sqlite3_column_int(rows, 2) != 0,
                                 .empty = sqlite3_column_int(rows, 3) != 0,
                                 .mode = (unsigned)sqlite3_column_int(rows, 4),
                                 .mtime = sqlite3_column_int64(rows, 5)};
    return MIST_OK;
}

/* Two passes over the temporary table `tree`: what is counted stands in the first line. */
static enum mist_status write_rows(struct maker *maker, struct lines_writer *writer, struct mist_error *error)
{
    struct mist_dataset_tree counts = {0};
    struct mist_buffer text = {0};
    struct tree_entry entry;
    enum mist_status status = MIST_OK;
    for (int pass = 0; pass < 2 && !status; pass++) {
        sqlite3_stmt *rows = NULL;
        if (pass == 1)
            status = tree_header_write(&counts, &text) ? lines_writer_put(writer, &text, error)
                                                       : error_set(error, MIST_ERROR_MEMORY, "out of memory");
        if (!status)
            status = database_query(&maker->database, Q_TREE, &rows, error, "");
        for (bool row = true; !status && row;) {
            status = next_row(maker, rows, &entry, &row, error);
            if (status || !row)
                break;
            if (pass == 0)
                count(&entry, &counts);
            else
                status = tree_entry_write(&entry, &text) ? lines_writer_put(writer, &text, error)
                                                         : error_set(error, MIST_ERROR_MEMORY, "out of memory");
        }
        if (rows)
            sqlite3_reset(rows);
    }
    mist_buffer_free(&text);
    return status;
}

/* Whether two files hold the same bytes. */
static bool is_same(const char *one, const char *other)
{
    struct file_map maps[2] = {{0}};
    bool same = !file_map_open(one, &maps[0], NULL) && !file_map_open(other, &maps[1], NULL) &&
                maps[0].size == maps[1].size && memcmp(maps[0].data, maps[1].data, maps[0].size) == 0;
    file_map_close(&maps[0]);
    file_map_close(&maps[1]);
    return same;
}

/* Written beside it, and put in its place unless it is the same. */
static enum mist_status write_file(struct maker *maker, struct mist_error *error)
{
    struct lines_writer *writer = NULL;
    char *path = file_path(maker, error), *aside = maker_scratch(maker, "tree", 0);
    enum mist_status status = path && aside ? lines_writer_open(aside, &writer, error)
                                            : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->store);
    if (!status)
        status = write_rows(maker, writer, error);
    if (!status)
        status = lines_writer_commit(&writer, error);
    lines_writer_cancel(&writer);
    if (!status && is_same(aside, path))
        unlink(aside);
    else if (!status && rename(aside, path) != 0)
        status = error_set_errno(error, errno, "%s", path);
    memory_free(aside);
    memory_free(path);
    return status;
}

static enum mist_status start(struct maker *maker, struct mist_error *error)
{
    return database_execute(&maker->database, tree_tables, error);
}

static enum mist_status withdraw(struct maker *maker, struct mist_error *error)
{
    enum mist_status status = database_run(&maker->database, Q_TREE_WITHDRAW, error, "");
    return status ? status : database_run(&maker->database, Q_TREE_WITHDRAW_DIRECTORIES, error, "");
}

enum mist_status tree_file_write(struct maker *maker, struct mist_error *error)
{
    enum mist_status status = start(maker, error);
    if (!status)
        status = database_run(&maker->database, Q_TREE_FILES, error, "");
    if (!status)
        status = database_run(&maker->database, Q_TREE_PLACES, error, "");
    if (!status)
        status = withdraw(maker, error);
    if (!status)
        status = database_run(&maker->database, Q_TREE_EMPTY, error, "");
    return status ? status : write_file(maker, error);
}

static enum mist_status load(struct maker *maker, const struct file_map *map, struct mist_error *error)
{
    struct tree_list *list = NULL;
    struct mist_dataset_tree counts;
    struct tree_entry entry;
    char inside[PATH_ROOM];
    /* A list that is damaged has nothing to be taken out of. */
    enum mist_status status = tree_list_open(map->data, map->size, &list, &counts, error);
    while (!status && !(status = tree_list_next(list, &entry, error)) && entry.path) {
        const bool link = entry.target && tree_resolve(entry.path, entry.target, inside);
        status = database_run(&maker->database, Q_TREE_ADD, error, "ttiiiit", entry.path, entry.target,
                              (int64_t)entry.directory, (int64_t)entry.empty, (int64_t)entry.mode, entry.mtime,
                              link ? inside : NULL);
    }
    tree_list_close(&list);
    return status;
}

enum mist_status tree_file_thin(struct maker *maker, struct mist_error *error)
{
    struct file_map map = {0};
    struct mist_error damaged = {0};
    char *path = file_path(maker, error);
    if (!path)
        return MIST_ERROR_MEMORY;
    if (access(path, F_OK) != 0) {
        memory_free(path);
        return MIST_OK;
    }
    enum mist_status status = start(maker, error);
    if (!status)
        status = file_map_open(path, &map, error);
    const bool whole = !status && !load(maker, &map, &damaged);
    file_map_close(&map);
    /* What cannot be read may name what was withdrawn: then it goes as a whole. */
    if (!status && !whole && unlink(path) != 0)
        status = error_set(error, MIST_ERROR_IO, "%s: it is damaged, and cannot be removed", path);
    memory_free(path);
    if (!status && whole)
        status = withdraw(maker, error);
    return status || !whole ? status : write_file(maker, error);
}
