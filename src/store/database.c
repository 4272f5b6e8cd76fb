/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/database.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "MIST" and the version of the schema; another version is refused: `mist index` makes the file anew. */
enum { APPLICATION_ID = 0x4d495354, SCHEMA_VERSION = 1, BUSY_MILLISECONDS = 60000 };

/*
 * item.row is the item's line of the catalog: one form for the table, the published file and the wire.
 * source says what each source file was when it was taken in, so that unchanged ones are not taken in again:
 * `owner` is the item that it went into (NULL: it is an attachment), `problem` why an image had to become one.
 */
static const char schema[] =
    "CREATE TABLE dataset(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, items INTEGER NOT NULL DEFAULT 0,"
    " attachments INTEGER NOT NULL DEFAULT 0, source_bytes INTEGER NOT NULL DEFAULT 0,"
    " item_bytes INTEGER NOT NULL DEFAULT 0, attachment_bytes INTEGER NOT NULL DEFAULT 0,"
    " content INTEGER NOT NULL DEFAULT 0, running INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE item(dataset INTEGER NOT NULL, path TEXT NOT NULL, content INTEGER NOT NULL, size INTEGER NOT NULL,"
    " source_bytes INTEGER NOT NULL, row TEXT NOT NULL, PRIMARY KEY(dataset, path)) WITHOUT ROWID;"
    "CREATE TABLE attachment(dataset INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, PRIMARY KEY(dataset, path)) WITHOUT ROWID;"
    "CREATE TABLE source(dataset INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, label INTEGER NOT NULL, kind INTEGER NOT NULL, series TEXT, format TEXT, owner TEXT,"
    " problem TEXT, version TEXT NOT NULL, PRIMARY KEY(dataset, path)) WITHOUT ROWID;"
    "CREATE INDEX source_owner ON source(dataset, owner);";

static enum mist_status failure(struct database *database, struct mist_error *error)
{
    int code = sqlite3_errcode(database->handle);
    enum mist_status status = code == SQLITE_NOMEM                              ? MIST_ERROR_MEMORY
                              : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? MIST_ERROR_CORRUPT
                                                                                : MIST_ERROR_IO;
    return error_set(error, status, "%s: %s", database->path, sqlite3_errmsg(database->handle));
}

enum mist_status database_execute(struct database *database, const char *sql, struct mist_error *error)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? MIST_OK : failure(database, error);
}

static enum mist_status pragma_number(struct database *database, const char *sql, int64_t *value,
                                      struct mist_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum mist_status status = MIST_OK;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        status = failure(database, error);
    else
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

/* Makes the tables of a new file; checks those of an old one. */
static enum mist_status prepare_schema(struct database *database, enum database_mode mode, struct mist_error *error)
{
    int64_t application = 0, version = 0;
    enum mist_status status = pragma_number(database, "PRAGMA application_id", &application, error);
    if (!status)
        status = pragma_number(database, "PRAGMA user_version", &version, error);
    if (status)
        return status;
    if (application == APPLICATION_ID && version == SCHEMA_VERSION)
        return MIST_OK;
    if (application == APPLICATION_ID)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: made by another version of MIST; remove it and run 'mist index' on the store",
                         database->path);
    int64_t tables = 0;
    status = pragma_number(database, "SELECT count(*) FROM sqlite_master", &tables, error);
    if (!status && (tables > 0 || mode == DATABASE_READ))
        status = error_set(error, MIST_ERROR_CORRUPT, "%s: not an index of a MIST store", database->path);
    if (!status)
        status = database_execute(database, schema, error);
    if (!status) {
        char text[96];
        snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID, SCHEMA_VERSION);
        status = database_execute(database, text, error);
    }
    return status;
}

static enum mist_status open_writable(struct database *database, struct mist_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(database->path, &database->handle, flags, NULL) != SQLITE_OK)
        return failure(database, error);
    sqlite3_busy_timeout(database->handle, BUSY_MILLISECONDS);
    /* Temporary tables hold the listing of the sources: on disk, since it may have millions of rows. */
    enum mist_status status =
        database_execute(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE", error);
    /* Within a transaction, so that of two processes that start at once only one makes the tables. */
    if (!status)
        status = database_execute(database, "BEGIN IMMEDIATE", error);
    if (status)
        return status;
    status = prepare_schema(database, DATABASE_WRITE, error);
    if (!status)
        status = database_execute(database, "COMMIT", error);
    return status;
}

