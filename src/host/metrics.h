/* SPDX-License-Identifier: BSD-2-Clause */
/* What /metrics tells: counters that every thread adds to. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include <mist/buffer.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct metrics {
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

/* Appends them in Prometheus' text format; false when memory is short. */
bool metrics_write(const struct metrics *metrics, struct mist_buffer *out);

#endif
