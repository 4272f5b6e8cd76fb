/* SPDX-License-Identifier: BSD-2-Clause */
/* mist serve: a store over HTTP. */
#include "cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

static const struct option_spec options[] = {
    {"listen", 'l', "HOST:PORT", "address to listen on (default: 127.0.0.1:8080; port 0: a free one)"},
    {"jobs", 'j', "N", "threads that decode, as many that send (default: MIST_JOBS, or all cores)"},
    {"connections", 0, "N", "connections at the same time (default: 1024)"},
    {"connections-per-address", 0, "N", "... of one address (default: half of them)"},
    {"trusted-proxy", 0, "ADDRESS", "whose connections are many people's, and not counted so; may be repeated"},
    {"header-timeout", 0, "SECONDS", "for the header of a request to arrive (default: 10)"},
    {"timeout", 0, "SECONDS", "for the next request, and without progress (default: 30)"},
    {"queue", 0, "N", "pictures that may wait to be made, then 503 (default: 32 for each of --jobs)"},
    {"picture-memory", 0, "SIZE", "that pictures may take while they are made and sent (default: 288MiB)"},
    {"access", 0, "FILE", "who may read what: lines of DATASETS SHA256-OF-TOKEN [LAST-DAY]; others are public"},
    {"link-key", 0, "FILE", "makes the key of links to private datasets (default: ends with this process)"},
    {"no-dicom-web", 0, "DATASET", "which is not published under /dicom-web; may be repeated"},
    {"log", 0, NULL, "one line on standard error for each request"},
    {"log-format", 0, "FORMAT", "plain, combined (as Apache and nginx write it) or json; says --log, too"},
    {"quiet", 'q', NULL, "do not print the URL"},
    {0},
};

/* What anybody may send, in a form that a terminal and a log reader can bear. */
static void print_escaped_by(const char *text, const char *escape)
{
    static const char secret[] = "access="; /* links open private datasets */
    for (; *text; text++) {
        const bool starts = (*text == '?' || *text == '&') && strncmp(text + 1, secret, sizeof secret - 1) == 0;
        if (starts) {
            fprintf(stderr, "%caccess=...", *text);
            text += sizeof secret - 1;
            text += strcspn(text + 1, "&");
            continue;
        }
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c >= 127 || c == '"' || c == '\\')
            fprintf(stderr, escape, c);
        else
            fputc(c, stderr);
    }
}

static void print_escaped(const char *text)
{
    print_escaped_by(text, "\\x%02x");
}

/* "-" where there is none. */
static void print_quoted(const char *text)
{
    fputc('"', stderr);
    print_escaped(text && *text ? text : "-");
    fputc('"', stderr);
}

enum { TIME_SIZE = 40 };

/* Of now, in UTC. */
static void tell_time(const char *format, char text[TIME_SIZE])
{
    struct tm utc;
    const time_t now = time(NULL);
    strftime(text, TIME_SIZE, format, gmtime_r(&now, &utc));
}

static void print_request(const struct mist_host_access *access)
{
    print_escaped(access->method);
    fputc(' ', stderr);
    print_escaped(access->target);
}

static void log_plain(void *context, const struct mist_host_access *access)
{
    char when[TIME_SIZE];
    (void)context;
    tell_time("%Y-%m-%dT%H:%M:%SZ", when);
    fprintf(stderr, "%s %s \"", when, access->client);
    print_request(access);
    fprintf(stderr, "\" %u %" PRIu64 " %.3f%s\n", access->status, access->bytes, access->seconds,
            access->complete ? "" : " broken off");
}

/* Apache's "combined". */
static void log_combined(void *context, const struct mist_host_access *access)
{
    char when[TIME_SIZE];
    (void)context;
    tell_time("%d/%b/%Y:%H:%M:%S +0000", when);
    fprintf(stderr, "%s - - [%s] \"", access->client, when);
    print_request(access);
    fprintf(stderr, " HTTP/1.1\" %u %" PRIu64 " ", access->status, access->bytes);
    print_quoted(access->referrer);
    fputc(' ', stderr);
    print_quoted(access->user_agent);
    fputc('\n', stderr);
}

/* An object a line; a byte that is not printable ASCII is "\\xNN" in its texts, as in the other formats. */
static void log_json(void *context, const struct mist_host_access *access)
{
    char when[TIME_SIZE];
    const struct {
        const char *name, *text;
    } texts[] = {{"method", access->method},
                 {"target", access->target},
                 {"referrer", access->referrer},
                 {"user_agent", access->user_agent}};
    (void)context;
    tell_time("%Y-%m-%dT%H:%M:%SZ", when);
    fprintf(stderr, "{\"time\": \"%s\", \"client\": \"%s\"", when, access->client);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fprintf(stderr, ", \"%s\": ", texts[i].name);
        if (texts[i].text) {
            fputc('"', stderr);
            print_escaped_by(texts[i].text, "\\\\x%02x");
            fputc('"', stderr);
        } else
            fputs("null", stderr);
    }
    fprintf(stderr, ", \"status\": %u, \"bytes\": %" PRIu64 ", \"seconds\": %.6f, \"complete\": %s}\n", access->status,
            access->bytes, access->seconds, access->complete ? "true" : "false");
}

