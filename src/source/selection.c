/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/selection.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "source/condition.h"
#include "source/naming.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- sets of checksums: filled, then sorted, then asked ---- */

struct sums {
    struct mist_buffer list; /* uint64_t each */
};

static bool sums_add(struct sums *sums, uint64_t sum)
{
    const uint64_t *last = (const uint64_t *)(const void *)(sums->list.data + sums->list.size);
    if (sums->list.size && last[-1] == sum) /* neighbours in a catalog share their directories */
        return true;
    return buffer_append(&sums->list, &sum, sizeof sum);
}

static int compare_sums(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void sums_sort(struct sums *sums)
{
    if (sums->list.size)
        qsort(sums->list.data, sums->list.size / sizeof(uint64_t), sizeof(uint64_t), compare_sums);
}

static bool sums_have(const struct sums *sums, uint64_t sum)
{
    return sums->list.size && bsearch(&sum, sums->list.data, sums->list.size / sizeof sum, sizeof sum, compare_sums);
}

/* ---- what is asked for, and what is known after the look ---- */

/* An item that meets everything that can be told of it alone. */
struct candidate {
    uint64_t order; /* where its case stands among all in a sample */
    uint64_t rank;  /* where it stands in the catalog */
    uint64_t kase;  /* naming_case() */
};

struct name_entry {
    const char *name;
    bool found;
};

struct selection {
    struct mist_selection which;
    struct condition *conditions;
    bool *column_known;            /* some item has a value in the condition's column */
    struct mist_buffer columns;    /* names of columns that items have, each with its NUL, for the message */
    struct name_entry *names;      /* a table of twice as many places at least, by checksum */
    size_t name_places;            /* a power of two; 0: no list */
    struct mist_buffer candidates; /* with sample or limit: struct candidate each */
    uint64_t seen;
    enum { LOOK_FOR_CASES, LOOK_FOR_COMPANIONS, READY } next;
    struct sums cases;       /* with sample or limit: those taken */
    struct sums stems;       /* of items taken: what is called like them and stands beside them comes along */
    struct sums directories; /* that items taken are in */
};

enum { COLUMNS_SHOWN = 400 /* bytes */ };

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "the selection: out of memory");
}

/* Whether only some items are meant, by something else than patterns. */
static bool picks(const struct selection *selection)
{
    const struct mist_selection *which = &selection->which;
    return which->name_count || which->where_count || which->sample || which->limit;
}

static bool counts_cases(const struct selection *selection)
{
    return selection->which.sample || selection->which.limit;
}

/* ---- the list of names ---- */

static struct name_entry *find_name(const struct selection *selection, const char *name, size_t length)
{
    size_t at = (size_t)checksum(name, length) & (selection->name_places - 1);
    while (selection->names[at].name &&
           (strncmp(selection->names[at].name, name, length) != 0 || selection->names[at].name[length] != '\0'))
        at = (at + 1) & (selection->name_places - 1);
    return &selection->names[at];
}

static enum mist_status make_names(struct selection *selection, struct mist_error *error)
{
    const struct mist_selection *which = &selection->which;
    if (which->name_count == 0)
        return MIST_OK;
    for (selection->name_places = 4; selection->name_places < 2 * (size_t)which->name_count;)
        selection->name_places *= 2;
    selection->names = memory_allocate_zeroed(selection->name_places, sizeof *selection->names);
    if (!selection->names)
        return no_memory(error);
    for (uint32_t i = 0; i < which->name_count; i++) {
        const char *name = which->names[i];
        while (strncmp(name, "./", 2) == 0)
            name += 2;
        find_name(selection, name, strlen(name))->name = name;
    }
    return MIST_OK;
}

struct naming_search {
    const struct selection *selection;
    bool found;
};

/* Every name that says so is found, not only the first: the others would be called unknown. */
static bool look_up(void *context, enum naming naming, const char *name, size_t length)
{
    struct naming_search *search = context;
    if (naming == NAMING_NUMBER)
        return false; /* the last kind; too loose for a list */
    struct name_entry *entry = find_name(search->selection, name, length);
    search->found = search->found || entry->name;
    entry->found = entry->name != NULL;
    return true;
}

static bool is_named(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    struct naming_search search = {selection, false};
    if (selection->name_places)
        naming_each(entry, look_up, &search);
    return search.found;
}

uint64_t selection_unmatched(const struct selection *selection, const char **example)
{
    uint64_t count = 0;
    *example = NULL;
    for (size_t i = 0; i < selection->name_places; i++)
        if (selection->names[i].name && !selection->names[i].found) {
            /* The first by name, so that it is the same one each time. */
            if (!*example || strcmp(selection->names[i].name, *example) < 0)
                *example = selection->names[i].name;
            count++;
        }
    return count;
}

