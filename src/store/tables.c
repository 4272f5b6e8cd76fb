/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/tables.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/naming.h"
#include "store/queries.h"
#include "store/table.h"
#include "store/table_index.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_ROWS = 64,    /* of one item in one table: more say nothing of the item as a whole */
    LONG_NUMBER = 5,  /* digits of a name that are no accident */
    MAX_DISTANCE = 1, /* directories that a table is in and still speaks of all the dataset */
};

/* Which of an item's names stand in a column, closest first; as enum naming. */
struct score {
    uint32_t items[NAMINGS];
    uint32_t files;   /* items whose file's name or path stands in it, suffix and all */
    uint32_t numbers; /* items that a long number names */
    enum naming seen; /* of the item that is looked at */
    bool seen_file;
    bool seen_number;
    uint64_t item; /* the item that `seen` is about, counted from 1 */
};

struct join {
    struct maker *maker;
    struct tally *tally;
    struct mist_store_report *report;
    struct mist_buffer filter; /* bits: names that items have, by checksum */
    struct catalog_row row;
    /* of the table at hand */
    const char *path;
    struct table table;
    struct table_index index;
    struct score *scores;              /* one a column */
    uint8_t is_key[TABLE_MAX_COLUMNS]; /* 1: of files; 2: and of directories and numbers */
    uint32_t rows[MAX_ROWS];           /* of the item at hand */
    uint32_t row_count;
    bool too_many;
    bool by_file;  /* its name is that of the file */
    uint64_t item; /* that is looked at, counted from 1 */
    uint32_t joined;
    uint32_t conflicts;
    char conflict[TABLE_MAX_NAME + 1];
};

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the tables of the dataset: out of memory");
}

/* ---- going through the items below a directory ---- */

typedef enum mist_status visit_item(struct join *join, const struct mist_catalog_entry *entry,
                                    struct mist_error *error);

static enum mist_status each_item(struct join *join, const char *directory, size_t length, visit_item *visit,
                                  struct mist_error *error)
{
    char from[PATH_ROOM + 1] = "", to[PATH_ROOM + 1] = "\xf4\x8f\xbf\xbf"; /* the last character of all */
    sqlite3_stmt *rows = NULL;
    if (length) {
        snprintf(from, sizeof from, "%.*s/", (int)length, directory);
        snprintf(to, sizeof to, "%.*s0", (int)length, directory); /* '0' follows '/' */
    }
    join->item = 0;
    enum mist_status status =
        database_query(&join->maker->database, Q_ITEMS_BETWEEN, &rows, error, "itt", join->maker->id, from, to);
    for (bool row = true; !status && row;) {
        status = database_step(&join->maker->database, rows, &row, error);
        if (status || !row)
            break;
        join->item++;
        const char *text = column_text(rows, 0);
        status = catalog_row_parse(text, (size_t)sqlite3_column_bytes(rows, 0), &join->row, error);
        if (!status)
            status = visit(join, &join->row.entry, error);
    }
    if (rows)
        sqlite3_reset(rows);
    return status;
}

/* ---- a filter of all names, so that the many tables that name no item are told quickly ---- */

static void filter_bits(const struct join *join, const char *name, size_t length, uint64_t bits[2])
{
    const uint64_t sum = checksum(name, length), count = join->filter.size * 8;
    bits[0] = (sum & UINT32_MAX) % count;
    bits[1] = (sum >> 32) % count;
}

static bool put_into_filter(void *context, enum naming naming, const char *name, size_t length)
{
    const struct join *join = context;
    uint64_t bits[2];
    (void)naming;
    filter_bits(join, name, length, bits);
    for (unsigned i = 0; i < 2; i++)
        join->filter.data[bits[i] / 8] |= (uint8_t)(1u << bits[i] % 8);
    return true;
}

static enum mist_status filter_item(struct join *join, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    (void)error;
    naming_each(entry, put_into_filter, join);
    return MIST_OK;
}

