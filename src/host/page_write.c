/* SPDX-License-Identifier: BSD-2-Clause */
/* The page beside a store's files, for web servers that run no program. */
#include "host/page.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

#include <mist/host.h>
#include <mist/source.h>
#include <stdio.h>
#include <string.h>

/* Where its files go: no dataset may be called so, for it is none. */
#define PAGE_DIRECTORY "mist-page"

static enum mist_status add_dataset(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct mist_buffer *text = context;
    if (strcmp(info->name, PAGE_DIRECTORY) == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "a dataset is called %s, where the page's files go; rename it",
                         PAGE_DIRECTORY);
    if (!json_put(text, text->size > strlen("{\"datasets\": [") ? ",\n" : "\n"))
        return error_set(error, MIST_ERROR_MEMORY, "the list of datasets: out of memory");
    return mist_dataset_info_write(info, NULL, 0, text, error);
}

static enum mist_status write_file(const char *directory, const char *name, const void *bytes, size_t size,
                                   struct mist_error *error)
{
    char *path = path_join(directory, name);
    enum mist_status status = path ? file_write_whole(path, bytes, size, error)
                                   : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", directory);
    memory_free(path);
    return status;
}

/* Appends `text` with every `from` in it replaced. */
static bool replace(const char *text, const char *from, const char *to, struct mist_buffer *out)
{
    bool good = true;
    for (const char *at; good && (at = strstr(text, from)) != NULL; text = at + strlen(from))
        good = buffer_append(out, text, (size_t)(at - text)) && buffer_append(out, to, strlen(to));
    return good && buffer_append(out, text, strlen(text));
}

/* As it is served, but that it looks for files. */
static enum mist_status write_index(const char *store, struct mist_error *error)
{
    const struct page_file *index = page_file_find("index.html");
    struct mist_buffer text = {0}, moved = {0}, out = {0};
    bool good = buffer_append(&text, index->data, index->size) && buffer_append_zeros(&text, 1) &&
                replace((const char *)text.data, "\"page/", "\"" PAGE_DIRECTORY "/", &moved) &&
                buffer_append_zeros(&moved, 1) &&
                replace((const char *)moved.data, "data-store=\"host\"", "data-store=\"files\"", &out);
    enum mist_status status = good ? write_file(store, "index.html", out.data, out.size, error)
                                   : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", store);
    mist_buffer_free(&text);
    mist_buffer_free(&moved);
    mist_buffer_free(&out);
    return status;
}

enum mist_status mist_page_write(const char *path, struct mist_error *error)
{
    mist_store *store = NULL;
    struct mist_buffer text = {0};
    char *directory = path_join(path, PAGE_DIRECTORY);
    enum mist_status status = !directory ? error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path)
                              : !page_file_find("mist.wasm")
                                  ? error_set(error, MIST_ERROR_UNSUPPORTED,
                                              "this program was built without mist.wasm, which the page needs; run "
                                              "scripts/setup and build again")
                                  : mist_store_open(path, &store, error);
    if (!status && !json_put(&text, "{\"datasets\": ["))
        status = error_set(error, MIST_ERROR_MEMORY, "the list of datasets: out of memory");
    if (!status)
        status = mist_store_datasets(store, add_dataset, &text, error);
    if (!status && !json_put(&text, "]}\n"))
        status = error_set(error, MIST_ERROR_MEMORY, "the list of datasets: out of memory");
    for (const struct page_file *file = page_files; !status && file->name; file++)
        if (strcmp(file->name, "index.html") != 0)
            status = write_file(directory, file->name, file->data, file->size, error);
    if (!status)
        status = write_file(path, "datasets.json", text.data, text.size, error);
    if (!status)
        status = write_index(path, error);
    mist_store_close(&store);
    mist_buffer_free(&text);
    memory_free(directory);
    return status;
}
