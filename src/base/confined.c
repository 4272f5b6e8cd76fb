/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/confined.h"

#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One directory further down; -1 with errno. */
static int descend(int from, const char *part, bool make)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int next = openat(from, part, FLAGS);
    if (next < 0 && errno == ENOENT && make) {
        if (mkdirat(from, part, 0777) != 0 && errno != EEXIST)
            return -1;
        next = openat(from, part, FLAGS);
    }
    return next;
}

/* The sentence for a part that cannot be passed. */
static enum mist_status blocked(int errnum, int from, const char *part, const char *path, size_t length,
                                struct mist_error *error)
{
    struct stat about;
    bool link = (errnum == ELOOP || errnum == ENOTDIR) && fstatat(from, part, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISLNK(about.st_mode);
    if (link)
        return error_set(error, MIST_ERROR_IO, "%.*s: a symbolic link; nothing is written through it", (int)length,
                         path);
    if (errnum == ENOTDIR)
        return error_set(error, MIST_ERROR_IO, "%.*s: a file is there where a directory is needed", (int)length, path);
    return error_set_errno(error, errnum, "%.*s", (int)length, path);
}

enum mist_status confined_parent(int root, const char *path, bool make, int *parent, const char **name,
                                 struct mist_error *error)
{
    char part[PATH_PART_LIMIT + 1];
    const char *at = path;
    *parent = -1;
    int here = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (here < 0)
        return error_set_errno(error, errno, "%s", path);
    for (const char *slash; (slash = strchr(at, '/')) != NULL; at = slash + 1) {
        size_t size = (size_t)(slash - at);
        if (size >= sizeof part) {
            close(here);
            return error_set_errno(error, ENAMETOOLONG, "%s", path);
        }
        memcpy(part, at, size);
        part[size] = '\0';
        int next = descend(here, part, make);
        if (next < 0) {
            enum mist_status status = blocked(errno, here, part, path, (size_t)(slash - path), error);
            close(here);
            return status;
        }
        close(here);
        here = next;
    }
    *parent = here;
    *name = at;
    return MIST_OK;
}

static bool is_regular(int descriptor)
{
    struct stat about;
    return fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode);
}

