/* SPDX-License-Identifier: BSD-2-Clause */
/* mist decode on a bare HTJ2K codestream or a JPH file. */
#ifndef CLI_DECODE_CODESTREAM_H
#define CLI_DECODE_CODESTREAM_H

#include "cli/command.h"

/* Whether the file's first bytes are those of a codestream or a JPH (JP2) file. */
bool is_codestream(const char *path);

/* Decodes `path` to -o by --component and --reduce. */
enum exit_status decode_codestream(const struct arguments *arguments, const char *path);

#endif
