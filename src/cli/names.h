/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of names in files, one a line: --include-from. */
#ifndef CLI_NAMES_H
#define CLI_NAMES_H

#include "cli/command.h"

/* The text of all files together, and where each line of it starts. Start zeroed; free with names_free(). */
struct names {
    char *text;
    size_t size;
    const char **list;
    uint32_t count;
};
void names_free(struct names *names);

/* Appends a file's text and a line end; false after a complaint. */
bool names_read(const struct arguments *arguments, const char *path, struct names *names);
/* Cuts the text into lines; spaces around them and empty ones do not count. False after a complaint. */
bool names_split(const struct arguments *arguments, struct names *names);

#endif
