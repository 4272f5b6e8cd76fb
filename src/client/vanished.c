/* SPDX-License-Identifier: BSD-2-Clause */
/* The half of the state that knows what the catalog no longer has. */
#include "client/state_database.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

/* Of what the tables say: nobody but us writes them, yet a wrong path must not lead us anywhere. */
static bool has_safe_path(sqlite3_stmt *row, int column)
{
    const char *path = column_text(row, column);
    return path && path_is_safe(path, (size_t)sqlite3_column_bytes(row, column));
}

/* ---- records against the catalog: both in the same order, so one pass tells ---- */

static enum mist_status start_cursor(struct state *state, struct cursor *cursor, enum state_query query,
                                     struct mist_error *error)
{
    enum mist_status status = database_query(&state->database, query, &cursor->statement, error, "");
    return status ? status : database_step(&state->database, cursor->statement, &cursor->row, error);
}

/* Where the record that the cursor stands at lies from an entry of the catalog: < 0, 0, > 0. */
static int compare_place(const struct cursor *cursor, int kind, const char *path)
{
    int here = sqlite3_column_int(cursor->statement, 0);
    if (kind == MIST_CATALOG_END)
        return -1;
    return here != kind ? here - kind : strcmp(column_text(cursor->statement, 1), path);
}

static enum mist_status advance(struct state *state, struct cursor *cursor, int kind, const char *path, uint64_t id,
                                struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    while (!status && cursor->row) {
        int place = compare_place(cursor, kind, path);
        if (place > 0)
            break;
        int64_t recorded = sqlite3_column_int64(cursor->statement, 2);
        if ((place < 0 || recorded != (int64_t)id) && has_safe_path(cursor->statement, 1))
            status = database_run(&state->database, Q_ADD_OUTDATED, error, "itii",
                                  (int64_t)sqlite3_column_int(cursor->statement, 0), column_text(cursor->statement, 1),
                                  recorded, (int64_t)(place < 0));
        if (!status)
            status = database_step(&state->database, cursor->statement, &cursor->row, error);
    }
    return status;
}

enum mist_status state_compare(struct state *state, enum mist_catalog_kind kind, const char *path, uint64_t id,
                               struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    if (!state)
        return MIST_OK;
    if (!state->written.statement) {
        status = start_cursor(state, &state->written, Q_RECORDED, error);
        if (!status)
            status = start_cursor(state, &state->item_files, Q_RECORDED_ITEM_FILES, error);
    }
    if (!status)
        status = advance(state, &state->written, (int)kind, path, id, error);
    if (!status && kind != MIST_CATALOG_ATTACHMENT) {
        int item_file = kind == MIST_CATALOG_END ? MIST_CATALOG_END : STATE_ITEM_FILE;
        status = advance(state, &state->item_files, item_file, path, id, error);
    }
    return status;
}

/* ---- their files ---- */

/* Takes a row of Q_FILES_OF_GONE. */
static enum mist_status add_vanished(struct state *state, sqlite3_stmt *row, struct mist_error *error)
{
    if (!has_safe_path(row, 0))
        return MIST_OK;
    const char *how = column_text(row, 5);
    bool found = strcmp(how, STATE_FOUND) == 0;
    return database_run(&state->database, Q_ADD_VANISHED, error, "titiiit", column_text(row, 0),
                        sqlite3_column_int64(row, 1), column_text(row, 2), sqlite3_column_int64(row, 3),
                        sqlite3_column_int64(row, 4), (int64_t)found, how);
}

enum mist_status state_find_vanished(struct state *state, bool *any, struct mist_error *error)
{
    sqlite3_stmt *statement;
    bool row = true;
    int64_t count = 0;
    *any = false;
    if (!state)
        return MIST_OK;
    enum mist_status status = database_query(&state->database, Q_FILES_OF_GONE, &statement, error, "");
    while (!status) {
        status = database_step(&state->database, statement, &row, error);
        if (status || !row)
            break;
        status = add_vanished(state, statement, error);
    }
    if (statement)
        sqlite3_reset(statement);
    if (!status)
        status = database_number(&state->database, Q_COUNT_VANISHED, &count, error, "");
    *any = count > 0;
    return status;
}

enum mist_status state_next_vanished_how(struct state *state, char how[STATE_HOW_SIZE], bool *any,
                                         struct mist_error *error)
{
    sqlite3_stmt *statement;
    enum mist_status status = database_query(&state->database, Q_NEXT_HOW, &statement, error, "t", how);
    *any = false;
    if (!status)
        status = database_step(&state->database, statement, any, error);
    if (status || !*any)
        return status;
    snprintf(how, STATE_HOW_SIZE, "%s", column_text(statement, 0));
    sqlite3_reset(statement);
    return MIST_OK;
}

enum mist_status state_has_not_vanished(struct state *state, const char *path, struct mist_error *error)
{
    return database_run(&state->database, Q_STILL_THERE, error, "t", path);
}

enum mist_status state_none_has_vanished(struct state *state, const char *beginning, struct mist_error *error)
{
    return database_run(&state->database, Q_STILL_THERE_BELOW, error, "t", beginning);
}

/* ---- going through them ---- */

enum mist_status state_next_vanished(struct state *state, struct state_vanished *vanished, bool *any,
                                     struct mist_error *error)
{
    sqlite3_stmt *statement;
    *any = false;
    if (!state)
        return MIST_OK;
    enum mist_status status = database_query(&state->database, Q_NEXT_VANISHED, &statement, error, "t", vanished->path);
    if (!status)
        status = database_step(&state->database, statement, any, error);
    if (status || !*any)
        return status;
    snprintf(vanished->path, sizeof vanished->path, "%s", column_text(statement, 0));
    vanished->as_left = state_is_as_left(state, column_text(statement, 0), sqlite3_column_int64(statement, 1),
                                         sqlite3_column_int64(statement, 2));
    vanished->found = sqlite3_column_int(statement, 3);
    sqlite3_reset(statement);
    return MIST_OK;
}

enum mist_status state_forget_vanished(struct state *state, const char *path, struct mist_error *error)
{
    return database_run(&state->database, Q_DROP_FILE, error, "t", path);
}

enum mist_status state_next_gone_item(struct state *state, char path[PATH_ROOM], bool *any, struct mist_error *error)
{
    sqlite3_stmt *statement;
    enum mist_status status = database_query(&state->database, Q_NEXT_GONE, &statement, error, "t", path);
    *any = false;
    if (!status)
        status = database_step(&state->database, statement, any, error);
    if (status || !*any)
        return status;
    snprintf(path, PATH_ROOM, "%s", column_text(statement, 0));
    sqlite3_reset(statement);
    return MIST_OK;
}

enum mist_status state_forget_gone(struct state *state, struct mist_error *error)
{
    return database_run(&state->database, Q_DROP_GONE, error, "");
}
