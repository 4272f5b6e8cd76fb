/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_store_verify(): each item and attachment against the index, the catalogs against both. */
#include "store/encode.h"
#include "store/tally.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "source/tree_list.h"
#include "store/tree_file.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "item/item.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 256 };

/* What is kept of a row while its page is worked on. */
struct subject {
    enum mist_catalog_kind kind;
    char *path;
    uint64_t size;
    uint64_t content; /* id or checksum */
};

struct verify {
    mist_store *store;
    const char *dataset;
    bool decode;
    struct tally tally;
    pthread_mutex_t lock; /* of the report */
    struct mist_store_report *report;
    struct subject page[PAGE];
    unsigned count;
};

/* Where sentences about one subject go. */
struct finding {
    struct verify *verify;
    const char *label;
    unsigned sentences;
};

static void found(void *context, const char *sentence)
{
    struct finding *finding = context;
    finding->sentences++;
    tally_note(&finding->verify->tally, finding->label, sentence);
}

static enum mist_status keep(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct verify *verify = context;
    bool item = entry->kind == MIST_CATALOG_ITEM;
    struct subject *subject = &verify->page[verify->count];
    *subject = (struct subject){
        .kind = entry->kind,
        .path = memory_copy_text(item ? entry->item.path : entry->attachment.path),
        .size = item ? entry->item.size : entry->attachment.size,
        .content = item ? entry->item.id : entry->attachment.checksum,
    };
    if (!subject->path)
        return error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    verify->count++;
    return MIST_OK;
}

static void verify_item(struct finding *finding, const struct subject *subject, int descriptor)
{
    struct mist_error error = {0};
    mist_item *item;
    unsigned before = finding->sentences;
    if (item_open_descriptor(descriptor, "item file", &item, &error) != MIST_OK) {
        found(finding, error.message);
        return;
    }
    const struct mist_item_info *info = mist_item_info(item);
    if (info->id != subject->content || info->size != subject->size)
        found(finding, "not the item that the catalog names; 'mist index' brings the catalog up to date");
    if (info->levels_present < info->levels || !info->tail_present)
        found(finding, "the item ends too early");
    if (mist_item_verify(item, finding->verify->decode, found, finding, &error) != MIST_OK &&
        finding->sentences == before)
        found(finding, error.message);
    mist_item_close(&item);
}

static void verify_attachment(struct finding *finding, const struct subject *subject, const char *file)
{
    struct mist_error error = {0};
    uint64_t size = 0, checksum = 0;
    if (checksum_file(file, &size, &checksum, &error) != MIST_OK)
        found(finding, error.message);
    else if (size != subject->size || checksum != subject->content)
        found(finding, "its bytes are not those that were stored");
}

static enum mist_status verify_one(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct verify *verify = context;
    const struct subject *subject = &verify->page[index];
    bool item = subject->kind == MIST_CATALOG_ITEM;
    char label[MIST_DATASET_NAME_MAX + 1 + PATH_ROOM], file[32];
    struct finding finding = {verify, label, 0};
    struct mist_error local = {0};
    int descriptor;
    snprintf(label, sizeof label, "%s/%s", verify->dataset, subject->path);
    if (mist_store_open_file(verify->store, verify->dataset, subject->kind, subject->path, &descriptor, &local)) {
        found(&finding, local.message);
    } else {
        snprintf(file, sizeof file, "/proc/self/fd/%d", descriptor);
        if (item)
            verify_item(&finding, subject, descriptor);
        else
            verify_attachment(&finding, subject, file);
        close(descriptor);
    }
    pthread_mutex_lock(&verify->lock);
    verify->report->items += item;
    verify->report->attachments += !item;
    verify->report->failed += finding.sentences > 0;
    verify->report->stored_bytes += subject->size;
    pthread_mutex_unlock(&verify->lock);
    return tally_add(&verify->tally, worker, subject->size, label, error);
}

static void drop_page(struct verify *verify)
{
    for (unsigned i = 0; i < verify->count; i++)
        memory_free(verify->page[i].path);
    verify->count = 0;
}

/* All items, or all attachments, page by page. */
static enum mist_status verify_rows(struct verify *verify, enum mist_catalog_kind kind, unsigned threads,
                                    struct mist_error *error)
{
    char after[PATH_ROOM] = "";
    enum mist_status status;
    do {
        drop_page(verify);
        status = kind == MIST_CATALOG_ITEM
                     ? mist_store_items(verify->store, verify->dataset, after, PAGE, keep, verify, error)
                     : mist_store_attachments(verify->store, verify->dataset, after, PAGE, keep, verify, error);
        if (status || verify->count == 0)
            break;
        snprintf(after, sizeof after, "%s", verify->page[verify->count - 1].path);
        status = pool_run(threads, verify->count, verify_one, verify, error);
    } while (!status);
    drop_page(verify);
    return status;
}

/* Whether the index knows the catalog by this id. While a run is unfinished the index may be a step behind the file. */
static enum mist_status check_catalog_id(struct verify *verify, uint64_t id, struct mist_error *error)
{
    struct mist_dataset_info now; /* since it was listed, a run may have ended */
    enum mist_status status = mist_store_dataset(verify->store, verify->dataset, &now, error);
    if (!status && now.id != id && !now.unfinished)
        status = error_set(error, MIST_ERROR_CHECKSUM, "not as the index says; 'mist index' writes it anew");
    return status;
}

