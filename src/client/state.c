/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/state_database.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/confined.h"
#include "base/escape.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "MISG" and the version of the tables. */
enum { APPLICATION_ID = 0x4d495347, SCHEMA_VERSION = 1, BUSY_MILLISECONDS = 10000 };

static const char schema[] = "CREATE TABLE written(kind INTEGER NOT NULL, path TEXT NOT NULL, id INTEGER NOT NULL,"
                             " how TEXT NOT NULL, PRIMARY KEY(kind, path)) WITHOUT ROWID;"
                             "CREATE TABLE file(path TEXT NOT NULL PRIMARY KEY, kind INTEGER NOT NULL,"
                             " owner TEXT NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;"
                             "CREATE INDEX file_owner ON file(kind, owner);";

static const struct database_kind state_kind = {
    .what = "what mist get left",
    .application_id = APPLICATION_ID,
    .version = SCHEMA_VERSION,
    .schema = schema,
    .cure_of_version = "it may be removed, then all files are written again",
    .cure_of_damage = "; it may be removed, then all files are written again",
};

/*
 * Where records and the catalog differ, for as long as the connection lives. `outdated`: records of a content that the
 * catalog does not have; `gone`: it has no such item or attachment at all. `vanished`: files of those.
 */
static const char temporary_schema[] =
    "PRAGMA temp_store=FILE;"
    "CREATE TEMP TABLE outdated(kind INTEGER NOT NULL, path TEXT NOT NULL, id INTEGER NOT NULL, gone INTEGER NOT NULL,"
    " PRIMARY KEY(kind, path)) WITHOUT ROWID;"
    "CREATE TEMP TABLE vanished(path TEXT NOT NULL PRIMARY KEY, kind INTEGER NOT NULL, owner TEXT NOT NULL,"
    " size INTEGER NOT NULL, time INTEGER NOT NULL, found INTEGER NOT NULL, how TEXT NOT NULL) WITHOUT ROWID;";

static const char *const queries[STATE_QUERY_COUNT] = {
    [Q_FIND] = ("SELECT count(*) FROM written WHERE kind = ?1 AND path = ?2 AND id = ?3"
                " AND (how = ?4 OR (how = '" STATE_FOUND "' AND ?4 = '" STATE_AS_IT_IS "'))"),
    [Q_FILE] = "SELECT path, size, time FROM file WHERE path = ?",
    [Q_RETIME] = "UPDATE file SET time = ? WHERE path = ?",
    [Q_LINKS_UNSEE] = "UPDATE link SET seen = 0",
    [Q_LINK_SEE] = "UPDATE link SET seen = 1 WHERE path = ?",
    [Q_LINK] = "SELECT target FROM link WHERE path = ?",
    [Q_LINK_PUT] = "INSERT OR REPLACE INTO link VALUES(?, ?, 1)",
    [Q_LINK_DROP] = "DELETE FROM link WHERE path = ?",
    [Q_LINK_UNSEEN] = "SELECT path, target FROM link WHERE seen = 0 AND path > ? ORDER BY path LIMIT 1",
    [Q_FIND_OLD] = "SELECT how FROM written WHERE kind = ? AND path = ? AND id <> ?",
    [Q_KNOWS] = "SELECT count(*) FROM file WHERE path = ?",
    [Q_FILES] = "SELECT path, size, time FROM file WHERE kind = ? AND owner = ?",
    [Q_OWNER] = ("SELECT w.path, w.how FROM file f JOIN written w ON w.kind = f.kind AND w.path = f.owner"
                 " WHERE f.path = ? AND NOT (w.kind = ? AND w.path = ?) AND NOT EXISTS"
                 " (SELECT 1 FROM temp.outdated o WHERE o.kind = w.kind AND o.path = w.path AND o.id = w.id)"),
    [Q_DROP_FILES] = "DELETE FROM file WHERE kind = ? AND owner = ?",
    [Q_DROP] = "DELETE FROM written WHERE kind = ? AND path = ?",
    [Q_ADD] = "INSERT OR REPLACE INTO written VALUES(?, ?, ?, ?)",
    [Q_ADD_FILE] = "INSERT OR REPLACE INTO file VALUES(?, ?, ?, ?, ?)",
    [Q_RECORDED] = "SELECT kind, path, id FROM written WHERE kind < 3 ORDER BY kind, path",
    [Q_RECORDED_ITEM_FILES] = "SELECT kind, path, id FROM written WHERE kind = 3 ORDER BY path",
    [Q_ADD_OUTDATED] = "INSERT INTO temp.outdated VALUES(?, ?, ?, ?)",
    [Q_FILES_OF_GONE] = ("SELECT f.path, f.kind, f.owner, f.size, f.time, w.how FROM temp.outdated o"
                         " JOIN written w ON w.kind = o.kind AND w.path = o.path"
                         " JOIN file f ON f.kind = o.kind AND f.owner = o.path WHERE o.gone AND f.size >= 0"),
    [Q_ADD_VANISHED] = "INSERT INTO temp.vanished VALUES(?, ?, ?, ?, ?, ?, ?)",
    [Q_COUNT_VANISHED] = "SELECT count(*) FROM temp.vanished",
    [Q_STILL_THERE] = "DELETE FROM temp.vanished WHERE path = ?",
    [Q_STILL_THERE_BELOW] = "DELETE FROM temp.vanished WHERE kind = 1 AND substr(path, 1, length(?1)) = ?1",
    [Q_NEXT_HOW] = ("SELECT how FROM temp.vanished WHERE kind = 1 AND how > ? ORDER BY how LIMIT 1"),
    /* Only those that nothing has taken over since they were found. */
    [Q_NEXT_VANISHED] = ("SELECT v.path, v.size, v.time, v.found FROM temp.vanished v JOIN file f ON f.path = v.path"
                         " WHERE v.path > ? AND f.kind = v.kind AND f.owner = v.owner ORDER BY v.path LIMIT 1"),
    [Q_DROP_FILE] = "DELETE FROM file WHERE path = ?",
    [Q_NEXT_GONE] = ("SELECT path FROM temp.outdated WHERE kind IN (1, 3) AND gone AND path > ? ORDER BY path LIMIT 1"),
    [Q_DROP_GONE] = ("DELETE FROM written WHERE EXISTS (SELECT 1 FROM temp.outdated o WHERE o.kind = written.kind"
                     " AND o.path = written.path AND o.gone) AND NOT EXISTS"
                     " (SELECT 1 FROM file f WHERE f.kind = written.kind AND f.owner = written.path)"),
};
_Static_assert(STATE_ITEM == 1 && STATE_ATTACHMENT == 2 && STATE_ITEM_FILE == 3, "the queries say so");

