/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are tables: which, and what is read of them. */
#include "store/table.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>
#include <zlib.h>

/* ---- reading ---- */

static bool ends_in(const char *path, size_t length, const char *suffix)
{
    const size_t size = strlen(suffix);
    return length > size && strncasecmp(path + length - size, suffix, size) == 0;
}

/* The length of a path without ".gz". */
static size_t plain_length(const char *path)
{
    const size_t length = strlen(path);
    return ends_in(path, length, ".gz") ? length - 3 : length;
}

bool table_is_named_so(const char *path)
{
    const size_t length = plain_length(path);
    return ends_in(path, length, ".csv") || ends_in(path, length, ".tsv") || ends_in(path, length, ".json");
}

/* Texts of columns go into JSON, so they are UTF-8, and no NUL ends them early. */
static enum mist_status check_text(const char *text, size_t size, struct mist_error *error)
{
    size_t line = 1;
    for (size_t at = 0; at < size;) {
        const size_t length = text[at] ? utf8_length(text + at, size - at) : 0;
        if (length == 0)
            return error_set(error, MIST_ERROR_CORRUPT, "line %zu is not UTF-8", line);
        line += text[at] == '\n';
        at += length;
    }
    return MIST_OK;
}

enum mist_status table_parse(const char *path, const char *text, size_t size, struct table *table,
                             struct mist_error *error)
{
    const size_t length = plain_length(path);
    if (size > TABLE_MAX_BYTES / 2)
        return error_set(error, MIST_ERROR_LIMIT, "it is larger than %zu MiB", TABLE_MAX_BYTES >> 21);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        text += 3;
        size -= 3;
    }
    enum mist_status status = check_text(text, size, error);
    if (status)
        return status;
    if (!ends_in(path, length, ".json"))
        return table_parse_csv(text, size, ends_in(path, length, ".tsv"), table, error);
    const char *base = strrchr(path, '/');
    char name[TABLE_MAX_NAME];
    base = base ? base + 1 : path;
    const size_t stem = length - (size_t)(base - path) - strlen(".json");
    const size_t taken = stem < sizeof name ? stem : sizeof name - 1;
    memcpy(name, base, taken);
    name[taken] = '\0';
    return table_parse_json(text, size, name, table, error);
}

static enum mist_status unpack(const char *file, struct mist_buffer *text, struct mist_error *error)
{
    enum { STEP = 1 << 18 };
    gzFile from = gzopen(file, "rb");
    enum mist_status status = from ? MIST_OK : error_set(error, MIST_ERROR_IO, "it cannot be opened");
    for (int got = 1; !status && got > 0;) {
        if (text->size > TABLE_MAX_BYTES / 2)
            status = error_set(error, MIST_ERROR_LIMIT, "it is larger than %zu MiB", TABLE_MAX_BYTES >> 21);
        else if (!buffer_reserve(text, text->size + STEP))
            status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
        got = status ? 0 : gzread(from, text->data + text->size, STEP);
        if (got < 0)
            status = error_set(error, MIST_ERROR_CORRUPT, "its gzip data is damaged");
        else
            text->size += (size_t)got;
    }
    if (from && gzclose(from) != Z_OK && !status)
        status = error_set(error, MIST_ERROR_CORRUPT, "its gzip data ends early");
    return status;
}

enum mist_status table_read(const char *file, const char *path, struct table *table, struct mist_error *error)
{
    enum mist_status status;
    if (plain_length(path) < strlen(path)) {
        struct mist_buffer text = {0};
        status = unpack(file, &text, error);
        if (!status)
            status = table_parse(path, text.size ? (const char *)text.data : "", text.size, table, error);
        mist_buffer_free(&text);
    } else {
        struct file_map map;
        status = file_map_open(file, &map, error);
        if (status)
            return status;
        status = table_parse(path, (const char *)map.data, map.size, table, error);
        file_map_close(&map);
    }
    return status;
}
