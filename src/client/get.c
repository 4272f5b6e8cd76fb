/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The download: each thread takes the next entry of the catalog and does all that it needs, fetching in one of the
 * transfers' slots and writing files in some of `threads` slots, so that both go on at the same time. How many
 * transfers there are is found out (client/pace.h).
 */
#include <inttypes.h>
#include <mist/client.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/confined.h"
#include "client/deliver.h"
#include "client/pace.h"
#include "client/prune.h"
#include "client/slots.h"
#include "client/tree.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

enum {
    DEFAULT_RETRIES = 5,
    MAX_FAILURES_IN_A_ROW = 24, /* of network or disk: then the rest would fail as well */
    FRAMES_A_THREAD = 8         /* an item gets more threads only if each has about this many frames to do */
};

struct mist_get_options mist_get_options_default(void)
{
    return (struct mist_get_options){.retries = DEFAULT_RETRIES, .timeout = SESSION_DEFAULT_TIMEOUT};
}

struct download {
    struct session session;
    struct slots transfers, writers;
    struct pace pace;     /* of the transfers; for wait_for_workers() only */
    unsigned threads;     /* slots of `writers` in all */
    pthread_mutex_t lock; /* guards all below, and the calls of options->note */
    pthread_cond_t ended; /* a worker has ended */
    mist_catalog *catalog;
    unsigned running;
    unsigned failures_in_a_row;
    uint64_t done; /* entries */
    struct mist_error fatal;
};

struct worker {
    struct download *download;
    unsigned number;
    pthread_t thread;
    struct transport *transport; /* made when first needed */
};

/* An entry with its own copy of what the catalog's next entry would overwrite. */
struct job {
    struct mist_catalog_entry entry;
    char path[PATH_ROOM];
    uint64_t range_end[MIST_MAX_LEVELS * (MIST_MAX_STEPS + 1)];
    struct selected selected; /* of an item */
};

/* ---- shared ---- */

static bool stopped(struct download *download)
{
    return atomic_load(&download->session.shared.stop);
}

/* Nothing more makes sense. */
static void give_up(struct download *download, const struct mist_error *error)
{
    pthread_mutex_lock(&download->lock);
    if (!download->fatal.status)
        download->fatal = *error;
    pthread_mutex_unlock(&download->lock);
    atomic_store(&download->session.shared.stop, true);
}

/* The next selected entry; false at the end. */
static bool next_job(struct download *download, struct job *job)
{
    struct mist_error error = {0};
    struct mist_catalog_entry *entry = &job->entry;
    bool found = false;
    if (stopped(download))
        return false;
    pthread_mutex_lock(&download->lock);
    enum mist_status status;
    while (!(status = mist_catalog_next(download->catalog, entry, &error)) && entry->kind != MIST_CATALOG_END && !found)
        if (select_takes(&download->session.select, entry)) {
            bool item = entry->kind == MIST_CATALOG_ITEM;
            if (item)
                job->selected = select_item(&download->session.select, &entry->item);
            snprintf(job->path, sizeof job->path, "%s", item ? entry->item.path : entry->attachment.path);
            entry->item.path = entry->attachment.path = job->path;
            entry->item.files = NULL;
            entry->item.label = entry->item.kept = NULL;
            if (item)
                memcpy(job->range_end, entry->item.range_end,
                       entry->item.levels * (entry->item.steps + 1) * sizeof *job->range_end);
            entry->item.range_end = job->range_end;
            found = true;
            break;
        }
    pthread_mutex_unlock(&download->lock);
    if (status)
        give_up(download, &error);
    return found;
}

/* Counts how an entry went; `error` is NULL if it went well. */
static void finish_job(struct download *download, const struct job *job, bool unchanged, uint64_t files,
                       const struct mist_error *error)
{
    const struct mist_get_options *options = download->session.options;
    struct mist_get_report *report = &download->session.report;
    bool many = false;
    if (error && error->status == MIST_ERROR_CANCELLED)
        return;
    pthread_mutex_lock(&download->lock);
    download->done++;
    report->unchanged += unchanged;
    report->files += files;
    report->failed += error != NULL;
    if (error && options->note)
        options->note(options->note_context, job->path, error->message);
    bool outside = error && (error->status == MIST_ERROR_NETWORK || error->status == MIST_ERROR_IO);
    if (outside)
        many = ++download->failures_in_a_row >= MAX_FAILURES_IN_A_ROW;
    else if (!unchanged)
        download->failures_in_a_row = 0;
    pthread_mutex_unlock(&download->lock);
    if (many) {
        struct mist_error stop = {0};
        error_set(&stop, error->status, "given up after %d failures in a row; run again to go on",
                  MAX_FAILURES_IN_A_ROW);
        give_up(download, &stop);
    }
}

