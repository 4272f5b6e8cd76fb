/* SPDX-License-Identifier: BSD-2-Clause */
/* Every sub-command, each defined in its own command_NAME.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

/* All of them, ended by NULL. */
extern const struct command *const all_commands[];

extern const struct command command_completion;
extern const struct command command_decode;
extern const struct command command_encode;
extern const struct command command_eval;
extern const struct command command_get;
extern const struct command command_index;
extern const struct command command_info;
extern const struct command command_remove;
extern const struct command command_man;
extern const struct command command_serve;
extern const struct command command_page;
extern const struct command command_verify;

#endif
