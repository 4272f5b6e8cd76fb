/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_store_index(): tables and catalogs from items/ and files/ alone; and sweeping after a killed run. */
#include "store/encode.h"
#include "store/maker.h"
#include "store/about.h"
#include "store/describe.h"
#include "store/withdraw.h"
#include "store/queries.h"
#include "store/tables.h"
#include "store/tally.h"
#include "store/tree.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "store/store_database.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `text` ends in `end` with something before it; gives where `end` starts. */
static bool ends_in(const char *text, const char *end, size_t *start)
{
    size_t length = strlen(text), size = strlen(end);
    *start = length > size ? length - size : 0;
    return length > size && strcmp(text + *start, end) == 0;
}

/* ---- sweeping ---- */

static enum mist_status sweep_file(void *context, const char *path, struct mist_error *error)
{
    const struct maker *maker = context;
    size_t start;
    if (!ends_in(path, ".mist.part", &start))
        return MIST_OK;
    char *name = path_join("items", path);
    char *whole = name ? path_join(maker->directory, name) : NULL;
    if (whole)
        unlink(whole);
    memory_free(name);
    memory_free(whole);
    return MIST_OK;
}

/* What maker_scratch() has named. */
static bool is_scratch(const char *name)
{
    static const char *const starts[] = {".probe-", ".copy-", ".look-", ".unpacked-", ".tree-"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static void sweep_scratch(const struct maker *maker)
{
    DIR *directory = opendir(maker->directory);
    for (const struct dirent *entry; directory && (entry = readdir(directory));)
        if (is_scratch(entry->d_name))
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        closedir(directory);
}

enum mist_status maker_sweep(struct maker *maker, struct mist_error *error)
{
    char *root = path_join(maker->directory, "items");
    enum mist_status status = root ? tree_walk(root, sweep_file, maker, error)
                                   : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    memory_free(root);
    sweep_scratch(maker);
    return status;
}

/* ---- indexing one dataset ---- */

struct indexing {
    struct maker maker;
    struct tally tally;
    struct mist_store_report *report; /* guarded by maker.lock */
    bool attach;                      /* what the walk is in */
};

static enum mist_status find_file(void *context, const char *path, struct mist_error *error)
{
    struct indexing *indexing = context;
    size_t end = strlen(path);
    char name[PATH_ROOM];
    if (!indexing->attach && !ends_in(path, ".mist", &end))
        return MIST_OK;
    snprintf(name, sizeof name, "%.*s", (int)end, path);
    return database_run(&indexing->maker.database, Q_FOUND_ADD, error, "it", (int64_t)indexing->attach, name);
}

static enum mist_status find_files(struct indexing *indexing, struct mist_error *error)
{
    struct maker *maker = &indexing->maker;
    enum mist_status status = database_execute(&maker->database, "BEGIN", error);
    for (int attach = 0; attach < 2 && !status; attach++) {
        char *root = path_join(maker->directory, attach ? "files" : "items");
        indexing->attach = attach != 0;
        status = root ? tree_walk(root, find_file, indexing, error)
                      : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
        memory_free(root);
    }
    enum mist_status ended = database_execute(&maker->database, "COMMIT", status ? NULL : error);
    return status ? status : ended;
}

static enum mist_status index_item(struct indexing *indexing, const char *path, const char *file, int64_t rank,
                                   struct mist_error *error)
{
    struct maker *maker = &indexing->maker;
    mist_item *item;
    struct mist_error local = {0};
    enum mist_status status = mist_item_open(file, &item, &local);
    if (!status) {
        const struct mist_item_info *info = mist_item_info(item);
        if (info->levels_present < info->levels || !info->tail_present)
            status = error_set(&local, MIST_ERROR_TRUNCATED, "%s: not a complete item", file);
    }
    pthread_mutex_lock(&maker->lock);
    if (status) {
        indexing->report->failed++;
        tally_note(&indexing->tally, path, local.message);
        status = MIST_OK;
    } else {
        status = maker_put_item(maker, item, path, error);
        if (!status)
            status = database_run(&maker->database, Q_FOUND_GOOD, error, "i", rank);
        indexing->report->items++;
        indexing->report->source_bytes += mist_item_info(item)->source_bytes;
        indexing->report->stored_bytes += mist_item_info(item)->size;
    }
    enum mist_status committed = status ? (maker_rollback(maker), status) : maker_commit(maker, error);
    pthread_mutex_unlock(&maker->lock);
    mist_item_close(&item);
    return committed;
}

/* ---- why images are attachments: in the catalog, if it is still there; else as their headers tell ---- */

static enum mist_status read_published(struct indexing *indexing, struct mist_error *error)
{
    struct maker *maker = &indexing->maker;
    mist_catalog *catalog = NULL;
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    char *path = maker_path(maker, MIST_CATALOG_END, NULL);
    if (!path)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    bool there = mist_catalog_open(path, &catalog, NULL) == MIST_OK;
    enum mist_status status = there ? database_execute(&maker->database, "BEGIN", error) : MIST_OK;
    const bool begun = there && !status;
    while (there && !status && entry.kind != MIST_CATALOG_END) {
        if (mist_catalog_next(catalog, &entry, NULL) != MIST_OK)
            break; /* it is damaged, and made anew in any case */
        if (entry.kind == MIST_CATALOG_ATTACHMENT)
            status = database_run(&maker->database, Q_PUBLISHED_ADD, error, "tut", entry.attachment.path,
                                  entry.attachment.checksum, entry.attachment.kept);
    }
    enum mist_status ended = begun ? database_execute(&maker->database, "COMMIT", status ? NULL : error) : MIST_OK;
    mist_catalog_close(&catalog);
    memory_free(path);
    return status ? status : ended;
}

/* Notes why an attachment is no item, if it is an image. The lock is held. */
static enum mist_status note_kept(struct maker *maker, const char *path, const char *file, uint64_t checksum,
                                  struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false, grouped;
    struct format_group group = {0};
    struct mist_error why = {0};
    if (format_unread(path))
        return MIST_OK;
    enum mist_status status =
        database_query(&maker->database, Q_PUBLISHED_KEPT, &statement, error, "tu", path, checksum);
    if (!status)
        status = database_step(&maker->database, statement, &row, error);
    if (row) {
        const char *kept = column_text(statement, 0);
        if (kept)
            error_set(&why, MIST_ERROR_CORRUPT, "%s", kept);
        sqlite3_reset(statement);
    } else if (!status) {
        int kind = source_look(path, file, &group, &grouped, &why);
        if (kind == 0)
            return MIST_OK; /* no image */
        if (kind > 0)
            error_set(&why, MIST_ERROR_CORRUPT, "it could not be encoded");
    }
    if (status || !why.message[0])
        return status;
    return database_run(&maker->database, Q_SOURCE_NOTE, error, "itut", maker->id, path, checksum,
                        encode_sentence(why.message, file));
}

static enum mist_status index_attachment(struct indexing *indexing, const char *path, const char *file, int64_t rank,
                                         struct mist_error *error)
{
    struct maker *maker = &indexing->maker;
    struct mist_error local = {0};
    uint64_t size = 0, checksum = 0;
    enum mist_status status = checksum_file(file, &size, &checksum, &local);
    pthread_mutex_lock(&maker->lock);
    if (status) {
        indexing->report->failed++;
        tally_note(&indexing->tally, path, local.message);
        status = MIST_OK;
    } else {
        status = maker_put_attachment(maker, path, size, checksum, error);
        if (!status)
            status = note_kept(maker, path, file, checksum, error);
        if (!status)
            status = database_run(&maker->database, Q_FOUND_GOOD, error, "i", rank);
        indexing->report->attachments++;
        indexing->report->stored_bytes += size;
    }
    enum mist_status committed = status ? (maker_rollback(maker), status) : maker_commit(maker, error);
    pthread_mutex_unlock(&maker->lock);
    return committed;
}

static enum mist_status index_one(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct indexing *indexing = context;
    struct maker *maker = &indexing->maker;
    sqlite3_stmt *statement;
    char path[PATH_ROOM] = "";
    bool row = false, attach = false;
    int64_t rank = (int64_t)index + 1;
    pthread_mutex_lock(&maker->lock);
    enum mist_status status = database_query(&maker->database, Q_FOUND_NTH, &statement, error, "i", rank);
    if (!status)
        status = database_step(&maker->database, statement, &row, error);
    if (row) {
        attach = sqlite3_column_int64(statement, 0) != 0;
        snprintf(path, sizeof path, "%s", column_text(statement, 1));
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&maker->lock);
    if (status)
        return status;
    char *file = maker_path(maker, attach ? MIST_CATALOG_ATTACHMENT : MIST_CATALOG_ITEM, path);
    if (!file)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    else if (attach)
        status = index_attachment(indexing, path, file, rank, error);
    else
        status = index_item(indexing, path, file, rank, error);
    memory_free(file);
    return status ? status : tally_add(&indexing->tally, worker, 1, path, error);
}

static enum mist_status join_tables(struct indexing *indexing, struct mist_dataset_card *card, struct mist_error *error)
{
    struct about about = {.table_count = 0};
    enum mist_status status = about_read(&indexing->maker, &about, error);
    if (!status)
        status =
            tables_join(&indexing->maker, about.tables, about.table_count, &indexing->tally, indexing->report, error);
    *card = about.card;
    about_free(&about);
    return status ? status : describe_dataset(&indexing->maker, card, error);
}

static enum mist_status run(struct indexing *indexing, unsigned threads, struct mist_error *error)
{
    struct maker *maker = &indexing->maker;
    struct mist_dataset_info info;
    struct mist_dataset_card card;
    int64_t count = 0;
    enum mist_status status = maker_sweep(maker, error);
    if (!status)
        status = database_execute(&maker->database, index_tables, error);
    if (!status)
        status = read_published(indexing, error);
    if (!status)
        status = withdrawn_load(maker, error);
    if (!status)
        status = find_files(indexing, error);
    if (!status)
        status = database_number(&maker->database, Q_FOUND_COUNT, &count, error, "");
    tally_phase(&indexing->tally, "files", (uint64_t)count);
    if (!status)
        status = pool_run(threads, (uint64_t)count, index_one, indexing, error);
    if (!status)
        status = database_run(&maker->database, Q_ITEMS_KEEP_FOUND, error, "i", maker->id);
    if (!status)
        status = database_run(&maker->database, Q_ATTACHMENTS_KEEP_FOUND, error, "i", maker->id);
    if (!status)
        status = database_run(&maker->database, Q_SOURCE_DELETE_ORPHANS, error, "i", maker->id);
    if (!status)
        status = join_tables(indexing, &card, error);
    return status ? status : maker_publish(maker, &card, &info, error);
}

/* ---- indexing all ---- */

static bool is_dataset(const char *store, const char *name)
{
    struct stat about;
    bool found = false;
    char *directory = mist_dataset_name_is_valid(name) ? path_join(store, name) : NULL;
    char *items = directory ? path_join(directory, "items") : NULL;
    char *files = directory ? path_join(directory, "files") : NULL;
    if (items && files)
        found = (stat(items, &about) == 0 && S_ISDIR(about.st_mode)) ||
                (stat(files, &about) == 0 && S_ISDIR(about.st_mode));
    memory_free(directory);
    memory_free(items);
    memory_free(files);
    return found;
}

struct request {
    const char *store;
    unsigned threads;
    mist_store_note *note;
    void *note_context;
    const struct mist_progress *progress;
    struct mist_store_report *report;
};

static enum mist_status index_dataset(const struct request *request, const char *name, struct mist_error *error)
{
    struct indexing indexing = {.report = request->report};
    enum mist_status status = maker_open(&indexing.maker, request->store, name, error);
    if (status)
        return status;
    tally_start(&indexing.tally, request->progress, request->note, request->note_context);
    status = run(&indexing, request->threads, error);
    tally_end(&indexing.tally);
    maker_close(&indexing.maker, status == MIST_OK);
    return status;
}

/* Datasets in the table whose directories are gone. */
static enum mist_status forget_datasets(const char *store, struct mist_error *error)
{
    static const char *const queries[] = {
        "SELECT id, name FROM dataset WHERE id > ? ORDER BY id LIMIT 1",
        "DELETE FROM item WHERE dataset = ?",
        "DELETE FROM attachment WHERE dataset = ?",
        "DELETE FROM source WHERE dataset = ?",
        "DELETE FROM dataset WHERE id = ?",
    };
    enum { QUERY_COUNT = sizeof queries / sizeof *queries };
    struct database database;
    enum mist_status status = store_database_open(store, DATABASE_WRITE, queries, QUERY_COUNT, &database, error);
    for (int64_t id = 0; !status;) {
        sqlite3_stmt *statement;
        bool row = false;
        status = database_query(&database, 0, &statement, error, "i", id);
        if (!status)
            status = database_step(&database, statement, &row, error);
        if (status || !row)
            break;
        id = sqlite3_column_int64(statement, 0);
        bool there = is_dataset(store, column_text(statement, 1));
        sqlite3_reset(statement);
        for (size_t i = 1; !there && i < QUERY_COUNT && !status; i++)
            status = database_run(&database, i, error, "i", id);
    }
    database_close(&database);
    return status;
}

static enum mist_status index_all(const struct request *request, struct mist_error *error)
{
    DIR *directory = opendir(request->store);
    if (!directory)
        return error_set_errno(error, errno, "%s", request->store);
    enum mist_status status = MIST_OK;
    unsigned datasets = 0;
    for (const struct dirent *entry; !status && (entry = readdir(directory)) != NULL;)
        if (is_dataset(request->store, entry->d_name)) {
            status = index_dataset(request, entry->d_name, error);
            datasets++;
        }
    closedir(directory);
    if (!status && datasets == 0)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: no datasets in it", request->store);
    return status ? status : forget_datasets(request->store, error);
}

enum mist_status mist_store_index(const char *directory, const char *dataset, unsigned threads, mist_store_note *note,
                                  void *note_context, struct mist_store_report *report,
                                  const struct mist_progress *progress, struct mist_error *error)
{
    struct mist_store_report own;
    struct request request = {
        directory, threads ? threads : pool_default_threads(), note, note_context, progress, report ? report : &own};
    if (request.threads > TALLY_WORKERS)
        request.threads = TALLY_WORKERS;
    *request.report = (struct mist_store_report){0};
    if (!dataset)
        return index_all(&request, error);
    if (!is_dataset(directory, dataset))
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: no dataset '%.64s' in it", directory, dataset);
    return index_dataset(&request, dataset, error);
}