/* ---- one entry ---- */

static enum mist_status make_transport(struct worker *worker, struct mist_error *error)
{
    struct session *session = &worker->download->session;
    if (!worker->transport && worker->number == 0) { /* the connection by which the catalog came */
        worker->transport = session->transport;
        session->transport = NULL;
    }
    return worker->transport ? MIST_OK : transport_new(&session->settings, &worker->transport, error);
}

/* How many frames may be decoded at the same time within what memory is allowed: 1 at least (select_check()). */
static unsigned threads_within(const struct session *session, const struct selected *selected, unsigned threads)
{
    uint64_t room = selected->memory ? session->select.max_memory / selected->memory : threads;
    return room < threads ? (room ? (unsigned)room : 1) : threads;
}

/* Threads for an item: of large frames so many that no other item takes the memory that they need. */
static unsigned take_writers(struct download *download, const struct mist_catalog_item *item,
                             const struct selected *selected)
{
    const struct session *session = &download->session;
    unsigned wanted = 1 + item->image.frames / FRAMES_A_THREAD, all = download->threads;
    unsigned least = all / threads_within(session, selected, all);
    return slots_take(&download->writers, least, wanted > least ? wanted : least);
}

static enum mist_status do_item(struct worker *worker, const struct job *job, bool *unchanged, uint64_t *files,
                                struct mist_error *error)
{
    const struct mist_catalog_item *item = &job->entry.item;
    struct download *download = worker->download;
    struct session *session = &download->session;
    struct fetched fetched = {0};
    enum mist_status status = verifier_check_entry(item, error);
    if (status)
        return status;
    if (!session_path_is_ours_to_write(item->path))
        return error_set(error, MIST_ERROR_CORRUPT, "%s: a path that is not allowed", item->path);
    status = plan_item_is_here(session, item, &job->selected, unchanged, error);
    if (status || *unchanged)
        return status;
    status = select_check_item(&session->select, item, &job->selected, error);
    if (status)
        return status;
    slots_take(&download->transfers, 1, 1);
    if (stopped(download))
        status = error_set(error, MIST_ERROR_CANCELLED, "stopped");
    if (!status)
        status = make_transport(worker, error);
    if (!status)
        status = fetch_item(worker->transport, &session->cache, item, &job->selected, &fetched, error);
    slots_give(&download->transfers, 1);
    if (!status && session->cache.whole) {
        *files = 1;
        status = deliver_item_itself(session, item, error);
    } else if (!status) {
        struct delivery delivery = {.directory = -1};
        unsigned threads = take_writers(download, item, &job->selected);
        if (stopped(download))
            status = error_set(error, MIST_ERROR_CANCELLED, "stopped");
        else
            status = deliver_write(session, item, &job->selected, &fetched, worker->number,
                                   threads_within(session, &job->selected, threads), &delivery, error);
        slots_give(&download->writers, threads);
        if (!status)
            status = deliver_place(session, &delivery, error);
        *files = status ? 0 : delivery.count;
        delivery_free(&delivery);
        if (!status && session->options->no_cache)
            cache_forget(&session->cache, item);
    }
    fetched_free(&fetched);
    return status;
}

