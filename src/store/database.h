/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite with less ceremony: files that say what they are, and prepared statements. */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <mist/status.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a file of ours is, and what to tell the user where it is not. */
struct database_kind {
    const char *what; /* "an index of a MIST store" */
    int application_id;
    int version;                 /* of the tables */
    const char *schema;          /* makes the tables */
    const char *cure_of_version; /* what to do with one of another version */
    const char *cure_of_damage;  /* what to do with one that cannot be used: "; it may be removed", or NULL */
};

/* A connection. Not for two threads at a time: its users lock. */
struct database {
    const struct database_kind *kind;
    sqlite3 *handle;
    char *path;
    const char *const *queries; /* texts of the statements, each prepared when first used */
    sqlite3_stmt **statements;
    size_t count;
};

/*
 * Sets up a connection that is not yet one: takes over `path` (may be NULL: out of memory). `kind` and `queries` live
 * as long as the program. database_close() whatever is returned.
 */
enum mist_status database_start(char *path, const struct database_kind *kind, const char *const *queries, size_t count,
                                struct database *database, struct mist_error *error);
/* Opens the file by a name (a path or a URI) with SQLite's flags; closes what was open. */
enum mist_status database_connect(struct database *database, const char *name, int flags, int busy_milliseconds,
                                  struct mist_error *error);
/*
 * Whether the open file is of database->kind. An empty one is made so, or with `make` false MIST_ERROR_NOT_FOUND; one
 * of another version is MIST_ERROR_UNSUPPORTED, another program's MIST_ERROR_CORRUPT.
 */
enum mist_status database_check(struct database *database, bool make, struct mist_error *error);
/* Safe on a zeroed database. */
void database_close(struct database *database);

/* Statements without values and rows. */
enum mist_status database_execute(struct database *database, const char *sql, struct mist_error *error);

/*
 * Prepares query `index` and binds values by letters: 't' const char * (NULL is allowed), 'i' int64_t,
 * 'u' uint64_t (kept as its two's complement). At most one use of a query at a time.
 */
enum mist_status database_query(struct database *database, size_t index, sqlite3_stmt **statement,
                                struct mist_error *error, const char *letters, ...);
/* Steps to the next row; *row is false at the end (the statement is reset then, and on failure). */
enum mist_status database_step(struct database *database, sqlite3_stmt *statement, bool *row, struct mist_error *error);
/* database_query() and steps to the end. */
enum mist_status database_run(struct database *database, size_t index, struct mist_error *error, const char *letters,
                              ...);
/* The first column of the first row as a number; 0 without a row. */
enum mist_status database_number(struct database *database, size_t index, int64_t *value, struct mist_error *error,
                                 const char *letters, ...);

static inline const char *column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

#endif
