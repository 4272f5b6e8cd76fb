/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/tree.h"

#include "base/checksum.h"
#include "base/confined.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"
#include "source/tree_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tree {
    struct session *session;
    const uint8_t *data; /* the list */
    size_t size;
    struct mist_buffer directories; /* struct placed each, in ascending order of paths */
    struct mist_buffer paths;
    uint64_t unset; /* modes or times that could not be set ... */
    int why;        /* ... the errno of one of them */
};

/* A directory whose mode and time are set when nothing is made in it any more. */
struct placed {
    size_t path; /* in tree.paths */
    unsigned mode;
    int64_t mtime;
};

typedef enum mist_status visit_entry(struct tree *tree, const struct tree_entry *entry, struct mist_error *error);

static void note(struct session *session, const char *path, const char *sentence)
{
    session->report.failed++;
    if (session->options->note)
        session->options->note(session->options->note_context, path, sentence);
}

static enum mist_status each(struct tree *tree, visit_entry *visit, struct mist_error *error)
{
    struct tree_list *list = NULL;
    struct mist_dataset_tree counts;
    struct tree_entry entry = {.path = NULL};
    enum mist_status status = tree_list_open(tree->data, tree->size, &list, &counts, error);
    while (!status && !(status = tree_list_next(list, &entry, error)) && entry.path)
        if (session_path_is_ours_to_write(entry.path))
            status = visit(tree, &entry, error);
    tree_list_close(&list);
    return status;
}

/* Selected as a file of the dataset would be. */
static bool is_selected(const struct session *session, const char *path)
{
    const struct mist_catalog_entry entry = {.kind = MIST_CATALOG_ATTACHMENT, .attachment = {.path = path}};
    return select_takes(&session->select, &entry);
}

/* Its directory and name; with `make` its parents are made. False where it has none. */
static bool open_parent(const struct session *session, const char *path, bool make, int *parent, char name[PATH_ROOM])
{
    char disk[PATH_ROOM];
    const char *last;
    path_unescape(path, disk);
    if (confined_parent(session->root, disk, make, parent, &last, NULL))
        return false;
    snprintf(name, PATH_ROOM, "%s", last);
    return true;
}

/* ---- directories ---- */

static enum mist_status make_directory(struct tree *tree, const struct tree_entry *entry, struct mist_error *error)
{
    struct session *session = tree->session;
    char disk[PATH_ROOM];
    int descriptor = -1;
    struct mist_error failure = {0};
    (void)error;
    if (!entry->empty || !is_selected(session, entry->path))
        return MIST_OK;
    path_unescape(entry->path, disk);
    if (!confined_directory(session->root, disk, &descriptor, &failure))
        session->report.directories++;
    else if (session->options->note) /* nothing was asked for that did not come in */
        session->options->note(session->options->note_context, entry->path, failure.message);
    if (descriptor >= 0)
        close(descriptor);
    return MIST_OK;
}

/* ---- links ---- */

/* Whether there is a file or a directory, or a link that was made. */
static bool is_there(const struct session *session, const char *path)
{
    char name[PATH_ROOM];
    struct stat about;
    int parent;
    if (!open_parent(session, path, false, &parent, name))
        return false;
    const bool there = fstatat(parent, name, &about, AT_SYMLINK_NOFOLLOW) == 0;
    close(parent);
    return there;
}

/* The link at a place; "" where there is none. */
static void read_link(int parent, const char *name, char target[PATH_ROOM])
{
    const ssize_t size = readlinkat(parent, name, target, PATH_ROOM - 1);
    target[size > 0 ? size : 0] = '\0';
}

