/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of catalogs: from items, from JSON lines, as JSON lines. */
#ifndef SOURCE_CATALOG_H
#define SOURCE_CATALOG_H

#include <mist/source.h>

/* Limits that the reader enforces and the writer keeps. */
#define CATALOG_MAX_LINE ((size_t)1 << 27)      /* bytes of one line: a series of a million files */
#define CATALOG_MAX_ENTRIES ((uint64_t)1 << 32) /* items, attachments */
#define CATALOG_MAX_BYTES ((uint64_t)1 << 62)   /* any size or offset */
#define CATALOG_MAX_COLUMNS 512u                /* of one item */
#define CATALOG_VERSION 2

/* An entry with the memory that it points to, which is reused from row to row. Start zeroed. */
struct catalog_row {
    struct mist_catalog_entry entry;
    struct mist_buffer text;
    struct mist_buffer files;   /* struct mist_catalog_file each */
    struct mist_buffer ends;    /* uint64_t each */
    struct mist_buffer columns; /* struct mist_catalog_column each */
};
void catalog_row_free(struct catalog_row *row);

/* The row of an open item that is (or will be) kept under `path`. */
enum mist_status catalog_row_from_item(const mist_item *item, const char *path, struct catalog_row *row,
                                       struct mist_error *error);

/* Parses and checks one line. */
enum mist_status catalog_row_parse(const char *line, size_t size, struct catalog_row *row, struct mist_error *error);
enum mist_status catalog_header_parse(const char *line, size_t size, struct mist_dataset_info *info,
                                      struct mist_error *error);

#endif
