/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/metrics.h"

#include "base/memory.h"

#include <inttypes.h>

static bool put(struct mist_buffer *out, const char *name, const char *type, const char *help,
                const _Atomic uint64_t *value)
{
    return buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name,
                        atomic_load(value));
}

bool metrics_write(const struct metrics *metrics, struct mist_buffer *out)
{
    bool good = buffer_print(out, "# HELP mist_http_requests_total Requests that were answered, by status code.\n"
                                  "# TYPE mist_http_requests_total counter\n");
    for (unsigned code = 0; code < 600 && good; code++) {
        uint64_t count = atomic_load(&metrics->by_status[code]);
        if (count)
            good = buffer_print(out, "mist_http_requests_total{code=\"%u\"} %" PRIu64 "\n", code, count);
    }
    return good &&
           put(out, "mist_http_broken_answers_total", "counter", "Answers that the client did not wait for.",
               &metrics->broken) &&
           put(out, "mist_http_body_bytes_total", "counter", "Bytes of the bodies of complete answers.",
               &metrics->body_bytes) &&
           put(out, "mist_http_requests_in_flight", "gauge", "Requests that are being answered.",
               &metrics->in_flight) &&
           put(out, "mist_http_connections", "gauge", "Open connections.", &metrics->connections_open) &&
           put(out, "mist_http_connections_total", "counter", "Connections that were accepted.",
               &metrics->connections_total) &&
           put(out, "mist_http_connections_timed_out_total", "counter",
               "Connections closed because no whole request came in time.", &metrics->connections_timed_out) &&
           put(out, "mist_http_connections_evicted_total", "counter",
               "Idle connections closed to make room for others.", &metrics->connections_evicted) &&
           put(out, "mist_http_turned_away_total", "counter", "Requests answered with 503 because too many waited.",
               &metrics->turned_away) &&
           put(out, "mist_http_cancelled_total", "counter", "Pictures not made because the client had gone.",
               &metrics->cancelled);
}
