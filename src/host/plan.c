/* SPDX-License-Identifier: BSD-2-Clause */
/* What a download at some resolution would fetch, exactly: one line for each item and attachment. */
#include "host/chosen.h"
#include "host/reply.h"

#include "base/error.h"
#include "base/memory.h"
#include "source/plan_row.h"

struct plan {
    struct chosen *chosen;
    struct mist_buffer *out;
    struct plan_totals totals;
    bool started;
};

static enum mist_status write_row(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct plan *plan = context;
    return plan_row_write(&plan->chosen->select, entry, &plan->totals, plan->out)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "a plan: out of memory");
}

static int produce(void *context, struct request *request, struct mist_buffer *out)
{
    struct plan *plan = context;
    bool good = true;
    (void)request;
    plan->out = out;
    if (!plan->started)
        good = plan_start_write(&plan->chosen->dataset, out);
    plan->started = true;
    if (!good || chosen_page(plan->chosen, write_row, plan, NULL) != MIST_OK)
        return -1;
    if (plan->chosen->kind != MIST_CATALOG_END)
        return 1;
    return plan_totals_write(&plan->totals, out) ? 0 : -1;
}

static void release_plan(void *context)
{
    struct plan *plan = context;
    chosen_free(&plan->chosen);
    memory_free(plan);
}

void answer_plan(struct request *request, struct worker *worker)
{
    struct chosen *chosen = chosen_read(request);
    (void)worker;
    if (!chosen)
        return;
    struct plan *plan = memory_allocate_zeroed(1, sizeof *plan);
    if (!plan) {
        chosen_free(&chosen);
        reply_failure(request, &(struct mist_error){MIST_ERROR_MEMORY, "a plan: out of memory"});
        return;
    }
    plan->chosen = chosen;
    const struct stream stream = {
        .type = "application/x-ndjson", .produce = produce, .release = release_plan, .owner = plan};
    reply_stream(request, &stream);
}
