/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_evaluate(): a temporary store, and what it is worth. */
#include "store/compare.h"
#include "store/measure.h"
#include "store/scratch.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "coder/step.h"
#include "item/item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char dataset[] = "evaluation";

struct evaluate {
    const struct mist_store_encode_options *options;
    const struct mist_resolution_request *request;
    mist_evaluation_visit *visit;
    void *context;
    struct mist_store_report *report;
    const struct mist_progress *progress;
    unsigned threads;
    char *store; /* temporary directories */
    char *export;
    mist_store *open;
    uint64_t done;
    uint64_t total;
    char after[PATH_ROOM];
    struct mist_catalog_entry entry; /* only numbers of it are used after the visit */
    enum mist_lossless lossless;     /* of the files of the current item so far */
    struct mist_error trouble;       /* with comparing them */
};

/* ---- where a dataset path came from ---- */

/* The file on disk that became `path`: below the only source, or beside the source whose base name it starts with. */
static char *source_path(const struct mist_store_encode_options *options, const char *path)
{
    for (uint32_t i = 0; i < options->source_count; i++) {
        char *real = realpath(options->sources[i], NULL);
        struct stat about;
        if (!real || stat(real, &about) != 0) {
            free(real);
            continue;
        }
        char *base = strrchr(real, '/');
        size_t length = strlen(base + 1);
        char *found = NULL;
        if (options->source_count > 1 || !S_ISDIR(about.st_mode)) {
            bool here = strncmp(path, base + 1, length) == 0 && (path[length] == '/' || path[length] == '\0');
            base[base == real] = '\0';
            found = here ? path_join(real, path) : NULL;
        } else {
            found = path_join(real, path);
        }
        free(real);
        if (found)
            return found;
    }
    return NULL;
}

/* ---- one item ---- */

/* Called with each file that was exported. */
static void compare_written(void *context, const char *path)
{
    struct evaluate *evaluate = context;
    struct mist_error error = {0};
    const char *below = path + strlen(evaluate->export) + 1;
    char *original = source_path(evaluate->options, below);
    enum mist_lossless result = MIST_LOSSLESS_NO;
    if (!original)
        error_set(&error, MIST_ERROR_NOT_FOUND, "%s: nothing to compare it with", below);
    else
        compare_files(original, path, &result, &error);
    if (error.status)
        evaluate->trouble = error;
    if (result < evaluate->lossless)
        evaluate->lossless = result;
    memory_free(original);
    unlink(path);
}

static enum mist_status test_lossless(struct evaluate *evaluate, const mist_item *item, struct mist_error *error)
{
    struct mist_export_options options = {.threads = evaluate->threads, .identical = true, .unsynced = true};
    evaluate->lossless = MIST_LOSSLESS_FILES;
    evaluate->trouble = (struct mist_error){0};
    enum mist_status status = mist_item_export(item, &options, evaluate->export, compare_written, evaluate, error);
    if (!status && evaluate->trouble.status)
        return error_set(error, evaluate->trouble.status, "%s", evaluate->trouble.message);
    return status;
}

static enum mist_status evaluate_open_item(struct evaluate *evaluate, const mist_item *item, struct mist_error *error)
{
    const struct mist_item_info *info = mist_item_info(item);
    const struct mist_catalog_item *row = &evaluate->entry.item;
    const struct mist_resolution_request quarter = {.by_reduce = true, .reduce = 2};
    const struct mist_choice choice = mist_choose(row, evaluate->request ? evaluate->request : &quarter);
    struct mist_evaluation evaluation = {
        .path = evaluate->after,
        .format = info->format,
        .image = &info->image,
        .label = info->label,
        .levels = info->levels,
        .source_bytes = info->source_bytes,
        .stored_bytes = info->size,
        .sent_chosen = mist_catalog_item_bytes(row, choice, false),
        .reduce = choice.reduce,
        .step = choice.step,
        .slices = step_slices(info->image.slices, choice.step),
    };
    for (unsigned reduce = 0; reduce < MIST_MAX_LEVELS; reduce++)
        evaluation.sent[reduce] = mist_catalog_item_bytes(row, (struct mist_choice){reduce, 0}, false);
    evaluation.width = mist_reduced_size(info->image.width, evaluation.reduce);
    evaluation.height = mist_reduced_size(info->image.height, evaluation.reduce);
    enum mist_status status = test_lossless(evaluate, item, error);
    evaluation.lossless = evaluate->lossless;
    if (!status)
        status = measure_item(item, evaluate->threads, &evaluation, error);
    if (!status && info->image.label && mist_item_classes(item, &evaluation.classes, NULL) != MIST_OK)
        evaluation.classes = (struct mist_item_classes){0};
    if (!status)
        evaluate->visit(evaluate->context, &evaluation);
    return status;
}

