/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store_database.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "kind/names.h"

#include <string.h>
#include <unistd.h>

/* "MIST" and the version of the schema; another version is refused: `mist index` makes the file anew. */
enum { APPLICATION_ID = 0x4d495354, SCHEMA_VERSION = 4, BUSY_MILLISECONDS = 60000 };

/*
 * item.row is the item's line of the catalog, but for its columns, which the dataset's tables give; ITEM_ROW has both:
 * one form for the table, the published file and the wire. attachment.key, wide: of such a table.
 * dataset.card is a JSON object, as in the catalog's first line.
 * source says what each source file was when it was taken in, so that unchanged ones are not taken in again:
 * `owner` is the item that it went into (NULL: it is an attachment), `problem` why an image had to become one.
 * dicom_item, dicom_instance: what QIDO-RS searches (dicom_index.c); attributes are objects of the DICOM JSON model, of
 * the study and the series as the item's first file has them, and of each instance.
 */
static const char schema[] =
    "CREATE TABLE dataset(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, items INTEGER NOT NULL DEFAULT 0,"
    " attachments INTEGER NOT NULL DEFAULT 0, source_bytes INTEGER NOT NULL DEFAULT 0,"
    " item_bytes INTEGER NOT NULL DEFAULT 0, attachment_bytes INTEGER NOT NULL DEFAULT 0,"
    " content INTEGER NOT NULL DEFAULT 0, running INTEGER NOT NULL DEFAULT 0, card TEXT);"
    "CREATE TABLE item(dataset INTEGER NOT NULL, path TEXT NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL,"
    " source_bytes INTEGER NOT NULL, row TEXT NOT NULL, columns TEXT, PRIMARY KEY(dataset, path)) WITHOUT ROWID;"
    "CREATE TABLE attachment(dataset INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, key TEXT, wide INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(dataset, path))"
    " WITHOUT ROWID;"
    "CREATE TABLE source(dataset INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, label INTEGER NOT NULL, kind INTEGER NOT NULL, series TEXT, format TEXT, owner TEXT,"
    " problem TEXT, version TEXT NOT NULL, PRIMARY KEY(dataset, path)) WITHOUT ROWID;"
    "CREATE INDEX source_owner ON source(dataset, owner);"
    "CREATE TABLE dicom_item(id INTEGER PRIMARY KEY, dataset INTEGER NOT NULL, path TEXT NOT NULL,"
    " study TEXT NOT NULL, series TEXT NOT NULL, patient TEXT, modality TEXT, instances INTEGER NOT NULL,"
    " study_attributes TEXT NOT NULL, series_attributes TEXT NOT NULL, UNIQUE(dataset, path));"
    "CREATE INDEX dicom_study ON dicom_item(study, series);"
    "CREATE INDEX dicom_series ON dicom_item(series);"
    "CREATE INDEX dicom_patient ON dicom_item(patient);"
    "CREATE TABLE dicom_instance(item INTEGER NOT NULL, file INTEGER NOT NULL, sop TEXT NOT NULL,"
    " attributes TEXT NOT NULL, PRIMARY KEY(item, file)) WITHOUT ROWID;"
    "CREATE INDEX dicom_sop ON dicom_instance(sop);"
    "CREATE TRIGGER dicom_item_gone AFTER DELETE ON dicom_item"
    " BEGIN DELETE FROM dicom_instance WHERE item = old.id; END;"
    "CREATE TRIGGER item_gone AFTER DELETE ON item"
    " BEGIN DELETE FROM dicom_item WHERE dataset = old.dataset AND path = old.path; END;";

struct mist_catalog_attachment attachment_of_row(sqlite3_stmt *row)
{
    const char *path = column_text(row, 0), *problem = column_text(row, 3);
    return (struct mist_catalog_attachment){.path = path,
                                            .size = (uint64_t)sqlite3_column_int64(row, 1),
                                            .checksum = (uint64_t)sqlite3_column_int64(row, 2),
                                            .kept = problem ? problem : format_unread(path ? path : ""),
                                            .table = column_text(row, 4),
                                            .wide = sqlite3_column_int64(row, 5) != 0};
}

static const struct database_kind index_kind = {
    .what = "an index of a MIST store",
    .application_id = APPLICATION_ID,
    .version = SCHEMA_VERSION,
    .schema = schema,
    .cure_of_version = "remove it and run 'mist index' on the store",
};

static enum mist_status open_writable(struct database *database, struct mist_error *error)
{
    enum mist_status status = database_connect(database, database->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                               BUSY_MILLISECONDS, error);
    /* Temporary tables hold the listing of the sources: on disk, since it may have millions of rows. */
    if (!status)
        status = database_execute(database,
                                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE", error);
    /* Within a transaction, so that of two processes that start at once only one makes the tables. */
    if (!status)
        status = database_execute(database, "BEGIN IMMEDIATE", error);
    if (status)
        return status;
    status = database_check(database, true, error);
    if (!status)
        status = database_execute(database, "COMMIT", error);
    return status;
}

static enum mist_status open_readable(struct database *database, const char *name, struct mist_error *error)
{
    enum mist_status status =
        database_connect(database, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, BUSY_MILLISECONDS, error);
    if (!status)
        status = database_check(database, false, error);
    if (status == MIST_ERROR_NOT_FOUND)
        status = error_set(error, MIST_ERROR_CORRUPT, "%s: empty, not %s", database->path, index_kind.what);
    return status;
}

/* "file:PATH?immutable=1" with what means something in a URI escaped. */
static char *immutable_uri(const char *path)
{
    static const char digits[] = "0123456789ABCDEF", start[] = "file:", end[] = "?immutable=1";
    char *uri = memory_allocate(3 * strlen(path) + sizeof start + sizeof end);
    if (!uri)
        return NULL;
    memcpy(uri, start, sizeof start - 1);
    char *out = uri + sizeof start - 1;
    for (; *path; path++) {
        if (strchr("?#%", *path)) {
            *out++ = '%';
            *out++ = digits[*path >> 4];
            *out++ = digits[*path & 15];
        } else {
            *out++ = *path;
        }
    }
    memcpy(out, end, sizeof end);
    return uri;
}

enum mist_status store_database_open(const char *directory, enum database_mode mode, const char *const *queries,
                                     size_t count, struct database *database, struct mist_error *error)
{
    enum mist_status status =
        database_start(path_join(directory, "mist.sqlite"), &index_kind, queries, count, database, error);
    if (status) {
        database_close(database);
        return status;
    }
    if (mode == DATABASE_WRITE) {
        status = open_writable(database, error);
    } else if (access(database->path, F_OK) != 0) {
        status =
            error_set(error, MIST_ERROR_NOT_FOUND,
                      "%s: not a store (no mist.sqlite in it; 'mist index' makes it from a store's items)", directory);
    } else {
        status = open_readable(database, database->path, error);
        if (status == MIST_ERROR_IO && access(directory, W_OK) != 0) {
            /* A write-ahead log needs a file beside it. Where none can be made nobody writes, so it needs none. */
            char *uri = immutable_uri(database->path);
            status = uri ? open_readable(database, uri, error) : error_set(error, MIST_ERROR_MEMORY, "out of memory");
            memory_free(uri);
        }
    }
    if (status)
        database_close(database);
    return status;
}
