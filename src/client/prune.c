/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/prune.h"

#include "base/confined.h"
#include "base/error.h"
#include "base/escape.h"
#include "item/export_plan.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void note(const struct session *session, const char *path, const char *sentence)
{
    if (session->options->note)
        session->options->note(session->options->note_context, path, sentence);
}

/* ---- what the host has ---- */

/* The forms in which vanished files were written, as far as names depend on them. */
enum { MAX_FORMS = 64 };
struct forms {
    struct state *state;
    unsigned count;
    bool too_many;
    struct form {
        char format[16]; /* "" as the source */
        uint32_t depth;  /* of --exact, or 0 */
    } form[MAX_FORMS];
};

static void add_form(struct forms *forms, const char *how)
{
    struct form form = {.depth = 0};
    unsigned width, height, depth;
    size_t length = strcspn(how, " ");
    const char *size = strrchr(how, ' ');
    if (length < sizeof form.format && !(length == 6 && memcmp(how, "source", 6) == 0))
        memcpy(form.format, how, length);
    if (size && sscanf(size, " %ux%ux%u", &width, &height, &depth) == 3)
        form.depth = depth;
    for (unsigned i = 0; i < forms->count; i++)
        if (strcmp(forms->form[i].format, form.format) == 0 && forms->form[i].depth == form.depth)
            return;
    if (forms->count < MAX_FORMS)
        forms->form[forms->count++] = form;
    else
        forms->too_many = true;
}

static bool file_of_row(const void *owner, uint32_t index, struct mist_item_file *file)
{
    const struct mist_catalog_item *item = owner;
    if (index >= item->file_count)
        return false;
    uint64_t first = 0; /* asked for in order, mostly once: series have a frame a file */
    if (item->file_count == item->image.frames && item->files[0].frames)
        first = index;
    else
        for (uint32_t i = 0; i < index; i++)
            first += item->files[i].frames;
    *file = (struct mist_item_file){item->files[index].path, (uint32_t)first, item->files[index].frames};
    return true;
}

static enum mist_status mark(void *context, const struct export_file *file, const char *path, struct mist_error *error)
{
    (void)file;
    return state_has_not_vanished(context, path, error);
}

/* The names of all files that an item may be written as in this form, whatever its slice step. */
static enum mist_status mark_names(struct state *state, const struct mist_catalog_item *item, const struct form *form,
                                   struct mist_error *error)
{
    const struct format_output *output;
    struct export_names names = {.source = format_from_name(item->format),
                                 .format = *form->format ? form->format : NULL,
                                 .slices = item->image.slices,
                                 .written = item->image.slices,
                                 .files = item->file_count,
                                 .file = file_of_row,
                                 .owner = item};
    const struct format *format = export_format(names.source, names.format, &output, NULL);
    if (!format)
        return MIST_OK; /* of a version that could write more */
    /* The names of volumes depend on what the item's head says of its frames. */
    const char *path = item->files[0].path;
    if (names.source != format->kind && format_of(names.source) && format_of(names.source)->grouped &&
        format->many_frames) {
        char beginning[PATH_ROOM];
        snprintf(beginning, sizeof beginning, "%.*s", (int)format_stem(path), path);
        return state_none_has_vanished(state, beginning, error);
    }
    enum mist_status status = export_each_file(&names, mark, state, error);
    if (form->depth && !status && item->file_count == 1) {
        names.written = form->depth;
        names.between_slices = true;
        struct mist_error refused = {0}; /* then nothing was written so */
        status = export_each_file(&names, mark, state, &refused);
        status = status == MIST_ERROR_ARGUMENT ? MIST_OK : error_set(error, status, "%s", refused.message);
    }
    return status;
}

/* What is recorded for an item or attachment that is gone may be there under another: whatever the filters say. */
static enum mist_status look_for_files(void *context, const struct mist_catalog_entry *entry, struct mist_error *error)
{
    const struct forms *forms = context;
    if (entry->kind == MIST_CATALOG_ATTACHMENT)
        return state_has_not_vanished(forms->state, entry->attachment.path, error);
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < forms->count && !status; i++)
        status = mark_names(forms->state, &entry->item, &forms->form[i], error);
    return status;
}

static enum mist_status leave_what_is_there(struct session *session, struct mist_error *error)
{
    char how[STATE_HOW_SIZE] = "";
    struct forms forms = {.state = session->state};
    bool any = true;
    enum mist_status status;
    while (!(status = state_next_vanished_how(session->state, how, &any, error)) && any)
        add_form(&forms, how);
    if (!status && forms.too_many) /* better too many stay */
        status = state_none_has_vanished(session->state, "", error);
    return status ? status : session_each(session, look_for_files, &forms, error);
}

/* ---- removing ---- */

/* One file that is there. */
static enum mist_status prune_file(struct session *session, const struct state_vanished *vanished, bool remove,
                                   struct mist_error *error)
{
    struct mist_error failure = {0};
    char disk[PATH_ROOM];
    path_unescape(vanished->path, disk);
    if (vanished->found || !vanished->as_left) {
        note(session, vanished->path,
             vanished->found ? "the host no longer has it, but it may be your own: it was found here; it is kept"
                             : "the host no longer has it, but it was changed since it was downloaded; it is kept");
    } else if (remove && confined_remove_tidily(session->root, disk, &failure)) {
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
    const struct cache cache = {.items =
                                    openat(session->area, "items", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
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
        status = leave_what_is_there(session, error);
    while (!status && !(status = state_next_vanished(session->state, &vanished, &any, error)) && any) {
        struct stat about;
        char disk[PATH_ROOM];
        path_unescape(vanished.path, disk);
        bool there = confined_stat(session->root, disk, &about);
        session->report.vanished += there;
        if (wanted && there && session_path_is_ours_to_write(vanished.path))
            status = prune_file(session, &vanished, remove, error);
        else if (wanted && remove)
            status = state_forget_vanished(session->state, vanished.path, error);
    }
    if (session->options->prune && session->record_is_new && !session->output_is_new)
        note(session, session->options->directory ? session->options->directory : session->dataset.name,
             "nothing is known of what earlier downloads wrote there: nothing is removed");
    if (session->options->prune && !wanted && session->report.vanished)
        note(session, session->dataset.name,
             "nothing was removed, since not all that was asked for came in; run again");
    if (!status && wanted && remove)
        status = forget_items(session, error);
    return status;
}
