/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/table_index.h"

#include "base/checksum.h"
#include "base/memory.h"

#include <string.h>

static const struct table_cell *cell_at(const struct table *table, uint32_t cell)
{
    return (const struct table_cell *)(const void *)table->cells.data + cell;
}

/* Paths are also written "./PATH". */
static const char *key_text(const struct table *table, const struct table_cell *cell)
{
    const char *text = table_text(table, cell);
    while (strncmp(text, "./", 2) == 0)
        text += 2;
    return text;
}

const struct table_group *table_index_group(const struct table_index *index, uint32_t group)
{
    return (const struct table_group *)(const void *)index->groups.data + group;
}

uint16_t table_index_column(const struct table_index *index, uint32_t group)
{
    return cell_at(index->table, table_index_group(index, group)->cell)->column;
}

uint32_t table_index_find(const struct table_index *index, const char *text, size_t length, uint32_t after)
{
    uint32_t at = after == TABLE_NONE ? index->buckets[(uint32_t)checksum(text, length) & index->mask]
                                      : table_index_group(index, after)->next;
    for (; at != TABLE_NONE; at = table_index_group(index, at)->next) {
        const char *own = key_text(index->table, cell_at(index->table, table_index_group(index, at)->cell));
        if (strncmp(own, text, length) == 0 && own[length] == '\0')
            break;
    }
    return at;
}

uint32_t table_index_row(const struct table_index *index, uint32_t cell)
{
    const uint32_t *rows = (const uint32_t *)(const void *)index->table->rows.data;
    uint32_t low = 0, high = table_rows(index->table);
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (rows[middle] <= cell)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Puts a cell in front of its group. */
static bool add(struct table_index *index, uint32_t cell)
{
    const struct table_cell *own = cell_at(index->table, cell);
    const char *text = key_text(index->table, own);
    const size_t length = strlen(text);
    uint32_t at = TABLE_NONE;
    do
        at = table_index_find(index, text, length, at);
    while (at != TABLE_NONE && table_index_column(index, at) != own->column);
    if (at == TABLE_NONE) {
        uint32_t *bucket = &index->buckets[(uint32_t)checksum(text, length) & index->mask];
        const struct table_group group = {cell, *bucket, 1};
        *bucket = (uint32_t)(index->groups.size / sizeof group);
        index->next[cell] = TABLE_NONE;
        return buffer_append(&index->groups, &group, sizeof group);
    }
    struct table_group *group = (struct table_group *)(void *)index->groups.data + at;
    index->next[cell] = group->cell;
    group->cell = cell;
    group->rows++;
    return true;
}

bool table_index_make(const struct table *table, uint32_t columns, struct table_index *index)
{
    const uint32_t cells = (uint32_t)(table->cells.size / sizeof(struct table_cell));
    uint32_t buckets = 16;
    while (buckets < cells)
        buckets *= 2;
    *index = (struct table_index){.table = table, .mask = buckets - 1};
    index->buckets = memory_allocate_array(buckets, sizeof *index->buckets);
    index->next = memory_allocate_array(cells, sizeof *index->next);
    bool good = index->buckets && index->next;
    if (good)
        memset(index->buckets, 0xff, buckets * sizeof *index->buckets);
    for (uint32_t cell = cells; good && cell > 0; cell--) /* backwards, so that groups are in the order of rows */
        good = cell_at(table, cell - 1)->column >= columns || add(index, cell - 1);
    if (!good)
        table_index_free(index);
    return good;
}

void table_index_free(struct table_index *index)
{
    mist_buffer_free(&index->groups);
    memory_free(index->buckets);
    memory_free(index->next);
    *index = (struct table_index){0};
}
