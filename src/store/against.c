/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mist_store_verify_against(): the sources are listed as encode lists them, the store's files are compared one by one
 * with those of the same path, and what is left of the list is missing.
 */
#include "store/compare.h"
#include "store/encode.h"
#include "store/scratch.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "item/item.h"
#include "source/tree_list.h"
#include "store/queries.h"
#include "store/tree_file.h"
#include "store/unpack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 64 };

/* An item or attachment while its page is worked on. */
struct subject {
    bool item;
    char *path;
    uint64_t size;
    struct mist_buffer files; /* paths of its files, each with its NUL; an attachment's own */
    uint32_t file_count;
};

struct against {
    struct encode encode; /* for the walk: its database holds nothing but the listing */
    struct mist_store_report report;
    mist_store *store;
    const char *dataset;
    unsigned threads;
    mist_restoration_visit *visit;
    void *context;
    char *scratch;
    char *unpacked; /* in it: what archives among the sources hold */
    struct subject page[PAGE];
    unsigned count;
    char after[PATH_ROOM];
};

/* One item on its way out. */
struct exported {
    struct against *against;
    const struct subject *subject;
    const char *directory;
    uint32_t next;  /* file that is expected */
    const char *at; /* its path */
    enum mist_status status;
    struct mist_error error;
};

const char *mist_restored_name(enum mist_restored restored)
{
    static const char *const names[MIST_RESTORED_KINDS] = {"bytes", "content", "pixels", "not", "missing", "extra"};
    return (unsigned)restored < MIST_RESTORED_KINDS ? names[restored] : NULL;
}

/* ---- the listing ---- */

static void tell(struct against *against, const char *path, const char *item, enum mist_restored restored,
                 const char *why)
{
    const struct mist_restoration restoration = {path, item, restored, why};
    pthread_mutex_lock(&against->encode.maker.lock);
    against->visit(against->context, &restoration);
    pthread_mutex_unlock(&against->encode.maker.lock);
}

/* What encode would leave out, too: it cannot be in the dataset. */
static void left_out(void *context, const char *path, const char *sentence)
{
    tell(context, path, NULL, MIST_RESTORED_MISSING, sentence);
}

