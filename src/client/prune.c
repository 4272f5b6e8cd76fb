/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/prune.h"

#include "base/error.h"
#include "base/confined.h"

#include <fcntl.h>
#include <unistd.h>

static void note(const struct session *session, const char *path, const char *sentence)
{
    if (session->options->note)
        session->options->note(session->options->note_context, path, sentence);
}

/* What is recorded for an item or attachment that is gone may be there under another: whatever the filters say. */
static enum mist_status look_for_files(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    struct state *state = context;
    enum mist_status status = MIST_OK;
    if (entry->kind == MIST_CATALOG_ATTACHMENT)
        return state_has_not_vanished(state, entry->attachment.path, error);
    for (uint32_t i = 0; i < entry->item.file_count && !status; i++)
        status = state_has_not_vanished(state, entry->item.files[i].path, error);
    return status;
}

/* One file that is there. */
static enum mist_status prune_file(struct session *session, const struct state_vanished *vanished, bool remove,
                                   struct mist_error *error)
{
    struct mist_error failure = {0};
    if (vanished->found || !vanished->as_left) {
        note(session, vanished->path,
             vanished->found ? "the host no longer has it, but it may be your own: it was found here; it is kept"
                             : "the host no longer has it, but it was changed since it was downloaded; it is kept");
    } else if (remove && confined_remove_tidily(session->root, vanished->path, &failure)) {
        note(session, vanished->path, failure.message);
        session->report.failed++;
        return MIST_OK; /* still recorded: so the next run tries again */
    } else {
        session->report.removed++;
        if (session->options->removed)
            session->options->removed(session->options->removed_context, vanished->path);
    }
    return remove ? state_forget_vanished(session->state, vanished->path, error) : MIST_OK;
}

/* What was fetched of items that are gone. */
static enum mist_status forget_items(struct session *session, struct mist_error *error)
{
    char path[PATH_ROOM] = "";
    bool any = true;
    /* With format "mist" the session's own cache is the output directory. */
    struct cache cache = {.items = openat(session->area, "items", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    enum mist_status status = MIST_OK;
    while (!(status = state_next_gone_item(session->state, path, &any, error)) && any) {
        struct mist_catalog_item item = {.path = path};
        cache_forget(&cache, &item);
    }
    if (cache.items >= 0)
        close(cache.items);
    return status ? status : state_forget_gone(session->state, error);
}

enum mist_status prune(struct session *session, bool remove, struct mist_error *error)
{
    struct state_vanished vanished = {.path = ""};
    bool some, any = false, wanted = session->options->prune && !session->report.failed;
    enum mist_status status = state_find_vanished(session->state, &some, error);
    if (!status && some)
        status = session_each(session, look_for_files, session->state, error);
    while (!status && !(status = state_next_vanished(session->state, &vanished, &any, error)) && any) {
        struct stat about;
        bool there = confined_stat(session->root, vanished.path, &about);
        session->report.vanished += there;
        if (wanted && there && session_path_is_ours_to_write(vanished.path))
            status = prune_file(session, &vanished, remove, error);
        else if (wanted && remove)
            status = state_forget_vanished(session->state, vanished.path, error);
    }
    if (session->options->prune && !wanted && session->report.vanished)
        note(session, session->dataset.name,
             "nothing was removed, since not all that was asked for came in; run again");
    if (!status && wanted && remove)
        status = forget_items(session, error);
    return status;
}
