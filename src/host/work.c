/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/work.h"

#include "base/memory.h"

#include <sys/resource.h>

enum { BACKGROUND_NICE = 5 };

static void *work(void *context)
{
    struct worker *worker = context;
    struct work_pool *pool = worker->pool;
    if (pool->background) /* on Linux of this thread alone */
        setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->stopping)
            pthread_cond_wait(&pool->changed, &pool->lock);
        struct work_item *item = pool->first;
        if (!item)
            break;
        pool->first = item->next;
        if (!pool->first)
            pool->last = NULL;
        pool->queued--;
        pthread_mutex_unlock(&pool->lock);
        pool->run(item, worker);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    mist_decoder_free(&worker->decoder);
    return NULL;
}

bool work_start(struct work_pool *pool, unsigned count, void (*run)(struct work_item *item, struct worker *worker))
{
    pool->workers = memory_allocate_zeroed(count, sizeof *pool->workers);
    if (!pool->workers)
        return false;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->run = run;
    for (; pool->count < count; pool->count++) {
        struct worker *worker = &pool->workers[pool->count];
        worker->pool = pool;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            break;
    }
    return pool->count > 0;
}

enum work_taken work_add(struct work_pool *pool, struct work_item *item)
{
    item->next = NULL;
    pthread_mutex_lock(&pool->lock);
    enum work_taken taken = pool->stopping                             ? WORK_ENDED
                            : pool->most && pool->queued >= pool->most ? WORK_FULL
                                                                       : WORK_TAKEN;
    if (taken == WORK_TAKEN) {
        if (pool->last)
            pool->last->next = item;
        else
            pool->first = item;
        pool->last = item;
        pool->queued++;
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

void work_end(struct work_pool *pool)
{
    if (!pool->workers)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pool->count = 0;
}

void work_free(struct work_pool *pool)
{
    if (!pool->workers)
        return;
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    memory_free(pool->workers);
    *pool = (struct work_pool){0};
}

mist_decoder *worker_decoder(struct worker *worker)
{
    if (!worker->decoder)
        worker->decoder = mist_decoder_new();
    return worker->decoder;
}