static enum mist_status make_filter(struct join *join, struct mist_error *error)
{
    enum { BYTES_AN_ITEM = 32 };
    int64_t items = 0;
    enum mist_status status =
        database_number(&join->maker->database, Q_ITEM_COUNT, &items, error, "i", join->maker->id);
    const size_t bytes = 1024 + (size_t)items * BYTES_AN_ITEM;
    if (!status && !buffer_append_zeros(&join->filter, bytes < (1u << 28) ? bytes : (1u << 28)))
        status = no_memory(error);
    return status ? status : each_item(join, "", 0, filter_item, error);
}

static bool may_name_items(const struct join *join)
{
    const struct table_cell *cells = (const struct table_cell *)(const void *)join->table.cells.data;
    for (size_t i = 0; i < join->table.cells.size / sizeof *cells; i++) {
        const char *text = table_text(&join->table, &cells[i]);
        uint64_t bits[2];
        while (strncmp(text, "./", 2) == 0)
            text += 2;
        filter_bits(join, text, strlen(text), bits);
        if ((join->filter.data[bits[0] / 8] >> bits[0] % 8 & 1) && (join->filter.data[bits[1] / 8] >> bits[1] % 8 & 1))
            return true;
    }
    return false;
}

/* ---- which column names the items ---- */

static bool is_number(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return length > 0;
}

/*
 * Whether a group of cells may be an item's name. What stands in several rows is a file's name at most, and not if it
 * is a number: then it is rather an age.
 */
static bool may_name(const struct table_group *group, enum naming naming, const char *name, size_t length)
{
    return group->rows == 1 || (naming <= NAMING_CASE && !is_number(name, length));
}

static bool score_name(void *context, enum naming naming, const char *name, size_t length)
{
    struct join *join = context;
    for (uint32_t at = TABLE_NONE; (at = table_index_find(&join->index, name, length, at)) != TABLE_NONE;) {
        struct score *score = &join->scores[table_index_column(&join->index, at)];
        if (!may_name(table_index_group(&join->index, at), naming, name, length))
            continue;
        if (score->item != join->item) {
            score->item = join->item;
            score->seen = NAMINGS;
            score->seen_file = score->seen_number = false;
        }
        if (score->seen > naming)
            score->seen = naming;
        score->seen_file |= naming == NAMING_FILE && (memchr(name, '.', length) || memchr(name, '/', length));
        score->seen_number |= naming == NAMING_NUMBER && length >= LONG_NUMBER;
    }
    return true;
}

static enum mist_status score_item(struct join *join, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    (void)error;
    naming_each(entry, score_name, join);
    for (uint32_t column = 0; column < table_columns(&join->table); column++) {
        struct score *score = &join->scores[column];
        if (score->item != join->item)
            continue;
        score->items[score->seen]++;
        score->files += score->seen_file;
        score->numbers += score->seen_number;
    }
    return MIST_OK;
}

/* How many items a column names: by anything but numbers, else by these where they are long or name most items. */
static uint32_t named_by(const struct join *join, const struct score *score)
{
    const uint32_t names = score->items[NAMING_FILE] + score->items[NAMING_CASE] + score->items[NAMING_DIRECTORY];
    const uint32_t numbers = score->items[NAMING_NUMBER];
    return names ? names : 2 * (uint64_t)numbers >= join->item ? numbers : score->numbers;
}

/* Sets is_key. Beside the column that names most items, those are keys that name files of many, like "label". */
static bool choose_keys(struct join *join, uint32_t *best)
{
    const uint32_t columns = table_columns(&join->table);
    uint32_t most = 0;
    for (uint32_t column = 0; column < columns; column++) {
        const uint32_t named = named_by(join, &join->scores[column]);
        if (named > most) {
            most = named;
            *best = column;
        }
    }
    for (uint32_t column = 0; column < columns; column++)
        join->is_key[column] = column == *best ? 2 : 2 * (uint64_t)join->scores[column].files >= most;
    return most > 0;
}

