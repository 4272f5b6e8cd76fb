/* SPDX-License-Identifier: BSD-2-Clause */
/* What /metrics tells: counters that every thread adds to. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include <mist/buffer.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How many answers took up to so long, and how long all did. */
enum { METRICS_BUCKETS = 9, METRICS_KINDS = 3 };
struct metrics_histogram {
    _Atomic uint64_t within[METRICS_BUCKETS + 1]; /* each its own bucket only; the last: longer than any */
    _Atomic uint64_t microseconds;
};

struct metrics {
    struct metrics_histogram answers[METRICS_KINDS]; /* by enum cost */
    _Atomic uint64_t by_status[600];
    _Atomic uint64_t broken; /* answers that did not reach the client */
    _Atomic uint64_t body_bytes;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t connections_open;
    _Atomic uint64_t connections_total;
    _Atomic uint64_t connections_timed_out;
    _Atomic uint64_t connections_evicted; /* that made room for others */
    _Atomic uint64_t turned_away;         /* 503: too much was waiting */
    _Atomic uint64_t cancelled;           /* pictures that nobody waited for any more */
};

/* An answer of some enum cost was ready to be sent after so many seconds. */
void metrics_add_answer(struct metrics *metrics, unsigned cost, double seconds);
/* Appends them in Prometheus' text format; false when memory is short. */
bool metrics_write(const struct metrics *metrics, struct mist_buffer *out);

#endif
