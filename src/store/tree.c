/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/tree.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

struct tree {
    enum mist_status (*visit)(void *context, const char *path, struct mist_error *error);
    void *context;
};

enum { MAX_DEPTH = 600 }; /* a path of 1024 bytes has no more parts */

static enum mist_status walk(const struct tree *tree, const char *disk, const char *below, unsigned depth,
                             struct mist_error *error);

static enum mist_status visit_entry(const struct tree *tree, const char *directory, const char *below, const char *name,
                                    unsigned depth, struct mist_error *error)
{
    char *disk = path_join(directory, name);
    char *path = path_join(below, name);
    struct stat link, about;
    enum mist_status status = MIST_OK;
    if (!disk || !path)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", directory);
    else if (path_is_safe(path, strlen(path)) && lstat(disk, &link) == 0 && stat(disk, &about) == 0) {
        if (S_ISREG(about.st_mode))
            status = tree->visit(tree->context, path, error);
        else if (S_ISDIR(link.st_mode) && depth < MAX_DEPTH)
            status = walk(tree, disk, path, depth + 1, error);
    }
    memory_free(disk);
    memory_free(path);
    return status;
}

static enum mist_status walk(const struct tree *tree, const char *disk, const char *below, unsigned depth,
                             struct mist_error *error)
{
    DIR *directory = opendir(disk);
    if (!directory)
        return errno == ENOENT ? MIST_OK : error_set_errno(error, errno, "%s", disk);
    enum mist_status status = MIST_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            if (errno)
                status = error_set_errno(error, errno, "%s", disk);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = visit_entry(tree, disk, below, entry->d_name, depth, error);
    }
    closedir(directory);
    return status;
}

enum mist_status tree_walk(const char *root,
                           enum mist_status (*visit)(void *context, const char *path, struct mist_error *error),
                           void *context, struct mist_error *error)
{
    struct tree tree = {visit, context};
    return walk(&tree, root, "", 0, error);
}