/*
 * Finds the key columns by the items below `directory`, or by all where the table lies near the root, or was asked for.
 * *scope: how much of `directory` is meant; *any: there are some.
 */
static enum mist_status find_keys(struct join *join, bool asked, size_t *scope, uint32_t *best, bool *any,
                                  struct mist_error *error)
{
    const uint32_t columns = table_columns(&join->table);
    const size_t directory = naming_directory_length(join->path, strlen(join->path));
    unsigned distance = directory > 0;
    for (size_t i = 0; i < directory; i++)
        distance += join->path[i] == '/';
    enum mist_status status = MIST_OK;
    *any = false;
    for (*scope = directory; !status && !*any; *scope = 0) {
        memset(join->scores, 0, columns * sizeof *join->scores);
        status = each_item(join, join->path, *scope, score_item, error);
        *any = !status && choose_keys(join, best);
        if (*scope == 0 || *any || (distance > MAX_DISTANCE && !asked))
            break;
    }
    return status;
}

/* ---- the rows of an item ---- */

static bool find_rows(void *context, enum naming naming, const char *name, size_t length)
{
    struct join *join = context;
    for (uint32_t at = TABLE_NONE; (at = table_index_find(&join->index, name, length, at)) != TABLE_NONE;) {
        const struct table_group *group = table_index_group(&join->index, at);
        const unsigned key = join->is_key[table_index_column(&join->index, at)];
        if (key == 0 || (key == 1 && naming != NAMING_FILE) || !may_name(group, naming, name, length))
            continue;
        join->by_file = naming == NAMING_FILE;
        for (uint32_t cell = group->cell; cell != TABLE_NONE; cell = join->index.next[cell]) {
            if (join->row_count == MAX_ROWS) {
                join->too_many = true;
                break;
            }
            join->rows[join->row_count++] = table_index_row(&join->index, cell);
        }
    }
    return join->row_count == 0;
}

/* Whether a list "A|B" has a member. */
static bool list_has(const struct mist_buffer *list, const char *text)
{
    const size_t length = strlen(text);
    for (size_t at = 0; at + length <= list->size;) {
        const uint8_t *end = memchr(list->data + at, '|', list->size - at);
        const size_t member = end ? (size_t)(end - list->data) - at : list->size - at;
        if (member == length && memcmp(list->data + at, text, length) == 0)
            return true;
        at += member + 1;
    }
    return false;
}

/* What the rows say in a column: the value, or the list of those that differ; with a NUL. Empty: nothing. */
static bool value_of_rows(const struct join *join, uint32_t column, struct mist_buffer *value)
{
    bool good = true;
    value->size = 0;
    for (uint32_t i = 0; i < join->row_count && good; i++) {
        uint32_t count;
        const struct table_cell *cells = table_row(&join->table, join->rows[i], &count);
        for (uint32_t n = 0; n < count && good; n++) {
            const char *text = table_text(&join->table, &cells[n]);
            if (cells[n].column != column || list_has(value, text))
                continue;
            good = (value->size == 0 || buffer_append(value, "|", 1)) && buffer_append(value, text, strlen(text));
        }
    }
    if (value->size > TABLE_MAX_VALUE)
        value->size = 0;
    return good && (value->size == 0 || buffer_append_zeros(value, 1));
}

/* ---- columns of an item, in the database as one JSON object ---- */

/* Whether the columns that an item has already name one so; *same: with this value. */
static bool has_column(const char *columns, const char *name, const char *value, bool *same)
{
    struct mist_buffer text = {0};
    struct json_reader json = json_start(columns, strlen(columns));
    size_t key, own, length;
    bool found = false;
    json_enter_object(&json);
    while (!found && json_key_text(&json, &text, &key, &length) && json_text(&json, &text, &own, &length)) {
        found = strcmp((const char *)text.data + key, name) == 0;
        *same = found && strcmp((const char *)text.data + own, value) == 0;
        if (!found)
            text.size = 0;
    }
    mist_buffer_free(&text);
    return found;
}

