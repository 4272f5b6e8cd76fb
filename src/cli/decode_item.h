/* SPDX-License-Identifier: BSD-2-Clause */
/* mist decode on an item file. */
#ifndef CLI_DECODE_ITEM_H
#define CLI_DECODE_ITEM_H

#include "cli/command.h"

/* Writes the item's files below the directory -o at the resolution asked for. */
enum exit_status decode_item(const struct arguments *arguments, const char *path);

#endif
