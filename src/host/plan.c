/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a download at some resolution would fetch, exactly: one line for each item and attachment, read from the index
 * page by page while it is sent, so a dataset of a million items takes no more memory than one of ten.
 */
#include "host/reply.h"
#include "host/resolution.h"
#include "host/router.h"

#include "base/error.h"
#include "base/memory.h"
#include "source/plan_row.h"

#include <string.h>

enum { PAGE_ROWS = 256 };

struct plan {
    struct mist_dataset_info dataset;
    struct select select;
    const char *lists[3][TARGET_MAX_PARAMETERS]; /* include, exclude, where */
    enum mist_catalog_kind kind;                 /* being listed; MIST_CATALOG_END behind the last */
    struct mist_buffer after;                    /* the path of the last row, "" before the first; with its NUL */
    struct select_budget budget;
    struct mist_buffer *out; /* NULL: the selection is looked for, and then the budget added up */
    struct request *request;
    struct plan_totals totals;
    unsigned page_rows;
    bool started;
};

static enum mist_status visit(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct plan *plan = context;
    bool good = true;
    const char *path = entry->kind == MIST_CATALOG_ITEM ? entry->item.path : entry->attachment.path;
    plan->page_rows++;
    if (!selection_is_ready(plan->select.selection)) {
        enum mist_status status = selection_look(plan->select.selection, entry, error);
        if (status)
            return status;
    } else if (!plan->out)
        select_budget_add(&plan->select, entry, &plan->budget);
    else if (select_takes(&plan->select, entry))
        good = plan_row_write(&plan->select, entry, &plan->totals, plan->out);
    plan->after.size = 0;
    good = good && buffer_append(&plan->after, path, strlen(path) + 1);
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a plan: out of memory");
}

/* The next page of the list that is being read; page_rows is less than PAGE_ROWS at its end. */
static enum mist_status read_page(struct plan *plan, struct mist_error *error)
{
    mist_store *store = plan->request->host->store;
    const char *after = plan->after.size ? (const char *)plan->after.data : NULL;
    plan->page_rows = 0;
    return (plan->kind == MIST_CATALOG_ITEM ? mist_store_items : mist_store_attachments)(
        store, plan->dataset.name, after, PAGE_ROWS, visit, plan, error);
}

static void next_list(struct plan *plan)
{
    plan->kind = plan->kind == MIST_CATALOG_ITEM ? MIST_CATALOG_ATTACHMENT : MIST_CATALOG_END;
    plan->after.size = 0;
}

/* ---- the answer ---- */

static int produce(void *context, struct request *request, struct mist_buffer *out)
{
    struct plan *plan = context;
    bool good = true;
    (void)request;
    plan->out = out;
    if (!plan->started)
        good = plan_start_write(&plan->dataset, out);
    plan->started = true;
    if (!good || read_page(plan, NULL) != MIST_OK)
        return -1;
    if (plan->page_rows < PAGE_ROWS)
        next_list(plan);
    if (plan->kind != MIST_CATALOG_END)
        return 1;
    return plan_totals_write(&plan->totals, out) ? 0 : -1;
}

static void release_plan(void *context)
{
    struct plan *plan = context;
    mist_buffer_free(&plan->after);
    select_end(&plan->select);
    memory_free(plan);
}

/* Goes through all items and attachments once, on a worker. Answers if that fails. */
static bool go_through(struct plan *plan)
{
    struct mist_error error = {0};
    enum mist_status status = MIST_OK;
    while (plan->kind != MIST_CATALOG_END && !status) {
        if (atomic_load(&plan->request->host->draining)) {
            reply_error(plan->request, MHD_HTTP_SERVICE_UNAVAILABLE, "this host is about to stop");
            return false;
        }
        status = read_page(plan, &error);
        if (plan->page_rows < PAGE_ROWS)
            next_list(plan);
    }
    plan->kind = MIST_CATALOG_ITEM;
    if (status)
        reply_failure(plan->request, &error);
    return !status;
}

static bool choose_entries(struct plan *plan)
{
    struct selection *selection = plan->select.selection;
    struct mist_error error = {0};
    while (!selection_is_ready(selection)) {
        if (!go_through(plan))
            return false;
        if (selection_looked(selection, &error)) {
            reply_failure(plan->request, &error);
            return false;
        }
    }
    return true;
}

