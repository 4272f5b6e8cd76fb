/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_VERIFY_AGAINST_H
#define CLI_VERIFY_AGAINST_H

#include "cli/command.h"

/* `mist verify` with --against; `path`: STORE/DATASET. */
enum exit_status verify_against(const struct arguments *arguments, const char *path);

#endif
