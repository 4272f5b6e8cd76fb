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
#include "base/json.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

enum { PAGE_ROWS = 256 };

struct plan {
    struct mist_dataset_info dataset;
    struct mist_resolution_request wanted;
    enum mist_catalog_kind kind; /* being listed; MIST_CATALOG_END behind the last */
    struct mist_buffer after;    /* the path of the last row, "" before the first; with its NUL */
    struct mist_level_totals totals;
    struct mist_buffer *out; /* NULL: add up the totals */
    struct request *request;
    uint64_t file_bytes; /* of the attachments, when the totals are added up */
    uint64_t items, files, bytes;
    unsigned page_rows;
    bool started;
};

/* ---- selection: on the path of an item, those of its source files, and all directories above ---- */

static bool path_matches(const char *pattern, const char *path)
{
    return fnmatch(pattern, path, FNM_LEADING_DIR) == 0;
}

static bool entry_matches(const char *pattern, const struct mist_catalog_entry *entry)
{
    if (entry->kind == MIST_CATALOG_ATTACHMENT)
        return path_matches(pattern, entry->attachment.path);
    bool matches = path_matches(pattern, entry->item.path);
    for (uint32_t i = 0; i < entry->item.file_count && !matches; i++)
        matches = path_matches(pattern, entry->item.files[i].path);
    return matches;
}

static bool is_selected(const struct target *target, const struct mist_catalog_entry *entry)
{
    bool included = !target_parameter(target, "include");
    for (unsigned i = 0; i < target->parameters; i++) {
        const struct target_parameter *parameter = &target->parameter[i];
        if (strcmp(parameter->name, "exclude") == 0 && entry_matches(parameter->value, entry))
            return false;
        if (!included && strcmp(parameter->name, "include") == 0)
            included = entry_matches(parameter->value, entry);
    }
    return included;
}

/* ---- rows ---- */

static bool put_item(struct plan *plan, const struct mist_catalog_item *item)
{
    unsigned reduce = mist_choose_reduce(item, &plan->wanted);
    uint64_t bytes = mist_catalog_item_bytes(item, reduce, false);
    plan->items++;
    plan->bytes += bytes;
    return json_put(plan->out, "{\"path\": ") && json_put_string(plan->out, item->path) &&
           json_put(plan->out,
                    ", \"reduce\": %u, \"width\": %" PRIu32 ", \"height\": %" PRIu32 ", \"frames\": %" PRIu32
                    ", \"bytes\": %" PRIu64 ", \"size\": %" PRIu64 ", \"id\": \"%016" PRIx64 "\"}\n",
                    reduce, mist_reduced_size(item->image.width, reduce), mist_reduced_size(item->image.height, reduce),
                    item->image.frames, bytes, item->size, item->id);
}

static bool put_file(struct plan *plan, const struct mist_catalog_attachment *attachment)
{
    plan->files++;
    plan->bytes += attachment->size;
    return json_put(plan->out, "{\"file\": ") && json_put_string(plan->out, attachment->path) &&
           json_put(plan->out, ", \"bytes\": %" PRIu64 ", \"checksum\": \"%016" PRIx64 "\"}\n", attachment->size,
                    attachment->checksum);
}

static enum mist_status visit(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct plan *plan = context;
    bool item = entry->kind == MIST_CATALOG_ITEM, good = true;
    const char *path = item ? entry->item.path : entry->attachment.path;
    plan->page_rows++;
    if (is_selected(&plan->request->target, entry)) {
        if (!plan->out && item)
            mist_level_totals_add(&plan->totals, &entry->item);
        else if (!plan->out)
            plan->file_bytes += entry->attachment.size;
        else
            good = item ? put_item(plan, &entry->item) : put_file(plan, &entry->attachment);
    }
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
        good = json_put(out, "{\"dataset\": ") && json_put_string(out, plan->dataset.name) &&
               json_put(out, ", \"id\": \"%016" PRIx64 "\"}\n", plan->dataset.id);
    plan->started = true;
    if (!good || read_page(plan, NULL) != MIST_OK)
        return -1;
    if (plan->page_rows < PAGE_ROWS)
        next_list(plan);
    if (plan->kind != MIST_CATALOG_END)
        return 1;
    return json_put(out, "{\"items\": %" PRIu64 ", \"files\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", plan->items,
                    plan->files, plan->bytes)
               ? 0
               : -1;
}

static void release_plan(void *context)
{
    struct plan *plan = context;
    mist_buffer_free(&plan->after);
    memory_free(plan);
}

/*
 * max-bytes: the largest common level at which items and attachments fit. Goes through all of them once, on a worker.
 * Answers if none fits.
 */
static bool choose_by_bytes(struct plan *plan, uint64_t max_bytes)
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
    if (status) {
        reply_failure(plan->request, &error);
        return false;
    }
    plan->kind = MIST_CATALOG_ITEM;
    int reduce =
        plan->file_bytes <= max_bytes ? mist_level_totals_choose(&plan->totals, max_bytes - plan->file_bytes) : -1;
    if (reduce < 0) {
        reply_error(plan->request, MHD_HTTP_BAD_REQUEST, "even at the smallest levels it takes %" PRIu64 " bytes",
                    plan->totals.bytes[MIST_MAX_LEVELS - 1] + plan->file_bytes);
        return false;
    }
    plan->wanted.by_reduce = true;
    plan->wanted.reduce = (unsigned)reduce;
    return true;
}

static bool read_request(struct plan *plan)
{
    static const char *const known[] = {"size",      "reduce",   "spacing",  "policy",
                                        "max-bytes", "include+", "exclude+", NULL};
    struct mist_error error = {0};
    struct request *request = plan->request;
    const char *limit = target_parameter(&request->target, "max-bytes");
    uint64_t max_bytes = 0;
    if (!resolution_parse(request, known, &plan->wanted))
        return false;
    bool chosen = plan->wanted.by_reduce || plan->wanted.width || plan->wanted.spacing > 0;
    if (limit && (chosen || !parse_unsigned(limit, UINT64_MAX, &max_bytes))) {
        reply_error(request, MHD_HTTP_BAD_REQUEST,
                    chosen ? "only one of size, reduce, spacing and max-bytes can be asked for"
                           : "max-bytes is a whole number of bytes");
        return false;
    }
    if (mist_store_dataset(request->host->store, request->dataset, &plan->dataset, &error) != MIST_OK) {
        reply_failure(request, &error);
        return false;
    }
    return !limit || choose_by_bytes(plan, max_bytes);
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
