/* SPDX-License-Identifier: BSD-2-Clause */
/* One progress figure, and one stream of notes, out of many threads. */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include <mist/store.h>
#include <pthread.h>

enum { TALLY_WORKERS = 256 };

struct tally {
    pthread_mutex_t lock;
    const struct mist_progress *progress; /* may be NULL */
    mist_store_note *note;                /* may be NULL */
    void *note_context;
    const char *unit;
    uint64_t done;
    uint64_t total;
    uint64_t partial[TALLY_WORKERS]; /* of what each worker has in hand */
    bool cancelled;
};

void tally_start(struct tally *tally, const struct mist_progress *progress, mist_store_note *note, void *note_context);
void tally_end(struct tally *tally);
/* A new phase of the work. */
void tally_phase(struct tally *tally, const char *unit, uint64_t total);

/* `amount` more is done. MIST_ERROR_CANCELLED once the caller's function has asked to stop. */
enum mist_status tally_add(struct tally *tally, unsigned worker, uint64_t amount, const char *label,
                           struct mist_error *error);
/* What to hand to a task of `amount`: its own progress becomes part of the whole. */
struct tally_part {
    struct tally *tally;
    unsigned worker;
    uint64_t amount;
    const char *label;
};
struct mist_progress tally_part_progress(struct tally_part *part);

void tally_note(struct tally *tally, const char *path, const char *sentence);

#endif
