/* SPDX-License-Identifier: BSD-2-Clause */
/* Dispatches to the sub-commands. */
#include "cli/commands.h"
#include "cli/help.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static enum exit_status dispatch(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "mist: no command; see 'mist --help'\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("mist " MIST_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (strcmp(argv[1], "help") == 0 && argc == 2)) {
        help_overview(all_commands);
        return EXIT_DONE;
    }
    bool help = strcmp(argv[1], "help") == 0;
    const char *name = argv[help ? 2 : 1];
    for (size_t i = 0; all_commands[i]; i++) {
        if (strcmp(name, all_commands[i]->name) != 0)
            continue;
        if (!help)
            return command_run(all_commands, all_commands[i], argc - 1, argv + 1);
        command_help(all_commands[i]);
        return EXIT_DONE;
    }
    fprintf(stderr, "mist: unknown command '%s'; see 'mist --help'\n", name);
    return EXIT_USAGE;
}

/* Whether all that was printed reached standard output; if not, errno says why. */
static bool output_arrived(void)
{
    const bool failed = ferror(stdout);
    /* Of an earlier failure nothing may be left to flush, and its errno is gone: one more byte asks again. */
    if (failed)
        putchar('\n');
    errno = EIO;
    return fflush(stdout) == 0 && !failed;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe or socket is an error of the write, not the end of the process */
    enum exit_status status = dispatch(argc, argv);
    /* Data that did not arrive (a full disk, a closed pipe) is a failure. */
    if (!output_arrived() && status == EXIT_DONE) {
        fprintf(stderr, "mist: standard output: %s\n", strerror(errno));
        status = EXIT_FAILED;
    }
    return status;
}
