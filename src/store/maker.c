/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/maker.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/dicom_index.h"
#include "store/queries.h"
#include "store/store_database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Held as long as a process writes to the dataset; the kernel lets go of it when the process dies, however it does. */
static enum mist_status take_lock(struct maker *maker, struct mist_error *error)
{
    char *path = path_join(maker->directory, ".lock");
    if (!path)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    enum mist_status status = MIST_OK;
    maker->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (maker->lock_file < 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (flock(maker->lock_file, LOCK_EX | LOCK_NB) != 0)
        status = error_set(error, MIST_ERROR_IO, "%s: another 'mist encode' or 'mist index' is at work on this dataset",
                           maker->directory);
    memory_free(path);
    return status;
}

/*
 * Says in the table that a run is at work, or through. Unlike other commits it waits for the disk, and with it all
 * before it: after a power cut the table must not take what lies in the directories for the work of an ended run.
 */
static enum mist_status set_running(struct maker *maker, int64_t running, struct mist_error *error)
{
    enum mist_status status = database_execute(&maker->database, "PRAGMA synchronous=FULL", error);
    if (!status)
        status = database_run(&maker->database, Q_DATASET_SET_RUNNING, error, "ii", running, maker->id);
    return status ? status : database_execute(&maker->database, "PRAGMA synchronous=NORMAL", error);
}

static enum mist_status start_run(struct maker *maker, struct mist_error *error)
{
    int64_t running = 0;
    enum mist_status status = database_run(&maker->database, Q_DATASET_ADD, error, "t", maker->name);
    if (!status)
        status = database_number(&maker->database, Q_DATASET_ID, &maker->id, error, "t", maker->name);
    if (!status)
        status = database_number(&maker->database, Q_DATASET_RUNNING, &running, error, "i", maker->id);
    if (!status)
        status = set_running(maker, 1, error);
    maker->interrupted_before = running != 0;
    return status;
}

enum mist_status maker_open(struct maker *maker, const char *store, const char *name, struct mist_error *error)
{
    *maker = (struct maker){.store = store, .lock_file = -1};
    pthread_mutex_init(&maker->lock, NULL);
    enum mist_status status = MIST_OK;
    if (!mist_dataset_name_is_valid(name))
        status =
            error_set(error, MIST_ERROR_ARGUMENT,
                      "'%.100s' cannot name a dataset: letters, digits, '.', '_' and '-', at most %u, not starting "
                      "with '.', and none of v1, dicom-web, healthz, metrics",
                      name, MIST_DATASET_NAME_MAX);
    if (!status) {
        snprintf(maker->name, sizeof maker->name, "%s", name);
        maker->directory = path_join(store, name);
        status = maker->directory ? directory_make(maker->directory, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", store);
    }
    if (!status)
        status = take_lock(maker, error);
    if (!status)
        status = store_database_open(store, DATABASE_WRITE, maker_queries, Q_COUNT, &maker->database, error);
    if (!status)
        status = start_run(maker, error);
    if (status)
        maker_close(maker, false);
    return status;
}

void maker_close(struct maker *maker, bool finished)
{
    if (maker->database.handle) {
        maker_rollback(maker);
        if (finished)
            set_running(maker, 0, NULL);
    }
    database_close(&maker->database);
    if (maker->lock_file >= 0)
        close(maker->lock_file);
    catalog_row_free(&maker->row);
    mist_buffer_free(&maker->text);
    memory_free(maker->directory);
    pthread_mutex_destroy(&maker->lock);
    *maker = (struct maker){.lock_file = -1};
}

char *maker_path(const struct maker *maker, enum mist_catalog_kind kind, const char *path)
{
    if (kind == MIST_CATALOG_END)
        return path_join(maker->directory, "catalog.jsonl.zst");
    bool item = kind == MIST_CATALOG_ITEM;
    size_t size = strlen(maker->directory) + strlen(path) + 16;
    char *whole = memory_allocate(size);
    if (whole)
        snprintf(whole, size, "%s/%s/%s%s", maker->directory, item ? "items" : "files", path, item ? ".mist" : "");
    return whole;
}

char *maker_scratch(const struct maker *maker, const char *what, unsigned worker)
{
    char name[64];
    snprintf(name, sizeof name, ".%s-%u", what, worker);
    return path_join(maker->directory, name);
}

enum mist_status maker_begin(struct maker *maker, struct mist_error *error)
{
    if (maker->in_transaction)
        return MIST_OK;
    enum mist_status status = database_execute(&maker->database, "BEGIN IMMEDIATE", error);
    maker->in_transaction = status == MIST_OK;
    maker->touched = true;
    return status;
}

enum mist_status maker_commit(struct maker *maker, struct mist_error *error)
{
    if (!maker->in_transaction)
        return MIST_OK;
    enum mist_status status = database_execute(&maker->database, "COMMIT", error);
    if (status)
        maker_rollback(maker);
    maker->in_transaction = false;
    return status;
}

void maker_rollback(struct maker *maker)
{
    if (maker->in_transaction)
        database_execute(&maker->database, "ROLLBACK", NULL);
    maker->in_transaction = false;
}

enum mist_status maker_put_entry(struct maker *maker, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    const struct mist_catalog_item *item = &entry->item;
    maker->text.size = 0;
    enum mist_status status = mist_catalog_entry_write(entry, &maker->text, error);
    if (!status && !buffer_append_zeros(&maker->text, 1))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item->path);
    if (!status)
        status = maker_begin(maker, error);
    if (!status)
        status = database_run(&maker->database, Q_ITEM_PUT, error, "ituiit", maker->id, item->path, item->id,
                              (int64_t)item->size, (int64_t)item->source_bytes, (const char *)maker->text.data);
    return status;
}

enum mist_status maker_put_attachment(struct maker *maker, const char *path, uint64_t size, uint64_t checksum,
                                      struct mist_error *error)
{
    enum mist_status status = maker_begin(maker, error);
    if (!status)
        status =
            database_run(&maker->database, Q_ATTACHMENT_PUT, error, "itiu", maker->id, path, (int64_t)size, checksum);
    return status;
}

enum mist_status maker_remove(struct maker *maker, enum mist_catalog_kind kind, const char *path,
                              struct mist_error *error)
{
    char *file = maker_path(maker, kind, path);
    if (!file)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    enum mist_status status = maker_begin(maker, error);
    if (!status)
        status = database_run(&maker->database, kind == MIST_CATALOG_ITEM ? Q_ITEM_DELETE : Q_ATTACHMENT_DELETE, error,
                              "it", maker->id, path);
    if (!status && unlink(file) != 0 && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
        status = error_set_errno(error, errno, "%s: not removed", file);
    /* Directories that became empty go too, up to items/ or files/. */
    size_t keep = strlen(maker->directory) + strlen("/items");
    for (char *slash; !status && (slash = strrchr(file, '/')) != NULL && (size_t)(slash - file) > keep;) {
        *slash = '\0';
        if (rmdir(file) != 0)
            break;
    }
    memory_free(file);
    return status;
}

enum mist_status maker_put_item(struct maker *maker, const mist_item *item, const char *path, struct mist_error *error)
{
    enum mist_status status = catalog_row_from_item(item, path, &maker->row, error);
    if (!status)
        status = maker_put_entry(maker, &maker->row.entry, error);
    return status ? status : dicom_index_put(maker, item, path, error);
}
