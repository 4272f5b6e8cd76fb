/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking things up in a store. */
#include <mist/store.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "source/card.h"
#include "source/tree_list.h"
#include "base/confined.h"
#include "store/opened.h"
#include "store/store_database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum query { QUERY_DATASETS, QUERY_DATASET, QUERY_ITEMS, QUERY_ATTACHMENTS, QUERY_ITEM, QUERY_ATTACHMENT, QUERY_COUNT };

#define DATASET_COLUMNS \
    "name, items, attachments, source_bytes, item_bytes, attachment_bytes, content, id, running, card FROM dataset"

/* Rows of items: (row); of attachments: ATTACHMENT_COLUMNS. '' sorts before every path. */
static const char *const queries[QUERY_COUNT] = {
    [QUERY_DATASETS] = "SELECT " DATASET_COLUMNS " ORDER BY name",
    [QUERY_DATASET] = "SELECT " DATASET_COLUMNS " WHERE name = ?",
    [QUERY_ITEMS] = "SELECT " ITEM_ROW " FROM item WHERE dataset = ? AND path > ? ORDER BY path LIMIT ?",
    [QUERY_ATTACHMENTS] = "SELECT " ATTACHMENT_COLUMNS " WHERE a.dataset = ? AND a.path > ? ORDER BY a.path LIMIT ?",
    [QUERY_ITEM] = "SELECT " ITEM_ROW " FROM item WHERE dataset = ? AND path = ?",
    [QUERY_ATTACHMENT] = "SELECT " ATTACHMENT_COLUMNS " WHERE a.dataset = ? AND a.path = ?",
};

/* ---- which store it is ---- */

static enum mist_status identify(const mist_store *store, struct file_identity identity[2], struct mist_error *error)
{
    const char *const paths[2] = {store->directory, store->index};
    for (unsigned i = 0; i < 2; i++) {
        struct stat about;
        if (stat(paths[i], &about) != 0)
            return error_set(error, MIST_ERROR_IO, "%s: the store is not there any more: %s", paths[i],
                             strerror(errno));
        identity[i] = (struct file_identity){(uint64_t)about.st_dev, (uint64_t)about.st_ino};
    }
    return MIST_OK;
}

/* Whether what was opened is still what stands there. */
static bool is_current(mist_store *store, struct mist_error *error, enum mist_status *status)
{
    struct file_identity now[2];
    *status = identify(store, now, error);
    pthread_rwlock_rdlock(&store->root_lock);
    bool same = !*status && memcmp(now, store->identity, sizeof now) == 0;
    pthread_rwlock_unlock(&store->root_lock);
    return same;
}

/* Opens what stands there now, in the place of what was open; on failure that stays. The lock is held. */
static enum mist_status open_there(mist_store *store, struct mist_error *error)
{
    struct database database;
    /* Before anything is opened: what takes its place meanwhile is another one then, and is found by the next look.
     * What is not there is said by those who open it. */
    struct file_identity identity[2] = {0};
    identify(store, identity, NULL);
    int root = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_set_errno(error, errno, "%s", store->directory);
    enum mist_status status =
        store_database_open(store->directory, DATABASE_READ, queries, QUERY_COUNT, &database, error);
    if (status) {
        close(root);
        return status;
    }
    pthread_rwlock_wrlock(&store->root_lock);
    const int old = store->root;
    store->root = root;
    memcpy(store->identity, identity, sizeof identity);
    pthread_rwlock_unlock(&store->root_lock);
    if (old >= 0) {
        close(old);
        database_close(&store->database);
    }
    store->database = database;
    return MIST_OK;
}

enum mist_status store_enter(mist_store *store, struct mist_error *error)
{
    enum mist_status status;
    pthread_mutex_lock(&store->lock);
    if (!is_current(store, error, &status) && !status)
        status = open_there(store, error);
    if (status)
        pthread_mutex_unlock(&store->lock);
    return status;
}

void store_leave(mist_store *store)
{
    pthread_mutex_unlock(&store->lock);
}

