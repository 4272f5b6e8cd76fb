/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables that come with a dataset: CSV, TSV and JSON, gzipped or not. Only cells that say something are kept, so a row
 * is a list of (column, text).
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <mist/buffer.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stdint.h>

/* What is read of one; more is MIST_ERROR_LIMIT. */
#define TABLE_MAX_BYTES ((size_t)1 << 28) /* of its text, unpacked */
#define TABLE_MAX_CELLS ((size_t)1 << 24)
#define TABLE_MAX_COLUMNS 512u
enum { TABLE_MAX_NAME = 200, TABLE_MAX_VALUE = 1000 }; /* bytes; longer cells are prose, and left out */

struct table_cell {
    uint32_t text; /* where it starts in table.text */
    uint16_t column;
};

/* Start zeroed; free with table_free(). */
struct table {
    struct mist_buffer text;  /* of names and cells, each with its NUL */
    struct mist_buffer names; /* uint32_t each: where a column's name starts */
    struct mist_buffer cells; /* struct table_cell each, row by row */
    struct mist_buffer rows;  /* uint32_t each: the row's first cell */
};
void table_free(struct table *table);

uint32_t table_columns(const struct table *table);
uint32_t table_rows(const struct table *table);
const char *table_name(const struct table *table, uint32_t column);
const char *table_text(const struct table *table, const struct table_cell *cell);
/* The cells of a row: *count of them. */
const struct table_cell *table_row(const struct table *table, uint32_t row, uint32_t *count);

/* Whether a file is a table by its name: .csv, .tsv, .json, each maybe with .gz behind. */
bool table_is_named_so(const char *path);
/*
 * Reads a file; `path` tells which kind it is. MIST_ERROR_NOT_FOUND: no table is in it (JSON of another form; nothing
 * but a heading). MIST_ERROR_CORRUPT: a table that is damaged, or not UTF-8.
 */
enum mist_status table_read(const char *file, const char *path, struct table *table, struct mist_error *error);
/* The same of bytes in memory that are not gzipped. */
enum mist_status table_parse(const char *path, const char *text, size_t size, struct table *table,
                             struct mist_error *error);

/* ---- for the readers ---- */

/* The number of a column, which is added if there is none of this name; TABLE_MAX_COLUMNS where there are too many. */
uint32_t table_column(struct table *table, const char *name, size_t length);
/* Starts a row; then its cells. "" is left out, and so is what is too long. False when memory is short or too much. */
bool table_add_row(struct table *table);
bool table_add_cell(struct table *table, uint32_t column, const char *text, size_t length);

/* table_csv.c, table_json.c */
enum mist_status table_parse_csv(const char *text, size_t size, bool tabs, struct table *table,
                                 struct mist_error *error);
enum mist_status table_parse_json(const char *text, size_t size, const char *name, struct table *table,
                                  struct mist_error *error);

#endif