static bool add_column(struct join *join, const char *before, const char *name, const char *value,
                       struct mist_buffer *out)
{
    bool same = false;
    if (before && has_column(before, name, value, &same)) {
        if (!same && join->conflicts++ == 0)
            snprintf(join->conflict, sizeof join->conflict, "%s", name);
        return true;
    }
    return json_put(out, out->size > 1 ? "," : "") && json_put_string(out, name) && json_put(out, ":") &&
           json_put_string(out, value);
}

static enum mist_status join_item(struct join *join, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    sqlite3_stmt *statement;
    struct mist_buffer *out = &join->maker->text, value = {0};
    bool row = false, good = true;
    join->row_count = 0;
    join->too_many = false;
    naming_each(entry, find_rows, join);
    if (join->row_count == 0 || join->too_many)
        return MIST_OK;
    struct database *database = &join->maker->database;
    enum mist_status status = database_query(database, Q_JOINED_GET, &statement, error, "t", entry->item.path);
    if (!status)
        status = database_step(database, statement, &row, error);
    if (status)
        return status;
    const char *before = row ? column_text(statement, 0) : NULL;
    const size_t length = before ? strlen(before) - 1 : 1; /* without its brace */
    out->size = 0;
    good = buffer_append(out, before ? before : "{", length);
    for (uint32_t column = 0; column < table_columns(&join->table) && good; column++) {
        if (join->by_file && join->is_key[column])
            continue; /* it would only say what the item is called */
        good = value_of_rows(join, column, &value);
        if (good && value.size)
            good = add_column(join, before, table_name(&join->table, column), (const char *)value.data, out);
    }
    if (row)
        sqlite3_reset(statement);
    mist_buffer_free(&value);
    if (!good || !json_put(out, "}") || !buffer_append_zeros(out, 1))
        return no_memory(error);
    if (out->size <= 3)
        return MIST_OK; /* "{}" */
    join->joined++;
    return database_run(database, Q_JOINED_PUT, error, "tt", entry->item.path, (const char *)out->data);
}

/* ---- one table ---- */

static void say(struct join *join, const char *sentence)
{
    join->report->warnings++;
    tally_note(join->tally, join->path, sentence);
}

static void report_table(struct join *join, uint32_t best)
{
    struct mist_store_report *report = join->report;
    char sentence[400];
    if (join->conflicts) {
        snprintf(sentence, sizeof sentence,
                 "another table says otherwise of %" PRIu32 " values, as of '%s', and is believed; --table chooses",
                 join->conflicts, join->conflict);
        say(join, sentence);
    }
    report->table_count++;
    if (report->table_count > MIST_STORE_TABLES)
        return;
    struct mist_store_table *table = &report->tables[report->table_count - 1];
    snprintf(table->path, sizeof table->path, "%s", join->path);
    snprintf(table->key, sizeof table->key, "%s", table_name(&join->table, best));
    table->items = join->joined;
    table->columns = table_columns(&join->table);
}

static enum mist_status join_table(struct join *join, bool asked, struct mist_error *error)
{
    struct maker *maker = join->maker;
    size_t scope = 0;
    uint32_t best = 0;
    bool any = false;
    join->joined = join->conflicts = 0;
    join->scores = memory_allocate_zeroed(table_columns(&join->table), sizeof *join->scores);
    if (!join->scores || !table_index_make(&join->table, table_columns(&join->table), &join->index)) {
        memory_free(join->scores);
        return no_memory(error);
    }
    enum mist_status status = find_keys(join, asked, &scope, &best, &any, error);
    if (!status && any)
        status = each_item(join, join->path, scope, join_item, error);
    if (!status && join->joined) {
        const bool wide = scope == 0 && strchr(join->path, '/');
        status = database_run(&maker->database, Q_ATTACHMENT_MARK, error, "tiit", table_name(&join->table, best),
                              (int64_t)wide, maker->id, join->path);
        report_table(join, best);
    } else if (!status && asked) {
        say(join, "no column of it names items of the dataset");
    }
    table_index_free(&join->index);
    memory_free(join->scores);
    join->scores = NULL;
    return status;
}

