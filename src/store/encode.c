/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_store_encode(): the steps in order, and what is done before and after them. */
#include "store/encode.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "kind/names.h"
#include "store/about.h"
#include "store/describe.h"
#include "store/queries.h"
#include "store/tables.h"
#include "store/tree_file.h"
#include "store/unpack.h"
#include "store/withdraw.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The base name of the first source, with what a dataset's name may not have replaced. */
static enum mist_status default_name(const char *source, char *name, size_t size, struct mist_error *error)
{
    char *real = realpath(source, NULL);
    if (!real)
        return error_set_errno(error, errno, "%s", source);
    struct stat about;
    snprintf(name, size, "%s", strrchr(real, '/') + 1);
    if (stat(real, &about) == 0 && S_ISREG(about.st_mode) && archive_suffix(name) < strlen(name))
        name[strlen(name) - archive_suffix(name)] = '\0';
    free(real);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            *p = '-';
    if (*name == '.')
        *name = '_';
    return *name ? MIST_OK : error_set(error, MIST_ERROR_ARGUMENT, "%s: the dataset needs a name", source);
}

/* ---- what is in the store but not in the sources any more ---- */

static enum mist_status remove_vanished(struct encode *encode, enum mist_catalog_kind kind, bool prune,
                                        struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    bool items = kind == MIST_CATALOG_ITEM;
    size_t query = items ? Q_VANISHED_ITEMS : Q_VANISHED_ATTACHMENTS;
    char path[UNIT_ROOM] = "";
    enum mist_status status = MIST_OK;
    for (;;) { /* one by one behind the last, since rows go while we look */
        sqlite3_stmt *statement;
        bool row = false;
        status = database_query(&maker->database, query, &statement, error, "it", maker->id, path);
        if (!status)
            status = database_step(&maker->database, statement, &row, error);
        if (status || !row)
            break;
        snprintf(path, sizeof path, "%s", column_text(statement, 0));
        sqlite3_reset(statement);
        encode->report->vanished++;
        if (!prune)
            continue;
        status = maker_remove(maker, kind, path, error);
        if (!status)
            status = database_run(&maker->database, items ? Q_SOURCE_DELETE_OWNER : Q_SOURCE_DELETE_PATH, error, "it",
                                  maker->id, path);
        if (!status)
            status = maker_commit(maker, error);
        if (status)
            break;
        encode->report->removed++;
    }
    return status;
}

static enum mist_status look_for_vanished(struct encode *encode, struct mist_error *error)
{
    bool prune = encode->options->prune && !encode->walk_incomplete;
    enum mist_status status = remove_vanished(encode, MIST_CATALOG_ITEM, prune, error);
    if (!status)
        status = remove_vanished(encode, MIST_CATALOG_ATTACHMENT, prune, error);
    if (!status && encode->options->prune && encode->walk_incomplete)
        encode_fail(encode, encode->maker.name,
                    "nothing was removed, since not all of the sources could be read and so be missed");
    return status;
}

/* Counts the attachments that are images of a kind that is not read. */
static enum mist_status count_unread(struct encode *encode, struct mist_error *error)
{
    struct maker *maker = &encode->maker;
    sqlite3_stmt *rows = NULL;
    enum mist_status status = database_query(&maker->database, Q_ATTACHMENTS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        const char *why = !status && row ? format_unread(column_text(rows, 0)) : NULL;
        size_t length = why ? strcspn(why, " ") : 0;
        for (unsigned i = 0; why && i < MIST_STORE_UNREAD; i++) {
            struct mist_store_unread *unread = &encode->report->unread[i];
            if (unread->suffix[0] && (strncmp(unread->suffix, why, length) != 0 || unread->suffix[length]))
                continue;
            memcpy(unread->suffix, why, length);
            unread->files++;
            break;
        }
    }
    return status;
}

/* Where nothing changed, what the tables say of the items has not either. */
static enum mist_status join_tables(struct encode *encode, struct mist_dataset_card *card, struct mist_error *error)
{
    struct about about = {.table_count = 0};
    bool changed = false;
    enum mist_status status = about_update(&encode->maker, encode->options, &about, &changed, error);
    if (!status && (changed || encode->maker.touched || encode->maker.interrupted_before))
        status = tables_join(&encode->maker, about.tables, about.table_count, &encode->tally, encode->report, error);
    *card = about.card;
    about_free(&about);
    return status ? status : describe_dataset(&encode->maker, card, error);
}

/* What was withdrawn is not taken in again, though it is still among the sources. */
static enum mist_status leave_out_withdrawn(struct encode *encode, struct mist_error *error)
{
    struct database *database = &encode->maker.database;
    int64_t count = 0;
    enum mist_status status = withdrawn_load(&encode->maker, error);
    if (!status)
        status = database_number(database, Q_WITHDRAWN_LISTED, &count, error, "");
    if (!status && count)
        status = database_run(database, Q_WITHDRAWN_UNLIST, error, "");
    encode->report->withdrawn = (uint64_t)count;
    return status;
}

static enum mist_status run(struct encode *encode, struct mist_error *error)
{
    struct mist_dataset_info info;
    struct mist_dataset_card card;
    enum mist_status status = database_execute(&encode->maker.database, plan_tables, error);
    if (!status && encode->maker.interrupted_before)
        status = maker_sweep(&encode->maker, error);
    if (!status)
        status = encode_walk(encode, error);
    if (!status)
        status = leave_out_withdrawn(encode, error);
    if (!status)
        status = encode_classify(encode, error);
    if (!status)
        status = encode_plan(encode, error);
    if (!status)
        status = pool_run(encode->threads, encode->units, encode_unit, encode, error);
    if (!status)
        status = look_for_vanished(encode, error);
    if (!status)
        status = join_tables(encode, &card, error);
    if (!status)
        status = tree_file_write(&encode->maker, error);
    if (!status)
        status = maker_publish(&encode->maker, &card, &info, error);
    if (!status)
        encode->report->card = info.card;
    if (!status)
        status = count_unread(encode, error);
    return status;
}

enum mist_status mist_store_encode(const char *directory, const struct mist_store_encode_options *options,
                                   struct mist_store_report *report, const struct mist_progress *progress,
                                   struct mist_error *error)
{
    struct mist_store_report own;
    struct encode encode = {.options = options, .report = report ? report : &own};
    char name[MIST_DATASET_NAME_MAX + 1];
    *encode.report = (struct mist_store_report){0};
    enum mist_status status = MIST_OK;
    if (options->source_count == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "nothing to encode");
    if (options->dataset && strlen(options->dataset) >= sizeof name)
        return error_set(error, MIST_ERROR_ARGUMENT, "a dataset's name has at most %u bytes", MIST_DATASET_NAME_MAX);
    if (options->dataset)
        snprintf(name, sizeof name, "%s", options->dataset);
    else
        status = default_name(options->sources[0], name, sizeof name, error);
    if (!status)
        status = directory_make(directory, error);
    if (!status)
        status = maker_open(&encode.maker, directory, name, error);
    if (status)
        return status;
    encode.threads = options->threads ? options->threads : pool_default_threads();
    if (encode.threads > TALLY_WORKERS)
        encode.threads = TALLY_WORKERS;
    tally_start(&encode.tally, progress, options->note, options->note_context);
    unpack_start(&encode);
    status = run(&encode, error);
    unpack_end(&encode);
    tally_end(&encode.tally);
    maker_close(&encode.maker, status == MIST_OK);
    return status;
}
