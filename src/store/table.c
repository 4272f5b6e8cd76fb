/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/table.h"

#include "base/memory.h"

#include <string.h>

void table_free(struct table *table)
{
    mist_buffer_free(&table->text);
    mist_buffer_free(&table->names);
    mist_buffer_free(&table->cells);
    mist_buffer_free(&table->rows);
    *table = (struct table){0};
}

/* ---- looking ---- */

static uint32_t number_at(const struct mist_buffer *numbers, uint32_t index)
{
    return ((const uint32_t *)(const void *)numbers->data)[index];
}

uint32_t table_columns(const struct table *table)
{
    return (uint32_t)(table->names.size / sizeof(uint32_t));
}

uint32_t table_rows(const struct table *table)
{
    return (uint32_t)(table->rows.size / sizeof(uint32_t));
}

const char *table_name(const struct table *table, uint32_t column)
{
    return (const char *)table->text.data + number_at(&table->names, column);
}

const char *table_text(const struct table *table, const struct table_cell *cell)
{
    return (const char *)table->text.data + cell->text;
}

const struct table_cell *table_row(const struct table *table, uint32_t row, uint32_t *count)
{
    const struct table_cell *cells = (const struct table_cell *)(const void *)table->cells.data;
    const uint32_t first = number_at(&table->rows, row);
    const uint32_t end =
        row + 1 < table_rows(table) ? number_at(&table->rows, row + 1) : (uint32_t)(table->cells.size / sizeof *cells);
    *count = end - first;
    return end > first ? cells + first : NULL;
}

/* ---- filling ---- */

/* Appends a text with its NUL; UINT32_MAX when there is no room. */
static uint32_t add_text(struct table *table, const char *text, size_t length)
{
    const size_t at = table->text.size;
    if (at + length + 1 > TABLE_MAX_BYTES || !buffer_append(&table->text, text, length) ||
        !buffer_append_zeros(&table->text, 1))
        return UINT32_MAX;
    return (uint32_t)at;
}

uint32_t table_column(struct table *table, const char *name, size_t length)
{
    const uint32_t count = table_columns(table);
    for (uint32_t i = 0; i < count; i++)
        if (strncmp(table_name(table, i), name, length) == 0 && table_name(table, i)[length] == '\0')
            return i;
    const uint32_t at = count < TABLE_MAX_COLUMNS ? add_text(table, name, length) : UINT32_MAX;
    return at != UINT32_MAX && buffer_append(&table->names, &at, sizeof at) ? count : TABLE_MAX_COLUMNS;
}

bool table_add_row(struct table *table)
{
    const uint32_t first = (uint32_t)(table->cells.size / sizeof(struct table_cell));
    return table_rows(table) < TABLE_MAX_CELLS && buffer_append(&table->rows, &first, sizeof first);
}

bool table_add_cell(struct table *table, uint32_t column, const char *text, size_t length)
{
    while (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && text[length - 1] == ' ')
        length--;
    if (length == 0 || length > TABLE_MAX_VALUE)
        return true;
    const struct table_cell cell = {add_text(table, text, length), (uint16_t)column};
    return cell.text != UINT32_MAX && table->cells.size < TABLE_MAX_CELLS * sizeof cell &&
           buffer_append(&table->cells, &cell, sizeof cell);
}