static enum mist_status open_readable(struct database *database, const char *name, struct mist_error *error)
{
    if (sqlite3_open_v2(name, &database->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_URI,
                        NULL) != SQLITE_OK)
        return failure(database, error);
    sqlite3_busy_timeout(database->handle, BUSY_MILLISECONDS);
    return prepare_schema(database, DATABASE_READ, error);
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

enum mist_status database_open(const char *directory, enum database_mode mode, const char *const *queries, size_t count,
                               struct database *database, struct mist_error *error)
{
    *database = (struct database){.queries = queries, .count = count};
    database->path = path_join(directory, "mist.sqlite");
    database->statements = memory_allocate_zeroed(count, sizeof *database->statements);
    enum mist_status status;
    if (!database->path || !database->statements) {
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", directory);
    } else if (mode == DATABASE_WRITE) {
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
            sqlite3_close_v2(database->handle);
            database->handle = NULL;
            status = uri ? open_readable(database, uri, error) : error_set(error, MIST_ERROR_MEMORY, "out of memory");
            memory_free(uri);
        }
    }
    if (status)
        database_close(database);
    return status;
}

void database_close(struct database *database)
{
    for (size_t i = 0; database->statements && i < database->count; i++)
        sqlite3_finalize(database->statements[i]);
    memory_free(database->statements);
    sqlite3_close_v2(database->handle);
    memory_free(database->path);
    *database = (struct database){0};
}

static enum mist_status bind(struct database *database, sqlite3_stmt *statement, const char *letters, va_list values,
                             struct mist_error *error)
{
    for (int i = 1; *letters; i++, letters++) {
        int code = *letters == 't' ? sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT)
                                   : sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
        if (code != SQLITE_OK)
            return failure(database, error);
    }
    return MIST_OK;
}

static enum mist_status query(struct database *database, size_t index, sqlite3_stmt **statement,
                              struct mist_error *error, const char *letters, va_list values)
{
    sqlite3_stmt **slot = &database->statements[index];
    *statement = NULL;
    if (!*slot && sqlite3_prepare_v3(database->handle, database->queries[index], -1, SQLITE_PREPARE_PERSISTENT, slot,
                                     NULL) != SQLITE_OK)
        return failure(database, error);
    sqlite3_reset(*slot);
    sqlite3_clear_bindings(*slot);
    *statement = *slot;
    return bind(database, *slot, letters, values, error);
}

enum mist_status database_query(struct database *database, size_t index, sqlite3_stmt **statement,
                                struct mist_error *error, const char *letters, ...)
{
    va_list values;
    va_start(values, letters);
    enum mist_status status = query(database, index, statement, error, letters, values);
    va_end(values);
    return status;
}

enum mist_status database_step(struct database *database, sqlite3_stmt *statement, bool *row, struct mist_error *error)
{
    int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (*row)
        return MIST_OK;
    enum mist_status status = code == SQLITE_DONE ? MIST_OK : failure(database, error);
    sqlite3_reset(statement);
    return status;
}

enum mist_status database_run(struct database *database, size_t index, struct mist_error *error, const char *letters,
                              ...)
{
    sqlite3_stmt *statement;
    va_list values;
    va_start(values, letters);
    enum mist_status status = query(database, index, &statement, error, letters, values);
    va_end(values);
    for (bool row = true; !status && row;)
        status = database_step(database, statement, &row, error);
    return status;
}

enum mist_status database_number(struct database *database, size_t index, int64_t *value, struct mist_error *error,
                                 const char *letters, ...)
{
    sqlite3_stmt *statement;
    va_list values;
    bool row = false;
    *value = 0;
    va_start(values, letters);
    enum mist_status status = query(database, index, &statement, error, letters, values);
    va_end(values);
    if (!status)
        status = database_step(database, statement, &row, error);
    if (row) {
        *value = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return status;
}
