/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/contain.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK };

/* The kernel's own check (Linux 5.6): no race between check and use. EAGAIN: something was renamed meanwhile. */
static int open_by_kernel(int root, const char *path)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int descriptor = -1;
    for (int tries = 0; tries < 100; tries++) {
        descriptor = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
        if (descriptor >= 0 || errno != EAGAIN)
            break;
    }
    return descriptor;
}

/* Where openat2() is missing or forbidden: open, then ask where the descriptor really is. */
static int open_and_look(int root, const char *path)
{
    char link[64], root_path[4096], file_path[4096];
    int descriptor = openat(root, path, OPEN_FLAGS);
    if (descriptor < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", root);
    ssize_t root_length = readlink(link, root_path, sizeof root_path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t file_length = readlink(link, file_path, sizeof file_path);
    if (root_length > 0 && file_length > root_length + 1 && file_length < (ssize_t)sizeof file_path &&
        memcmp(root_path, file_path, (size_t)root_length) == 0 && file_path[root_length] == '/')
        return descriptor;
    close(descriptor);
    return -1;
}

enum mist_status open_beneath(int root, const char *path, int *descriptor, struct mist_error *error)
{
    *descriptor = -1;
    int opened = open_by_kernel(root, path);
    if (opened < 0 && (errno == ENOSYS || errno == EPERM))
        opened = open_and_look(root, path);
    struct stat about;
    if (opened < 0 || fstat(opened, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (opened >= 0)
            close(opened);
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: no such file in this store", path);
    }
    *descriptor = opened;
    return MIST_OK;
}
