/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/scratch.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path) && 0; /* go on, whatever happens */
}

enum mist_status scratch_make(const char *prefix, char **path, struct mist_error *error)
{
    const char *temporary = getenv("TMPDIR");
    char name[64];
    snprintf(name, sizeof name, "%s-XXXXXX", prefix);
    *path = path_join(temporary && *temporary ? temporary : "/tmp", name);
    if (!*path)
        return error_set(error, MIST_ERROR_MEMORY, "making a temporary directory: out of memory");
    if (mkdtemp(*path))
        return MIST_OK;
    error_set(error, MIST_ERROR_IO, "%s: no temporary directory can be made", *path);
    memory_free(*path);
    *path = NULL;
    return MIST_ERROR_IO;
}

void scratch_remove(char **path)
{
    if (*path)
        nftw(*path, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    memory_free(*path);
    *path = NULL;
}