/* max-bytes: the largest common reduce at which items and attachments fit. Answers if none fits. */
static bool choose_by_bytes(struct plan *plan, uint64_t max_bytes)
{
    struct mist_error error = {0};
    if (!go_through(plan))
        return false;
    if (select_budget_choose(&plan->select, &plan->budget, max_bytes, &error)) {
        reply_error(plan->request, MHD_HTTP_BAD_REQUEST, "%s", error.message);
        return false;
    }
    return true;
}

/* Whole numbers; answers where one is none. */
static bool read_count(struct plan *plan, const char *name, uint64_t least, uint64_t *value)
{
    const char *text = target_parameter(&plan->request->target, name);
    *value = 0;
    if (!text || (parse_unsigned(text, UINT64_MAX, value) && *value >= least))
        return true;
    reply_error(plan->request, MHD_HTTP_BAD_REQUEST, "%s is a whole number%s", name, least ? " above 0" : "");
    return false;
}

/* What is chosen and how it is written, as `mist get` has it. Answers if it makes no sense. */
static bool read_select(struct plan *plan)
{
    static const char *const names[3] = {"include", "exclude", "where"};
    const struct target *target = &plan->request->target;
    struct select *select = &plan->select;
    struct mist_resolution_request *asked = &select->resolution;
    struct mist_selection which = {.include = plan->lists[0], .exclude = plan->lists[1], .where = plan->lists[2]};
    uint32_t *counts[3] = {&which.include_count, &which.exclude_count, &which.where_count};
    const char *exact = target_parameter(target, "exact"), *grid = target_parameter(target, "grid");
    struct mist_error error = {0};
    for (unsigned i = 0; i < target->parameters; i++)
        for (unsigned k = 0; k < 3; k++)
            if (strcmp(target->parameter[i].name, names[k]) == 0)
                plan->lists[k][(*counts[k])++] = target->parameter[i].value;
    if (!read_count(plan, "sample", 1, &which.sample) || !read_count(plan, "seed", 0, &which.seed) ||
        !read_count(plan, "limit", 1, &which.limit))
        return false;
    select->format = target_parameter(target, "format");
    asked->exact = exact && strcmp(exact, "1") == 0;
    asked->grid = grid && strcmp(grid, "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    if (asked->exact && !target_parameter(target, "policy"))
        asked->policy = MIST_POLICY_AT_LEAST;
    if ((exact && !asked->exact && strcmp(exact, "0") != 0) ||
        (grid && asked->grid == MIST_GRID_NATIVE && strcmp(grid, "native") != 0)) {
        reply_error(plan->request, MHD_HTTP_BAD_REQUEST, "exact is 0 or 1, grid is native or center");
        return false;
    }
    if (select_start(select, &which, &error)) {
        reply_error(plan->request, MHD_HTTP_BAD_REQUEST, "%s", error.message);
        return false;
    }
    return true;
}

static bool read_request(struct plan *plan)
{
    struct mist_error error = {0};
    struct request *request = plan->request;
    const char *limit = target_parameter(&request->target, "max-bytes");
    const char *memory = target_parameter(&request->target, "max-memory");
    uint64_t max_bytes = 0;
    if (!resolution_parse(request, &plan->select.resolution) || !read_select(plan))
        return false;
    if (limit && (!parse_unsigned(limit, UINT64_MAX, &max_bytes) || max_bytes == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "max-bytes is a whole number of bytes above 0");
        return false;
    }
    if (memory && (!parse_unsigned(memory, UINT64_MAX, &plan->select.max_memory) || plan->select.max_memory == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "max-memory is a whole number of bytes above 0");
        return false;
    }
    if (mist_store_dataset(request->host->store, request->dataset, &plan->dataset, &error) != MIST_OK) {
        reply_failure(request, &error);
        return false;
    }
    return choose_entries(plan) && (!limit || choose_by_bytes(plan, max_bytes));
}

void answer_plan(struct request *request, struct worker *worker)
{
    struct plan *plan = memory_allocate_zeroed(1, sizeof *plan);
    (void)worker;
    if (!plan) {
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a plan: out of memory"});
        return;
    }
    plan->request = request;
    plan->kind = MIST_CATALOG_ITEM;
    if (!read_request(plan)) {
        release_plan(plan);
        return;
    }
    const struct stream stream = {
        .type = "application/x-ndjson", .produce = produce, .release = release_plan, .owner = plan};
    reply_stream(request, &stream);
}