static enum mist_status do_attachment(struct worker *worker, const struct mist_catalog_attachment *attachment,
                                      bool *unchanged, uint64_t *files, struct mist_error *error)
{
    struct download *download = worker->download;
    struct session *session = &download->session;
    char name[PART_NAME_MAX];
    if (!session_path_is_ours_to_write(attachment->path))
        return error_set(error, MIST_ERROR_CORRUPT, "%s: a path that is not allowed", attachment->path);
    enum mist_status status = plan_attachment_is_here(session, attachment, unchanged, error);
    if (status)
        return status;
    if (*unchanged)
        return deliver_known(session, attachment, error);
    plan_part_name(attachment, name);
    slots_take(&download->transfers, 1, 1);
    status = make_transport(worker, error);
    if (!status)
        status = fetch_attachment(worker->transport, session->parts, name, attachment, error);
    slots_give(&download->transfers, 1);
    if (!status)
        status = deliver_attachment(session, attachment, error);
    *files = !status;
    return status;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct download *download = worker->download;
    struct job job;
    while (next_job(download, &job)) {
        struct mist_error error = {0};
        bool unchanged = false;
        uint64_t files = 0;
        enum mist_status status = job.entry.kind == MIST_CATALOG_ITEM
                                      ? do_item(worker, &job, &unchanged, &files, &error)
                                      : do_attachment(worker, &job.entry.attachment, &unchanged, &files, &error);
        error.status = status;
        finish_job(download, &job, unchanged && !status, files, status ? &error : NULL);
    }
    transport_free(&worker->transport);
    pthread_mutex_lock(&download->lock);
    download->running--;
    pthread_cond_signal(&download->ended);
    pthread_mutex_unlock(&download->lock);
    return NULL;
}

/* ---- all of them ---- */

static int report_progress(struct download *download, const struct mist_progress *progress, uint64_t done)
{
    const struct mist_get_report *report = &download->session.report;
    if (!progress || !progress->report)
        return 0;
    if (report->planned_bytes == 0)
        return progress->report(progress->context, "files", done, report->items + report->attachments, report->dataset);
    uint64_t fetched = atomic_load(&download->session.shared.received) - report->catalog_bytes;
    return progress->report(progress->context, "bytes", fetched, report->planned_bytes, report->dataset);
}

/* More transfers at a time, or fewer. */
static void adapt(struct download *download)
{
    struct transport_shared *shared = &download->session.shared;
    const struct pace_look look = {.seconds = clock_seconds(),
                                   .received = atomic_load(&shared->received),
                                   .refused = atomic_load(&shared->refused),
                                   .all_taken = slots_all_taken(&download->transfers)};
    int more = pace_look(&download->pace, &look);
    if (more)
        slots_change(&download->transfers, more);
}

/* Waits for the workers, ten times a second looking whether they should stop. */
static void wait_for_workers(struct download *download, const struct mist_progress *progress)
{
    pthread_mutex_lock(&download->lock);
    while (download->running) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&download->ended, &download->lock, &until);
        /* Under the lock, so that progress and notes are not reported at the same time. */
        if (report_progress(download, progress, download->done))
            atomic_store(&download->session.shared.stop, true);
        adapt(download);
        struct mist_error error = {0};
        if ((error.status = state_end(download->session.state, &error)) && !download->fatal.status) {
            download->fatal = error;
            atomic_store(&download->session.shared.stop, true);
        }
    }
    pthread_mutex_unlock(&download->lock);
}