static enum mist_status put_link(struct session *session, int parent, const char *name, const char *target,
                                 const struct tree_entry *entry, struct mist_error *error)
{
    char old[PATH_ROOM], ours[PATH_ROOM] = "";
    read_link(parent, name, old);
    enum mist_status status = state_link_get(session->state, entry->path, ours, error);
    if (status)
        return status;
    if (strcmp(old, target) == 0)
        return state_link_put(session->state, entry->path, target, error);
    if (*old && strcmp(old, ours) == 0)
        unlinkat(parent, name, 0); /* an earlier run's */
    if (symlinkat(target, parent, name) == 0) {
        session->report.links++;
        return state_link_put(session->state, entry->path, target, error);
    }
    char sentence[200];
    snprintf(sentence, sizeof sentence, "the link could not be made: %s",
             errno == EEXIST ? "something else is there" : strerror(errno));
    note(session, entry->path, sentence);
    return MIST_OK;
}

static enum mist_status make_link(struct tree *tree, const struct tree_entry *entry, struct mist_error *error)
{
    struct session *session = tree->session;
    char to[PATH_ROOM], name[PATH_ROOM], target[PATH_ROOM];
    int parent;
    if (!entry->target)
        return MIST_OK;
    enum mist_status status = state_link_see(session->state, entry->path, error);
    if (status || !is_selected(session, entry->path))
        return status;
    if (!tree_resolve(entry->path, entry->target, to) ||
        (*to && (!session_path_is_ours_to_write(to) || !is_there(session, to)))) {
        if (session->report.links_left_out++ == 0)
            snprintf(session->report.links_left_out_path, sizeof session->report.links_left_out_path, "%s",
                     entry->path);
        return MIST_OK;
    }
    if (!open_parent(session, entry->path, true, &parent, name)) {
        note(session, entry->path, "the link could not be made: something is in the way of its directory");
        return MIST_OK;
    }
    path_unescape(entry->target, target);
    status = put_link(session, parent, name, target, entry, error);
    close(parent);
    return status;
}

/* Links to links that come later in the list find them the second time. */
static enum mist_status make_links(struct tree *tree, struct mist_error *error)
{
    struct mist_get_report *report = &tree->session->report;
    enum mist_status status;
    uint64_t before;
    do {
        before = report->links;
        report->links_left_out = 0;
        status = each(tree, make_link, error);
    } while (!status && report->links_left_out && report->links != before);
    return status;
}

static enum mist_status remove_old_links(struct session *session, struct mist_error *error)
{
    char path[PATH_ROOM] = "", target[PATH_ROOM], old[PATH_ROOM], name[PATH_ROOM];
    bool any = true;
    enum mist_status status;
    while (!(status = state_link_next_unseen(session->state, path, target, &any, error)) && any) {
        int parent;
        if (!session_path_is_ours_to_write(path) || !open_parent(session, path, false, &parent, name))
            continue;
        read_link(parent, name, old);
        const bool ours = *old && strcmp(old, target) == 0;
        session->report.vanished += ours;
        if (ours && session->options->prune && !session->report.failed && unlinkat(parent, name, 0) == 0) {
            session->report.removed++;
            if (session->options->removed)
                session->options->removed(session->options->removed_context, path);
            status = state_link_forget(session->state, path, error);
        }
        close(parent);
        if (status)
            break;
    }
    return status;
}

/* ---- modes and times ---- */

static void set_times(struct tree *tree, int parent, const char *name, int64_t mtime)
{
    const int64_t second = 1000000000;
    int64_t whole = mtime / second, part = mtime % second;
    if (part < 0) {
        whole--;
        part += second;
    }
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)whole, .tv_nsec = (long)part}};
    if (utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
        tree->unset++;
        tree->why = errno;
    }
}

static void set_mode(struct tree *tree, int parent, const char *name, unsigned mode)
{
    if (fchmodat(parent, name, mode & 0777, 0) != 0) {
        tree->unset++;
        tree->why = errno;
    }
}

