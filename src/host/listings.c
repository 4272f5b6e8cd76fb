/* SPDX-License-Identifier: BSD-2-Clause */
/* Datasets, and what is in one, as JSON: the catalog's rows. */
#include "host/access.h"
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_LIMIT = 1000, MAX_LIMIT = 10000 };
/* A page ends early when it has become this long: a row can name a million files. */
static const size_t MAX_PAGE = (size_t)4 << 20;

static enum mist_status out_of_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "an answer: out of memory");
}

struct listing {
    struct request *request;
    struct mist_buffer *text;
};

/* Adds it if the request may know of it. */
static enum mist_status add_dataset(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct mist_buffer *text = ((struct listing *)context)->text;
    if (!access_allows(((struct listing *)context)->request, info->name))
        return MIST_OK;
    bool first = text->data[text->size - 1] == '[';
    if (!json_put(text, first ? "\n" : ",\n"))
        return out_of_memory(error);
    return mist_dataset_info_write(info, NULL, 0, text, error);
}

void answer_datasets(struct request *request, struct worker *worker)
{
    struct mist_error error = {0};
    struct mist_buffer text = {0};
    (void)worker;
    if (!parameters_known(request))
        return;
    enum mist_status status = json_put(&text, "{\"datasets\": [") ? MIST_OK : out_of_memory(&error);
    if (!status)
        status = mist_store_datasets(request->host->store, add_dataset, &(struct listing){request, &text}, &error);
    if (!status && !json_put(&text, "]}\n"))
        status = out_of_memory(&error);
    if (!status)
        reply_text(request, "application/json", &text);
    else
        reply_failure(request, &error);
    mist_buffer_free(&text);
}

void answer_dataset(struct request *request, struct worker *worker)
{
    struct mist_error error = {0};
    struct mist_buffer text = {0};
    struct mist_dataset_info info;
    (void)worker;
    if (!parameters_known(request))
        return;
    enum mist_status status = mist_store_dataset(request->host->store, request->dataset, &info, &error);
    if (!status)
        status = mist_dataset_info_write(&info, NULL, 0, &text, &error);
    if (!status && !json_put(&text, "\n"))
        status = out_of_memory(&error);
    if (!status)
        reply_text(request, "application/json", &text);
    else
        reply_failure(request, &error);
    mist_buffer_free(&text);
}

/* ---- a page of rows ---- */

struct page {
    struct mist_buffer text;
    struct mist_buffer last; /* the path of the last row, with its NUL */
    uint64_t rows, limit;
    bool more;
};

/* Asks for one row more than the limit: so it is known whether there are more. */
static enum mist_status add_row(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct page *page = context;
    if (page->rows == page->limit || page->text.size > MAX_PAGE) {
        page->more = true;
        return error_set(error, MIST_ERROR_CANCELLED, "the page is full");
    }
    const char *path = entry->kind == MIST_CATALOG_ITEM ? entry->item.path : entry->attachment.path;
    if (!json_put(&page->text, page->rows++ ? ",\n" : "\n"))
        return out_of_memory(error);
    enum mist_status status = mist_catalog_entry_write(entry, &page->text, error);
    if (status)
        return status;
    page->last.size = 0;
    return buffer_append(&page->last, path, strlen(path) + 1) ? MIST_OK : out_of_memory(error);
}

static bool end_page(struct page *page)
{
    return json_put(&page->text, "], \"next\": ") &&
           (page->more ? json_put_string(&page->text, (const char *)page->last.data) : json_put(&page->text, "null")) &&
           json_put(&page->text, "}\n");
}

static void answer_page(struct request *request, enum mist_catalog_kind kind)
{
    struct mist_error error = {0};
    struct page page = {.limit = DEFAULT_LIMIT};
    const char *after = target_parameter(&request->target, "after");
    const char *limit = target_parameter(&request->target, "limit");
    const char *path = target_parameter(&request->target, "path");
    if (!parameters_known(request))
        return;
    if (path && (after || limit)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "path asks for one row: there is no after and no limit with it");
        return;
    }
    if (limit && (!parse_unsigned(limit, MAX_LIMIT, &page.limit) || page.limit == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "limit is a whole number from 1 to %d", MAX_LIMIT);
        return;
    }
    bool items = kind == MIST_CATALOG_ITEM;
    enum mist_status status =
        json_put(&page.text, "{\"%s\": [", items ? "items" : "files") ? MIST_OK : out_of_memory(&error);
    if (!status && path)
        status = mist_store_find(request->host->store, request->dataset, kind, path, add_row, &page, &error);
    else if (!status)
        status = (items ? mist_store_items : mist_store_attachments)(request->host->store, request->dataset, after,
                                                                     page.limit + 1, add_row, &page, &error);
    if (status == MIST_ERROR_CANCELLED && page.more)
        status = MIST_OK;
    if (!status && !end_page(&page))
        status = out_of_memory(&error);
    if (!status)
        reply_text(request, "application/json", &page.text);
    else
        reply_failure(request, &error);
    mist_buffer_free(&page.text);
    mist_buffer_free(&page.last);
}

void answer_items(struct request *request, struct worker *worker)
{
    (void)worker;
    answer_page(request, MIST_CATALOG_ITEM);
}

void answer_files(struct request *request, struct worker *worker)
{
    (void)worker;
    answer_page(request, MIST_CATALOG_ATTACHMENT);
}
