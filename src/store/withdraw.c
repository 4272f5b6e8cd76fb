/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/withdraw.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "source/catalog.h"
#include "store/describe.h"
#include "store/about.h"
#include "store/queries.h"
#include "store/tree_file.h"

#include <string.h>
#include <unistd.h>

static char *list_path(const struct maker *maker, struct mist_error *error)
{
    char *path = path_join(maker->directory, "withdrawn.txt");
    if (!path)
        error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", maker->directory);
    return path;
}

enum mist_status withdrawn_load(struct maker *maker, struct mist_error *error)
{
    enum { MOST = 1 << 30 };
    struct mist_buffer text = {0};
    char *path = list_path(maker, error);
    if (!path)
        return MIST_ERROR_MEMORY;
    enum mist_status status = database_execute(&maker->database, withdrawn_tables, error);
    if (!status && access(path, F_OK) == 0)
        status = file_read(path, MOST, &text, error);
    if (!status && !buffer_append(&text, "\n", 2))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    for (char *line = (char *)text.data, *end; !status && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (*line)
            status = database_run(&maker->database, Q_WITHDRAWN_ADD, error, "t", line);
    }
    mist_buffer_free(&text);
    memory_free(path);
    return status;
}

enum mist_status withdrawn_store(struct maker *maker, struct mist_error *error)
{
    struct mist_buffer text = {0};
    sqlite3_stmt *rows = NULL;
    char *path = list_path(maker, error);
    if (!path)
        return MIST_ERROR_MEMORY;
    enum mist_status status = database_query(&maker->database, Q_WITHDRAWN, &rows, error, "");
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        const char *line = !status && row ? column_text(rows, 0) : NULL;
        if (line && (!buffer_append(&text, line, strlen(line)) || !buffer_append(&text, "\n", 1)))
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    }
    if (rows)
        sqlite3_reset(rows);
    if (!status && text.size == 0 && unlink(path) != 0 && access(path, F_OK) == 0)
        status = error_set(error, MIST_ERROR_IO, "%s: cannot be removed", path);
    else if (!status && text.size)
        status = file_write_whole(path, text.data, text.size, error);
    mist_buffer_free(&text);
    memory_free(path);
    return status;
}

/* ---- mist remove ---- */

struct removal {
    struct maker maker;
    mist_store_note *note;
    void *note_context;
    struct mist_store_report *report;
};

/* An item or attachment: its rows go, its source files are withdrawn. Its own file goes when no catalog names it. */
static enum mist_status remove_entry(struct removal *removal, enum mist_catalog_kind kind, const char *path,
                                     struct mist_error *error)
{
    struct maker *maker = &removal->maker;
    const bool item = kind == MIST_CATALOG_ITEM;
    enum mist_status status = maker_begin(maker, error);
    if (!status)
        status = database_run(&maker->database, Q_WITHDRAWN_ADD, error, "t", path);
    if (!status && item)
        status = database_run(&maker->database, Q_WITHDRAWN_ADD_FILES, error, "it", maker->id, path);
    if (!status)
        status = database_run(&maker->database, Q_MISSING_ADD, error, "it", (int64_t)!item, path);
    if (!status)
        status =
            database_run(&maker->database, item ? Q_ITEM_DELETE : Q_ATTACHMENT_DELETE, error, "it", maker->id, path);
    if (!status)
        status = database_run(&maker->database, item ? Q_SOURCE_DELETE_OWNER : Q_SOURCE_DELETE_PATH, error, "it",
                              maker->id, path);
    if (!status) {
        removal->report->removed++;
        removal->report->items += item;
        removal->report->attachments += !item;
    }
    return status;
}

/* All items or attachments of that path or below it. */
static enum mist_status remove_kind(struct removal *removal, enum mist_catalog_kind kind, const char *path,
                                    uint64_t *found, struct mist_error *error)
{
    struct maker *maker = &removal->maker;
    const enum maker_query query = kind == MIST_CATALOG_ITEM ? Q_ITEM_AT_OR_BELOW : Q_ATTACHMENT_AT_OR_BELOW;
    enum mist_status status = MIST_OK;
    for (bool row = true; !status && row;) {
        sqlite3_stmt *rows = NULL;
        char entry[PATH_ROOM] = "";
        status = database_query(&maker->database, query, &rows, error, "it", maker->id, path);
        if (!status)
            status = database_step(&maker->database, rows, &row, error);
        if (!status && row)
            snprintf(entry, sizeof entry, "%s", column_text(rows, 0));
        if (rows)
            sqlite3_reset(rows);
        if (status || !row)
            break;
        status = remove_entry(removal, kind, entry, error);
        *found += !status;
    }
    return status;
}

