/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: one function that runs a task for every index. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <mist/status.h>
#include <stdint.h>

/* Threads to use when the user said nothing: MIST_JOBS, else the cores that this process may run on; 1 .. 256. */
unsigned pool_default_threads(void);

/*
 * Runs task(context, index, worker) for index 0 .. count-1 on up to `threads` threads (the caller is worker 0; worker
 * < threads names the running thread, for per-thread scratch). Indices are handed out in increasing order. After a task
 * returns a failure no further index is handed out; returns the status of the lowest failing index, whose message is
 * in `error`. With one thread, or one index, no thread is started.
 */
enum mist_status pool_run(unsigned threads, uint64_t count,
                          enum mist_status (*task)(void *context, uint64_t index, unsigned worker,
                                                   struct mist_error *error),
                          void *context, struct mist_error *error);

#endif
