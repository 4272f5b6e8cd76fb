/* SPDX-License-Identifier: BSD-2-Clause */
/* mist page: the page of `mist serve`, as files beside a store's. */
#include "cli/commands.h"

#include <mist/host.h>

static const struct option_spec options[] = {
    {"quiet", 'q', NULL, "print nothing"},
    {0},
};

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    const char *store = operand(arguments, 0);
    if (mist_page_write(store, &error)) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    if (!option_given(arguments, "quiet"))
        printf("%s/index.html: publish the directory with any web server that knows ranges\n", store);
    return EXIT_DONE;
}

const struct command command_page = {
    .name = "page",
    .summary = "put the page for browsers beside a store's files",
    .synopsis = "STORE [OPTION...]",
    .details = "For web servers that run no program (nginx, S3 and the like): index.html, datasets.json and\n"
               "mist-page/ are written into STORE. Datasets that are encoded later are listed after the next\n"
               "run; what changes within one is seen at once. 'mist serve' has the page itself.",
    .options = options,
    .example = "mist page store",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