/* The tree list must be the one that the catalog names, and read to its end. */
static void verify_tree(struct verify *verify, const struct mist_dataset_tree *said)
{
    char label[MIST_DATASET_NAME_MAX + 32];
    struct finding finding = {verify, label, 0};
    struct mist_error error = {0};
    struct mist_dataset_tree counts;
    struct tree_list *list = NULL;
    struct file_map map = {0};
    snprintf(label, sizeof label, "%s/" TREE_LIST_NAME, verify->dataset);
    enum mist_status status = tree_file_map(verify->store, verify->dataset, &map, &error);
    if (!status && (map.size != said->size || checksum(map.data, map.size) != said->checksum))
        status = error_set(&error, MIST_ERROR_CHECKSUM, "not the one that the catalog names");
    if (!status)
        status = tree_list_open(map.data, map.size, &list, &counts, &error);
    struct tree_entry entry = {.path = ""};
    while (!status && entry.path)
        status = tree_list_next(list, &entry, &error);
    tree_list_close(&list);
    file_map_close(&map);
    if (status) {
        found(&finding, error.message);
        verify->report->failed++;
    }
}

/* The published catalog must read to its end and be the one that the index knows of. */
static void verify_catalog(struct verify *verify)
{
    char label[MIST_DATASET_NAME_MAX + 32], file[32];
    struct finding finding = {verify, label, 0};
    struct mist_error error = {0};
    mist_catalog *catalog = NULL;
    int descriptor;
    snprintf(label, sizeof label, "%s/catalog.jsonl.zst", verify->dataset);
    enum mist_status status =
        mist_store_open_file(verify->store, verify->dataset, MIST_CATALOG_END, NULL, &descriptor, &error);
    if (!status) {
        snprintf(file, sizeof file, "/proc/self/fd/%d", descriptor);
        status = mist_catalog_open(file, &catalog, &error);
        close(descriptor);
    }
    if (!status)
        status = check_catalog_id(verify, mist_catalog_dataset(catalog)->id, &error);
    struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ITEM};
    while (!status && entry.kind != MIST_CATALOG_END)
        status = mist_catalog_next(catalog, &entry, &error);
    const struct mist_dataset_tree tree = status ? (struct mist_dataset_tree){0} : mist_catalog_dataset(catalog)->tree;
    mist_catalog_close(&catalog);
    if (status) {
        found(&finding, error.message);
        verify->report->failed++;
    } else if (tree.size) {
        verify_tree(verify, &tree);
    }
}

static enum mist_status verify_dataset(struct verify *verify, const struct mist_dataset_info *info, unsigned threads,
                                       struct mist_error *error)
{
    uint64_t failed = verify->report->failed;
    verify->dataset = info->name;
    enum mist_status status = verify_rows(verify, MIST_CATALOG_ITEM, threads, error);
    if (!status)
        status = verify_rows(verify, MIST_CATALOG_ATTACHMENT, threads, error);
    if (!status)
        verify_catalog(verify);
    if (!status && verify->report->failed > failed && info->unfinished)
        tally_note(&verify->tally, info->name,
                   "its last 'mist encode' or 'mist index' was interrupted, or is at work: run it again");
    return status;
}

struct names {
    struct mist_dataset_info *list;
    size_t count;
};

static enum mist_status add_name(void *context, const struct mist_dataset_info *info, struct mist_error *error)
{
    struct names *names = context;
    struct mist_dataset_info *list = memory_resize(names->list, names->count + 1, sizeof *list);
    if (!list)
        return error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    list[names->count++] = *info;
    names->list = list;
    return MIST_OK;
}

enum mist_status mist_store_verify(mist_store *store, bool decode, unsigned threads, mist_store_note *note,
                                   void *note_context, struct mist_store_report *report,
                                   const struct mist_progress *progress, struct mist_error *error)
{
    struct mist_store_report own;
    struct names names = {0};
    struct verify *verify = memory_allocate_zeroed(1, sizeof *verify);
    if (!verify)
        return error_set(error, MIST_ERROR_MEMORY, "verifying: out of memory");
    verify->store = store;
    verify->decode = decode;
    verify->report = report ? report : &own;
    *verify->report = (struct mist_store_report){0};
    if (threads == 0)
        threads = pool_default_threads();
    if (threads > TALLY_WORKERS)
        threads = TALLY_WORKERS;
    pthread_mutex_init(&verify->lock, NULL);
    tally_start(&verify->tally, progress, note, note_context);
    uint64_t total = 0;
    enum mist_status status = mist_store_datasets(store, add_name, &names, error);
    for (size_t i = 0; i < names.count; i++)
        total += names.list[i].item_bytes + names.list[i].attachment_bytes;
    tally_phase(&verify->tally, "bytes", total);
    for (size_t i = 0; i < names.count && !status; i++)
        status = verify_dataset(verify, &names.list[i], threads, error);
    tally_end(&verify->tally);
    pthread_mutex_destroy(&verify->lock);
    memory_free(names.list);
    memory_free(verify);
    return status;
}
