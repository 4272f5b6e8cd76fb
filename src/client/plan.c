/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/plan.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/confined.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- how ---- */

void plan_describe(const struct session *session, const struct selected *selected, char how[PLAN_HOW_SIZE])
{
    const struct mist_get_options *options = session->options;
    const struct mist_resolution_request *size = &options->resolution;
    int used = snprintf(how, PLAN_HOW_SIZE, "%s 1/2^%u,%u %s", options->format ? options->format : "source",
                        selected->written.reduce, selected->written.step,
                        size->grid == MIST_GRID_CENTER ? "center" : "native");
    if (size->exact)
        used += snprintf(how + used, PLAN_HOW_SIZE - (size_t)used, " %ux%ux%u", size->width, size->height, size->depth);
    snprintf(how + used, PLAN_HOW_SIZE - (size_t)used, "%s%.8s%s%s", options->transfer_syntax ? " " : "",
             options->transfer_syntax ? options->transfer_syntax : "", options->keep_uids ? " uids" : "",
             options->identical ? " same" : "");
}

/* ---- which, and --max-bytes ---- */

static enum mist_status look(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    return selection_look(context, entry, error);
}

static enum mist_status choose_entries(struct session *session, struct mist_error *error)
{
    struct selection *selection = session->select.selection;
    struct mist_get_report *report = &session->report;
    const char *unmatched;
    enum mist_status status = MIST_OK;
    while (!status && !selection_is_ready(selection)) {
        status = session_each(session, look, selection, error);
        if (!status)
            status = selection_looked(selection, error);
    }
    report->unmatched = selection_unmatched(selection, &unmatched);
    snprintf(report->unmatched_name, sizeof report->unmatched_name, "%s", unmatched ? unmatched : "");
    return status;
}

struct budget {
    const struct select *select;
    struct select_budget budget;
};

static enum mist_status add_to_budget(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct budget *budget = context;
    (void)error;
    select_budget_add(budget->select, entry, &budget->budget);
    return MIST_OK;
}

static enum mist_status choose_by_bytes(struct session *session, struct mist_error *error)
{
    struct budget budget = {.select = &session->select};
    if (!session->options->max_bytes)
        return MIST_OK;
    enum mist_status status = session_each(session, add_to_budget, &budget, error);
    if (!status)
        status = select_budget_choose(&session->select, &budget.budget, session->options->max_bytes, error);
    if (!status)
        session->report.budget_reduce = (int)session->select.least_reduce;
    return status;
}

enum mist_status plan_choose(struct session *session, struct mist_error *error)
{
    enum mist_status status = choose_entries(session, error);
    return status ? status : choose_by_bytes(session, error);
}

/* ---- what is here ---- */

struct state_key plan_item_key(const struct mist_catalog_item *item, const char *how)
{
    return (struct state_key){STATE_ITEM, item->path, item->id, how};
}

struct state_key plan_attachment_key(const struct mist_catalog_attachment *attachment)
{
    return (struct state_key){STATE_ATTACHMENT, attachment->path, attachment->checksum, STATE_AS_IT_IS};
}

enum mist_status plan_item_is_here(const struct session *session, const struct mist_catalog_item *item,
                                   const struct selected *selected, bool *here, struct mist_error *error)
{
    char how[PLAN_HOW_SIZE];
    uint64_t size = 0;
    if (select_wants_items(&session->select)) {
        *here = cache_has_whole(&session->cache, item, &size) && size >= selected->bytes;
        return MIST_OK;
    }
    plan_describe(session, selected, how);
    struct state_key key = plan_item_key(item, how);
    return state_is_current(session->state, &key, here, error);
}

/* A file of the right size that we know nothing of: its checksum tells. */
static bool has_checksum(int root, const struct mist_catalog_attachment *attachment)
{
    enum { CHUNK = 1 << 18 };
    char disk[PATH_ROOM];
    struct stat about;
    if (strlen(attachment->path) >= sizeof disk)
        return false;
    path_unescape(attachment->path, disk);
    int descriptor = confined_open(root, disk, O_RDONLY);
    if (descriptor < 0)
        return false;
    bool same = false;
    uint8_t *chunk = memory_allocate(CHUNK);
    struct checksum_state *state = checksum_start();
    if (chunk && state && fstat(descriptor, &about) == 0 && (uint64_t)about.st_size == attachment->size) {
        ssize_t got;
        while ((got = read(descriptor, chunk, CHUNK)) > 0)
            checksum_add(state, chunk, (size_t)got);
        same = got == 0 && checksum_value(state) == attachment->checksum;
    }
    checksum_free(state);
    memory_free(chunk);
    close(descriptor);
    return same;
}

