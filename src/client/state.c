/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/state.h"

#include "base/error.h"
#include "base/memory.h"
#include "client/beneath.h"
#include "store/database.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* "MISG" and the version of the tables. */
enum { APPLICATION_ID = 0x4d495347, SCHEMA_VERSION = 1 };

static const char schema[] = "CREATE TABLE written(kind INTEGER NOT NULL, path TEXT NOT NULL, id INTEGER NOT NULL,"
                             " how TEXT NOT NULL, PRIMARY KEY(kind, path)) WITHOUT ROWID;"
                             "CREATE TABLE file(path TEXT NOT NULL PRIMARY KEY, kind INTEGER NOT NULL,"
                             " owner TEXT NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE INDEX file_owner ON file(kind, owner);"
                             "PRAGMA application_id=1296651079; PRAGMA user_version=1;";
_Static_assert(APPLICATION_ID == 1296651079 && SCHEMA_VERSION == 1, "the schema says so");

enum query { FIND, FIND_OLD, FILES, KNOWS, OWNER, DROP_FILES, DROP, ADD, ADD_FILE, QUERY_COUNT };
static const char *const queries[QUERY_COUNT] = {
    [FIND] = "SELECT count(*) FROM written WHERE kind = ? AND path = ? AND id = ? AND how = ?",
    [FIND_OLD] = "SELECT how FROM written WHERE kind = ? AND path = ? AND id <> ?",
    [KNOWS] = "SELECT count(*) FROM file WHERE path = ?",
    [FILES] = "SELECT path, size, time FROM file WHERE kind = ? AND owner = ?",
    [OWNER] = ("SELECT w.path FROM file f JOIN written w ON w.kind = f.kind AND w.path = f.owner"
               " WHERE f.path = ? AND w.how = ? AND NOT (w.kind = ? AND w.path = ?)"),
    [DROP_FILES] = "DELETE FROM file WHERE kind = ? AND owner = ?",
    [DROP] = "DELETE FROM written WHERE kind = ? AND path = ?",
    [ADD] = "INSERT OR REPLACE INTO written VALUES(?, ?, ?, ?)",
    [ADD_FILE] = "INSERT OR REPLACE INTO file VALUES(?, ?, ?, ?, ?)",
};

struct state {
    struct database database;
    pthread_mutex_t lock;
    int root;
};

static enum mist_status failure(struct state *state, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_IO, "%s: %s; it may be removed, then all files are written again",
                     state->database.path, sqlite3_errmsg(state->database.handle));
}

