/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that make the answers that take time, first come, first served. */
#ifndef HOST_WORK_H
#define HOST_WORK_H

#include <mist/item.h>
#include <pthread.h>
#include <stdbool.h>

/* Part of what is to be worked on. */
struct work_item {
    struct work_item *next;
};

/* One thread and its scratch. */
struct worker {
    struct work_pool *pool;
    pthread_t thread;
    mist_decoder *decoder; /* NULL until the first need; see worker_decoder() */
};

struct work_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct work_item *first, *last;
    bool stopping;
    unsigned most;   /* items that may wait; 0: any number */
    unsigned queued; /* that do */
    bool background; /* its threads leave the processor to others */
    unsigned count;  /* workers that run */
    struct worker *workers;
    void (*run)(struct work_item *item, struct worker *worker);
};

/* Starts `count` threads; false if not a single one starts. `most` and `background` are set before. */
bool work_start(struct work_pool *pool, unsigned count, void (*run)(struct work_item *item, struct worker *worker));
/* Hands over an item: run() is called on it some time, unless the pool is full or has ended. */
enum work_taken { WORK_TAKEN, WORK_FULL, WORK_ENDED };
enum work_taken work_add(struct work_pool *pool, struct work_item *item);
/* Runs what is left and ends the threads. Safe on a zeroed pool. */
void work_end(struct work_pool *pool);
/* After work_end(), when nobody can call work_add() any more. Safe on a zeroed pool. */
void work_free(struct work_pool *pool);

/* The worker's own decoder, NULL when memory is short. */
mist_decoder *worker_decoder(struct worker *worker);

#endif
