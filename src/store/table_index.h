/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding rows of a table by what stands in a cell. */
#ifndef STORE_TABLE_INDEX_H
#define STORE_TABLE_INDEX_H

#include "store/table.h"

#include <stddef.h>

#define TABLE_NONE UINT32_MAX

/* All cells of one column with one text. */
struct table_group {
    uint32_t cell; /* the first of them */
    uint32_t next; /* another group in its bucket, or TABLE_NONE */
    uint32_t rows; /* how many */
};

struct table_index {
    const struct table *table;
    struct mist_buffer groups; /* struct table_group each */
    uint32_t *buckets;         /* groups by the checksum of their text */
    uint32_t *next;            /* of each cell: the next one of its group, or TABLE_NONE */
    uint32_t mask;
};

/* Only cells of columns below `columns` are indexed. Memory is the only thing that can be short. */
bool table_index_make(const struct table *table, uint32_t columns, struct table_index *index);
void table_index_free(struct table_index *index);

/* The first group with this text after `after` (TABLE_NONE: of all), in any column; TABLE_NONE if there is none. */
uint32_t table_index_find(const struct table_index *index, const char *text, size_t length, uint32_t after);
const struct table_group *table_index_group(const struct table_index *index, uint32_t group);
uint16_t table_index_column(const struct table_index *index, uint32_t group);
/* The row that a cell is in. */
uint32_t table_index_row(const struct table_index *index, uint32_t cell);

#endif