/* Only what this program wrote, or a directory, is touched; nobody gets to run with another's rights. */
static enum mist_status set_file(struct tree *tree, const struct tree_entry *entry, struct mist_error *error)
{
    struct session *session = tree->session;
    char name[PATH_ROOM];
    int parent;
    if (entry->directory) {
        const struct placed placed = {tree->paths.size, entry->mode, entry->mtime};
        return buffer_append(&tree->paths, entry->path, strlen(entry->path) + 1) &&
                       buffer_append(&tree->directories, &placed, sizeof placed)
                   ? MIST_OK
                   : error_set(error, MIST_ERROR_MEMORY, "out of memory");
    }
    bool ours = false;
    char target[PATH_ROOM], old[PATH_ROOM] = "";
    enum mist_status status = entry->target ? state_link_get(session->state, entry->path, target, error)
                                            : state_file_is_ours(session->state, entry->path, &ours, error);
    if (status || !open_parent(session, entry->path, false, &parent, name))
        return status;
    if (entry->target) {
        read_link(parent, name, old);
        ours = *old && strcmp(old, target) == 0;
    }
    if (ours) {
        if (!entry->target)
            set_mode(tree, parent, name, entry->mode);
        set_times(tree, parent, name, entry->mtime);
        if (!entry->target)
            status = state_file_retime(session->state, entry->path, error);
    }
    close(parent);
    return status;
}

/* The deepest first, since making a change in one changes the time of that around it. */
static void set_directories(struct tree *tree)
{
    const struct placed *placed = (const struct placed *)(const void *)tree->directories.data;
    char name[PATH_ROOM];
    struct stat about;
    for (size_t i = tree->directories.size / sizeof *placed; i-- > 0;) {
        int parent;
        if (!open_parent(tree->session, (const char *)tree->paths.data + placed[i].path, false, &parent, name))
            continue;
        if (fstatat(parent, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode)) {
            set_mode(tree, parent, name, placed[i].mode);
            set_times(tree, parent, name, placed[i].mtime);
        }
        close(parent);
    }
}

/* ---- all of it ---- */

/* Once for all of them: a file system that cannot do it cannot do it for any. */
static void note_unset(const struct tree *tree)
{
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%llu modes or times could not be set: %s", (unsigned long long)tree->unset,
             strerror(tree->why));
    note(tree->session, tree->session->dataset.name, sentence);
}

static enum mist_status apply(struct tree *tree, struct mist_error *error)
{
    struct session *session = tree->session;
    enum mist_status status = each(tree, make_directory, error);
    if (!status)
        status = make_links(tree, error);
    if (!status)
        status = remove_old_links(session, error);
    if (!status && session->options->times) {
        status = each(tree, set_file, error);
        const enum mist_status ended = state_end(session->state, status ? NULL : error);
        status = status ? status : ended;
        if (!status)
            set_directories(tree);
        if (!status && tree->unset)
            note_unset(tree);
    }
    return status;
}

enum mist_status tree_apply(struct session *session, struct mist_error *error)
{
    const struct mist_dataset_tree *about = &session->dataset.tree;
    const uint64_t most = (uint64_t)1 << 32;
    struct tree tree = {.session = session};
    struct mist_error failure = {0};
    enum mist_status status = state_link_start(session->state, error);
    if (status || select_wants_items(&session->select))
        return status;
    const bool wanted = about->size && (about->links || about->empty || session->options->times);
    if (!wanted)
        return remove_old_links(session, error);
    uint8_t *data = NULL;
    size_t size = 0;
    status = about->size > most ? error_set(&failure, MIST_ERROR_LIMIT, "the tree list is larger than is taken")
                                : session_fetch_list(session, TREE_LIST_NAME, about->size, &data, &size, &failure);
    if (!status && (size != about->size || checksum(data, size) != about->checksum))
        status = error_set(&failure, MIST_ERROR_CHECKSUM,
                           "the tree list is not the one that the catalog promises; run again");
    if (!status) {
        tree.data = data;
        tree.size = size;
        status = apply(&tree, &failure);
    }
    session_free_list(data, size);
    mist_buffer_free(&tree.directories);
    mist_buffer_free(&tree.paths);
    if (status == MIST_ERROR_MEMORY || status == MIST_ERROR_CANCELLED)
        return error_set(error, status, "%s", failure.message);
    if (status)
        note(session, session->dataset.name, failure.message);
    return MIST_OK;
}
