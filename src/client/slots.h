/* SPDX-License-Identifier: BSD-2-Clause */
/* A counting semaphore of which more than one unit can be taken where more are free, and whose size may change. */
#ifndef CLIENT_SLOTS_H
#define CLIENT_SLOTS_H

#include <pthread.h>
#include <stdbool.h>

struct slots {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    int free;           /* < 0: so many fewer are wanted than are taken */
    unsigned many_wait; /* threads that wait for more than one */
};

static inline void slots_init(struct slots *slots, unsigned count)
{
    pthread_mutex_init(&slots->lock, NULL);
    pthread_cond_init(&slots->freed, NULL);
    slots->free = (int)count;
    slots->many_wait = 0;
}

/* Waits for `least` (>= 1), then takes up to `wanted` (>= least) of the free ones; returns how many. */
static inline unsigned slots_take(struct slots *slots, unsigned least, unsigned wanted)
{
    pthread_mutex_lock(&slots->lock);
    slots->many_wait += least > 1;
    while (slots->free < (int)least)
        pthread_cond_wait(&slots->freed, &slots->lock);
    slots->many_wait -= least > 1;
    unsigned taken = (int)wanted < slots->free ? wanted : (unsigned)slots->free;
    slots->free -= (int)taken;
    pthread_mutex_unlock(&slots->lock);
    return taken;
}

/* Makes it `more` larger, or smaller where that is below 0: what is taken stays taken. */
static inline void slots_change(struct slots *slots, int more)
{
    pthread_mutex_lock(&slots->lock);
    slots->free += more;
    if (slots->many_wait) /* whoever is woken may not be the one for whom it is enough */
        pthread_cond_broadcast(&slots->freed);
    for (int i = 0; i < more && !slots->many_wait; i++)
        pthread_cond_signal(&slots->freed);
    pthread_mutex_unlock(&slots->lock);
}

static inline void slots_give(struct slots *slots, unsigned count)
{
    slots_change(slots, (int)count);
}

static inline bool slots_all_taken(struct slots *slots)
{
    pthread_mutex_lock(&slots->lock);
    bool all = slots->free <= 0;
    pthread_mutex_unlock(&slots->lock);
    return all;
}

static inline void slots_destroy(struct slots *slots)
{
    pthread_cond_destroy(&slots->freed);
    pthread_mutex_destroy(&slots->lock);
}

#endif
