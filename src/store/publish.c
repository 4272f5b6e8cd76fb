/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables -> catalog.jsonl.zst, in two passes of bounded memory: totals, then rows. */
#include "store/maker.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "source/card.h"
#include "source/lines.h"
#include "store/store_database.h"
#include "store/tree_file.h"

#include <stdio.h>
#include <string.h>

/* A row's part of the dataset's id: what names its content. */
static void add_to_id(struct checksum_state *id, const char *path, uint64_t size, uint64_t content)
{
    uint8_t numbers[16];
    store_le64(numbers, size);
    store_le64(numbers + 8, content);
    checksum_add(id, path, strlen(path) + 1);
    checksum_add(id, numbers, sizeof numbers);
}

static enum mist_status sum_up(struct maker *maker, struct mist_dataset_info *info, struct mist_error *error)
{
    sqlite3_stmt *rows = NULL;
    *info = (struct mist_dataset_info){.card = info->card};
    memcpy(info->name, maker->name, sizeof info->name);
    struct checksum_state *id = checksum_start();
    if (!id)
        return error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
    enum mist_status status = database_query(&maker->database, Q_ITEMS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        if (status || !row)
            break;
        info->items++;
        info->item_bytes += (uint64_t)sqlite3_column_int64(rows, 2);
        info->source_bytes += (uint64_t)sqlite3_column_int64(rows, 3);
        add_to_id(id, column_text(rows, 0), (uint64_t)sqlite3_column_int64(rows, 2),
                  (uint64_t)sqlite3_column_int64(rows, 1));
        const char *columns = column_text(rows, 5);
        if (columns)
            checksum_add(id, columns, strlen(columns) + 1);
    }
    checksum_add(id, "", 1); /* between items and attachments */
    if (!status)
        status = database_query(&maker->database, Q_ATTACHMENTS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        if (status || !row)
            break;
        const struct mist_catalog_attachment attachment = attachment_of_row(rows);
        info->attachments++;
        info->attachment_bytes += attachment.size;
        add_to_id(id, attachment.path, attachment.size, attachment.checksum);
        if (attachment.kept)
            checksum_add(id, attachment.kept, strlen(attachment.kept) + 1);
        if (attachment.table)
            checksum_add(id, attachment.table, strlen(attachment.table) + 1);
    }
    info->id = checksum_value(id);
    checksum_free(id);
    return status;
}

/* Whether the published catalog is already this one. */
static bool is_published(const char *path, const struct mist_dataset_info *info)
{
    mist_catalog *catalog;
    if (mist_catalog_open(path, &catalog, NULL) != MIST_OK)
        return false;
    const struct mist_dataset_info *old = mist_catalog_dataset(catalog);
    bool same = strcmp(old->name, info->name) == 0 && old->items == info->items &&
                old->attachments == info->attachments && old->source_bytes == info->source_bytes &&
                old->item_bytes == info->item_bytes && old->attachment_bytes == info->attachment_bytes &&
                old->id == info->id && card_same(&old->card, &info->card) &&
                memcmp(&old->tree, &info->tree, sizeof info->tree) == 0;
    /* The first line is cheap to read but does not say that the rest is whole. */
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    while (same && entry.kind != MIST_CATALOG_END)
        same = mist_catalog_next(catalog, &entry, NULL) == MIST_OK;
    mist_catalog_close(&catalog);
    return same;
}

/* ---- lines ---- */

static enum mist_status write_rows(struct maker *maker, const struct mist_dataset_info *info,
                                   struct lines_writer *writer, struct mist_error *error)
{
    sqlite3_stmt *rows = NULL;
    struct mist_buffer *text = &maker->text;
    text->size = 0;
    enum mist_status status = mist_catalog_header_write(info, text, error);
    if (!status)
        status = lines_writer_put(writer, text, error);
    if (!status)
        status = database_query(&maker->database, Q_ITEMS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        if (status || !row)
            break;
        if (!buffer_append(text, column_text(rows, 4), (size_t)sqlite3_column_bytes(rows, 4)))
            status = error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
        else
            status = lines_writer_put(writer, text, error);
    }
    if (!status)
        status = database_query(&maker->database, Q_ATTACHMENTS, &rows, error, "i", maker->id);
    for (bool row = true; !status && row;) {
        status = database_step(&maker->database, rows, &row, error);
        if (status || !row)
            break;
        const struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ATTACHMENT,
                                                 .attachment = attachment_of_row(rows)};
        status = mist_catalog_entry_write(&entry, text, error);
        if (!status)
            status = lines_writer_put(writer, text, error);
    }
    return status;
}

static enum mist_status write_catalog(struct maker *maker, const char *path, const struct mist_dataset_info *info,
                                      struct mist_error *error)
{
    struct lines_writer *writer = NULL;
    enum mist_status status = lines_writer_open(path, &writer, error);
    if (!status)
        status = write_rows(maker, info, writer, error);
    if (!status)
        status = lines_writer_commit(&writer, error);
    lines_writer_cancel(&writer);
    return status;
}

enum mist_status maker_publish(struct maker *maker, const struct mist_dataset_card *card,
                               struct mist_dataset_info *info, struct mist_error *error)
{
    struct mist_buffer text = {0};
    char *path = maker_path(maker, MIST_CATALOG_END, NULL);
    if (!path)
        return error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
    enum mist_status status = maker_commit(maker, error);
    *info = (struct mist_dataset_info){.card = *card};
    if (!status)
        status = sum_up(maker, info, error);
    tree_file_describe(maker, &info->tree);
    if (!status && !is_published(path, info))
        status = write_catalog(maker, path, info, error);
    if (!status && (!card_write(card, &text) || !buffer_append_zeros(&text, 1)))
        status = error_set(error, MIST_ERROR_MEMORY, "the catalog: out of memory");
    if (!status)
        status = database_run(&maker->database, Q_DATASET_SET_INFO, error, "iiiiiuti", (int64_t)info->items,
                              (int64_t)info->attachments, (int64_t)info->source_bytes, (int64_t)info->item_bytes,
                              (int64_t)info->attachment_bytes, info->id, (const char *)text.data, maker->id);
    mist_buffer_free(&text);
    memory_free(path);
    return status;
}
