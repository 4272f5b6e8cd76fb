/* SPDX-License-Identifier: BSD-2-Clause */
/* mist encode IMAGE -o OUT.j2c|.jph: one picture into one codestream, without a store. */
#ifndef CLI_ENCODE_CODESTREAM_H
#define CLI_ENCODE_CODESTREAM_H

#include "cli/command.h"

/* Whether a name asks for a codestream (.j2c, .j2k, .jhc) or a JPH file (.jph) instead of a store. */
bool names_codestream(const char *path);

/* The options of `mist encode` that only a codestream takes; the first one given, or NULL. */
const char *codestream_option(const struct arguments *arguments);

enum exit_status encode_codestream(const struct arguments *arguments, const char *image, const char *out);

#endif
