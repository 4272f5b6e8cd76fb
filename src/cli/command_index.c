/* SPDX-License-Identifier: BSD-2-Clause */
/* mist index: a store's index and catalogs from its files alone. */
#include "cli/commands.h"
#include "cli/report.h"

#include <inttypes.h>

static const struct option_spec options[] = {
    {"dataset", 0, "NAME", "only this dataset (default: all)"},
    {"jobs", 'j', "N", "threads (default: MIST_JOBS, or all cores)"},
    {"quiet", 'q', NULL, "print no progress and no summary"},
    {0},
};

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_store_report report;
    struct noted noted = {.arguments = arguments};
    unsigned jobs;
    bool quiet = option_given(arguments, "quiet");
    if (!option_jobs(arguments, &jobs))
        return EXIT_USAGE;
    noted.display = progress_start(quiet);
    struct mist_progress progress = progress_callbacks(noted.display);
    enum mist_status status = mist_store_index(operand(arguments, 0), option_value(arguments, "dataset"), jobs,
                                               print_note, &noted, &report, &progress, &error);
    progress_end(&noted.display);
    char bytes[32];
    if (status)
        complain(arguments, "%s", error.message);
    else if (!quiet)
        printf("%" PRIu64 " items and %" PRIu64 " other files, %s\n", report.items, report.attachments,
               format_bytes(report.stored_bytes, bytes));
    return status || report.failed ? EXIT_FAILED : EXIT_DONE;
}

const struct command command_index = {
    .name = "index",
    .summary = "rebuild a store's index and catalogs from its items",
    .synopsis = "STORE [OPTION...]",
    .details = "The index (mist.sqlite) and the catalogs are made from the item files and attachments\n"
               "alone: after copying items in or out, after shards of a dataset were encoded on several\n"
               "machines, or when the index was lost. Damaged items are named and left out.",
    .options = options,
    .example = "mist index store",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
