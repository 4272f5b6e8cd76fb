/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in JSON. An object with texts and numbers is a row. Known are: an array of rows; an object whose members are
 * rows, each under its name; an object whose members are arrays, of rows or of names, as in dataset.json of the
 * Decathlon, where "training" and "test" become the column "split"; an object of names with one value each.
 */
#include "store/table.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KEY_COLUMN "name"    /* of rows that are members of an object */
#define SPLIT_COLUMN "split" /* of rows in an array called "training" ... */
#define FILE_COLUMN "image"  /* of names in such an array */

struct reading {
    struct json_reader json;
    struct table *table;
    struct mist_buffer scratch;
    bool full; /* memory is short, or the limits are met */
};

static bool add_cell(struct reading *reading, const char *column, size_t length, const char *text, size_t size)
{
    if (length == 0 || length > TABLE_MAX_NAME)
        return true;
    const uint32_t number = table_column(reading->table, column, length);
    if (number == TABLE_MAX_COLUMNS || !table_add_cell(reading->table, number, text, size))
        reading->full = true;
    return !reading->full;
}

static char next_byte(struct reading *reading)
{
    const char *at = reading->json.at;
    while (at < reading->json.end && *at && strchr(" \t\r\n", *at))
        at++;
    return at < reading->json.end ? *at : '\0';
}

/*
 * A text, number or truth value, appended to the scratch as a text with its NUL; "" of all others, which are passed
 * over. Returns where it starts.
 */
static size_t read_value(struct reading *reading)
{
    size_t offset = reading->scratch.size, length = 0;
    const char first = next_byte(reading);
    if (first == '"') {
        json_text(&reading->json, &reading->scratch, &offset, &length);
    } else {
        const char *start = reading->json.at;
        json_skip(&reading->json);
        start += strspn(start, " \t\r\n");
        length = first && strchr("{[n", first) ? 0 : (size_t)(reading->json.at - start);
        if (reading->json.failed || !buffer_append(&reading->scratch, start, length) ||
            !buffer_append_zeros(&reading->scratch, 1))
            reading->json.failed = true;
    }
    return offset;
}

/* An array of values becomes "A|B". Returns where it starts in the scratch. */
static size_t read_list(struct reading *reading)
{
    const size_t start = reading->scratch.size;
    json_enter_array(&reading->json);
    while (json_element(&reading->json)) {
        const size_t before = reading->scratch.size;
        read_value(reading);
        if (reading->json.failed)
            break;
        if (reading->scratch.size == before + 1) /* nothing that is a value */
            reading->scratch.size = before;
        else
            reading->scratch.data[reading->scratch.size - 1] = '|';
    }
    if (reading->scratch.size > start)
        reading->scratch.data[reading->scratch.size - 1] = '\0';
    else if (!buffer_append_zeros(&reading->scratch, 1))
        reading->json.failed = true;
    return start;
}

/* The members of an object as the cells of the row that was started. */
static void read_cells(struct reading *reading)
{
    size_t name, length;
    json_enter_object(&reading->json);
    while (!reading->full) {
        reading->scratch.size = 0;
        if (!json_key_text(&reading->json, &reading->scratch, &name, &length))
            break;
        const size_t value = next_byte(reading) == '[' ? read_list(reading) : read_value(reading);
        if (reading->json.failed)
            break;
        const char *texts = (const char *)reading->scratch.data;
        add_cell(reading, texts + name, strlen(texts + name), texts + value, strlen(texts + value));
    }
}

static bool names_split(const char *name)
{
    static const char *const names[] = {"training", "train", "validation", "valid", "val", "test", "testing"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* An array of rows or names; `member` is what it is called, "" at the top. */
static void read_array(struct reading *reading, const char *member)
{
    const bool split = names_split(member);
    json_enter_array(&reading->json);
    while (!reading->full && json_element(&reading->json)) {
        const char first = next_byte(reading);
        if (first != '{' && !(split && first == '"')) {
            json_skip(&reading->json);
            continue;
        }
        reading->full = !table_add_row(reading->table);
        if (split && !reading->full)
            add_cell(reading, SPLIT_COLUMN, strlen(SPLIT_COLUMN), member, strlen(member));
        if (first == '{') {
            read_cells(reading);
            continue;
        }
        reading->scratch.size = 0;
        const size_t value = read_value(reading);
        if (!reading->json.failed) {
            const char *text = (const char *)reading->scratch.data + value;
            add_cell(reading, FILE_COLUMN, strlen(FILE_COLUMN), text, strlen(text));
        }
    }
}

/* One member of the object at the top: a row under its name, an array of rows, or a value. */
static void read_member(struct reading *reading, const char *member, const char *table)
{
    const char first = next_byte(reading);
    if (first == '[') {
        read_array(reading, member);
        return;
    }
    reading->full = !table_add_row(reading->table);
    if (reading->full || !add_cell(reading, KEY_COLUMN, strlen(KEY_COLUMN), member, strlen(member)))
        return;
    if (first == '{') {
        read_cells(reading);
        return;
    }
    reading->scratch.size = 0;
    const size_t value = read_value(reading);
    if (!reading->json.failed) {
        const char *text = (const char *)reading->scratch.data + value;
        add_cell(reading, table, strlen(table), text, strlen(text));
    }
}

static void read_top(struct reading *reading, const char *table)
{
    char member[TABLE_MAX_NAME + 1];
    if (next_byte(reading) == '[') {
        read_array(reading, "");
        return;
    }
    json_enter_object(&reading->json);
    while (!reading->full && json_key(&reading->json, member, sizeof member))
        read_member(reading, member, table);
}

enum mist_status table_parse_json(const char *text, size_t size, const char *name, struct table *table,
                                  struct mist_error *error)
{
    struct reading reading = {.json = json_start(text, size), .table = table};
    read_top(&reading, name);
    mist_buffer_free(&reading.scratch);
    if (reading.full)
        return error_set(error, MIST_ERROR_LIMIT, "it has more than %u columns or %zu cells, or the memory is short",
                         TABLE_MAX_COLUMNS, TABLE_MAX_CELLS);
    if (!json_finished(&reading.json)) /* a sidecar with a comment in it, JSON lines: no table, and nothing is lost */
        return error_set(error, MIST_ERROR_NOT_FOUND, "there is no table in it");
    return table_columns(table) > 1 && table_rows(table) > 0
               ? MIST_OK
               : error_set(error, MIST_ERROR_NOT_FOUND, "there is no table in it");
}