/* ---- patterns ---- */

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

static bool is_included(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    const struct mist_selection *which = &selection->which;
    return matches(which->include, which->include_count, entry) || is_named(selection, entry);
}

static bool is_excluded(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    return matches(selection->which.exclude, selection->which.exclude_count, entry);
}

/* ---- items ---- */

static bool meets_conditions(const struct selection *selection, const struct mist_catalog_item *item)
{
    bool met = true, known;
    for (uint32_t i = 0; i < selection->which.where_count; i++) {
        met = condition_meets(&selection->conditions[i], item, &known) && met;
        selection->column_known[i] |= known;
    }
    return met;
}

/* As far as it can be told of the item alone. */
static bool is_candidate(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    const struct mist_selection *which = &selection->which;
    const bool all = which->include_count == 0 && which->name_count == 0;
    return !is_excluded(selection, entry) && (all || is_included(selection, entry)) &&
           meets_conditions(selection, &entry->item);
}

static bool takes_item(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    return is_candidate(selection, entry) &&
           (!counts_cases(selection) || sums_have(&selection->cases, naming_case(entry->item.path)));
}

/* ---- attachments ---- */

static bool has_directory(const struct selection *selection, const char *path)
{
    return sums_have(&selection->directories, naming_directory(path, naming_directory_length(path, strlen(path))));
}

static bool takes_attachment(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    const struct mist_selection *which = &selection->which;
    const struct mist_catalog_attachment *attachment = &entry->attachment;
    if (is_excluded(selection, entry))
        return false;
    if (which->include_count == 0 && !picks(selection))
        return true;
    if (is_included(selection, entry))
        return true;
    if (attachment->table)
        return attachment->wide ? sums_have(&selection->directories, naming_directory("", 0))
                                : has_directory(selection, attachment->path);
    return which->include_count == 0 &&
           (naming_is_document(attachment->path) || sums_have(&selection->stems, naming_stem(attachment->path)));
}

bool selection_takes(const struct selection *selection, const struct mist_catalog_entry *entry)
{
    return entry->kind == MIST_CATALOG_ITEM ? takes_item(selection, entry) : takes_attachment(selection, entry);
}

/* ---- the look ---- */

bool selection_is_ready(const struct selection *selection)
{
    return selection->next == READY;
}

/* Takes down the names of columns, for whoever asks for one that is not there. */
static bool note_columns(struct selection *selection, const struct mist_catalog_item *item)
{
    bool good = true;
    for (uint32_t i = 0; i < item->column_count && good && selection->columns.size < COLUMNS_SHOWN; i++) {
        const char *known = (const char *)selection->columns.data, *name = item->columns[i].name;
        const char *end = known ? known + selection->columns.size : NULL;
        while (known && known < end && strcmp(known, name) != 0)
            known += strlen(known) + 1;
        if (known == end)
            good = buffer_append(&selection->columns, name, strlen(name) + 1);
    }
    return good;
}

/* What comes along with an item, and where. */
static bool note_item(struct selection *selection, const char *path)
{
    bool good = sums_add(&selection->stems, naming_stem(path));
    for (size_t end = naming_directory_length(path, strlen(path)); good; end = naming_directory_length(path, end)) {
        good = sums_add(&selection->directories, naming_directory(path, end));
        if (end == 0)
            break;
    }
    return good;
}

/* The same bits in another order for each seed (the finaliser of splitmix64). */
static uint64_t mix(uint64_t value, uint64_t seed)
{
    value += seed * 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* Items that meet what can be told of them alone, for what is chosen among them. */
static bool gather_candidate(struct selection *selection, const struct mist_catalog_entry *entry)
{
    if (!is_candidate(selection, entry))
        return true;
    const uint64_t kase = naming_case(entry->item.path);
    const struct candidate candidate = {mix(kase, selection->which.seed), selection->seen++, kase};
    return buffer_append(&selection->candidates, &candidate, sizeof candidate);
}

enum mist_status selection_look(struct selection *selection, const struct mist_catalog_entry *entry,
                                struct mist_error *error)
{
    const bool item = entry->kind == MIST_CATALOG_ITEM;
    bool good = true;
    if (selection->next == LOOK_FOR_CASES) {
        good = !item || gather_candidate(selection, entry);
    } else if (!item) {
        is_named(selection, entry);
    } else {
        good = selection->which.where_count == 0 || note_columns(selection, &entry->item);
        if (takes_item(selection, entry))
            good = good && note_item(selection, entry->item.path);
    }
    return good ? MIST_OK : no_memory(error);
}

static int by_order(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;
    return left->order != right->order ? (left->order < right->order ? -1 : 1)
                                       : compare_sums(&left->rank, &right->rank);
}

static int by_rank(const void *a, const void *b)
{
    return compare_sums(&((const struct candidate *)a)->rank, &((const struct candidate *)b)->rank);
}

/* Leaves the first of each case; those of one case stand together. */
static size_t one_of_each(struct candidate *candidates, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || candidates[i].kase != candidates[kept - 1].kase)
            candidates[kept++] = candidates[i];
    return kept;
}