static enum mist_status try_table(struct join *join, const char *path, bool asked, struct mist_error *error)
{
    struct mist_error why = {0};
    char sentence[300];
    char *file = maker_path(join->maker, MIST_CATALOG_ATTACHMENT, path);
    if (!file)
        return no_memory(error);
    join->path = path;
    enum mist_status status = MIST_OK, read = table_read(file, path, &join->table, &why);
    memory_free(file);
    if (read == MIST_ERROR_MEMORY)
        status = no_memory(error);
    else if (read && (asked || read != MIST_ERROR_NOT_FOUND)) {
        snprintf(sentence, sizeof sentence, "no columns are taken from this table: %.200s", why.message);
        say(join, sentence);
    } else if (!read && (asked || may_name_items(join)))
        status = join_table(join, asked, error);
    table_free(&join->table);
    return status;
}

/* ---- all of them ---- */

/* The paths of attachments that are tables by their names, each with its NUL. */
static enum mist_status list_tables(struct maker *maker, struct mist_buffer *paths, struct mist_error *error)
{
    sqlite3_stmt *rows = NULL;
    enum mist_status status = database_query(&maker->database, Q_ATTACHMENTS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        const char *path = !status && row ? column_text(rows, 0) : NULL;
        if (path && table_is_named_so(path) && !buffer_append(paths, path, strlen(path) + 1))
            status = no_memory(error);
    }
    if (rows)
        sqlite3_reset(rows);
    return status;
}

static enum mist_status join_all(struct join *join, const char *const *only, uint32_t only_count,
                                 struct mist_error *error)
{
    struct maker *maker = join->maker;
    struct mist_buffer paths = {0};
    enum mist_status status = list_tables(maker, &paths, error);
    if (!status && paths.size)
        status = make_filter(join, error);
    for (uint32_t i = 0; i < only_count && !status; i++) {
        size_t at = 0;
        while (at < paths.size && strcmp((const char *)paths.data + at, only[i]) != 0)
            at += strlen((const char *)paths.data + at) + 1;
        if (at < paths.size) {
            status = try_table(join, only[i], true, error);
        } else {
            join->path = only[i];
            say(join, "there is no such table (.csv, .tsv, .json) in the dataset");
        }
    }
    for (size_t at = 0; only_count == 0 && at < paths.size && !status; at += strlen((const char *)paths.data + at) + 1)
        status = try_table(join, (const char *)paths.data + at, false, error);
    mist_buffer_free(&paths);
    return status;
}

enum mist_status tables_join(struct maker *maker, const char *const *only, uint32_t only_count, struct tally *tally,
                             struct mist_store_report *report, struct mist_error *error)
{
    struct join *join = memory_allocate_zeroed(1, sizeof *join);
    if (!join)
        return no_memory(error);
    join->maker = maker;
    join->tally = tally;
    join->report = report;
    tally_phase(tally, "tables", 0);
    enum mist_status status = maker_begin(maker, error);
    if (!status)
        status = database_execute(&maker->database, table_tables, error);
    if (!status)
        status = database_run(&maker->database, Q_ATTACHMENTS_UNMARK, error, "i", maker->id);
    if (!status)
        status = join_all(join, only, only_count, error);
    if (!status)
        status = database_run(&maker->database, Q_ITEMS_SET_COLUMNS, error, "i", maker->id);
    if (status)
        maker_rollback(maker);
    else
        status = maker_commit(maker, error);
    mist_buffer_free(&join->filter);
    catalog_row_free(&join->row);
    memory_free(join);
    return status;
}
