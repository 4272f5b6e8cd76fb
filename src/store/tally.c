/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/tally.h"

#include "base/error.h"

void tally_start(struct tally *tally, const struct mist_progress *progress, mist_store_note *note, void *note_context)
{
    *tally = (struct tally){.progress = progress, .note = note, .note_context = note_context, .unit = "files"};
    pthread_mutex_init(&tally->lock, NULL);
}

void tally_end(struct tally *tally)
{
    pthread_mutex_destroy(&tally->lock);
}

void tally_phase(struct tally *tally, const char *unit, uint64_t total)
{
    tally->unit = unit;
    tally->total = total;
    tally->done = 0;
}

/* The lock is held. */
static void report(struct tally *tally, const char *label)
{
    uint64_t done = tally->done;
    for (unsigned i = 0; i < TALLY_WORKERS; i++)
        done += tally->partial[i];
    if (tally->progress && tally->progress->report &&
        tally->progress->report(tally->progress->context, tally->unit, done, tally->total, label) != 0)
        tally->cancelled = true;
}

enum mist_status tally_add(struct tally *tally, unsigned worker, uint64_t amount, const char *label,
                           struct mist_error *error)
{
    pthread_mutex_lock(&tally->lock);
    tally->done += amount;
    tally->partial[worker] = 0;
    report(tally, label);
    bool cancelled = tally->cancelled;
    pthread_mutex_unlock(&tally->lock);
    return cancelled ? error_set(error, MIST_ERROR_CANCELLED, "stopped on request") : MIST_OK;
}

static int report_part(void *context, const char *unit, unsigned long long done, unsigned long long total,
                       const char *label)
{
    struct tally_part *part = context;
    struct tally *tally = part->tally;
    double share = total ? (double)done / (double)total : 0;
    (void)unit;
    (void)label;
    pthread_mutex_lock(&tally->lock);
    tally->partial[part->worker] = (uint64_t)((share > 1 ? 1 : share) * (double)part->amount);
    report(tally, part->label);
    bool cancelled = tally->cancelled;
    pthread_mutex_unlock(&tally->lock);
    return cancelled;
}

struct mist_progress tally_part_progress(struct tally_part *part)
{
    return (struct mist_progress){report_part, part};
}

void tally_note(struct tally *tally, const char *path, const char *sentence)
{
    pthread_mutex_lock(&tally->lock);
    if (tally->note)
        tally->note(tally->note_context, path, sentence);
    pthread_mutex_unlock(&tally->lock);
}
