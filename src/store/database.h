/* SPDX-License-Identifier: BSD-2-Clause */
/* STORE/mist.sqlite: its schema, and prepared statements with less ceremony. */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <mist/status.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection. Not for two threads at a time: its users lock. */
struct database {
    sqlite3 *handle;
    char *path;
    const char *const *queries; /* texts of the statements, each prepared when first used */
    sqlite3_stmt **statements;
    size_t count;
};

enum database_mode { DATABASE_READ, DATABASE_WRITE /* created if missing */ };

/*
 * Opens STORE/mist.sqlite. `queries` lives as long as the program. A database of another version, or one that is none,
 * is an error that says so.
 */
enum mist_status database_open(const char *directory, enum database_mode mode, const char *const *queries, size_t count,
                               struct database *database, struct mist_error *error);
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