enum mist_status mist_store_open(const char *directory, mist_store **store, struct mist_error *error)
{
    *store = memory_allocate_zeroed(1, sizeof **store);
    if (!*store)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", directory);
    (*store)->directory = memory_copy_text(directory);
    (*store)->index = path_join(directory, "mist.sqlite");
    (*store)->root = -1;
    pthread_mutex_init(&(*store)->lock, NULL);
    pthread_rwlock_init(&(*store)->root_lock, NULL);
    enum mist_status status = (*store)->directory && (*store)->index
                                  ? open_there(*store, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", directory);
    if (status)
        mist_store_close(store);
    return status;
}

void mist_store_close(mist_store **store)
{
    if (!*store)
        return;
    if ((*store)->root >= 0) {
        close((*store)->root);
        database_close(&(*store)->database);
    }
    catalog_row_free(&(*store)->row);
    pthread_rwlock_destroy(&(*store)->root_lock);
    pthread_mutex_destroy(&(*store)->lock);
    memory_free((*store)->directory);
    memory_free((*store)->index);
    memory_free(*store);
    *store = NULL;
}

/* ---- datasets ---- */

static void fill_dataset(sqlite3_stmt *statement, struct mist_dataset_info *info)
{
    *info = (struct mist_dataset_info){
        .items = (uint64_t)sqlite3_column_int64(statement, 1),
        .attachments = (uint64_t)sqlite3_column_int64(statement, 2),
        .source_bytes = (uint64_t)sqlite3_column_int64(statement, 3),
        .item_bytes = (uint64_t)sqlite3_column_int64(statement, 4),
        .attachment_bytes = (uint64_t)sqlite3_column_int64(statement, 5),
        .id = (uint64_t)sqlite3_column_int64(statement, 6),
        .unfinished = sqlite3_column_int64(statement, 8) != 0,
    };
    snprintf(info->name, sizeof info->name, "%s", column_text(statement, 0));
    const char *card = column_text(statement, 9);
    if (card) {
        struct json_reader json = json_start(card, strlen(card));
        card_read(&json, &info->card);
    }
}

enum mist_status mist_store_datasets(mist_store *store, mist_dataset_visit *visit, void *context,
                                     struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = true;
    enum mist_status status = store_enter(store, error);
    if (status)
        return status;
    status = database_query(&store->database, QUERY_DATASETS, &statement, error, "");
    while (!status && row) {
        status = database_step(&store->database, statement, &row, error);
        if (!status && row) {
            struct mist_dataset_info info;
            fill_dataset(statement, &info);
            status = visit(context, &info, error);
        }
    }
    if (statement)
        sqlite3_reset(statement);
    store_leave(store);
    return status;
}

/* The lock is held. */
static enum mist_status find_dataset(mist_store *store, const char *dataset, struct mist_dataset_info *info,
                                     int64_t *number, struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    enum mist_status status = database_query(&store->database, QUERY_DATASET, &statement, error, "t", dataset);
    if (!status)
        status = database_step(&store->database, statement, &row, error);
    if (status)
        return status;
    if (!row)
        return error_set(error, MIST_ERROR_NOT_FOUND, "no dataset '%.64s' in this store", dataset);
    if (info)
        fill_dataset(statement, info);
    *number = sqlite3_column_int64(statement, 7);
    sqlite3_reset(statement);
    return MIST_OK;
}

enum mist_status mist_store_dataset(mist_store *store, const char *dataset, struct mist_dataset_info *info,
                                    struct mist_error *error)
{
    int64_t number = 0;
    enum mist_status status = store_enter(store, error);
    if (status)
        return status;
    status = find_dataset(store, dataset, info, &number, error);
    store_leave(store);
    return status;
}

/* ---- items and attachments ---- */

/* The statement's current row as an entry. */
static enum mist_status fill_entry(mist_store *store, sqlite3_stmt *statement, enum mist_catalog_kind kind,
                                   struct mist_error *error)
{
    if (kind == MIST_CATALOG_ITEM) {
        const char *text = column_text(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        enum mist_status status = catalog_row_parse(text ? text : "", size, &store->row, error);
        return status ? error_prefix(error, status, "%s", store->database.path) : MIST_OK;
    }
    store->row.entry =
        (struct mist_catalog_entry){.kind = MIST_CATALOG_ATTACHMENT, .attachment = attachment_of_row(statement)};
    return MIST_OK;
}

/* Visits each row of a statement. */
static enum mist_status visit_rows(mist_store *store, sqlite3_stmt *statement, enum mist_catalog_kind kind,
                                   mist_catalog_visit *visit, void *context, uint64_t *visited,
                                   struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (bool row = true; !status && row;) {
        status = database_step(&store->database, statement, &row, error);
        if (status || !row)
            break;
        ++*visited;
        status = fill_entry(store, statement, kind, error);
        if (!status)
            status = visit(context, &store->row.entry, error);
    }
    sqlite3_reset(statement);
    return status;
}

static enum mist_status list(mist_store *store, const char *dataset, enum mist_catalog_kind kind, const char *after,
                             uint64_t limit, mist_catalog_visit *visit, void *context, struct mist_error *error)
{
    sqlite3_stmt *statement;
    int64_t number = 0;
    uint64_t visited = 0;
    int64_t rows = limit == 0 || limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
    enum query query = kind == MIST_CATALOG_ITEM ? QUERY_ITEMS : QUERY_ATTACHMENTS;
    enum mist_status status = store_enter(store, error);
    if (status)
        return status;
    status = find_dataset(store, dataset, NULL, &number, error);
    if (!status)
        status = database_query(&store->database, query, &statement, error, "iti", number, after ? after : "", rows);
    if (!status)
        status = visit_rows(store, statement, kind, visit, context, &visited, error);
    store_leave(store);
    return status;
}

enum mist_status mist_store_items(mist_store *store, const char *dataset, const char *after, uint64_t limit,
                                  mist_catalog_visit *visit, void *context, struct mist_error *error)
{
    return list(store, dataset, MIST_CATALOG_ITEM, after, limit, visit, context, error);
}

enum mist_status mist_store_attachments(mist_store *store, const char *dataset, const char *after, uint64_t limit,
                                        mist_catalog_visit *visit, void *context, struct mist_error *error)
{
    return list(store, dataset, MIST_CATALOG_ATTACHMENT, after, limit, visit, context, error);
}

enum mist_status mist_store_find(mist_store *store, const char *dataset, enum mist_catalog_kind kind, const char *path,
                                 mist_catalog_visit *visit, void *context, struct mist_error *error)
{
    sqlite3_stmt *statement;
    int64_t number = 0;
    uint64_t visited = 0;
    enum query query = kind == MIST_CATALOG_ITEM ? QUERY_ITEM : QUERY_ATTACHMENT;
    enum mist_status status = store_enter(store, error);
    if (status)
        return status;
    status = find_dataset(store, dataset, NULL, &number, error);
    if (!status)
        status = database_query(&store->database, query, &statement, error, "it", number, path);
    if (!status)
        status = visit_rows(store, statement, kind, visit, context, &visited, error);
    if (!status && visited == 0)
        status = error_set(error, MIST_ERROR_NOT_FOUND, "no %s '%.200s' in dataset '%s'",
                           kind == MIST_CATALOG_ITEM ? "item" : "file", path, dataset);
    store_leave(store);
    return status;
}

enum mist_status mist_store_open_file(mist_store *store, const char *dataset, enum mist_catalog_kind kind,
                                      const char *path, int *descriptor, struct mist_error *error)
{
    char whole[MIST_DATASET_NAME_MAX + PATH_ROOM + sizeof "/items/.mist"];
    *descriptor = -1;
    if (!mist_dataset_name_is_valid(dataset))
        return error_set(error, MIST_ERROR_NOT_FOUND, "no dataset of this name");
    if (kind != MIST_CATALOG_END && !path_is_safe(path, strlen(path)))
        return error_set(error, MIST_ERROR_NOT_FOUND, "not a path of this store");
    int length;
    if (kind == MIST_CATALOG_END)
        length = snprintf(whole, sizeof whole, "%s/%s", dataset,
                          path && strcmp(path, TREE_LIST_NAME) == 0 ? TREE_LIST_NAME : "catalog.jsonl.zst");
    else if (kind == MIST_CATALOG_ITEM)
        length = snprintf(whole, sizeof whole, "%s/items/%s.mist", dataset, path);
    else
        length = snprintf(whole, sizeof whole, "%s/files/%s", dataset, path);
    if (length < 0 || (size_t)length >= sizeof whole)
        return error_set(error, MIST_ERROR_NOT_FOUND, "not a path of this store");
    enum mist_status status;
    if (!is_current(store, error, &status)) {
        if (!status && !(status = store_enter(store, error)))
            store_leave(store);
        if (status)
            return status;
    }
    pthread_rwlock_rdlock(&store->root_lock);
    status = confined_open_following(store->root, whole, descriptor, error);
    pthread_rwlock_unlock(&store->root_lock);
    return status;
}