enum mist_status plan_attachment_is_here(const struct session *session,
                                         const struct mist_catalog_attachment *attachment, bool *here,
                                         struct mist_error *error)
{
    struct state_key key = plan_attachment_key(attachment);
    enum mist_status status = state_is_current(session->state, &key, here, error);
    if (!status && !*here)
        *here = session->root >= 0 && has_checksum(session->root, attachment);
    return status;
}

void plan_part_name(const struct mist_catalog_attachment *attachment, char name[PART_NAME_MAX])
{
    snprintf(name, PART_NAME_MAX, "%016" PRIx64 "-%016" PRIx64, checksum(attachment->path, strlen(attachment->path)),
             attachment->checksum);
}

/* ---- all of it ---- */

struct planning {
    struct session *session;
    const struct mist_progress *progress;
    uint64_t entries;
};

/* Counts something that comes larger than asked for. */
static void add_larger(struct mist_get_report *report, const char *why, uint64_t files, uint64_t bytes)
{
    unsigned i = 0;
    while (i < report->larger_count && strncmp(report->larger[i].why, why, sizeof report->larger[i].why - 1) != 0)
        i++;
    if (i == MIST_GET_REASONS)
        i--;
    struct mist_get_larger *larger = &report->larger[i];
    if (i == report->larger_count) {
        snprintf(larger->why, sizeof larger->why, "%s", why);
        report->larger_count++;
    }
    larger->files += files;
    larger->bytes += bytes;
}

static enum mist_status plan_item(struct session *session, const struct mist_catalog_item *item,
                                  struct mist_error *error)
{
    struct mist_get_report *report = &session->report;
    struct selected selected = select_item(&session->select, item);
    struct held held;
    bool here;
    report->items++;
    report->source_bytes += item->source_bytes;
    if (verifier_check_entry(item, NULL))
        return MIST_OK; /* noted when it is its turn */
    struct mist_error refused;
    if (select_check_item(&session->select, item, &selected, &refused)) {
        report->failed += session->plan_only; /* else noted when it is its turn */
        if (session->plan_only && session->options->note)
            session->options->note(session->options->note_context, item->path, refused.message);
        return MIST_OK;
    }
    report->selected_bytes += selected.bytes;
    report->labels_sampled +=
        item->image.label && (selected.written.reduce || selected.written.step || session->select.resolution.exact);
    const char *why = select_not_reduced(&session->select, item, &selected);
    if (why)
        add_larger(report, why, item->file_count, selected.bytes);
    enum mist_status status = plan_item_is_here(session, item, &selected, &here, error);
    if (status || here) {
        report->unchanged += !status;
        return status;
    }
    cache_look(&session->cache, item, &held);
    report->planned_bytes += cache_missing(item, &selected, &held);
    return MIST_OK;
}

static enum mist_status plan_attachment(struct session *session, const struct mist_catalog_attachment *attachment,
                                        struct mist_error *error)
{
    struct mist_get_report *report = &session->report;
    char name[PART_NAME_MAX];
    struct stat about;
    bool here;
    report->attachments++;
    report->source_bytes += attachment->size;
    report->selected_bytes += attachment->size;
    if (attachment->kept && select_reduces(&session->select))
        add_larger(report, attachment->kept, 1, attachment->size);
    enum mist_status status = plan_attachment_is_here(session, attachment, &here, error);
    if (status || here) {
        report->unchanged += !status;
        return status;
    }
    plan_part_name(attachment, name);
    uint64_t have = confined_stat(session->parts, name, &about) ? (uint64_t)about.st_size : 0;
    report->planned_bytes += have <= attachment->size ? attachment->size - have : attachment->size;
    return MIST_OK;
}

static enum mist_status plan_entry(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct planning *planning = context;
    const struct mist_progress *progress = planning->progress;
    const struct mist_dataset_info *dataset = &planning->session->dataset;
    if (progress && progress->report && planning->entries++ % 256 == 0 &&
        progress->report(progress->context, "entries", planning->entries, dataset->items + dataset->attachments,
                         "planning"))
        return error_set(error, MIST_ERROR_CANCELLED, "stopped");
    bool item = entry->kind == MIST_CATALOG_ITEM;
    enum mist_status status =
        state_compare(planning->session->state, entry->kind, item ? entry->item.path : entry->attachment.path,
                      item ? entry->item.id : entry->attachment.checksum, error);
    if (status || !select_takes(&planning->session->select, entry))
        return status;
    return item ? plan_item(planning->session, &entry->item, error)
                : plan_attachment(planning->session, &entry->attachment, error);
}

enum mist_status plan_all(struct session *session, const struct mist_progress *progress, struct mist_error *error)
{
    struct planning planning = {session, progress, 0};
    enum mist_status status = session_each(session, plan_entry, &planning, error);
    return status ? status : state_compare(session->state, MIST_CATALOG_END, NULL, 0, error);
}
