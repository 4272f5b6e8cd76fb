/* SPDX-License-Identifier: BSD-2-Clause */
/* mist remove: items and files of a dataset are withdrawn. */
#include "cli/commands.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec options[] = {
    {"undo", 0, NULL, "let mist encode take these in again"},
    {"json", 0, NULL, "print what was done as one JSON object"},
    {"quiet", 'q', NULL, "print no summary"},
    {0},
};

static void print_done(const struct arguments *arguments, const struct mist_store_report *report, bool undo)
{
    if (option_given(arguments, "json"))
        printf("{\"removed\":%" PRIu64 ",\"items\":%" PRIu64 ",\"attachments\":%" PRIu64 ",\"failed\":%" PRIu64
               ",\"undone\":%" PRIu64 "}\n",
               report->removed, report->items, report->attachments, report->failed, report->unchanged);
    else if (!option_given(arguments, "quiet") && undo)
        printf("%" PRIu64 " path%s may be taken in again by mist encode\n", report->unchanged,
               report->unchanged == 1 ? "" : "s");
    else if (!option_given(arguments, "quiet"))
        printf("%" PRIu64 " item%s and %" PRIu64 " other file%s withdrawn\n", report->items,
               report->items == 1 ? "" : "s", report->attachments, report->attachments == 1 ? "" : "s");
}

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_store_report report;
    struct noted noted = {.arguments = arguments};
    const size_t count = operand_count(arguments) - 1;
    const bool undo = option_given(arguments, "undo");
    char *store = strdup(operand(arguments, 0));
    const char **paths = malloc((count + 1) * sizeof *paths);
    if (!store || !paths) {
        complain(arguments, "out of memory");
        free(store);
        free(paths);
        return EXIT_FAILED;
    }
    for (size_t length = strlen(store); length > 1 && store[length - 1] == '/';)
        store[--length] = '\0';
    for (size_t i = 0; i < count; i++)
        paths[i] = operand(arguments, i + 1);
    char *slash = strrchr(store, '/');
    if (slash)
        *slash = '\0';
    const char *directory = !slash ? "." : slash == store ? "/" : store;
    enum mist_status status = mist_store_remove(directory, slash ? slash + 1 : store, paths, (uint32_t)count, undo,
                                                print_note, &noted, &report, &error);
    if (status)
        complain(arguments, "%s", error.message);
    else
        print_done(arguments, &report, undo);
    free(store);
    free(paths);
    return status || report.failed ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_remove = {
    .name = "remove",
    .summary = "withdraw items and files from a dataset",
    .synopsis = "STORE/DATASET PATH... [OPTION...]",
    .details = "PATH is that of an item (as 'mist info STORE --items' has it), of another file, or of a\n"
               "directory of the dataset. They go from the catalog, then from the store. A later\n"
               "'mist encode' does not take their sources in again (STORE/DATASET/withdrawn.txt) unless\n"
               "--undo is given first; 'mist get --prune' removes them from where they were downloaded.",
    .options = options,
    .example = "mist remove store/chest images/00000013_005.png patients/p10000032",
    .minimum_operands = 2,
    .maximum_operands = -1,
    .run = run,
};
