/* SPDX-License-Identifier: BSD-2-Clause */
/* Temporary directories. */
#ifndef STORE_SCRATCH_H
#define STORE_SCRATCH_H

#include <mist/status.h>

/* A new directory "PREFIX-XXXXXX" in TMPDIR; freed with scratch_remove(). */
enum mist_status scratch_make(const char *prefix, char **path, struct mist_error *error);
/* Removes the directory and all that is in it, and frees the path. Safe on NULL. */
void scratch_remove(char **path);

#endif
