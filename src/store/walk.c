/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources -> listing. A symbolic link to something in the same source is listed as a link; others are followed
 * (datasets kept by git-annex or DataLad are full of them, with their content below .git).
 */
#include "store/walk.h"

#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"
#include "source/tree_list.h"
#include "store/labels.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 256 };

/* A directory being read and those above it. */
struct place {
    const struct place *above;
    unsigned depth;
    dev_t device;
    ino_t inode;
    const char *disk;    /* its path on this machine */
    const char *dataset; /* its path in the dataset; "" at the root */
};

static enum mist_status no_memory(const char *path, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
}

static int64_t mtime_of(const struct stat *about)
{
    return (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec;
}

static enum mist_status add_file(struct walk *walk, const struct place *place, const char *disk, const char *path,
                                 const struct stat *about, struct mist_error *error)
{
    const struct found_file found = {path, disk, (uint64_t)about->st_size, mtime_of(about), about->st_mode & 07777, 0};
    const char *name = strrchr(path, '/');
    enum mist_status status = walk_add_file(walk, &found, error);
    if (!status && strcmp(name ? name + 1 : path, "dataset.json") == 0)
        status = walk_read_listed(walk, place->dataset, disk, error);
    return status;
}

static enum mist_status walk_directory(struct walk *walk, const struct place *place, struct mist_error *error);

/* Whether a directory contains the source itself: a link to it would bring in what nobody asked for. */
static bool is_above_source(const struct walk *walk, const char *disk)
{
    char *real = realpath(disk, NULL);
    size_t length = real ? strlen(real) : 0;
    while (length > 0 && real[length - 1] == '/') /* the root directory */
        length--;
    bool above = real && strncmp(walk->source, real, length) == 0 && walk->source[length] == '/';
    free(real);
    return above;
}

static enum mist_status enter(struct walk *walk, const struct place *above, const char *disk, const char *path,
                              const struct stat *about, struct mist_error *error)
{
    struct place place = {above, above->depth + 1, about->st_dev, about->st_ino, disk, path};
    if (about->st_dev == walk->store.st_dev && about->st_ino == walk->store.st_ino)
        return MIST_OK; /* the store itself */
    for (const struct place *p = above; p; p = p->above)
        if (p->device == place.device && p->inode == place.inode)
            return MIST_OK; /* a link to a directory that is being walked: everything in it is listed already */
    if (is_above_source(walk, disk)) {
        walk_leave_out(walk, path, "a link to a directory around the source");
        return MIST_OK;
    }
    if (place.depth > MAX_DEPTH) {
        walk_leave_out(walk, path, "nested too deeply");
        return MIST_OK;
    }
    enum mist_status status = walk_add_place(walk, path, NULL, about->st_mode & 07777, mtime_of(about), error);
    return status ? status : walk_directory(walk, &place, error);
}

/* "../../a/b" from the directory of the dataset path `link` to `to`. */
static bool relative_path(const char *link, const char *to, char target[PATH_ROOM])
{
    size_t common = 0, used = 0;
    for (size_t i = 0; link[i] && link[i] == to[i]; i++)
        common = link[i] == '/' ? i + 1 : common;
    for (const char *slash = strchr(link + common, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (used + 3 >= PATH_ROOM)
            return false;
        memcpy(target + used, "../", 3);
        used += 3;
    }
    const size_t length = strlen(to + common);
    if (used + length >= PATH_ROOM)
        return false;
    memcpy(target + used, to + common, length + 1);
    return true;
}

/* Whether a path below the source is where git-annex keeps its content. */
static bool is_in_git(const char *below)
{
    return strncmp(below, ".git/", 5) == 0 || strstr(below, "/.git/") != NULL;
}

/* Lists a link to something in the same source as one; *listed is false where it is to be followed. */
static enum mist_status list_link(struct walk *walk, const char *disk, const char *path, const struct stat *about,
                                  bool *listed, struct mist_error *error)
{
    char *real = realpath(disk, NULL);
    const size_t length = strlen(walk->source);
    const bool inside = real && strncmp(real, walk->source, length) == 0 && (real[length] == '/' || !real[length]);
    const char *below = inside ? real + length + (real[length] == '/') : "";
    char text[PATH_ROOM], escaped[PATH_ROOM], to[PATH_ROOM], lexical[PATH_ROOM];
    struct stat target;
    *listed = inside && !is_in_git(below) && stat(real, &target) == 0 &&
              (S_ISREG(target.st_mode) || S_ISDIR(target.st_mode)) &&
              !(target.st_dev == walk->store.st_dev && target.st_ino == walk->store.st_ino) &&
              path_escape(below, escaped, sizeof escaped);
    free(real);
    if (!*listed)
        return MIST_OK;
    snprintf(to, sizeof to, "%s%s%s", walk->base, *walk->base && *escaped ? "/" : "", escaped);
    /* Its own words where they say the same; not where they lead over the world outside. */
    const ssize_t size = readlink(disk, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    const bool same = size > 0 && path_escape(text, escaped, sizeof escaped) && tree_resolve(path, escaped, lexical) &&
                      strcmp(lexical, to) == 0;
    *listed = same || relative_path(path, to, escaped);
    return *listed ? walk_add_place(walk, path, escaped, 0777, mtime_of(about), error) : MIST_OK;
}

static enum mist_status visit(struct walk *walk, const struct place *place, const char *name, struct mist_error *error)
{
    char escaped[PATH_ROOM];
    const bool fits = path_escape(name, escaped, sizeof escaped);
    char *disk = path_join(place->disk, name);
    char *path = path_join(place->dataset, fits ? escaped : name);
    struct stat about;
    bool listed = false;
    enum mist_status status = MIST_OK;
    if (!disk || !path)
        status = no_memory(place->disk, error);
    else if (!fits || !path_is_safe(path, strlen(path)))
        walk_leave_out(walk, disk, "its path is too long");
    else if (lstat(disk, &about) == 0 && S_ISLNK(about.st_mode))
        status = list_link(walk, disk, path, &about, &listed, error);
    if (status || listed || !disk || !path || !fits || !path_is_safe(path, strlen(path)))
        ;
    else if (stat(disk, &about) != 0)
        walk_leave_out(walk, disk, strerror(errno));
    else if (S_ISDIR(about.st_mode))
        status = enter(walk, place, disk, path, &about, error);
    else if (S_ISREG(about.st_mode))
        status = add_file(walk, place, disk, path, &about, error);
    else
        walk_leave_out(walk, disk, "neither a file nor a directory");
    memory_free(disk);
    memory_free(path);
    return status;
}

static enum mist_status walk_directory(struct walk *walk, const struct place *place, struct mist_error *error)
{
    DIR *directory = opendir(place->disk);
    if (!directory) {
        walk_leave_out(walk, place->disk, strerror(errno));
        return MIST_OK;
    }
    enum mist_status status = MIST_OK;
    while (!status) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = visit(walk, place, entry->d_name, error);
    }
    if (!status && errno)
        walk_leave_out(walk, place->disk, strerror(errno));
    closedir(directory);
    return status;
}

/* The base name of a source in the dataset; an archive's without its suffix. False where it cannot be one. */
static bool base_name(const char *real, bool file, char base[PATH_ROOM])
{
    if (!path_escape(strrchr(real, '/') + 1, base, PATH_ROOM))
        return false;
    if (file)
        base[strlen(base) - archive_suffix(base)] = '\0';
    return *base == '\0' || path_is_safe(base, strlen(base));
}

/* One source; its content goes below its base name if there are several. */
static enum mist_status walk_source(struct walk *walk, const char *source, bool several, struct mist_error *error)
{
    struct stat about;
    char *real = realpath(source, NULL), base[PATH_ROOM], name[PATH_ROOM];
    if (!real || stat(real, &about) != 0) {
        free(real);
        return error_set_errno(error, errno, "%s", source);
    }
    enum mist_status status = MIST_OK;
    if (!base_name(real, S_ISREG(about.st_mode), base) || !path_escape(strrchr(real, '/') + 1, name, sizeof name) ||
        (*name && !path_is_safe(name, strlen(name)))) {
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: its name is too long", source);
        free(real);
        return status;
    }
    walk->source = real;
    walk->base = several ? base : "";
    struct place place = {.device = about.st_dev, .inode = about.st_ino, .disk = real, .dataset = walk->base};
    const bool archive = S_ISREG(about.st_mode) && archive_suffix(real);
    if (several && (archive || S_ISDIR(about.st_mode)))
        status = walk_add_place(walk, base, NULL, S_ISDIR(about.st_mode) ? about.st_mode & 07777 : 0755,
                                mtime_of(&about), error);
    if (status)
        ;
    else if (S_ISDIR(about.st_mode))
        status = walk_directory(walk, &place, error);
    else if (archive)
        status = walk_archive(walk, error);
    else if (S_ISREG(about.st_mode))
        status = add_file(walk, &place, real, name, &about, error);
    else
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: neither a file nor a directory", source);
    free(real);
    return status;
}

static bool same_base(const char *one, const char *other)
{
    char bases[2][PATH_ROOM];
    const char *reals[2] = {one, other};
    for (int i = 0; i < 2; i++) {
        struct stat about;
        if (stat(reals[i], &about) != 0 || !base_name(reals[i], S_ISREG(about.st_mode), bases[i]))
            return false;
    }
    return strcmp(bases[0], bases[1]) == 0;
}

/* With several sources, two of one base name would lie on each other. */
static enum mist_status check_names(const struct mist_store_encode_options *options, struct mist_error *error)
{
    char *names[2] = {NULL, NULL};
    enum mist_status status = MIST_OK;
    for (uint32_t i = 0; i < options->source_count && !status; i++) {
        names[0] = realpath(options->sources[i], NULL);
        if (!names[0])
            status = error_set_errno(error, errno, "%s", options->sources[i]);
        for (uint32_t j = 0; j < i && !status; j++) {
            names[1] = realpath(options->sources[j], NULL);
            if (names[1] && same_base(names[0], names[1]))
                status = error_set(error, MIST_ERROR_ARGUMENT, "%s and %s have the same base name; encode them apart",
                                   options->sources[j], options->sources[i]);
            free(names[1]);
        }
        free(names[0]);
    }
    return status;
}

enum mist_status encode_walk(struct encode *encode, struct mist_error *error)
{
    const struct mist_store_encode_options *options = encode->options;
    struct walk walk = {.encode = encode, .several = options->source_count > 1};
    enum mist_status status = check_names(options, error);
    if (!status && stat(encode->maker.store, &walk.store) != 0)
        status = error_set_errno(error, errno, "%s", encode->maker.store);
    if (!status) /* temporary tables only: nobody else waits for this transaction */
        status = database_execute(&encode->maker.database, "BEGIN", error);
    if (status)
        return status;
    tally_phase(&encode->tally, "files", 0);
    for (uint32_t i = 0; i < options->source_count && !status; i++)
        status = walk_source(&walk, options->sources[i], walk.several, error);
    if (!status)
        status = database_run(&encode->maker.database, Q_LISTED_APPLY, error, "i", (int64_t)LABEL_LISTED);
    enum mist_status ended = database_execute(&encode->maker.database, "COMMIT", status ? NULL : error);
    return status ? status : ended;
}
