/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are: the output directory, and the cache. The cache is DIR.mist beside it; DIR/.mist where the parent
 * cannot be written to, or where there is one already; or where the caller says.
 */
#include "client/session.h"

#include "base/checksum.h"
#include "base/confined.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ---- the cache's place ---- */

static bool is_directory(const char *path)
{
    struct stat about;
    return path && stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* The output directory's own name, with links followed where it is there; freed with free(). */
static char *true_path(const char *directory)
{
    char *real = realpath(directory, NULL);
    if (!real && (real = strdup(directory)))
        for (size_t length = strlen(real); length > 1 && real[length - 1] == '/'; length--)
            real[length - 1] = '\0';
    return real;
}

static void tell(const struct session *session, const char *path, const char *sentence)
{
    if (session->options->note)
        session->options->note(session->options->note_context, path, sentence);
}

/* The path of the cache, which need not be there; NULL when memory is short. */
static char *choose_base(const struct session *session, bool make)
{
    const char *directory = session->options->directory;
    if (session->options->cache)
        return memory_copy_text(session->options->cache);
    char *inside = path_join(directory, SESSION_AREA), *real = true_path(directory), beside[PATH_MAX + 8] = "";
    if (real)
        snprintf(beside, sizeof beside, "%s.mist", real);
    bool root = real && strcmp(real, "/") == 0;
    free(real);
    struct stat about;
    if (!inside || (lstat(inside, &about) == 0 && S_ISDIR(about.st_mode)))
        return inside;
    if (!root && (is_directory(beside) || !make || mkdir(beside, 0777) == 0)) {
        memory_free(inside);
        return memory_copy_text(beside);
    }
    tell(session, inside, "what is fetched is kept there, since nothing can be made beside the output directory");
    return inside;
}

/* Tells backup programs (which know the Cache Directory Tagging Specification) what this is. */
static void tag_as_cache(int base)
{
    static const char text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# What 'mist get' keeps, so that it need not fetch it again. May be removed.\n";
    int descriptor;
    if (confined_open_writable(base, "CACHEDIR.TAG", &descriptor, NULL))
        return;
    file_write_at(descriptor, 0, text, sizeof text - 1, NULL); /* nothing depends on it */
    close(descriptor);
}

/* ---- two runs at once ---- */

/* Where a file system has no locks there is none. */
static enum mist_status take_lock(int descriptor, const char *what, struct mist_error *error)
{
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(error, MIST_ERROR_IO, "another 'mist get' is working %s", what);
    return MIST_OK;
}

static enum mist_status lock_all(struct session *session, struct mist_error *error)
{
    enum mist_status status = take_lock(session->root, "on this directory", error);
    if (!status)
        status = confined_open_writable(session->base, "lock", &session->lock, error);
    return status ? status : take_lock(session->lock, "with this cache", error);
}

/* ---- opening ---- */

/* Opens a directory below another: made, or -1 where it is not there. */
static enum mist_status open_below(int root, const char *path, bool make, int *descriptor, struct mist_error *error)
{
    if (make)
        return confined_directory(root, path, descriptor, error);
    if (root >= 0)
        *descriptor = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return MIST_OK;
}

static enum mist_status open_base(struct session *session, bool make, struct mist_error *error)
{
    session->base_path = choose_base(session, make);
    if (!session->base_path)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    enum mist_status status = make ? directory_make(session->base_path, error) : MIST_OK;
    if (status)
        return status;
    session->base = open(session->base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (session->base < 0 && (make || errno != ENOENT))
        return error_set_errno(error, errno, "%s", session->base_path);
    status = make ? lock_all(session, error) : MIST_OK;
    if (!status && make)
        tag_as_cache(session->base);
    return status;
}

/* "CACHE/DATASET/NAME"; NULL when memory is short. */
static char *area_path(const struct session *session, const char *name)
{
    char text[MIST_DATASET_NAME_MAX + 64];
    snprintf(text, sizeof text, "%s/%s", session->dataset.name, name);
    return path_join(session->base_path, text);
}

/* Files are moved from there into the output directory: so it is on the same file system, in the cache or not. */
static enum mist_status open_staging(struct session *session, bool make, struct mist_error *error)
{
    struct stat cache, output;
    bool apart =
        fstat(session->area, &cache) == 0 && fstat(session->root, &output) == 0 && cache.st_dev != output.st_dev;
    const int root = apart ? session->root : session->area;
    enum mist_status status = MIST_OK;
    if (make)
        status = open_below(root, apart ? SESSION_AREA "/staging" : "staging", true, &session->staging, error);
    if (!status)
        status = open_below(root, apart ? SESSION_AREA "/parts" : "parts", make, &session->parts, error);
    session->staging_path =
        apart ? path_join(session->options->directory, SESSION_AREA "/staging") : area_path(session, "staging");
    if (!status && !session->staging_path)
        status = error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return status;
}

/* In a cache that several output directories may share each has a record of its own. */
static enum mist_status open_state(struct session *session, bool make, struct mist_error *error)
{
    char name[64] = "written.sqlite", delivered[64] = "delivered.json";
    const char *format = session->options->format;
    char *real = session->options->cache ? true_path(session->options->directory) : NULL;
    if (real) {
        snprintf(name, sizeof name, "written-%016" PRIx64 ".sqlite", checksum(real, strlen(real)));
        snprintf(delivered, sizeof delivered, "delivered-%016" PRIx64 ".json", checksum(real, strlen(real)));
    }
    free(real);
    session->delivered_path = area_path(session, delivered);
    char *database = area_path(session, name);
    enum mist_status status = database ? state_open(database, session->root, format ? format : "source", make,
                                                    &session->state, &session->record_is_new, error)
                                       : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    memory_free(database);
    return status;
}

static enum mist_status open_area(struct session *session, bool make, struct mist_error *error)
{
    struct cache *cache = &session->cache;
    enum mist_status status = open_base(session, make, error);
    if (!status)
        status = open_below(session->base, session->dataset.name, make, &session->area, error);
    if (!status)
        status = open_staging(session, make, error);
    /* Where the items themselves are asked for, the output directory is where they are kept. */
    const bool items = cache->whole = select_wants_items(&session->select);
    if (!status)
        status = open_below(items ? session->root : session->area, items ? "." : "items", make && !items, &cache->items,
                            error);
    if (status)
        return status;
    cache->items_path = items ? memory_copy_text(session->options->directory) : area_path(session, "items");
    if (!cache->items_path)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    return open_state(session, make, error);
}

enum mist_status session_open_directory(struct session *session, bool make, struct mist_error *error)
{
    const char *directory = session->options->directory;
    if (!directory)
        return make ? error_set(error, MIST_ERROR_ARGUMENT, "there is no directory to write to") : MIST_OK;
    session->output_is_new = !is_directory(directory);
    enum mist_status status = make ? directory_make(directory, error) : MIST_OK;
    if (status)
        return status;
    session->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (session->root < 0 && (make || errno != ENOENT))
        return error_set_errno(error, errno, "%s", directory);
    status = open_area(session, make, error);
    if (status)
        return error_prefix(error, status, "%s", directory);
    if (make) /* what a killed run left half-written */
        confined_clear(session->staging);
    return MIST_OK;
}
