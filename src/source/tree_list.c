/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/tree_list.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "source/catalog.h"
#include "source/lines.h"

#include <inttypes.h>
#include <string.h>

enum { VERSION = 1, LONGEST_LINE = 1 << 16 };

/* ---- writing ---- */

bool tree_header_write(const struct mist_dataset_tree *tree, struct mist_buffer *out)
{
    return json_put(out,
                    "{\"format\":\"mist-tree\",\"version\":%d,\"files\":%" PRIu64 ",\"directories\":%" PRIu64
                    ",\"empty\":%" PRIu64 ",\"links\":%" PRIu64 "}",
                    VERSION, tree->files, tree->directories, tree->empty, tree->links);
}

bool tree_entry_write(const struct tree_entry *entry, struct mist_buffer *out)
{
    bool good = json_put(out, "{\"path\":") && json_put_string(out, entry->path);
    if (entry->directory)
        good = good && json_put(out, ",\"directory\":true");
    if (entry->empty)
        good = good && json_put(out, ",\"empty\":true");
    if (entry->target)
        good = good && json_put(out, ",\"target\":") && json_put_string(out, entry->target);
    return good && json_put(out, ",\"mode\":%u,\"mtime\":%" PRId64 "}", entry->mode, entry->mtime);
}

/* ---- reading ---- */

struct tree_list {
    struct lines_reader *lines;
    struct mist_buffer text; /* path and target of the entry */
    char last[PATH_ROOM];
};

bool tree_resolve(const char *link, const char *target, char path[PATH_ROOM])
{
    size_t length = strlen(link);
    if (length >= PATH_ROOM || *target == '/')
        return false;
    memcpy(path, link, length + 1);
    while (length > 0 && path[length - 1] != '/')
        length--;
    length -= length > 0; /* the directory, without its slash */
    for (const char *part = target; *part;) {
        const size_t size = strcspn(part, "/");
        if (size == 2 && memcmp(part, "..", 2) == 0) {
            if (length == 0)
                return false;
            while (length > 0 && path[length - 1] != '/')
                length--;
            length -= length > 0;
        } else if (size > 0 && !(size == 1 && *part == '.')) {
            if (length + size + 2 > PATH_ROOM)
                return false;
            if (length)
                path[length++] = '/';
            memcpy(path + length, part, size);
            length += size;
        }
        part += size + (part[size] == '/');
    }
    path[length] = '\0';
    return length == 0 || path_is_safe(path, length);
}

static enum mist_status damaged(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the tree list is damaged");
}

bool tree_count_read(struct json_reader *json, const char *key, struct mist_dataset_tree *tree)
{
    uint64_t *count = strcmp(key, "files") == 0         ? &tree->files
                      : strcmp(key, "directories") == 0 ? &tree->directories
                      : strcmp(key, "empty") == 0       ? &tree->empty
                      : strcmp(key, "links") == 0       ? &tree->links
                                                        : NULL;
    if (count)
        *count = json_unsigned(json, CATALOG_MAX_ENTRIES);
    return count != NULL;
}

static enum mist_status parse_header(const char *line, size_t size, struct mist_dataset_tree *counts,
                                     struct mist_error *error)
{
    struct json_reader json = json_start(line, size);
    char key[16], format[16] = "";
    uint64_t version = 0;
    *counts = (struct mist_dataset_tree){0};
    json_enter_object(&json);
    while (json_key(&json, key, sizeof key)) {
        if (strcmp(key, "format") == 0)
            json_short_string(&json, format, sizeof format);
        else if (strcmp(key, "version") == 0)
            version = json_unsigned(&json, UINT32_MAX);
        else if (!tree_count_read(&json, key, counts))
            json_skip(&json);
    }
    if (!json_finished(&json) || strcmp(format, "mist-tree") != 0 || version != VERSION)
        return damaged(error);
    return MIST_OK;
}

enum mist_status tree_list_open(const uint8_t *data, size_t size, struct tree_list **result,
                                struct mist_dataset_tree *counts, struct mist_error *error)
{
    struct tree_list *list = *result = memory_allocate_zeroed(1, sizeof *list);
    const char *line;
    size_t length;
    if (!list)
        return error_set(error, MIST_ERROR_MEMORY, "reading the tree list: out of memory");
    enum mist_status status = lines_reader_open(data, size, "the tree list", LONGEST_LINE, &list->lines, error);
    if (!status)
        status = lines_reader_next(list->lines, &line, &length, error);
    if (!status)
        status = line ? parse_header(line, length, counts, error) : damaged(error);
    if (status)
        tree_list_close(result);
    return status;
}

void tree_list_close(struct tree_list **list)
{
    if (!*list)
        return;
    lines_reader_close(&(*list)->lines);
    mist_buffer_free(&(*list)->text);
    memory_free(*list);
    *list = NULL;
}

enum mist_status tree_list_next(struct tree_list *list, struct tree_entry *entry, struct mist_error *error)
{
    const char *line;
    char key[16], inside[PATH_ROOM];
    size_t size, path = SIZE_MAX, path_length = 0, target = SIZE_MAX, target_length = 0;
    *entry = (struct tree_entry){.path = NULL};
    enum mist_status status = lines_reader_next(list->lines, &line, &size, error);
    if (status || !line)
        return status;
    struct json_reader json = json_start(line, size);
    list->text.size = 0;
    json_enter_object(&json);
    while (json_key(&json, key, sizeof key)) {
        if (strcmp(key, "path") == 0)
            json_text(&json, &list->text, &path, &path_length);
        else if (strcmp(key, "target") == 0)
            json_text(&json, &list->text, &target, &target_length);
        else if (strcmp(key, "directory") == 0)
            entry->directory = json_boolean(&json);
        else if (strcmp(key, "empty") == 0)
            entry->empty = json_boolean(&json);
        else if (strcmp(key, "mode") == 0)
            entry->mode = (unsigned)json_unsigned(&json, 07777);
        else if (strcmp(key, "mtime") == 0)
            entry->mtime = json_signed(&json, INT64_MIN + 1, INT64_MAX);
        else
            json_skip(&json);
    }
    if (!json_finished(&json) || path == SIZE_MAX)
        return damaged(error);
    const char *texts = (const char *)list->text.data;
    if (!path_is_safe(texts + path, path_length) || strcmp(list->last, texts + path) >= 0)
        return damaged(error);
    if (target != SIZE_MAX && (strlen(texts + target) != target_length || target_length >= PATH_ROOM ||
                               !tree_resolve(texts + path, texts + target, inside)))
        return damaged(error);
    memcpy(list->last, texts + path, path_length + 1);
    entry->path = list->last;
    entry->target = target == SIZE_MAX ? NULL : texts + target;
    return MIST_OK;
}
