/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/chosen.h"

#include "base/error.h"
#include "base/memory.h"
#include "host/reply.h"
#include "host/resolution.h"

#include <string.h>

/* ---- the lists ---- */

struct visit {
    struct chosen *chosen;
    mist_catalog_visit *taken;
    void *context;
    unsigned rows;
};

static enum mist_status visit(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct visit *visit = context;
    struct chosen *chosen = visit->chosen;
    const char *path = entry->kind == MIST_CATALOG_ITEM ? entry->item.path : entry->attachment.path;
    enum mist_status status = MIST_OK;
    visit->rows++;
    if (!selection_is_ready(chosen->select.selection))
        status = selection_look(chosen->select.selection, entry, error);
    else if (!visit->taken)
        select_budget_add(&chosen->select, entry, &chosen->budget);
    else if (select_takes(&chosen->select, entry))
        status = visit->taken(visit->context, entry, error);
    chosen->after.size = 0;
    if (!status && !buffer_append(&chosen->after, path, strlen(path) + 1))
        status = error_set(error, MIST_ERROR_MEMORY, "a plan: out of memory");
    return status;
}

enum mist_status chosen_page(struct chosen *chosen, mist_catalog_visit *taken, void *context, struct mist_error *error)
{
    mist_store *store = chosen->request->host->store;
    const char *after = chosen->after.size ? (const char *)chosen->after.data : NULL;
    struct visit page = {.chosen = chosen, .taken = taken, .context = context};
    enum mist_status status = (chosen->kind == MIST_CATALOG_ITEM ? mist_store_items : mist_store_attachments)(
        store, chosen->dataset.name, after, CHOSEN_PAGE, visit, &page, error);
    if (page.rows < CHOSEN_PAGE) {
        chosen->kind = chosen->kind == MIST_CATALOG_ITEM ? MIST_CATALOG_ATTACHMENT : MIST_CATALOG_END;
        chosen->after.size = 0;
    }
    return status;
}

/* ---- the request ---- */

/* Goes through all items and attachments once, on a worker. Answers if that fails. */
static bool go_through(struct chosen *chosen)
{
    struct mist_error error = {0};
    enum mist_status status = MIST_OK;
    while (chosen->kind != MIST_CATALOG_END && !status) {
        if (atomic_load(&chosen->request->host->draining)) {
            reply_error(chosen->request, MHD_HTTP_SERVICE_UNAVAILABLE, "this host is about to stop");
            return false;
        }
        status = chosen_page(chosen, NULL, NULL, &error);
    }
    chosen->kind = MIST_CATALOG_ITEM;
    if (status)
        reply_failure(chosen->request, &error);
    return !status;
}

static bool choose_entries(struct chosen *chosen)
{
    struct selection *selection = chosen->select.selection;
    struct mist_error error = {0};
    while (!selection_is_ready(selection)) {
        if (!go_through(chosen))
            return false;
        if (selection_looked(selection, &error)) {
            reply_failure(chosen->request, &error);
            return false;
        }
    }
    return true;
}

/* max-bytes: the largest common reduce at which items and attachments fit. Answers if none fits. */
static bool choose_by_bytes(struct chosen *chosen, uint64_t max_bytes)
{
    struct mist_error error = {0};
    if (!go_through(chosen))
        return false;
    if (select_budget_choose(&chosen->select, &chosen->budget, max_bytes, &error)) {
        reply_error(chosen->request, MHD_HTTP_BAD_REQUEST, "%s", error.message);
        return false;
    }
    return true;
}

/* Whole numbers; answers where one is none. */
static bool read_count(struct chosen *chosen, const char *name, uint64_t least, uint64_t *value)
{
    const char *text = target_parameter(&chosen->request->target, name);
    *value = 0;
    if (!text || (parse_unsigned(text, UINT64_MAX, value) && *value >= least))
        return true;
    reply_error(chosen->request, MHD_HTTP_BAD_REQUEST, "%s is a whole number%s", name, least ? " above 0" : "");
    return false;
}

