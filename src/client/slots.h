/* SPDX-License-Identifier: BSD-2-Clause */
/* A counting semaphore of which more than one unit can be taken where more are free. */
#ifndef CLIENT_SLOTS_H
#define CLIENT_SLOTS_H

#include <pthread.h>

struct slots {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned free;
};

static inline void slots_init(struct slots *slots, unsigned count)
{
    pthread_mutex_init(&slots->lock, NULL);
    pthread_cond_init(&slots->freed, NULL);
    slots->free = count;
}

/* Waits for `least` (>= 1), then takes up to `wanted` (>= least) of the free ones; returns how many. */
static inline unsigned slots_take(struct slots *slots, unsigned least, unsigned wanted)
{
    pthread_mutex_lock(&slots->lock);
    while (slots->free < least)
        pthread_cond_wait(&slots->freed, &slots->lock);
    unsigned taken = wanted < slots->free ? wanted : slots->free;
    slots->free -= taken;
    pthread_mutex_unlock(&slots->lock);
    return taken;
}

static inline void slots_give(struct slots *slots, unsigned count)
{
    pthread_mutex_lock(&slots->lock);
    slots->free += count;
    pthread_cond_broadcast(&slots->freed);
    pthread_mutex_unlock(&slots->lock);
}

static inline void slots_destroy(struct slots *slots)
{
    pthread_cond_destroy(&slots->freed);
    pthread_mutex_destroy(&slots->lock);
}

#endif
