/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/budget.h"

#include <errno.h>
#include <time.h>

enum { PATIENCE = 10 /* seconds */ };

void budget_start(struct budget *budget, uint64_t limit)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    *budget = (struct budget){.limit = limit};
    pthread_mutex_init(&budget->lock, NULL);
    pthread_cond_init(&budget->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void budget_stop(struct budget *budget)
{
    pthread_cond_destroy(&budget->changed);
    pthread_mutex_destroy(&budget->lock);
}

void budget_end(struct budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    budget->ended = true;
    pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->lock);
}

bool budget_take(struct budget *budget, uint64_t bytes)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE;
    pthread_mutex_lock(&budget->lock);
    if (bytes > budget->limit)
        bytes = budget->limit;
    int waited = 0;
    while (budget->used > budget->limit - bytes && !budget->ended && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&budget->changed, &budget->lock, &until);
    const bool room = budget->used <= budget->limit - bytes && !budget->ended;
    if (room)
        budget->used += bytes;
    pthread_mutex_unlock(&budget->lock);
    return room;
}

void budget_give(struct budget *budget, uint64_t bytes)
{
    pthread_mutex_lock(&budget->lock);
    if (bytes > budget->limit)
        bytes = budget->limit;
    budget->used -= bytes < budget->used ? bytes : budget->used;
    pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->lock);
}
