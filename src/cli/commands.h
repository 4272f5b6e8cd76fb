/* SPDX-License-Identifier: BSD-2-Clause */
/* Every sub-command, each defined in its own command_NAME.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command command_completion;
extern const struct command command_decode;
extern const struct command command_man;

#endif
