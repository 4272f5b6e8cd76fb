/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_THREADS = 256 };

/* The cores that this process may run on; false if the system does not say. */
static bool allowed_cores(cpu_set_t *set)
{
    return sched_getaffinity(0, sizeof *set, set) == 0 && CPU_COUNT(set) > 0;
}

unsigned pool_default_threads(void)
{
    const char *jobs = getenv("MIST_JOBS");
    long wish = jobs ? strtol(jobs, NULL, 10) : 0;
    cpu_set_t set;
    unsigned long threads = wish > 0 ? (unsigned long)wish : allowed_cores(&set) ? (unsigned)CPU_COUNT(&set) : 1;
    return threads > MAX_THREADS ? MAX_THREADS : (unsigned)threads;
}

/* ---- one task for every index ---- */

struct run {
    pool_task *task;
    void *context;
    uint64_t count;
    atomic_ullong next;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the failure below */
    uint64_t failed_index;
    struct mist_error failure;
};

static void run_indices(struct run *run, unsigned worker)
{
    while (!atomic_load_explicit(&run->stop, memory_order_relaxed)) {
        uint64_t index = atomic_fetch_add(&run->next, 1);
        if (index >= run->count)
            return;
        struct mist_error error = {0};
        enum mist_status status = run->task(run->context, index, worker, &error);
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

/* ---- the threads ---- */

struct helper {
    struct pool *pool;
    unsigned number;
    pthread_t thread;
};

/*
 * gate: [ runs begun : 32 | ended : 1 | open : 1 | helpers inside : 30 ]. A helper may touch `run` only while it is
 * inside, and enters only an open gate; the owner changes `run` only when the gate is shut and nobody is inside. So a
 * helper that wakes late finds the gate shut and waits for the next run: nobody waits for it.
 */
#define GATE_RUN ((uint64_t)1 << 32)
#define GATE_ENDED ((uint64_t)1 << 31)
#define GATE_OPEN ((uint64_t)1 << 30)
#define GATE_INSIDE (GATE_OPEN - 1)

struct pool {
    atomic_ullong gate;
    atomic_uint sleepers;
    pthread_mutex_t lock; /* for sleeping only */
    pthread_cond_t changed;
    struct run run;
    cpu_set_t cores; /* the owner's; empty if unknown */
    unsigned spins;  /* looks at the gate before going to sleep */
    unsigned threads;
    unsigned started; /* helpers; there may be fewer than wanted */
    struct helper helper[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits until (gate & mask) is not (`seen` & mask) any more; gives the gate. */
static uint64_t wait_for_gate(struct pool *pool, uint64_t seen, uint64_t mask)
{
    uint64_t gate = atomic_load(&pool->gate);
    for (unsigned i = 0; i < pool->spins && !((gate ^ seen) & mask); i++) {
        relax();
        gate = atomic_load(&pool->gate);
    }
    if ((gate ^ seen) & mask)
        return gate;
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1); /* before the last look: see change_gate() */
    while (!(((gate = atomic_load(&pool->gate)) ^ seen) & mask))
        pthread_cond_wait(&pool->changed, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return gate;
}

/* After a change of the gate. Either we see the sleeper here, or it saw the change in its last look. */
static void wake(struct pool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static void *help(void *argument)
{
    struct helper *helper = argument;
    struct pool *pool = helper->pool;
    if (CPU_COUNT(&pool->cores)) /* it was started elsewhere than its owner; from here on it may go anywhere */
        pthread_setaffinity_np(pthread_self(), sizeof pool->cores, &pool->cores);
    for (unsigned long long gate = 0;;) {
        gate = wait_for_gate(pool, gate, ~(GATE_RUN - 1) | GATE_ENDED);
        if (gate & GATE_ENDED)
            return NULL;
        const uint64_t number = gate / GATE_RUN;
        while ((gate & GATE_OPEN) && gate / GATE_RUN == number) {
            if (!atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1))
                continue;
            run_indices(&pool->run, helper->number);
            gate = atomic_fetch_sub(&pool->gate, 1) - 1;
            if (!(gate & GATE_INSIDE))
                wake(pool);
            break;
        }
        gate = number * GATE_RUN;
    }
}

/*
 * Left to itself, Linux often lets a new thread wait for its creator's core until the next tick of the scheduler,
 * milliseconds later, while other cores are idle. So helpers start on any core but this one.
 */
static void start_helpers(struct pool *pool)
{
    pthread_attr_t attributes;
    cpu_set_t elsewhere = pool->cores;
    const int here = sched_getcpu();
    if (pthread_attr_init(&attributes) != 0)
        return;
    if (here >= 0 && here < CPU_SETSIZE)
        CPU_CLR((size_t)here, &elsewhere);
    if (CPU_COUNT(&elsewhere))
        pthread_attr_setaffinity_np(&attributes, sizeof elsewhere, &elsewhere);
    for (unsigned i = 0; i + 1 < pool->threads; i++) {
        struct helper *helper = &pool->helper[i];
        *helper = (struct helper){.pool = pool, .number = i + 1};
        /* Where threads may not choose their cores, anywhere. Fewer than asked for is slower, not wrong. */
        if (pthread_create(&helper->thread, &attributes, help, helper) != 0 &&
            pthread_create(&helper->thread, NULL, help, helper) != 0)
            break;
        pool->started++;
    }
    pthread_attr_destroy(&attributes);
}

static struct pool *pool_new(unsigned threads)
{
    struct pool *pool = memory_allocate_zeroed(1, sizeof *pool + threads * sizeof *pool->helper);
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pthread_mutex_init(&pool->run.lock, NULL);
    pool->threads = threads;
    if (!allowed_cores(&pool->cores))
        CPU_ZERO(&pool->cores);
    /* Some 50 microseconds. Looking out on a core that another thread needs would only keep that one from it. */
    pool->spins = threads <= (unsigned)CPU_COUNT(&pool->cores) ? 2000 : 0;
    start_helpers(pool);
    return pool;
}

enum mist_status pool_start(unsigned threads, struct pool **pool, struct mist_error *error)
{
    *pool = NULL;
    if (threads <= 1)
        return MIST_OK;
    *pool = pool_new(threads < MAX_THREADS ? threads : MAX_THREADS);
    return *pool ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "starting threads: out of memory");
}

unsigned pool_threads(const struct pool *pool)
{
    return pool ? pool->threads : 1;
}

static enum mist_status result(const struct run *run, struct mist_error *error)
{
    if (run->failure.status && error)
        *error = run->failure;
    return run->failure.status;
}

static enum mist_status run_alone(uint64_t count, pool_task *task, void *context, struct mist_error *error)
{
    struct run run = {.task = task, .context = context, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
    run_indices(&run, 0);
    return result(&run, error);
}

enum mist_status pool_share(struct pool *pool, uint64_t count, pool_task *task, void *context, struct mist_error *error)
{
    if (!pool || count <= 1)
        return run_alone(count, task, context, error);
    struct run *run = &pool->run;
    run->task = task;
    run->context = context;
    run->count = count;
    atomic_store(&run->next, 0);
    atomic_store(&run->stop, false);
    run->failed_index = 0;
    run->failure.status = MIST_OK;
    atomic_fetch_add(&pool->gate, GATE_RUN | GATE_OPEN);
    wake(pool);
    run_indices(run, 0);
    for (uint64_t gate = atomic_fetch_and(&pool->gate, ~GATE_OPEN) & ~GATE_OPEN; gate & GATE_INSIDE;)
        gate = wait_for_gate(pool, gate, GATE_INSIDE);
    return result(run, error);
}

void pool_stop(struct pool **pool)
{
    if (!*pool)
        return;
    atomic_fetch_or(&(*pool)->gate, GATE_ENDED);
    wake(*pool);
    for (unsigned i = 0; i < (*pool)->started; i++)
        pthread_join((*pool)->helper[i].thread, NULL);
    pthread_mutex_destroy(&(*pool)->run.lock);
    pthread_cond_destroy(&(*pool)->changed);
    pthread_mutex_destroy(&(*pool)->lock);
    memory_free(*pool);
    *pool = NULL;
}

enum mist_status pool_run(unsigned threads, uint64_t count, pool_task *task, void *context, struct mist_error *error)
{
    struct pool *pool = NULL;
    if (threads > count)
        threads = (unsigned)count;
    enum mist_status status = pool_start(threads, &pool, error);
    if (!status)
        status = pool_share(pool, count, task, context, error);
    pool_stop(&pool);
    return status;
}