static int64_t pragma(struct state *state, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(state->database.handle, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static enum mist_status open_database(struct state *state, bool make, struct mist_error *error)
{
    struct database *database = &state->database;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | (make ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(database->path, &database->handle, flags, NULL) != SQLITE_OK)
        return failure(state, error);
    sqlite3_busy_timeout(database->handle, 10000);
    int64_t application = pragma(state, "PRAGMA application_id"), version = pragma(state, "PRAGMA user_version");
    if (application < 0)
        return failure(state, error);
    if (application == 0 && pragma(state, "SELECT count(*) FROM sqlite_master") == 0) {
        if (make)
            return database_execute(database, schema, error);
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: empty", database->path);
    }
    if (application != APPLICATION_ID || version != SCHEMA_VERSION)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: made by another version of MIST; it may be removed, then all files are written again",
                         database->path);
    return MIST_OK;
}

enum mist_status state_open(const char *path, int root, bool make, struct state **result, struct mist_error *error)
{
    *result = NULL;
    if (!make && access(path, F_OK) != 0)
        return MIST_OK;
    struct state *state = memory_allocate_zeroed(1, sizeof *state);
    if (!state)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    pthread_mutex_init(&state->lock, NULL);
    state->root = root;
    state->database = (struct database){.queries = queries, .count = QUERY_COUNT, .path = memory_copy_text(path)};
    state->database.statements = memory_allocate_zeroed(QUERY_COUNT, sizeof(sqlite3_stmt *));
    enum mist_status status = state->database.path && state->database.statements
                                  ? open_database(state, make, error)
                                  : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    /* What a power cut takes is written again: so no waiting for the disk. */
    if (!status && make)
        status = database_execute(&state->database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", error);
    *result = state;
    if (status) {
        state_close(result);
        return status == MIST_ERROR_NOT_FOUND ? MIST_OK : status;
    }
    return MIST_OK;
}

void state_close(struct state **state)
{
    if (!*state)
        return;
    database_close(&(*state)->database);
    pthread_mutex_destroy(&(*state)->lock);
    memory_free(*state);
    *state = NULL;
}

/* Whether the row of FILES is as the file is. */
static bool is_as_left(const struct state *state, sqlite3_stmt *row)
{
    struct stat about;
    return beneath_stat(state->root, column_text(row, 0), &about) && about.st_size == sqlite3_column_int64(row, 1) &&
           (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec == sqlite3_column_int64(row, 2);
}

/* The lock is held. */
static enum mist_status files_are_there(struct state *state, const struct state_key *key, bool *there,
                                        struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = true;
    unsigned files = 0;
    enum mist_status status =
        database_query(&state->database, FILES, &statement, error, "it", (int64_t)key->kind, key->path);
    *there = true;
    while (!status && *there) {
        status = database_step(&state->database, statement, &row, error);
        if (status || !row)
            break;
        files++;
        *there = is_as_left(state, statement);
    }
    if (statement)
        sqlite3_reset(statement);
    *there = *there && files > 0;
    return status;
}

enum mist_status state_is_current(struct state *state, const struct state_key *key, bool *current,
                                  struct mist_error *error)
{
    int64_t found;
    *current = false;
    if (!state)
        return MIST_OK;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_number(&state->database, FIND, &found, error, "itit", (int64_t)key->kind,
                                              key->path, (int64_t)key->id, key->how);
    if (!status && found)
        status = files_are_there(state, key, current, error);
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_check_owner(struct state *state, const struct state_key *key, const char *path,
                                   struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_query(&state->database, OWNER, &statement, error, "ttit", path, key->how,
                                             (int64_t)key->kind, key->path);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    if (row) {
        status = error_set(error, MIST_ERROR_IO, "%s: its file %s is written by %s as well; it was not written",
                           key->path, path, column_text(statement, 0));
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&state->lock);
    return status;
}

/* The lock is held. */
static enum mist_status drop(struct state *state, const struct state_key *key, struct mist_error *error)
{
    enum mist_status status = database_run(&state->database, DROP_FILES, error, "it", (int64_t)key->kind, key->path);
    if (!status)
        status = database_run(&state->database, DROP, error, "it", (int64_t)key->kind, key->path);
    return status;
}

/* How the old content was written is in the same format: the first word. */
static bool same_format(const char *a, const char *b)
{
    size_t length = strcspn(a, " ");
    return length == strcspn(b, " ") && memcmp(a, b, length) == 0;
}

/* The lock is held. */
static enum mist_status find_stale(struct state *state, const struct state_key *key, struct mist_buffer *stale,
                                   struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    enum mist_status status = database_query(&state->database, FIND_OLD, &statement, error, "iti", (int64_t)key->kind,
                                             key->path, (int64_t)key->id);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    bool old = row && same_format(column_text(statement, 0), key->how);
    if (row)
        sqlite3_reset(statement);
    if (status || !old)
        return status;
    status = database_query(&state->database, FILES, &statement, error, "it", (int64_t)key->kind, key->path);
    while (!status && row) {
        status = database_step(&state->database, statement, &row, error);
        if (status || !row)
            break;
        const char *path = column_text(statement, 0);
        if (is_as_left(state, statement) && !buffer_append(stale, path, strlen(path) + 1))
            status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", key->path);
    }
    sqlite3_reset(statement);
    return status;
}

enum mist_status state_forget(struct state *state, const struct state_key *key, struct mist_buffer *stale,
                              struct mist_error *error)
{
    pthread_mutex_lock(&state->lock);
    enum mist_status status = find_stale(state, key, stale, error);
    if (!status)
        status = drop(state, key, error);
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_knows(struct state *state, const char *path, bool *known, struct mist_error *error)
{
    int64_t count;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_number(&state->database, KNOWS, &count, error, "t", path);
    pthread_mutex_unlock(&state->lock);
    *known = count > 0;
    return status;
}

enum mist_status state_record(struct state *state, const struct state_key *key, const struct state_file *files,
                              size_t count, struct mist_error *error)
{
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_execute(&state->database, "BEGIN", error);
    if (!status)
        status = drop(state, key, error);
    if (!status)
        status = database_run(&state->database, ADD, error, "itit", (int64_t)key->kind, key->path, (int64_t)key->id,
                              key->how);
    for (size_t i = 0; i < count && !status; i++)
        status = database_run(&state->database, ADD_FILE, error, "titii", files[i].path, (int64_t)key->kind, key->path,
                              (int64_t)files[i].size, files[i].time);
    if (!status)
        status = database_execute(&state->database, "COMMIT", error);
    if (status)
        database_execute(&state->database, "ROLLBACK", NULL);
    pthread_mutex_unlock(&state->lock);
    return status;
}
