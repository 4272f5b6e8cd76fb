/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources -> listing. Symbolic links are followed (datasets kept by git-annex or DataLad are full of them). */
#include "store/encode.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/labels.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 256, FILES_PER_REPORT = 64 };

/* A directory being read and those above it. */
struct place {
    const struct place *above;
    unsigned depth;
    dev_t device;
    ino_t inode;
    const char *disk;    /* its path on this machine */
    const char *dataset; /* its path in the dataset; "" at the root */
};

struct walk {
    struct encode *encode;
    struct stat store;
    const char *source; /* the source being walked, resolved */
    bool several;       /* sources, each below its base name */
    uint64_t files;
};

static enum mist_status no_memory(const char *path, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
}

static void leave_out(struct walk *walk, const char *path, const char *reason)
{
    char sentence[300], printable[PATH_ROOM];
    snprintf(sentence, sizeof sentence, "%s; left out", reason);
    snprintf(printable, sizeof printable, "%s", path);
    if (!path_is_safe(path + strspn(path, "/"), strlen(path + strspn(path, "/"))))
        for (unsigned char *p = (unsigned char *)printable; *p; p++) /* nothing that a terminal would act on */
            *p = *p < 0x20 || *p >= 0x7f ? '?' : *p;
    walk->encode->walk_incomplete = true;
    encode_fail(walk->encode, printable, sentence);
}

/* A label map that a dataset.json lists, relative to the directory that it is in. */
struct listing {
    struct walk *walk;
    const char *directory;
    enum mist_status status;
    struct mist_error *error;
};

static void add_listed(void *context, const char *path)
{
    struct listing *listing = context;
    char *full = path_join(listing->directory, path);
    if (!listing->status && !full)
        listing->status = no_memory(path, listing->error);
    if (!listing->status)
        listing->status = database_run(&listing->walk->encode->maker.database, Q_LISTED_ADD, listing->error, "t", full);
    memory_free(full);
}

static enum mist_status read_listed(struct walk *walk, const struct place *place, const char *disk,
                                    struct mist_error *error)
{
    enum { MOST = 1 << 26 };
    struct listing listing = {walk, place->dataset, MIST_OK, error};
    struct mist_buffer text = {0};
    if (file_read(disk, MOST, &text, NULL) == MIST_OK) /* what cannot be read is named when it is kept */
        labels_listed((const char *)text.data, text.size, add_listed, &listing);
    mist_buffer_free(&text);
    return listing.status;
}

static enum mist_status add_file(struct walk *walk, const struct place *place, const char *disk, const char *path,
                                 const struct stat *about, struct mist_error *error)
{
    struct encode *encode = walk->encode;
    /* The name of a source's own directory says nothing of what is in it. */
    const char *inside = walk->several ? strchr(path, '/') : NULL;
    enum label_said label = label_of_path(path, encode->options);
    if (label == LABEL_NAMED && inside)
        label = label_of_path(inside + 1, encode->options);
    int64_t mtime = (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec;
    enum mist_status status = database_run(&encode->maker.database, Q_LISTING_ADD, error, "ttiii", path, disk,
                                           (int64_t)about->st_size, mtime, (int64_t)label);
    const char *name = strrchr(path, '/');
    if (!status && strcmp(name ? name + 1 : path, "dataset.json") == 0)
        status = read_listed(walk, place, disk, error);
    if (!status && ++walk->files % FILES_PER_REPORT == 0)
        status = tally_add(&encode->tally, 0, FILES_PER_REPORT, path, error);
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
        leave_out(walk, path, "a link to a directory around the source");
        return MIST_OK;
    }
    if (place.depth > MAX_DEPTH) {
        leave_out(walk, path, "nested too deeply");
        return MIST_OK;
    }
    return walk_directory(walk, &place, error);
}

static enum mist_status visit(struct walk *walk, const struct place *place, const char *name, struct mist_error *error)
{
    char *disk = path_join(place->disk, name);
    char *path = path_join(place->dataset, name);
    struct stat about;
    enum mist_status status = MIST_OK;
    if (!disk || !path)
        status = no_memory(place->disk, error);
    else if (stat(disk, &about) != 0)
        leave_out(walk, disk, strerror(errno));
    else if (!path_is_safe(path, strlen(path)))
        leave_out(walk, disk, "its name is not UTF-8, too long, or has a backslash or control character");
    else if (S_ISDIR(about.st_mode))
        status = enter(walk, place, disk, path, &about, error);
    else if (S_ISREG(about.st_mode))
        status = add_file(walk, place, disk, path, &about, error);
    else
        leave_out(walk, disk, "neither a file nor a directory");
    memory_free(disk);
    memory_free(path);
    return status;
}

static enum mist_status walk_directory(struct walk *walk, const struct place *place, struct mist_error *error)
{
    DIR *directory = opendir(place->disk);
    if (!directory) {
        leave_out(walk, place->disk, strerror(errno));
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
        leave_out(walk, place->disk, strerror(errno));
    closedir(directory);
    return status;
}

/* One source; its content goes below its base name if there are several. */
static enum mist_status walk_source(struct walk *walk, const char *source, bool several, struct mist_error *error)
{
    struct stat about;
    char *real = realpath(source, NULL);
    if (!real || stat(real, &about) != 0) {
        free(real);
        return error_set_errno(error, errno, "%s", source);
    }
    walk->source = real;
    const char *base = strrchr(real, '/') + 1;
    bool directory = S_ISDIR(about.st_mode);
    struct place place = {.device = about.st_dev, .inode = about.st_ino, .disk = real, .dataset = several ? base : ""};
    enum mist_status status = MIST_OK;
    if (*base && !path_is_safe(base, strlen(base)))
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: its name is not UTF-8 or has a control character", source);
    else if (directory)
        status = walk_directory(walk, &place, error);
    else if (S_ISREG(about.st_mode))
        status = add_file(walk, &place, real, base, &about, error);
    else
        status = error_set(error, MIST_ERROR_ARGUMENT, "%s: neither a file nor a directory", source);
    free(real);
    return status;
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
            if (names[1] && strcmp(strrchr(names[0], '/'), strrchr(names[1], '/')) == 0)
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
        status = walk_source(&walk, options->sources[i], options->source_count > 1, error);
    if (!status)
        status = database_run(&encode->maker.database, Q_LISTED_APPLY, error, "i", (int64_t)LABEL_LISTED);
    enum mist_status ended = database_execute(&encode->maker.database, "COMMIT", status ? NULL : error);
    return status ? status : ended;
}
