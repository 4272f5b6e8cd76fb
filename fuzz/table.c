/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables (first byte modulo 4: 0 CSV, 1 TSV, 2 JSON), the conditions on their columns and the names of files (3), and
 * the catalog's lines (3, too).
 */
#include "fuzz.h"

#include "source/catalog.h"
#include "source/condition.h"
#include "source/naming.h"
#include "store/table.h"

#include <stdlib.h>
#include <string.h>

static void read_table(const char *path, const uint8_t *data, size_t size)
{
    struct mist_error error = {0};
    struct table table = {0};
    if (table_parse(path, (const char *)data, size, &table, &error)) {
        fuzz_require(error.message[0]);
        table_free(&table);
        return;
    }
    fuzz_require(table_columns(&table) <= TABLE_MAX_COLUMNS && table_rows(&table) > 0);
    size_t cells = 0;
    for (uint32_t row = 0; row < table_rows(&table); row++) {
        uint32_t count;
        const struct table_cell *cell = table_row(&table, row, &count);
        cells += count;
        for (uint32_t i = 0; i < count; i++) {
            const size_t length = strlen(table_text(&table, &cell[i]));
            fuzz_require(cell[i].column < table_columns(&table) && length > 0 && length <= TABLE_MAX_VALUE);
        }
    }
    fuzz_require(cells * sizeof(struct table_cell) == table.cells.size);
    for (uint32_t column = 0; column < table_columns(&table); column++)
        fuzz_require(strlen(table_name(&table, column)) <= TABLE_MAX_NAME);
    table_free(&table);
}

static bool visit(void *context, enum naming naming, const char *name, size_t length)
{
    size_t *visited = context;
    *visited += length;
    return naming < NAMINGS && name != NULL;
}

static void read_line(const char *text, size_t size)
{
    struct condition condition;
    struct catalog_row row = {0};
    size_t visited = 0;
    bool known;
    const enum mist_status status = condition_parse(text, &condition, NULL);
    if (catalog_row_parse(text, size, &row, NULL) == MIST_OK) {
        naming_each(&row.entry, visit, &visited);
        if (!status && row.entry.kind == MIST_CATALOG_ITEM)
            condition_meets(&condition, &row.entry.item, &known);
    }
    struct mist_catalog_column column = {text, text};
    const struct mist_catalog_item item = {.path = text, .column_count = 1, .columns = &column};
    if (!status)
        condition_meets(&condition, &item, &known);
    naming_case(text);
    naming_stem(text);
    condition_free(&condition);
    catalog_row_free(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"t.csv", "t.tsv", "dir/t.json"};
    const unsigned kind = (unsigned)fuzz_take(&data, &size, 1) % 4;
    if (kind < 3) {
        read_table(paths[kind], data, size);
        return 0;
    }
    char *text = malloc(size + 1);
    fuzz_require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    read_line(text, size);
    free(text);
    return 0;
}
