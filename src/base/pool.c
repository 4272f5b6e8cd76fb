/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

unsigned pool_default_threads(void)
{
    const char *jobs = getenv("MIST_JOBS");
    long threads = jobs ? strtol(jobs, NULL, 10) : 0;
    if (threads <= 0) {
        cpu_set_t set;
        threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    }
    return threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : (unsigned)threads;
}

struct run {
    enum mist_status (*task)(void *context, uint64_t index, unsigned worker, struct mist_error *error);
    void *context;
    uint64_t count;
    atomic_ullong next;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the failure below */
    uint64_t failed_index;
    struct mist_error failure;
};

struct worker {
    struct run *run;
    unsigned number;
    pthread_t thread;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    for (;;) {
        if (atomic_load_explicit(&run->stop, memory_order_relaxed))
            return NULL;
        uint64_t index = atomic_fetch_add(&run->next, 1);
        if (index >= run->count)
            return NULL;
        struct mist_error error = {0};
        enum mist_status status = run->task(run->context, index, worker->number, &error);
        if (status == MIST_OK)
            continue;
        error.status = status;
        atomic_store(&run->stop, true);
        pthread_mutex_lock(&run->lock);
        if (run->failure.status == MIST_OK || index < run->failed_index) {
            run->failure = error;
            run->failed_index = index;
        }
        pthread_mutex_unlock(&run->lock);
    }
}

enum mist_status pool_run(unsigned threads, uint64_t count,
                          enum mist_status (*task)(void *context, uint64_t index, unsigned worker,
                                                   struct mist_error *error),
                          void *context, struct mist_error *error)
{
    struct run run = {.task = task, .context = context, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;
    if (threads > count)
        threads = (unsigned)count;
    if (threads < 1)
        threads = 1;
    struct worker *workers = memory_allocate_zeroed(threads, sizeof *workers);
    if (!workers)
        return error_set(error, MIST_ERROR_MEMORY, "starting threads: out of memory");
    unsigned started = 1;
    workers[0] = (struct worker){.run = &run};
    for (; started < threads; started++) {
        workers[started] = (struct worker){.run = &run, .number = started};
        /* Fewer threads than asked for is slower, not wrong. */
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    work(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    memory_free(workers);
    if (run.failure.status && error)
        *error = run.failure;
    return run.failure.status;
}
