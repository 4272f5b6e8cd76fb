/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: a function that runs a task for every index, and a group of threads that does so again and again. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <mist/status.h>
#include <stdint.h>

/* Threads to use when the user said nothing: MIST_JOBS, else the cores that this process may run on; 1 .. 256. */
unsigned pool_default_threads(void);

/* `worker` < threads names the running thread, for per-thread scratch; the caller is worker 0. */
typedef enum mist_status pool_task(void *context, uint64_t index, unsigned worker, struct mist_error *error);

/*
 * Runs task(context, index, worker) for index 0 .. count-1 on up to `threads` threads. Indices are handed out in
 * increasing order. After a task returns a failure no further index is handed out; returns the status of the lowest
 * failing index, whose message is in `error`. With one thread, or one index, no thread is started.
 */
enum mist_status pool_run(unsigned threads, uint64_t count, pool_task *task, void *context, struct mist_error *error);

/*
 * The same in many short steps: between two calls of pool_share() the threads look out for the next for some ten
 * microseconds before they sleep, since waking one costs as much as a step may take. A NULL pool is the caller alone.
 * A pool belongs to one thread; tasks must not share out work in the pool that runs them.
 */
struct pool;
enum mist_status pool_start(unsigned threads, struct pool **pool, struct mist_error *error);
enum mist_status pool_share(struct pool *pool, uint64_t count, pool_task *task, void *context,
                            struct mist_error *error);
/* Most threads that take part: workers are below this number. */
unsigned pool_threads(const struct pool *pool);
void pool_stop(struct pool **pool);

#endif