static enum mist_status take(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct evaluate *evaluate = context;
    (void)error;
    evaluate->entry = *entry;
    snprintf(evaluate->after, sizeof evaluate->after, "%s", entry->item.path);
    return MIST_OK;
}

static enum mist_status evaluate_item(struct evaluate *evaluate, struct mist_error *error)
{
    struct mist_error local = {0};
    mist_item *item = NULL;
    int descriptor;
    enum mist_status status =
        mist_store_open_file(evaluate->open, dataset, MIST_CATALOG_ITEM, evaluate->after, &descriptor, &local);
    if (!status) {
        status = item_open_descriptor(descriptor, "item file", &item, &local);
        close(descriptor);
    }
    if (!status)
        status = evaluate_open_item(evaluate, item, &local);
    mist_item_close(&item);
    if (status) {
        evaluate->report->failed++;
        if (evaluate->options->note)
            evaluate->options->note(evaluate->options->note_context, evaluate->after, local.message);
    }
    evaluate->done++;
    const struct mist_progress *progress = evaluate->progress;
    if (progress && progress->report &&
        progress->report(progress->context, "items", evaluate->done, evaluate->total, evaluate->after) != 0)
        return error_set(error, MIST_ERROR_CANCELLED, "stopped on request");
    return MIST_OK;
}

static enum mist_status evaluate_items(struct evaluate *evaluate, struct mist_error *error)
{
    struct mist_dataset_info info;
    enum mist_status status = mist_store_open(evaluate->store, &evaluate->open, error);
    if (!status)
        status = mist_store_dataset(evaluate->open, dataset, &info, error);
    evaluate->total = status ? 0 : info.items;
    for (uint64_t i = 0; i < evaluate->total && !status; i++) {
        status = mist_store_items(evaluate->open, dataset, evaluate->after, 1, take, evaluate, error);
        if (!status)
            status = evaluate_item(evaluate, error);
    }
    mist_store_close(&evaluate->open);
    return status;
}

enum mist_status mist_evaluate(const struct mist_store_encode_options *options,
                               const struct mist_resolution_request *request, mist_evaluation_visit *visit,
                               void *context, struct mist_store_report *report, const struct mist_progress *progress,
                               struct mist_error *error)
{
    struct mist_store_report own;
    struct evaluate evaluate = {.options = options,
                                .request = request,
                                .visit = visit,
                                .context = context,
                                .report = report ? report : &own,
                                .progress = progress,
                                .threads = options->threads ? options->threads : pool_default_threads()};
    struct mist_store_encode_options encode = *options;
    char *root;
    enum mist_status status = scratch_make("mist-eval", &root, error);
    if (status)
        return status;
    encode.dataset = dataset;
    evaluate.store = path_join(root, "store");
    evaluate.export = path_join(root, "export");
    if (!evaluate.store || !evaluate.export)
        status = error_set(error, MIST_ERROR_MEMORY, "evaluating: out of memory");
    if (!status)
        status = mist_store_encode(evaluate.store, &encode, evaluate.report, progress, error);
    if (!status)
        status = evaluate_items(&evaluate, error);
    memory_free(evaluate.store);
    memory_free(evaluate.export);
    scratch_remove(&root);
    return status;
}