static bool choose_cases(struct selection *selection)
{
    const struct mist_selection *which = &selection->which;
    struct candidate *candidates = (struct candidate *)(void *)selection->candidates.data;
    size_t count = selection->candidates.size / sizeof *candidates;
    bool good = true;
    if (count == 0)
        return true;
    qsort(candidates, count, sizeof *candidates, by_order);
    count = one_of_each(candidates, count);
    if (which->sample && which->sample < count)
        count = (size_t)which->sample;
    qsort(candidates, count, sizeof *candidates, by_rank);
    if (which->limit && which->limit < count)
        count = (size_t)which->limit;
    for (size_t i = 0; i < count && good; i++)
        good = sums_add(&selection->cases, candidates[i].kase);
    sums_sort(&selection->cases);
    mist_buffer_free(&selection->candidates);
    return good;
}

static enum mist_status check_columns(const struct selection *selection, struct mist_error *error)
{
    char known[COLUMNS_SHOWN + 8] = "";
    for (size_t at = 0; at < selection->columns.size;) {
        const char *name = (const char *)selection->columns.data + at;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", name);
        at += strlen(name) + 1;
    }
    for (uint32_t i = 0; i < selection->which.where_count; i++)
        if (!selection->column_known[i])
            return error_set(error, MIST_ERROR_ARGUMENT, "no item has a column '%.100s'; %s%s",
                             selection->conditions[i].column,
                             *known ? "there is " : "no table of this dataset names its items", known);
    return MIST_OK;
}

enum mist_status selection_looked(struct selection *selection, struct mist_error *error)
{
    if (selection->next == LOOK_FOR_CASES) {
        selection->next = LOOK_FOR_COMPANIONS;
        return choose_cases(selection) ? MIST_OK : no_memory(error);
    }
    selection->next = READY;
    sums_sort(&selection->stems);
    sums_sort(&selection->directories);
    return check_columns(selection, error);
}

/* ---- life ---- */

static enum mist_status make_conditions(struct selection *selection, struct mist_error *error)
{
    const uint32_t count = selection->which.where_count;
    if (count == 0)
        return MIST_OK;
    selection->conditions = memory_allocate_zeroed(count, sizeof *selection->conditions);
    selection->column_known = memory_allocate_zeroed(count, sizeof *selection->column_known);
    enum mist_status status = selection->conditions && selection->column_known ? MIST_OK : no_memory(error);
    for (uint32_t i = 0; i < count && !status; i++)
        status = condition_parse(selection->which.where[i], &selection->conditions[i], error);
    return status;
}

enum mist_status selection_new(const struct mist_selection *which, struct selection **result, struct mist_error *error)
{
    struct selection *selection = memory_allocate_zeroed(1, sizeof *selection);
    *result = selection;
    if (!selection)
        return no_memory(error);
    selection->which = *which;
    selection->next = counts_cases(selection)                    ? LOOK_FOR_CASES
                      : which->include_count || picks(selection) ? LOOK_FOR_COMPANIONS
                                                                 : READY;
    enum mist_status status = make_conditions(selection, error);
    if (!status)
        status = make_names(selection, error);
    if (status)
        selection_free(result);
    return status;
}

void selection_free(struct selection **result)
{
    struct selection *selection = *result;
    if (!selection)
        return;
    for (uint32_t i = 0; selection->conditions && i < selection->which.where_count; i++)
        condition_free(&selection->conditions[i]);
    memory_free(selection->conditions);
    memory_free(selection->column_known);
    memory_free(selection->names);
    mist_buffer_free(&selection->columns);
    mist_buffer_free(&selection->candidates);
    mist_buffer_free(&selection->cases.list);
    mist_buffer_free(&selection->stems.list);
    mist_buffer_free(&selection->directories.list);
    memory_free(selection);
    *result = NULL;
}