static enum mist_status run_workers(struct download *download, unsigned count, const struct mist_progress *progress,
                                    struct mist_error *error)
{
    struct worker *workers = memory_allocate_zeroed(count, sizeof *workers);
    unsigned started = 0;
    if (!workers)
        return error_set(error, MIST_ERROR_MEMORY, "out of memory");
    download->running = count;
    for (; started < count; started++) {
        workers[started] = (struct worker){.download = download, .number = started};
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    pthread_mutex_lock(&download->lock);
    download->running -= count - started;
    pthread_mutex_unlock(&download->lock);
    wait_for_workers(download, progress);
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    memory_free(workers);
    if (started == 0)
        return error_set(error, MIST_ERROR_MEMORY, "no thread could be started");
    if (download->fatal.status)
        return error_set(error, download->fatal.status, "%s", download->fatal.message);
    if (stopped(download))
        return error_set(error, MIST_ERROR_CANCELLED, "stopped");
    return MIST_OK;
}

static enum mist_status download_all(struct download *download, const struct mist_progress *progress,
                                     struct mist_error *error)
{
    struct session *session = &download->session;
    const struct mist_get_options *options = session->options;
    unsigned threads = download->threads = options->threads ? options->threads : pool_default_threads();
    pace_start(&download->pace, options->transfers);
    uint64_t left = session->report.items + session->report.attachments;
    enum mist_status status = mist_catalog_open_memory(session->catalog, session->catalog_size,
                                                       session->settings.url.base, &download->catalog, error);
    if (status)
        return status;
    pthread_mutex_init(&download->lock, NULL);
    pthread_cond_init(&download->ended, NULL);
    slots_init(&download->transfers, download->pace.transfers);
    slots_init(&download->writers, threads);
    uint64_t wanted = (uint64_t)download->pace.most + threads;
    if (left)
        status = run_workers(download, (unsigned)(left < wanted ? left : wanted), progress, error);
    slots_destroy(&download->writers);
    slots_destroy(&download->transfers);
    pthread_cond_destroy(&download->ended);
    pthread_mutex_destroy(&download->lock);
    mist_catalog_close(&download->catalog);
    if (!status && !session->report.failed) /* attachments that were given up, because they changed meanwhile */
        confined_clear(session->parts);
    return status;
}

static void fill_report(struct session *session, struct mist_get_report *report)
{
    session->report.requests = atomic_load(&session->shared.requests);
    uint64_t received = atomic_load(&session->shared.received);
    session->report.fetched_bytes =
        received > session->report.catalog_bytes ? received - session->report.catalog_bytes : 0;
    if (report)
        *report = session->report;
}

enum mist_status mist_get_plan(const struct mist_get_options *options, struct mist_get_report *report,
                               const struct mist_progress *progress, struct mist_error *error)
{
    struct session session;
    enum mist_status status = session_open(&session, options, error);
    session.plan_only = true;
    if (!status)
        status = session_open_directory(&session, false, error);
    if (!status)
        status = plan_choose(&session, error);
    if (!status)
        status = plan_all(&session, progress, error);
    if (!status)
        status = prune(&session, false, error);
    fill_report(&session, report);
    session_close(&session);
    return status;
}

/*
 * Whether what is to be fetched has room where it goes: items in the cache, attachments beside the output, which may be
 * two file systems. Of the files made of it nobody knows before they are made.
 */
static enum mist_status check_room(const struct session *session, struct mist_error *error)
{
    const uint64_t wanted = session->report.planned_bytes;
    const int places[2] = {session->root, session->base};
    unsigned long seen = 0;
    uint64_t left = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct statvfs room;
        if (places[i] < 0)
            continue;
        if (fstatvfs(places[i], &room) != 0 || room.f_blocks == 0)
            return MIST_OK; /* file systems that do not tell */
        if (i == 0 || room.f_fsid != seen)
            left += (uint64_t)room.f_bavail * room.f_frsize;
        seen = room.f_fsid;
    }
    if (wanted <= left || (places[0] < 0 && places[1] < 0))
        return MIST_OK;
    return error_set(error, MIST_ERROR_IO,
                     "%s: %" PRIu64 " bytes are free there and %" PRIu64
                     " are to be fetched; nothing was. A smaller --size "
                     "or --max-bytes takes less",
                     session->options->directory, left, wanted);
}

enum mist_status mist_get(const struct mist_get_options *options, struct mist_get_report *report,
                          const struct mist_progress *progress, struct mist_error *error)
{
    struct download download = {.running = 0};
    struct session *session = &download.session;
    enum mist_status status = session_open(session, options, error);
    if (!status)
        status = plan_choose(session, error);
    if (!status)
        status = session_open_directory(session, true, error);
    if (!status)
        status = plan_all(session, progress, error);
    if (!status)
        status = check_room(session, error);
    if (!status) {
        session->report.unchanged = 0; /* counted again, as it turns out */
        status = download_all(&download, progress, error);
    }
    if (!status)
        status = tree_apply(session, error);
    if (!status)
        status = prune(session, true, error);
    if (!status)
        status = session_say_what_was_delivered(session, error);
    if (!status)
        status = state_end(session->state, error);
    if (!status && session->report.files)
        status = session_sync(session, error);
    fill_report(session, report);
    session_close(session);
    return status;
}
