/* SPDX-License-Identifier: BSD-2-Clause */
/* STORE/mist.sqlite and its schema. */
#ifndef STORE_STORE_DATABASE_H
#define STORE_STORE_DATABASE_H

#include "store/database.h"

#include <mist/source.h>

enum database_mode { DATABASE_READ, DATABASE_WRITE /* created if missing */ };

/*
 * Opens STORE/mist.sqlite. `queries` lives as long as the program. A database of another version, or one that is none,
 * is an error that says so.
 */
enum mist_status store_database_open(const char *directory, enum database_mode mode, const char *const *queries,
                                     size_t count, struct database *database, struct mist_error *error);

/* An item's line of the catalog, of table `item`. */
#define ITEM_ROW \
    "CASE WHEN columns IS NULL THEN row ELSE substr(row, 1, length(row) - 1) || ',\"columns\":' || columns || '}' END"

/* What attachment_of_row() takes of an attachment, `a` in the conditions behind it: size, and why it is no item. */
/* What the `format` of both files of a pair begins with; it goes on with the name of the file that has the samples. */
#define PAIR "pair|"
/* The samples of a pair: what is wrong with it is said of the header. */
#define SAMPLES_OF_PAIR(table) "(" table ".format GLOB '" PAIR "*' AND " table ".series <> " table ".path)"
#define ATTACHMENT_COLUMNS                                       \
    "a.path, a.size, a.checksum, CASE WHEN " SAMPLES_OF_PAIR(    \
        "s") " THEN NULL ELSE s.problem END, a.key, a.wide FROM" \
             " attachment a LEFT JOIN source s ON s.dataset = a.dataset AND s.path = a.path"
/* The texts are valid until the statement's next step. */
struct mist_catalog_attachment attachment_of_row(sqlite3_stmt *row);

#endif
