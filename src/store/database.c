/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/database.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* "; what to do" where the file itself is at fault, else "". */
static const char *cure(const struct database *database, bool damaged)
{
    return damaged && database->kind->cure_of_damage ? database->kind->cure_of_damage : "";
}

static enum mist_status failure(struct database *database, struct mist_error *error)
{
    int code = sqlite3_errcode(database->handle);
    bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    enum mist_status status = code == SQLITE_NOMEM ? MIST_ERROR_MEMORY : damaged ? MIST_ERROR_CORRUPT : MIST_ERROR_IO;
    return error_set(error, status, "%s: %s%s", database->path, sqlite3_errmsg(database->handle),
                     cure(database, damaged || code == SQLITE_CANTOPEN));
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

enum mist_status database_start(char *path, const struct database_kind *kind, const char *const *queries, size_t count,
                                struct database *database, struct mist_error *error)
{
    *database = (struct database){.kind = kind, .path = path, .queries = queries, .count = count};
    database->statements = memory_allocate_zeroed(count, sizeof *database->statements);
    if (database->path && database->statements)
        return MIST_OK;
    return error_set(error, MIST_ERROR_MEMORY, "opening a database: out of memory");
}

enum mist_status database_connect(struct database *database, const char *name, int flags, int busy_milliseconds,
                                  struct mist_error *error)
{
    sqlite3_close_v2(database->handle);
    database->handle = NULL;
    if (sqlite3_open_v2(name, &database->handle, flags | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK)
        return failure(database, error);
    sqlite3_busy_timeout(database->handle, busy_milliseconds);
    return MIST_OK;
}

static enum mist_status make_tables(struct database *database, struct mist_error *error)
{
    char text[96];
    snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d", database->kind->application_id,
             database->kind->version);
    enum mist_status status = database_execute(database, database->kind->schema, error);
    return status ? status : database_execute(database, text, error);
}

enum mist_status database_check(struct database *database, bool make, struct mist_error *error)
{
    const struct database_kind *kind = database->kind;
    int64_t application = 0, version = 0, tables = 0;
    enum mist_status status = pragma_number(database, "PRAGMA application_id", &application, error);
    if (!status)
        status = pragma_number(database, "PRAGMA user_version", &version, error);
    if (status)
        return status;
    if (application == kind->application_id && version == kind->version)
        return MIST_OK;
    if (application == kind->application_id)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: made by another version of MIST; %s", database->path,
                         kind->cure_of_version);
    status = pragma_number(database, "SELECT count(*) FROM sqlite_master", &tables, error);
    if (!status && tables == 0 && make)
        return make_tables(database, error);
    if (!status && tables == 0)
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: empty", database->path);
    return status
               ? status
               : error_set(error, MIST_ERROR_CORRUPT, "%s: not %s%s", database->path, kind->what, cure(database, true));
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
