/* SPDX-License-Identifier: BSD-2-Clause */
/* Archives -> listing. Nothing is unpacked but a dataset.json, which lists label maps. */
#include "store/walk.h"

#include "base/error.h"
#include "base/memory.h"
#include "source/tree_list.h"
#include "store/unpack.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum mist_status add_entry(struct walk *walk, struct archive_source *source, const struct packed_entry *entry,
                                  uint64_t number, struct mist_error *error)
{
    char *path = *walk->base ? path_join(walk->base, entry->path) : memory_copy_text(entry->path);
    char *name = path_join(walk->source, entry->path), inside[PATH_ROOM];
    enum mist_status status = MIST_OK;
    if (!path || !name)
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", walk->source);
    else if (entry->kind == PACKED_REFUSED || !path_is_safe(path, strlen(path)))
        walk_leave_out(walk, name, entry->why ? entry->why : "its path is too long");
    else if (entry->kind == PACKED_DIRECTORY)
        status = walk_add_place(walk, path, NULL, entry->mode, entry->mtime, error);
    else if (entry->kind == PACKED_LINK && !tree_resolve(entry->path, entry->target, inside))
        walk_leave_out(walk, name, "a link to somewhere outside the archive");
    else if (entry->kind == PACKED_LINK)
        status = walk_add_place(walk, path, entry->target, entry->mode, entry->mtime, error);
    else
        status = unpack_list(walk, source, path, name, entry, number, error);
    memory_free(path);
    memory_free(name);
    return status;
}

enum mist_status walk_archive(struct walk *walk, struct mist_error *error)
{
    struct archive_source *source = NULL;
    struct packed_entry *entry = memory_allocate(sizeof *entry);
    enum mist_status status = entry ? archive_source_open(walk->source, &source, error)
                                    : error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", walk->source);
    if (!status)
        status = unpack_add_archive(walk->encode, walk->source, error);
    bool more = true;
    for (uint64_t number = 0; !status && more; number++) {
        struct mist_error damaged = {0};
        if (archive_source_next(source, entry, &more, &damaged)) {
            walk_leave_out(walk, walk->source,
                           "the archive is damaged, and what comes behind the damage cannot be read");
            break;
        }
        if (more && *entry->path)
            status = add_entry(walk, source, entry, number, error);
        else if (more && entry->kind == PACKED_REFUSED && entry->why)
            walk_leave_out(walk, walk->source, entry->why);
    }
    if (!status && !more && !archive_source_ended(source))
        walk_leave_out(walk, walk->source,
                       "the archive has no end mark: it may be cut off, and what may be missing is");
    archive_source_close(&source);
    memory_free(entry);
    return status;
}