/* The source of a dataset path, or NULL; freed by the caller. It counts as seen from now on. */
static enum mist_status take_source(struct against *against, const char *path, char **disk, struct mist_error *error)
{
    struct maker *maker = &against->encode.maker;
    sqlite3_stmt *statement;
    bool row = false;
    *disk = NULL;
    pthread_mutex_lock(&maker->lock);
    enum mist_status status = database_query(&maker->database, Q_LISTING_FIND, &statement, error, "t", path);
    if (!status)
        status = database_step(&maker->database, statement, &row, error);
    if (!status && row) {
        *disk = memory_copy_text(column_text(statement, 0));
        sqlite3_reset(statement);
        status = *disk ? database_run(&maker->database, Q_LISTING_MARK, error, "t", path)
                       : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    pthread_mutex_unlock(&maker->lock);
    return status;
}

static enum mist_status list_sources(struct against *against, struct mist_error *error)
{
    static const struct database_kind kind = {.what = "a list of files"};
    struct database *database = &against->encode.maker.database;
    enum mist_status status =
        database_start(memory_copy_text("the list of sources"), &kind, maker_queries, Q_COUNT, database, error);
    if (!status) /* a file of SQLite's own, which goes with the connection */
        status = database_connect(database, "", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, error);
    if (!status)
        status = database_execute(database, plan_tables, error);
    char *unpacked = status ? NULL : path_join(against->scratch, "sources");
    if (!status && !unpacked)
        status = error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    if (!status && mkdir(unpacked, 0700) != 0)
        status = error_set_errno(error, errno, "%s", unpacked);
    against->encode.unpack_to = against->unpacked = unpacked;
    return status ? status : encode_walk(&against->encode, error);
}

static enum mist_status tell_missing(struct against *against, struct mist_error *error)
{
    struct database *database = &against->encode.maker.database;
    sqlite3_stmt *statement;
    enum mist_status status = database_query(database, Q_LISTING_UNMARKED, &statement, error, "");
    for (bool row = true; !status && row;) {
        status = database_step(database, statement, &row, error);
        if (!status && row)
            tell(against, column_text(statement, 0), NULL, MIST_RESTORED_MISSING, "the dataset does not have it");
    }
    return status;
}

/* ---- one file ---- */

/* Compares what came back (NULL: nothing did, `why` says why) with its source. */
static enum mist_status judge(struct against *against, const struct subject *subject, const char *path,
                              const char *copy, const char *why, struct mist_error *error)
{
    const char *item = subject->item ? subject->path : NULL;
    struct mist_error local = {0};
    char *disk, difference[COMPARE_WHY_SIZE];
    enum mist_restored how = MIST_RESTORED_NOT;
    enum mist_status status = take_source(against, path, &disk, error);
    if (status)
        return status;
    if (!disk) {
        how = MIST_RESTORED_EXTRA;
        why = "not in the sources";
    } else if (copy) {
        status = compare_restored(disk, copy, &how, difference, &local);
        why = status ? local.message : difference;
    }
    memory_free(disk);
    if (status == MIST_ERROR_MEMORY)
        return error_set(error, status, "%s", local.message);
    tell(against, path, item, how, why);
    return MIST_OK;
}

/* Called with each file that was exported, in the order of the item's files. */
static void judge_written(void *context, const char *written)
{
    struct exported *exported = context;
    const struct subject *subject = exported->subject;
    const char *path = written + strlen(exported->directory) + 1;
    if (exported->next < subject->file_count && strcmp(path, exported->at) == 0) {
        exported->next++;
        exported->at += strlen(path) + 1;
    }
    if (!exported->status)
        exported->status = judge(exported->against, subject, path, written, NULL, &exported->error);
    unlink(written);
}

static enum mist_status judge_item(struct against *against, const struct subject *subject, const char *directory,
                                   int descriptor, struct mist_error *error)
{
    const struct mist_export_options options = {
        .threads = 1 + (against->threads - 1) / against->count, .identical = true, .unsynced = true};
    struct exported exported = {against, subject, directory, 0, (const char *)subject->files.data, MIST_OK, {0}};
    struct mist_error local = {0};
    mist_item *item = NULL;
    enum mist_status status = item_open_descriptor(descriptor, "item file", &item, &local);
    if (!status)
        status = mist_item_export(item, &options, directory, judge_written, &exported, &local);
    mist_item_close(&item);
    if (exported.status)
        return error_set(error, exported.status, "%s", exported.error.message);
    for (; exported.next < subject->file_count; exported.next++) {
        status = judge(against, subject, exported.at, NULL, status ? local.message : "it does not come back", error);
        if (status)
            return status;
        exported.at += strlen(exported.at) + 1;
    }
    return MIST_OK;
}

/* ---- pages ---- */

static enum mist_status judge_subject(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct against *against = context;
    const struct subject *subject = &against->page[index];
    struct mist_error local = {0};
    char name[32], file[32];
    int descriptor;
    snprintf(name, sizeof name, "%u", worker);
    char *directory = path_join(against->scratch, name);
    if (!directory)
        return error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    enum mist_status status = mist_store_open_file(against->store, against->dataset,
                                                   subject->item ? MIST_CATALOG_ITEM : MIST_CATALOG_ATTACHMENT,
                                                   subject->path, &descriptor, &local);
    if (status) {
        const char *path = (const char *)subject->files.data;
        status = MIST_OK;
        for (uint32_t i = 0; i < subject->file_count && !status; i++, path += strlen(path) + 1)
            status = judge(against, subject, path, NULL, local.message, error);
    } else {
        snprintf(file, sizeof file, "/proc/self/fd/%d", descriptor);
        status = subject->item ? judge_item(against, subject, directory, descriptor, error)
                               : judge(against, subject, subject->path, file, NULL, error);
        close(descriptor);
    }
    memory_free(directory);
    return status ? status : tally_add(&against->encode.tally, worker, subject->size, subject->path, error);
}

static enum mist_status keep(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct against *against = context;
    const bool item = entry->kind == MIST_CATALOG_ITEM;
    const char *path = item ? entry->item.path : entry->attachment.path;
    struct subject *subject = &against->page[against->count++];
    *subject = (struct subject){.item = item,
                                .path = memory_copy_text(path),
                                .size = item ? entry->item.size : entry->attachment.size,
                                .file_count = item ? entry->item.file_count : 1};
    bool good = subject->path != NULL;
    for (uint32_t i = 0; i < subject->file_count && good; i++) {
        const char *file = item ? entry->item.files[i].path : path;
        good = buffer_append(&subject->files, file, strlen(file) + 1);
    }
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
}

static void drop_page(struct against *against)
{
    for (unsigned i = 0; i < against->count; i++) {
        memory_free(against->page[i].path);
        mist_buffer_free(&against->page[i].files);
    }
    against->count = 0;
}

static enum mist_status judge_rows(struct against *against, enum mist_catalog_kind kind, struct mist_error *error)
{
    enum mist_status status;
    against->after[0] = '\0';
    do {
        drop_page(against);
        status =
            kind == MIST_CATALOG_ITEM
                ? mist_store_items(against->store, against->dataset, against->after, PAGE, keep, against, error)
                : mist_store_attachments(against->store, against->dataset, against->after, PAGE, keep, against, error);
        if (status || against->count == 0)
            break;
        snprintf(against->after, sizeof against->after, "%s", against->page[against->count - 1].path);
        status = pool_run(against->threads, against->count, judge_subject, against, error);
    } while (!status);
    drop_page(against);
    return status;
}

/* ---- links and directories ---- */

/* A link or an empty directory of the dataset against that of the sources. */
static enum mist_status judge_place(struct against *against, const struct tree_entry *entry, struct mist_error *error)
{
    struct database *database = &against->encode.maker.database;
    sqlite3_stmt *statement;
    bool row = false, same = true;
    enum mist_status status = database_query(database, Q_PLACE_FIND, &statement, error, "t", entry->path);
    if (!status)
        status = database_step(database, statement, &row, error);
    if (status)
        return status;
    if (row) {
        const char *target = column_text(statement, 0);
        same = (target != NULL) == (entry->target != NULL) && (!target || strcmp(target, entry->target) == 0);
        sqlite3_reset(statement);
        status = database_run(database, Q_PLACE_MARK, error, "t", entry->path);
    }
    if (!row && (entry->target || entry->empty))
        tell(against, entry->path, NULL, MIST_RESTORED_EXTRA,
             entry->target ? "a link that is not in the sources" : "an empty directory that is not in the sources");
    else if (!same)
        tell(against, entry->path, NULL, MIST_RESTORED_NOT, "a link that leads elsewhere");
    return status;
}

static enum mist_status judge_tree(struct against *against, struct mist_error *error)
{
    struct file_map map = {0};
    struct mist_dataset_tree counts;
    struct tree_list *list = NULL;
    struct tree_entry entry = {.path = NULL};
    struct mist_error damaged = {0};
    enum mist_status status = tree_file_map(against->store, against->dataset, &map, &damaged);
    if (!status)
        status = tree_list_open(map.data, map.size, &list, &counts, &damaged);
    while (!status && !(status = tree_list_next(list, &entry, &damaged)) && entry.path)
        if (entry.directory || entry.target)
            status = judge_place(against, &entry, &damaged);
    tree_list_close(&list);
    file_map_close(&map);
    sqlite3_stmt *statement;
    status = database_query(&against->encode.maker.database, Q_PLACE_UNMARKED, &statement, error, "");
    for (bool row = true; !status && row;) {
        status = database_step(&against->encode.maker.database, statement, &row, error);
        if (!status && row)
            tell(against, column_text(statement, 0), NULL, MIST_RESTORED_MISSING,
                 sqlite3_column_int(statement, 1) ? "a link that the dataset does not have"
                                                  : "an empty directory that the dataset does not have");
    }
    return status;
}

static enum mist_status run(struct against *against, struct mist_error *error)
{
    struct mist_dataset_info info;
    enum mist_status status = mist_store_dataset(against->store, against->dataset, &info, error);
    if (!status)
        status = list_sources(against, error);
    if (status)
        return status;
    tally_phase(&against->encode.tally, "bytes", info.item_bytes + info.attachment_bytes);
    status = judge_rows(against, MIST_CATALOG_ITEM, error);
    if (!status)
        status = judge_rows(against, MIST_CATALOG_ATTACHMENT, error);
    if (!status)
        status = judge_tree(against, error);
    return status ? status : tell_missing(against, error);
}

enum mist_status mist_store_verify_against(const char *directory, const char *dataset, const char *const *sources,
                                           uint32_t source_count, unsigned threads, mist_restoration_visit *visit,
                                           void *context, const struct mist_progress *progress,
                                           struct mist_error *error)
{
    const struct mist_store_encode_options options = {.sources = sources, .source_count = source_count};
    struct against *against = memory_allocate_zeroed(1, sizeof *against);
    if (!against)
        return error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    against->dataset = dataset;
    against->visit = visit;
    against->context = context;
    against->threads = threads ? threads : pool_default_threads();
    if (against->threads > TALLY_WORKERS)
        against->threads = TALLY_WORKERS;
    struct encode *encode = &against->encode;
    encode->options = &options;
    encode->report = &against->report;
    encode->maker.store = directory;
    pthread_mutex_init(&encode->maker.lock, NULL);
    unpack_start(encode);
    tally_start(&encode->tally, progress, left_out, against);
    enum mist_status status = mist_store_open(directory, &against->store, error);
    if (!status)
        status = scratch_make("mist-verify", &against->scratch, error);
    if (!status)
        status = run(against, error);
    scratch_remove(&against->scratch);
    database_close(&encode->maker.database);
    mist_store_close(&against->store);
    tally_end(&encode->tally);
    unpack_end(encode);
    memory_free(against->unpacked);
    pthread_mutex_destroy(&encode->maker.lock);
    memory_free(against);
    return status;
}
