/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of files, which are bytes, as paths of a dataset, which are text: what cannot stand in one as it is (bytes that
 * are no UTF-8, backslashes, control characters, and the characters that stand for such bytes) becomes a character of
 * the private use area for each byte, U+F000 + byte, as Cygwin does it. All other names stay what they are.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

/* A path of bytes -> text, with '/' kept. False where it has no room, with its NUL, in `size` bytes. */
bool path_escape(const char *path, char *text, size_t size);
/*
 * The bytes that a path was made of. `bytes` needs strlen(text) + 1. What path_escape() would not have made comes back
 * as it is, so that nothing but a name with such bytes leads to them; never does a '/' come to be.
 */
void path_unescape(const char *text, char *bytes);

#endif
