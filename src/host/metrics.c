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

static const double bounds[METRICS_BUCKETS] = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};

void metrics_add_answer(struct metrics *metrics, unsigned cost, double seconds)
{
    struct metrics_histogram *histogram = &metrics->answers[cost < METRICS_KINDS ? cost : METRICS_KINDS - 1];
    unsigned bucket = 0;
    while (bucket < METRICS_BUCKETS && seconds > bounds[bucket])
        bucket++;
    atomic_fetch_add(&histogram->within[bucket], 1);
    atomic_fetch_add(&histogram->microseconds, seconds > 0 ? (uint64_t)(seconds * 1e6) : 0);
}

/* As Prometheus has them: every bucket counts those of the smaller ones, too. */
static bool put_histograms(const struct metrics *metrics, struct mist_buffer *out)
{
    static const char name[] = "mist_http_answer_seconds";
    static const char *const kinds[METRICS_KINDS] = {"file", "look", "render"};
    bool good = buffer_print(out,
                             "# HELP %s From a request's header to the beginning of its answer, by what it takes: a "
                             "file, a look into the index, decoding.\n# TYPE %s histogram\n",
                             name, name);
    for (unsigned kind = 0; kind < METRICS_KINDS && good; kind++) {
        const struct metrics_histogram *histogram = &metrics->answers[kind];
        uint64_t count = 0;
        for (unsigned i = 0; i < METRICS_BUCKETS && good; i++) {
            count += atomic_load(&histogram->within[i]);
            good = buffer_print(out, "%s_bucket{kind=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, kinds[kind], bounds[i],
                                count);
        }
        count += atomic_load(&histogram->within[METRICS_BUCKETS]);
        good = good && buffer_print(out,
                                    "%s_bucket{kind=\"%s\",le=\"+Inf\"} %" PRIu64 "\n%s_sum{kind=\"%s\"} %.6f\n"
                                    "%s_count{kind=\"%s\"} %" PRIu64 "\n",
                                    name, kinds[kind], count, name, kinds[kind],
                                    (double)atomic_load(&histogram->microseconds) * 1e-6, name, kinds[kind], count);
    }
    return good;
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
    return good && put_histograms(metrics, out) &&
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
