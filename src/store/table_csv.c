/* SPDX-License-Identifier: BSD-2-Clause */
/* CSV (RFC 4180) and TSV: cells separated by commas, semicolons or tabs, quoted where they hold one of these. */
#include "store/table.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

struct csv {
    struct table *table;
    const char *at;
    const char *end;
    size_t line;
    char separator;
    struct mist_buffer cell; /* of a quoted one: without its quotes */
    bool open;               /* a quote was not closed */
    bool full;               /* memory is short, or the limits are met */
};

/* The separator that the heading has most of, outside of quotes. */
static char find_separator(const char *text, size_t size)
{
    static const char separators[] = ",;\t";
    size_t counts[sizeof separators] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < size && (quoted || (text[i] != '\n' && text[i] != '\r')); i++) {
        const char *found = strchr(separators, text[i]);
        if (text[i] == '"')
            quoted = !quoted;
        else if (found && !quoted)
            counts[found - separators]++;
    }
    for (size_t i = 1; separators[i]; i++)
        if (counts[i] > counts[best])
            best = i;
    return separators[best];
}

/* A cell in quotes; at the quote. "" inside is one quote. */
static void read_quoted(struct csv *csv, const char **text, size_t *length)
{
    csv->cell.size = 0;
    for (csv->at++;; csv->at++) {
        const char *quote = memchr(csv->at, '"', (size_t)(csv->end - csv->at));
        const char *stop = quote ? quote : csv->end;
        for (const char *p = csv->at; p < stop; p++)
            csv->line += *p == '\n';
        if (!buffer_append(&csv->cell, csv->at, (size_t)(stop - csv->at)))
            csv->full = true;
        csv->at = stop;
        if (!quote) {
            csv->open = true;
            break;
        }
        csv->at++;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        if (!buffer_append(&csv->cell, "\"", 1))
            csv->full = true;
    }
    *text = csv->cell.size ? (const char *)csv->cell.data : "";
    *length = csv->cell.size;
}

/* One cell, and what is between it and the next. *last: it ends its row. */
static void read_cell(struct csv *csv, const char **text, size_t *length, bool *last)
{
    const char stops[] = {csv->separator, '\n', '\r', '\0'};
    if (csv->at < csv->end && *csv->at == '"')
        read_quoted(csv, text, length);
    else
        *text = NULL;
    const char *start = csv->at;
    while (csv->at < csv->end && !strchr(stops, *csv->at))
        csv->at++; /* behind a quoted one: what does not belong there */
    if (!*text) {
        *text = start;
        *length = (size_t)(csv->at - start);
    }
    *last = csv->at == csv->end || *csv->at != csv->separator;
    if (csv->at < csv->end && *csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n')
        csv->at++;
    csv->line += *last;
    if (csv->at < csv->end)
        csv->at++;
}

/* Empty names and those that came before name no column: UINT16_MAX. */
static void read_heading(struct csv *csv, struct mist_buffer *numbers)
{
    for (bool last = false; !last && !csv->full && !csv->open;) {
        const char *text;
        size_t length;
        read_cell(csv, &text, &length, &last);
        const uint32_t before = table_columns(csv->table);
        const bool named = length > 0 && length <= TABLE_MAX_NAME;
        const uint32_t column = named ? table_column(csv->table, text, length) : TABLE_MAX_COLUMNS;
        const uint16_t number = column == before ? (uint16_t)column : UINT16_MAX;
        csv->full = (named && column == TABLE_MAX_COLUMNS) || !buffer_append(numbers, &number, sizeof number);
    }
}

static void read_row(struct csv *csv, const struct mist_buffer *numbers)
{
    const uint16_t *columns = (const uint16_t *)(const void *)numbers->data;
    const size_t count = numbers->size / sizeof *columns;
    size_t index = 0;
    csv->full = !table_add_row(csv->table);
    for (bool last = false; !last && !csv->full && !csv->open; index++) {
        const char *text;
        size_t length;
        read_cell(csv, &text, &length, &last);
        if (!csv->full && index < count && columns[index] != UINT16_MAX)
            csv->full = !table_add_cell(csv->table, columns[index], text, length);
    }
}

enum mist_status table_parse_csv(const char *text, size_t size, bool tabs, struct table *table,
                                 struct mist_error *error)
{
    struct csv csv = {.table = table,
                      .at = text,
                      .end = text + size,
                      .line = 1,
                      .separator = tabs ? '\t' : find_separator(text, size)};
    struct mist_buffer numbers = {0};
    size_t start = 1;
    if (size)
        read_heading(&csv, &numbers);
    while (csv.at < csv.end && !csv.full && !csv.open) {
        start = csv.line;
        read_row(&csv, &numbers);
    }
    mist_buffer_free(&numbers);
    mist_buffer_free(&csv.cell);
    if (csv.full)
        return error_set(error, MIST_ERROR_LIMIT, "it has more than %u columns or %zu cells, or the memory is short",
                         TABLE_MAX_COLUMNS, TABLE_MAX_CELLS);
    if (csv.open)
        return error_set(error, MIST_ERROR_CORRUPT, "a quote in line %zu is not closed", start);
    return table_columns(table) > 1 && table_rows(table) > 0
               ? MIST_OK
               : error_set(error, MIST_ERROR_NOT_FOUND, "there is no table in it");
}