/* A file of an item of several: nothing of it can go alone. */
static enum mist_status name_owner(struct removal *removal, const char *path, struct mist_error *error)
{
    struct maker *maker = &removal->maker;
    sqlite3_stmt *rows = NULL;
    bool row = false;
    char sentence[400] = "nothing in the dataset is called so";
    enum mist_status status = database_query(&maker->database, Q_SOURCE_OWNER, &rows, error, "it", maker->id, path);
    if (!status)
        status = database_step(&maker->database, rows, &row, error);
    if (!status && row && column_text(rows, 0))
        snprintf(sentence, sizeof sentence, "it is one of the files of the item %.256s, which goes as a whole",
                 column_text(rows, 0));
    if (rows)
        sqlite3_reset(rows);
    removal->report->failed++;
    if (removal->note)
        removal->note(removal->note_context, path, sentence);
    return status;
}

static enum mist_status remove_path(struct removal *removal, const char *given, struct mist_error *error)
{
    char path[PATH_ROOM];
    size_t length = strlen(given);
    while (length > 1 && given[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof path)
        return error_set(error, MIST_ERROR_ARGUMENT, "'%.200s' is no path in a dataset", given);
    snprintf(path, sizeof path, "%.*s", (int)length, given);
    uint64_t found = 0;
    enum mist_status status = remove_kind(removal, MIST_CATALOG_ITEM, path, &found, error);
    if (!status)
        status = remove_kind(removal, MIST_CATALOG_ATTACHMENT, path, &found, error);
    int64_t before = 0; /* an earlier run may have been stopped before the file went */
    if (!status && !found)
        status = database_number(&removal->maker.database, Q_WITHDRAWN_COUNT, &before, error, "t", path);
    for (int64_t attach = 0; attach < 2 && before && !status; attach++)
        status = database_run(&removal->maker.database, Q_MISSING_ADD, error, "it", attach, path);
    return status || found || before ? status : name_owner(removal, path, error);
}

static enum mist_status take_back(struct removal *removal, const char *path, struct mist_error *error)
{
    struct maker *maker = &removal->maker;
    int64_t count = 0;
    enum mist_status status = database_number(&maker->database, Q_WITHDRAWN_COUNT, &count, error, "t", path);
    if (!status)
        status = database_run(&maker->database, Q_WITHDRAWN_DELETE, error, "t", path);
    if (!status && count == 0) {
        removal->report->failed++;
        if (removal->note)
            removal->note(removal->note_context, path, "it was not withdrawn");
    }
    removal->report->unchanged += (uint64_t)count;
    return status;
}

/* The catalog without what went; the card may have gone with its files. */
static enum mist_status publish(struct removal *removal, struct mist_error *error)
{
    struct about about = {.table_count = 0};
    struct mist_dataset_info info;
    enum mist_status status = about_read(&removal->maker, &about, error);
    struct mist_dataset_card card = about.card;
    about_free(&about);
    if (!status)
        status = describe_dataset(&removal->maker, &card, error);
    if (!status)
        status = tree_file_thin(&removal->maker, error);
    return status ? status : maker_publish(&removal->maker, &card, &info, error);
}

/* The files themselves, now that no catalog names them. */
static enum mist_status remove_files(struct removal *removal, struct mist_error *error)
{
    struct maker *maker = &removal->maker;
    sqlite3_stmt *rows = NULL;
    enum mist_status status = database_query(&maker->database, Q_MISSING, &rows, error, "");
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        if (!status && row)
            status = maker_remove(maker, sqlite3_column_int64(rows, 0) ? MIST_CATALOG_ATTACHMENT : MIST_CATALOG_ITEM,
                                  column_text(rows, 1), error);
    }
    if (rows)
        sqlite3_reset(rows);
    return status ? status : maker_commit(maker, error);
}

enum mist_status mist_store_remove(const char *directory, const char *dataset, const char *const *paths, uint32_t count,
                                   bool undo, mist_store_note *note, void *note_context,
                                   struct mist_store_report *report, struct mist_error *error)
{
    struct mist_store_report own;
    struct removal removal = {.note = note, .note_context = note_context, .report = report ? report : &own};
    *removal.report = (struct mist_store_report){0};
    struct mist_store *store = NULL;
    struct mist_dataset_info info;
    /* What is not there is not made by asking for it to go. */
    enum mist_status status = mist_store_open(directory, &store, error);
    if (!status)
        status = mist_store_dataset(store, dataset, &info, error);
    mist_store_close(&store);
    if (!status)
        status = maker_open(&removal.maker, directory, dataset, error);
    if (status)
        return status;
    status = database_execute(&removal.maker.database, plan_tables, error);
    if (!status)
        status = withdrawn_load(&removal.maker, error);
    for (uint32_t i = 0; i < count && !status; i++)
        status = undo ? take_back(&removal, paths[i], error) : remove_path(&removal, paths[i], error);
    /* The list first, then the rows and the catalog, the files last: what is stopped between goes on with the next run,
     * and nobody is sent to a file that is not there. */
    if (!status)
        status = withdrawn_store(&removal.maker, error);
    if (!status)
        status = maker_commit(&removal.maker, error);
    else
        maker_rollback(&removal.maker);
    if (!status)
        status = publish(&removal, error);
    if (!status)
        status = remove_files(&removal, error);
    maker_close(&removal.maker, status == MIST_OK);
    return status;
}
