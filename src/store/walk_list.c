/* SPDX-License-Identifier: BSD-2-Clause */
/* What a walk has found -> the temporary tables listing and place. */
#include "store/walk.h"

#include "base/error.h"
#include "base/memory.h"
#include "source/tree_list.h"
#include "store/labels.h"

#include <stdio.h>
#include <string.h>

enum { FILES_PER_REPORT = 64 };

void walk_leave_out(struct walk *walk, const char *path, const char *reason)
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
        listing->status = error_set(listing->error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    if (!listing->status)
        listing->status = database_run(&listing->walk->encode->maker.database, Q_LISTED_ADD, listing->error, "t", full);
    memory_free(full);
}

enum mist_status walk_read_listed(struct walk *walk, const char *directory, const char *disk, struct mist_error *error)
{
    enum { MOST = 1 << 26 };
    struct listing listing = {walk, directory, MIST_OK, error};
    struct mist_buffer text = {0};
    if (file_read(disk, MOST, &text, NULL) == MIST_OK) /* what cannot be read is named when it is kept */
        labels_listed((const char *)text.data, text.size, add_listed, &listing);
    mist_buffer_free(&text);
    return listing.status;
}

enum mist_status walk_add_file(struct walk *walk, const struct found_file *found, struct mist_error *error)
{
    struct encode *encode = walk->encode;
    /* The name of a source's own directory says nothing of what is in it. */
    const char *inside = walk->several ? strchr(found->path, '/') : NULL;
    enum label_said label = label_of_path(found->path, encode->options);
    if (label == LABEL_NAMED && inside)
        label = label_of_path(inside + 1, encode->options);
    enum mist_status status =
        database_run(&encode->maker.database, Q_LISTING_ADD, error, "ttiiiii", found->path, found->disk,
                     (int64_t)found->size, found->mtime, (int64_t)label, (int64_t)found->mode, found->place);
    if (!status && ++walk->files % FILES_PER_REPORT == 0)
        status = tally_add(&encode->tally, 0, FILES_PER_REPORT, found->path, error);
    return status;
}

enum mist_status walk_add_place(struct walk *walk, const char *path, const char *target, unsigned mode, int64_t mtime,
                                struct mist_error *error)
{
    char leads_to[PATH_ROOM];
    const bool link = target && tree_resolve(path, target, leads_to);
    return database_run(&walk->encode->maker.database, Q_PLACE_ADD, error, "ttiit", path, target, (int64_t)mode, mtime,
                        link ? leads_to : NULL);
}