static void tell_problem(void *context, const char *sentence)
{
    complain(context, "%s", sentence);
}

/* Waits for SIGINT or SIGTERM, which are blocked. SIGHUP: the file of --access is read again; the store need not be. */
static void wait_for_end(const struct arguments *arguments, mist_host *host, const sigset_t *ends)
{
    int number;
    while (sigwait(ends, &number) != 0 || number == SIGHUP) {
        struct mist_error error = {0};
        if (mist_host_reload(host, &error) != MIST_OK)
            complain(arguments, "%s; who may read what stays as it was", error.message);
    }
}

static enum exit_status serve(const struct arguments *arguments, mist_store *store,
                              struct mist_host_options *host_options)
{
    struct mist_error error = {0};
    mist_host *host;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    /* Before any thread starts, so that all of them leave the three to this one. */
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (mist_host_start(store, host_options, &host, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return error.status == MIST_ERROR_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
    }
    if (!option_given(arguments, "quiet")) {
        printf("mist serve: %s\n", mist_host_url(host));
        fflush(stdout);
    }
    wait_for_end(arguments, host, &ends);
    /* A second one ends the process at once: nothing is being written. */
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
    mist_host_stop(&host);
    return EXIT_DONE;
}

static bool choose_log(const struct arguments *arguments, struct mist_host_options *host_options)
{
    static const struct {
        const char *name;
        void (*log)(void *context, const struct mist_host_access *access);
    } formats[] = {{"plain", log_plain}, {"combined", log_combined}, {"json", log_json}};
    const char *name = option_value(arguments, "log-format");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name ? name : "plain", formats[i].name) == 0) {
            host_options->log = name || option_given(arguments, "log") ? formats[i].log : NULL;
            return true;
        }
    complain(arguments, "--log-format is plain, combined or json, not %s", name);
    return false;
}

static enum exit_status run(const struct arguments *arguments)
{
    struct mist_error error = {0};
    struct mist_host_options host_options = mist_host_options_default();
    mist_store *store;
    if (option_value(arguments, "listen"))
        host_options.listen = option_value(arguments, "listen");
    unsigned long long picture_memory = 0;
    host_options.proxy_count = (unsigned)option_values(arguments, "trusted-proxy", &host_options.proxies);
    host_options.no_dicom_web_count = (unsigned)option_values(arguments, "no-dicom-web", &host_options.no_dicom_web);
    host_options.access = option_value(arguments, "access");
    host_options.link_key = option_value(arguments, "link-key");
    if (host_options.link_key && !host_options.access) {
        complain(arguments, "--link-key is for private datasets, which --access names");
        return EXIT_USAGE;
    }
    if (!option_unsigned(arguments, "jobs", 1, 256, &host_options.workers) ||
        !option_unsigned(arguments, "connections-per-address", 1, 1000000, &host_options.connections_of_address) ||
        !option_unsigned(arguments, "header-timeout", 1, 86400, &host_options.header_seconds) ||
        !option_unsigned(arguments, "queue", 1, 1000000, &host_options.queue) ||
        !option_bytes(arguments, "picture-memory", &picture_memory) ||
        !option_unsigned(arguments, "connections", 1, 1000000, &host_options.connections) ||
        !option_unsigned(arguments, "timeout", 1, 86400, &host_options.timeout_seconds))
        return EXIT_USAGE;
    host_options.picture_memory = picture_memory;
    host_options.threads = host_options.workers;
    if (!choose_log(arguments, &host_options))
        return EXIT_USAGE;
    host_options.problem = tell_problem;
    host_options.context = (void *)(uintptr_t)arguments;
    if (mist_store_open(operand(arguments, 0), &store, &error) != MIST_OK) {
        complain(arguments, "%s", error.message);
        return EXIT_FAILED;
    }
    enum exit_status status = serve(arguments, store, &host_options);
    mist_store_close(&store);
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .summary = "publish a store over HTTP",
    .synopsis = "STORE [OPTION...]",
    .details = "Answers on /v1/... with datasets, plans, items, frames and attachments (docs/http.md),\n"
               "and on /DATASET/... with the store's files as any static web server would. Prints its\n"
               "URL and runs until SIGINT or SIGTERM, which let requests in flight finish. What is\n"
               "encoded into the store meanwhile is seen, and so is another store in its place.",
    .options = options,
    .example = "mist serve store --listen 0.0.0.0:8080 --log",
    .minimum_operands = 1,
    .maximum_operands = 1,
    .run = run,
};