/* What is chosen and how it is written, as `mist get` has it. Answers if it makes no sense. */
static bool read_select(struct chosen *chosen)
{
    static const char *const names[3] = {"include", "exclude", "where"};
    const struct target *target = &chosen->request->target;
    struct select *select = &chosen->select;
    struct mist_resolution_request *asked = &select->resolution;
    struct mist_selection which = {.include = chosen->lists[0], .exclude = chosen->lists[1], .where = chosen->lists[2]};
    uint32_t *counts[3] = {&which.include_count, &which.exclude_count, &which.where_count};
    const char *exact = target_parameter(target, "exact"), *grid = target_parameter(target, "grid");
    struct mist_error error = {0};
    for (unsigned i = 0; i < target->parameters; i++)
        for (unsigned k = 0; k < 3; k++)
            if (strcmp(target->parameter[i].name, names[k]) == 0)
                chosen->lists[k][(*counts[k])++] = target->parameter[i].value;
    if (!read_count(chosen, "sample", 1, &which.sample) || !read_count(chosen, "seed", 0, &which.seed) ||
        !read_count(chosen, "limit", 1, &which.limit))
        return false;
    select->format = target_parameter(target, "format");
    asked->exact = exact && strcmp(exact, "1") == 0;
    asked->grid = grid && strcmp(grid, "center") == 0 ? MIST_GRID_CENTER : MIST_GRID_NATIVE;
    if (asked->exact && !target_parameter(target, "policy"))
        asked->policy = MIST_POLICY_AT_LEAST;
    if ((exact && !asked->exact && strcmp(exact, "0") != 0) ||
        (grid && asked->grid == MIST_GRID_NATIVE && strcmp(grid, "native") != 0)) {
        reply_error(chosen->request, MHD_HTTP_BAD_REQUEST, "exact is 0 or 1, grid is native or center");
        return false;
    }
    if (select_start(select, &which, &error)) {
        reply_error(chosen->request, MHD_HTTP_BAD_REQUEST, "%s", error.message);
        return false;
    }
    return true;
}

static bool read_request(struct chosen *chosen)
{
    struct mist_error error = {0};
    struct request *request = chosen->request;
    const char *limit = target_parameter(&request->target, "max-bytes");
    const char *memory = target_parameter(&request->target, "max-memory");
    uint64_t max_bytes = 0;
    if (!resolution_parse(request, &chosen->select.resolution) || !read_select(chosen))
        return false;
    if (limit && (!parse_unsigned(limit, UINT64_MAX, &max_bytes) || max_bytes == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "max-bytes is a whole number of bytes above 0");
        return false;
    }
    if (memory && (!parse_unsigned(memory, UINT64_MAX, &chosen->select.max_memory) || chosen->select.max_memory == 0)) {
        reply_error(request, MHD_HTTP_BAD_REQUEST, "max-memory is a whole number of bytes above 0");
        return false;
    }
    if (mist_store_dataset(request->host->store, request->dataset, &chosen->dataset, &error) != MIST_OK) {
        reply_failure(request, &error);
        return false;
    }
    return choose_entries(chosen) && (!limit || choose_by_bytes(chosen, max_bytes));
}

struct chosen *chosen_read(struct request *request)
{
    struct chosen *chosen = memory_allocate_zeroed(1, sizeof *chosen);
    if (!chosen) {
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a plan: out of memory"});
        return NULL;
    }
    chosen->request = request;
    chosen->kind = MIST_CATALOG_ITEM;
    if (!read_request(chosen))
        chosen_free(&chosen);
    return chosen;
}

void chosen_free(struct chosen **chosen)
{
    if (!*chosen)
        return;
    mist_buffer_free(&(*chosen)->after);
    select_end(&(*chosen)->select);
    memory_free(*chosen);
    *chosen = NULL;
}
