/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/plan.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/confined.h"
#include "format/names.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- which ---- */

static bool matches_one(const char *const *patterns, uint32_t count, const char *path)
{
    for (uint32_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], path, FNM_LEADING_DIR) == 0)
            return true;
    return false;
}

/* An item is also known by its files. */
static bool matches(const char *const *patterns, uint32_t count, const struct mist_catalog_entry *entry)
{
    bool item = entry->kind == MIST_CATALOG_ITEM;
    if (count == 0)
        return false;
    if (matches_one(patterns, count, item ? entry->item.path : entry->attachment.path))
        return true;
    for (uint32_t i = 0; item && i < entry->item.file_count; i++)
        if (matches_one(patterns, count, entry->item.files[i].path))
            return true;
    return false;
}

bool plan_selects(const struct mist_get_options *options, const struct mist_catalog_entry *entry)
{
    return (options->include_count == 0 || matches(options->include, options->include_count, entry)) &&
           !matches(options->exclude, options->exclude_count, entry);
}

/* ---- how ---- */

bool plan_wants_items(const struct mist_get_options *options)
{
    return options->format && strcmp(options->format, "mist") == 0;
}

/* Some (DICOM) need their original header at every size; others what follows their samples, when they are to be the
 * originals again. */
static bool wants_tail(const struct mist_get_options *options, const struct mist_catalog_item *item, unsigned reduce)
{
    const struct mist_resolution_request *asked = &options->resolution;
    if (plan_wants_items(options))
        return reduce == 0;
    const enum format_kind source = format_from_name(item->format);
    if (options->format && !format_output_is_of(options->format, source))
        return false;
    bool original =
        reduce == 0 && !(options->exact && (asked->width != item->image.width || asked->height != item->image.height));
    return original || (source != FORMAT_UNKNOWN && format_of(source)->needs_tail_when_reduced);
}

static struct choice choose_at(const struct mist_get_options *options, const struct mist_catalog_item *item,
                               unsigned reduce)
{
    struct choice choice = {.reduce = reduce < item->levels ? reduce : item->levels - 1};
    choice.tail = wants_tail(options, item, choice.reduce);
    snprintf(choice.how, sizeof choice.how, "%s 1/2^%u %s%s%.8s%s", options->format ? options->format : "source",
             choice.reduce, options->grid == MIST_GRID_CENTER ? "center" : "native",
             options->transfer_syntax ? " " : "", options->transfer_syntax ? options->transfer_syntax : "",
             options->keep_uids ? " uids" : "");
    size_t used = strlen(choice.how);
    if (options->exact)
        snprintf(choice.how + used, sizeof choice.how - used, " %ux%u", options->resolution.width,
                 options->resolution.height);
    return choice;
}

struct choice plan_choose(const struct session *session, const struct mist_catalog_item *item)
{
    const struct mist_get_options *options = session->options;
    unsigned reduce = mist_choose_reduce(item, &options->resolution);
    return choose_at(options, item, reduce > session->budget_reduce ? reduce : session->budget_reduce);
}

/* ---- --max-bytes ---- */

struct budget {
    const struct mist_get_options *options;
    struct mist_level_totals totals;
};

static void add_to_all(struct mist_level_totals *totals, uint64_t bytes)
{
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++)
        totals->bytes[reduce] += bytes;
}

/* What a download from nothing takes of this item. */
static uint64_t bytes_of(const struct mist_catalog_item *item, const struct choice *choice)
{
    uint64_t tail = item->size - item->level_end[item->levels - 1];
    return mist_catalog_item_bytes(item, choice->reduce, false) + (choice->tail ? tail : 0);
}

static enum mist_status add_to_budget(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct budget *budget = context;
    if (!plan_selects(budget->options, entry))
        return MIST_OK;
    if (entry->kind == MIST_CATALOG_ATTACHMENT) {
        add_to_all(&budget->totals, entry->attachment.size);
        return MIST_OK;
    }
    unsigned asked = mist_choose_reduce(&entry->item, &budget->options->resolution);
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++) {
        struct choice choice = choose_at(budget->options, &entry->item, reduce > asked ? reduce : asked);
        budget->totals.bytes[reduce] += bytes_of(&entry->item, &choice);
    }
    return MIST_OK;
}

enum mist_status plan_budget(struct session *session, struct mist_error *error)
{
    struct budget budget = {.options = session->options};
    if (!session->options->max_bytes)
        return MIST_OK;
    enum mist_status status = session_each(session, add_to_budget, &budget, error);
    if (status)
        return status;
    int reduce = mist_level_totals_choose(&budget.totals, session->options->max_bytes);
    if (reduce < 0)
        return error_set(error, MIST_ERROR_LIMIT,
                         "even at the smallest size this takes %" PRIu64 " bytes, more than the %" PRIu64
                         " allowed; choose less with --include or --exclude",
                         budget.totals.bytes[MIST_MAX_LEVELS - 1], session->options->max_bytes);
    session->budget_reduce = (unsigned)reduce;
    session->report.budget_reduce = reduce;
    return MIST_OK;
}

/* ---- what is here ---- */

struct state_key plan_item_key(const struct mist_catalog_item *item, const struct choice *choice)
{
    return (struct state_key){STATE_ITEM, item->path, item->id, choice->how};
}

struct state_key plan_attachment_key(const struct mist_catalog_attachment *attachment)
{
    return (struct state_key){STATE_ATTACHMENT, attachment->path, attachment->checksum, STATE_AS_IT_IS};
}

enum mist_status plan_item_is_here(const struct session *session, const struct mist_catalog_item *item,
                                   const struct choice *choice, bool *here, struct mist_error *error)
{
    struct state_key key = plan_item_key(item, choice);
    if (!plan_wants_items(session->options))
        return state_is_current(session->state, &key, here, error);
    struct cached cached;
    cache_look(&session->cache, item, &cached);
    *here =
        cached.form == CACHED_COMPLETE && cached.have >= cache_needs(item, &cached, choice->reduce, choice->tail).end;
    return MIST_OK;
}

/* A file of the right size that we know nothing of: its checksum tells. */
static bool has_checksum(int root, const struct mist_catalog_attachment *attachment)
{
    enum { CHUNK = 1 << 18 };
    int descriptor = confined_open(root, attachment->path, O_RDONLY);
    struct stat about;
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

static enum mist_status plan_item(struct session *session, const struct mist_catalog_item *item,
                                  struct mist_error *error)
{
    struct mist_get_report *report = &session->report;
    struct choice choice = plan_choose(session, item);
    struct cached cached;
    bool here;
    report->items++;
    report->source_bytes += item->source_bytes;
    if (verifier_check_entry(item, NULL))
        return MIST_OK; /* noted when it is its turn */
    report->selected_bytes += bytes_of(item, &choice);
    enum mist_status status = plan_item_is_here(session, item, &choice, &here, error);
    if (status || here) {
        report->unchanged += !status;
        return status;
    }
    cache_look(&session->cache, item, &cached);
    struct needs needs = cache_needs(item, &cached, choice.reduce, choice.tail);
    report->planned_bytes += needs.prefix_missing + needs.tail_missing;
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
    if (status || !plan_selects(planning->session->options, entry))
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