int confined_open(int root, const char *path, int flags)
{
    int parent;
    const char *name;
    if (root < 0 || confined_parent(root, path, false, &parent, &name, NULL))
        return -1;
    int descriptor = openat(parent, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    close(parent);
    if (descriptor >= 0 && !is_regular(descriptor)) {
        close(descriptor);
        descriptor = -1;
    }
    return descriptor;
}

enum mist_status confined_open_writable(int root, const char *path, int *descriptor, struct mist_error *error)
{
    int parent;
    const char *name;
    *descriptor = -1;
    enum mist_status status = confined_parent(root, path, true, &parent, &name, error);
    if (status)
        return status;
    *descriptor = openat(parent, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
    if (*descriptor < 0) {
        status = error_set_errno(error, errno, "%s", path);
    } else if (!is_regular(*descriptor)) {
        status = error_set(error, MIST_ERROR_IO, "%s: not a regular file", path);
        close(*descriptor);
        *descriptor = -1;
    }
    close(parent);
    return status;
}

bool confined_stat(int root, const char *path, struct stat *about)
{
    int parent;
    const char *name;
    if (root < 0 || confined_parent(root, path, false, &parent, &name, NULL))
        return false;
    bool found = fstatat(parent, name, about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about->st_mode);
    close(parent);
    return found;
}

void confined_remove(int root, const char *path)
{
    int parent;
    const char *name;
    if (root < 0 || confined_parent(root, path, false, &parent, &name, NULL))
        return;
    unlinkat(parent, name, 0);
    close(parent);
}

/* Removes the directories that hold `path`, from the innermost on, as long as they are empty. */
static void remove_empty_above(int root, const char *path)
{
    char directory[PATH_ROOM];
    size_t length = strlen(path);
    while (length < sizeof directory) {
        int parent;
        const char *name;
        while (length > 0 && path[length - 1] != '/')
            length--;
        if (length == 0)
            return;
        memcpy(directory, path, --length);
        directory[length] = '\0';
        if (confined_parent(root, directory, false, &parent, &name, NULL))
            return;
        int failed = unlinkat(parent, name, AT_REMOVEDIR);
        close(parent);
        if (failed)
            return;
    }
}

enum mist_status confined_remove_tidily(int root, const char *path, struct mist_error *error)
{
    int parent;
    const char *name;
    enum mist_status status = confined_parent(root, path, false, &parent, &name, error);
    if (status)
        return status;
    if (unlinkat(parent, name, 0) != 0)
        status = error_set_errno(error, errno, "%s", path);
    close(parent);
    if (!status)
        remove_empty_above(root, path);
    return status;
}

enum mist_status confined_rename(int from_root, const char *from, int to_root, const char *to, struct mist_error *error)
{
    int from_parent, to_parent;
    const char *from_name, *to_name;
    enum mist_status status = confined_parent(from_root, from, false, &from_parent, &from_name, error);
    if (status)
        return status;
    status = confined_parent(to_root, to, true, &to_parent, &to_name, error);
    if (!status) {
        if (renameat(from_parent, from_name, to_parent, to_name) != 0) {
            bool directory = errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST;
            status = directory ? error_set(error, MIST_ERROR_IO, "%s: a directory of this name is in the way", to)
                               : error_set_errno(error, errno, "%s", to);
        }
        close(to_parent);
    }
    close(from_parent);
    return status;
}

enum mist_status confined_directory(int root, const char *path, int *descriptor, struct mist_error *error)
{
    int parent;
    const char *name;
    *descriptor = -1;
    enum mist_status status = confined_parent(root, path, true, &parent, &name, error);
    if (status)
        return status;
    *descriptor = descend(parent, name, true);
    if (*descriptor < 0)
        status = blocked(errno, parent, name, path, strlen(path), error);
    close(parent);
    return status;
}

void confined_clear(int root)
{
    int copy = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;
    if (!directory) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(root, entry->d_name, 0) == 0)
            continue;
        int below = openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
            confined_clear(below);
            close(below);
            unlinkat(root, entry->d_name, AT_REMOVEDIR);
        }
    }
    closedir(directory);
}

/* ---- for reading, links followed ---- */

enum { READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK };

/* The kernel's own check (Linux 5.6): no race between check and use. EAGAIN: something was renamed meanwhile. */
static int open_by_kernel(int root, const char *path)
{
    struct open_how how = {.flags = READ_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
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
    int descriptor = openat(root, path, READ_FLAGS);
    if (descriptor < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", root);
    ssize_t root_length = readlink(link, root_path, sizeof root_path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t file_length = readlink(link, file_path, sizeof file_path);
    bool whole = root_length > 0 && file_length > 0 && file_length < (ssize_t)sizeof file_path;
    if (root_length == 1) /* the root of the file system: everything is below it */
        root_length = 0;
    if (whole && file_length > root_length + 1 && memcmp(root_path, file_path, (size_t)root_length) == 0 &&
        file_path[root_length] == '/') /* below /store/d, not below /store/d2 */
        return descriptor;
    close(descriptor);
    return -1;
}

enum mist_status confined_open_following(int root, const char *path, int *descriptor, struct mist_error *error)
{
    *descriptor = -1;
    int opened = open_by_kernel(root, path);
    if (opened < 0 && (errno == ENOSYS || errno == EPERM))
        opened = open_and_look(root, path);
    if (opened < 0 || !is_regular(opened)) {
        if (opened >= 0)
            close(opened);
        return error_set(error, MIST_ERROR_NOT_FOUND, "%s: no such file in this store", path);
    }
    *descriptor = opened;
    return MIST_OK;
}
