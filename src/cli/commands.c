/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/commands.h"

/* In the order of `mist --help`: as the work goes, host first, then researcher. */
const struct command *const all_commands[] = {
    &command_encode, &command_index,      &command_remove, &command_info, &command_verify, &command_decode,
#ifndef MIST_NO_HOST
    &command_serve,  &command_page,
#endif
#ifndef MIST_NO_CLIENT
    &command_get,
#endif
    &command_eval,   &command_completion, &command_man,    NULL,
};