/* Links that were made; made where it is not there, so that older records stay good. */
static const char link_schema[] =
    "CREATE TABLE IF NOT EXISTS link(path TEXT NOT NULL PRIMARY KEY, target TEXT NOT NULL,"
    " seen INTEGER NOT NULL) WITHOUT ROWID";

/* Opens it as it is, or makes it. */
static enum mist_status open_once(const char *path, bool make, struct state *state, struct mist_error *error)
{
    enum mist_status status =
        database_start(memory_copy_text(path), &state_kind, queries, STATE_QUERY_COUNT, &state->database, error);
    if (!status)
        status = database_connect(&state->database, path, SQLITE_OPEN_READWRITE | (make ? SQLITE_OPEN_CREATE : 0),
                                  BUSY_MILLISECONDS, error);
    /* What a power cut takes is written again: so no waiting for the disk. No shared memory either, which network file
     * systems do not have; only one process writes, and no other reads meanwhile but dry runs. */
    if (!status && make)
        status =
            database_execute(&state->database, "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=OFF; BEGIN", error);
    if (!status)
        status = database_check(&state->database, make, error);
    if (!status && make)
        status = database_execute(&state->database, link_schema, error);
    if (!status && make)
        status = database_execute(&state->database, "COMMIT", error);
    if (!status)
        status = database_execute(&state->database,
                                  "SELECT kind, path, id, how FROM written LIMIT 1;"
                                  "SELECT path, kind, owner, size, time FROM file LIMIT 1",
                                  error);
    return status ? status : database_execute(&state->database, temporary_schema, error);
}

