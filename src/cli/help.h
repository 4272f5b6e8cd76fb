/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/command.h"

/* `mist --help` on standard output. `commands` ends with NULL. */
void help_overview(const struct command *const commands[]);
/* The manual page (roff) on standard output. */
void help_man_page(const struct command *const commands[]);

/* An option's help with what it stands for filled in ({formats}). */
enum { HELP_SIZE = 512 };
const char *help_option_text(const struct option_spec *option, char text[HELP_SIZE]);

#endif