static void remove_database(const char *path)
{
    static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
    char name[PATH_MAX + 16];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

enum mist_status state_open(const char *path, int root, const char *format, bool make, struct state **result,
                            bool *is_new, struct mist_error *error)
{
    *result = NULL;
    struct stat about;
    *is_new = stat(path, &about) != 0 || about.st_size == 0;
    if (!make && *is_new)
        return MIST_OK;
    struct state *state = memory_allocate_zeroed(1, sizeof *state);
    if (!state)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    pthread_mutex_init(&state->lock, NULL);
    state->root = root;
    state->format = format;
    *result = state;
    enum mist_status status = open_once(path, make, state, error);
    if (!status || status == MIST_ERROR_MEMORY)
        goto done;
    *is_new = true;
    database_close(&state->database);
    if (make) {
        remove_database(path);
        status = open_once(path, true, state, error);
    } else
        status = MIST_ERROR_NOT_FOUND;
done:
    if (status)
        state_close(result);
    return status == MIST_ERROR_NOT_FOUND && !make ? MIST_OK : status;
}

void state_close(struct state **state)
{
    if (!*state)
        return;
    state_end(*state, NULL);
    database_close(&(*state)->database);
    pthread_mutex_destroy(&(*state)->lock);
    memory_free(*state);
    *state = NULL;
}

bool state_is_as_left(const struct state *state, const char *path, int64_t size, int64_t time)
{
    struct stat about;
    char disk[PATH_ROOM];
    if (strlen(path) >= sizeof disk)
        return false;
    path_unescape(path, disk);
    return confined_stat(state->root, disk, &about) && about.st_size == size &&
           (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec == time;
}

/* The same for a row of Q_FILES. */
static bool is_as_left(const struct state *state, sqlite3_stmt *row)
{
    return state_is_as_left(state, column_text(row, 0), sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2));
}

/* The lock is held. */
static enum mist_status files_are_there(struct state *state, const struct state_key *key, bool *there,
                                        struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = true;
    unsigned files = 0;
    enum mist_status status =
        database_query(&state->database, Q_FILES, &statement, error, "it", (int64_t)key->kind, key->path);
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
    enum mist_status status = database_number(&state->database, Q_FIND, &found, error, "itit", (int64_t)key->kind,
                                              key->path, (int64_t)key->id, key->how);
    if (!status && found)
        status = files_are_there(state, key, current, error);
    pthread_mutex_unlock(&state->lock);
    return status;
}

/* The lock is held. */
static enum mist_status drop(struct state *state, const struct state_key *key, struct mist_error *error)
{
    enum mist_status status = database_run(&state->database, Q_DROP_FILES, error, "it", (int64_t)key->kind, key->path);
    if (!status)
        status = database_run(&state->database, Q_DROP, error, "it", (int64_t)key->kind, key->path);
    return status;
}

/* Whether files were written in the same format: the first word of how. */
static bool same_format(const char *a, const char *b)
{
    size_t length = strcspn(a, " ");
    return length == strcspn(b, " ") && memcmp(a, b, length) == 0;
}

/* Whether what was written so is written by this run, too: attachments always are, items in this run's format. */
static bool competes(const struct state *state, const char *how)
{
    return strcmp(how, STATE_FOUND) == 0 || strcmp(how, STATE_AS_IT_IS) == 0 || same_format(how, state->format);
}

/* The lock is held. */
static enum mist_status check_owner(struct state *state, const struct state_key *key, const char *path,
                                    struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    enum mist_status status =
        database_query(&state->database, Q_OWNER, &statement, error, "tit", path, (int64_t)key->kind, key->path);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    if (row && competes(state, column_text(statement, 1)))
        status = error_set(error, MIST_ERROR_IO, "%s: its file %s is written by %s as well; it was not written",
                           key->path, path, column_text(statement, 0));
    if (row)
        sqlite3_reset(statement);
    return status;
}

/* The lock is held. */
static enum mist_status find_stale(struct state *state, const struct state_key *key, struct mist_buffer *stale,
                                   struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    enum mist_status status = database_query(&state->database, Q_FIND_OLD, &statement, error, "iti", (int64_t)key->kind,
                                             key->path, (int64_t)key->id);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    bool old = row && same_format(column_text(statement, 0), key->how);
    if (row)
        sqlite3_reset(statement);
    if (status || !old)
        return status;
    status = database_query(&state->database, Q_FILES, &statement, error, "it", (int64_t)key->kind, key->path);
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

/* A new record, of files that are there or are about to be. */
struct change {
    const struct state_key *key;
    const struct state_file *files; /* or, to be claimed: */
    const char *paths;
    size_t count;
    struct mist_buffer *stale;
};

/* Replaces what is recorded. Files that are only claimed get a size that no file has. */
static enum mist_status replace_record(struct state *state, const struct change *change, struct mist_error *error)
{
    const struct state_key *key = change->key;
    const char *claimed = change->paths;
    enum mist_status status = drop(state, key, error);
    if (!status)
        status = database_run(&state->database, Q_ADD, error, "itit", (int64_t)key->kind, key->path, (int64_t)key->id,
                              key->how);
    for (size_t i = 0; i < change->count && !status; i++) {
        struct state_file file = change->files ? change->files[i] : (struct state_file){claimed, UINT64_MAX, 0};
        status = database_run(&state->database, Q_ADD_FILE, error, "titii", file.path, (int64_t)key->kind, key->path,
                              (int64_t)file.size, file.time);
        claimed += claimed ? strlen(claimed) + 1 : 0;
    }
    return status;
}

/* Opens the transaction that state_end() ends. The lock is held. */
static enum mist_status begin(struct state *state, struct mist_error *error)
{
    enum mist_status status = state->begun ? MIST_OK : database_execute(&state->database, "BEGIN", error);
    state->begun = !status;
    return status;
}

/* All of it or nothing. */
static enum mist_status run_change(struct state *state, const struct change *change, struct mist_error *error)
{
    pthread_mutex_lock(&state->lock);
    enum mist_status status = begin(state, error);
    if (!status)
        status = database_execute(&state->database, "SAVEPOINT change", error);
    const char *path = change->paths;
    for (size_t i = 0; path && i < change->count && !status; i++, path += strlen(path) + 1)
        status = check_owner(state, change->key, path, error);
    if (!status && change->stale)
        status = find_stale(state, change->key, change->stale, error);
    if (!status)
        status = replace_record(state, change, error);
    if (status)
        database_execute(&state->database, "ROLLBACK TO change", NULL);
    database_execute(&state->database, "RELEASE change", NULL);
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_claim(struct state *state, const struct state_key *key, const char *paths, size_t count,
                             struct mist_buffer *stale, struct mist_error *error)
{
    struct change change = {.key = key, .paths = paths, .count = count, .stale = stale};
    return run_change(state, &change, error);
}

enum mist_status state_record(struct state *state, const struct state_key *key, const struct state_file *files,
                              size_t count, struct mist_error *error)
{
    struct change change = {.key = key, .files = files, .count = count};
    return run_change(state, &change, error);
}

void state_discard(struct state *state, const char *path)
{
    int64_t count;
    char disk[PATH_ROOM];
    if (strlen(path) >= sizeof disk)
        return;
    path_unescape(path, disk);
    pthread_mutex_lock(&state->lock); /* so that nobody claims it meanwhile */
    if (!database_number(&state->database, Q_KNOWS, &count, NULL, "t", path) && count == 0)
        confined_remove(state->root, disk);
    pthread_mutex_unlock(&state->lock);
}

/* ---- links, and files as a tree list names them ---- */

enum { CHANGES_A_TRANSACTION = 1000 };

enum mist_status state_end(struct state *state, struct mist_error *error)
{
    pthread_mutex_lock(&state->lock);
    enum mist_status status = state->begun ? database_execute(&state->database, "COMMIT", error) : MIST_OK;
    if (status)
        database_execute(&state->database, "ROLLBACK", NULL);
    state->begun = false;
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_file_is_ours(struct state *state, const char *path, bool *ours, struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_query(&state->database, Q_FILE, &statement, error, "t", path);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    *ours = !status && row && is_as_left(state, statement);
    if (row)
        sqlite3_reset(statement);
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_file_retime(struct state *state, const char *path, struct mist_error *error)
{
    struct stat about;
    char disk[PATH_ROOM];
    path_unescape(path, disk);
    if (!confined_stat(state->root, disk, &about))
        return MIST_OK;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = begin(state, error);
    if (!status)
        status = database_run(&state->database, Q_RETIME, error, "it",
                              (int64_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec, path);
    pthread_mutex_unlock(&state->lock);
    return !status && ++state->changes % CHANGES_A_TRANSACTION == 0 ? state_end(state, error) : status;
}

static enum mist_status run_link(struct state *state, size_t query, const char *path, const char *target,
                                 struct mist_error *error)
{
    pthread_mutex_lock(&state->lock);
    enum mist_status status = !path    ? database_run(&state->database, query, error, "")
                              : target ? database_run(&state->database, query, error, "tt", path, target)
                                       : database_run(&state->database, query, error, "t", path);
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_link_start(struct state *state, struct mist_error *error)
{
    return run_link(state, Q_LINKS_UNSEE, NULL, NULL, error);
}

enum mist_status state_link_see(struct state *state, const char *path, struct mist_error *error)
{
    return run_link(state, Q_LINK_SEE, path, NULL, error);
}

enum mist_status state_link_put(struct state *state, const char *path, const char *target, struct mist_error *error)
{
    return run_link(state, Q_LINK_PUT, path, target, error);
}

enum mist_status state_link_forget(struct state *state, const char *path, struct mist_error *error)
{
    return run_link(state, Q_LINK_DROP, path, NULL, error);
}

enum mist_status state_link_get(struct state *state, const char *path, char *target, struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = false;
    *target = '\0';
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_query(&state->database, Q_LINK, &statement, error, "t", path);
    if (!status)
        status = database_step(&state->database, statement, &row, error);
    if (row) {
        snprintf(target, PATH_ROOM, "%s", column_text(statement, 0));
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&state->lock);
    return status;
}

enum mist_status state_link_next_unseen(struct state *state, char *path, char *target, bool *any,
                                        struct mist_error *error)
{
    sqlite3_stmt *statement;
    *any = false;
    pthread_mutex_lock(&state->lock);
    enum mist_status status = database_query(&state->database, Q_LINK_UNSEEN, &statement, error, "t", path);
    if (!status)
        status = database_step(&state->database, statement, any, error);
    if (*any) {
        snprintf(path, PATH_ROOM, "%s", column_text(statement, 0));
        snprintf(target, PATH_ROOM, "%s", column_text(statement, 1));
        sqlite3_reset(statement);
    }
    pthread_mutex_unlock(&state->lock);
    return status;
}
