/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Speed of the codec against its peers, in process, interleaved: each round runs ours and then each peer, so that a
 * machine that slows down slows all. Medians over the rounds; MB/s of raw full-resolution samples (10^6 bytes).
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_IMAGES = 16, MAX_ROUNDS = 101, MAX_THREADS = 64, CODERS = 3 };

enum operation { ENCODE, DECODE, DECODE_HALF, DECODE_QUARTER, OPERATIONS };
static const char *const operation_names[OPERATIONS] = {"encode", "decode", "decode_half", "decode_quarter"};

static const struct bench_peer *const peers[] = {&peer_openjph, &peer_charls};

struct settings {
    int rounds;
    unsigned threads;
    bool json;
    const char *only; /* an image's name, or NULL */
};

/* One coder (0: ours, else peers[coder - 1]) with buffers that are reused from round to round. */
struct coder {
    int number;
    mist_codec *codec;
    void *state;
    struct mist_buffer stream;
    struct mist_view out[3]; /* by reduce */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void coder_start(struct coder *coder, int number, const struct mist_view *view)
{
    *coder = (struct coder){.number = number};
    if (number == 0)
        coder->codec = mist_codec_new();
    else
        coder->state = peers[number - 1]->create();
    for (unsigned reduce = 0; reduce < 3; reduce++) {
        uint32_t width = mist_reduced_size(view->width, reduce), height = mist_reduced_size(view->height, reduce);
        void *samples = malloc(mist_frame_bytes(view->type, width, height, 1));
        coder->out[reduce] = mist_view_interleaved(samples, view->type, width, height, 1);
    }
}

static void coder_end(struct coder *coder)
{
    mist_codec_free(&coder->codec);
    if (coder->state)
        peers[coder->number - 1]->destroy(coder->state);
    mist_buffer_free(&coder->stream);
    for (unsigned reduce = 0; reduce < 3; reduce++)
        free(coder->out[reduce].data);
}

static bool coder_run(struct coder *coder, enum operation operation, const struct bench_image *image, unsigned threads)
{
    unsigned reduce = operation == DECODE_HALF ? 1 : operation == DECODE_QUARTER ? 2 : 0;
    if (coder->number) {
        const struct bench_peer *peer = peers[coder->number - 1];
        return operation == ENCODE ? peer->encode(coder->state, image, &coder->stream)
                                   : peer->decode(coder->state, &coder->stream, reduce, &coder->out[reduce]);
    }
    struct mist_error error;
    enum mist_status status;
    if (operation == ENCODE) {
        struct mist_encode_options options = mist_encode_options_default();
        options.precision = image->precision;
        options.threads = threads;
        status = mist_encode(coder->codec, &image->view, &options, &coder->stream, &error);
    } else {
        struct mist_decode_options options = mist_decode_options_default();
        options.reduce = reduce;
        options.threads = threads;
        status = mist_decode(coder->codec, coder->stream.data, coder->stream.size, &options, &coder->out[reduce], NULL,
                             &error);
    }
    if (status)
        fprintf(stderr, "bench: %s: %s\n", image->name, error.message);
    return status == MIST_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/*
 * Runs one operation often enough that a round takes at least 5 ms, returns seconds for one. With several threads 30 ms
 * behind one that is not counted: a virtual core that was idle takes milliseconds to come back.
 */
static double time_round(struct coder *coder, enum operation operation, const struct bench_image *image,
                         unsigned threads)
{
    const double least = threads > 1 ? 0.030 : 0.005;
    int repeats = 0;
    if (threads > 1 && !coder_run(coder, operation, image, threads))
        die("an operation failed");
    double start = now(), end;
    do {
        if (!coder_run(coder, operation, image, threads))
            die("an operation failed");
        repeats++;
        end = now();
    } while (end - start < least);
    return (end - start) / repeats;
}

/* ---- a series of frames over several threads, each with its own codec ---- */

struct series_worker {
    pthread_t thread;
    struct coder coder;
    const struct bench_image *image;
    enum operation operation;
    int frames;
};

static void *series_work(void *argument)
{
    struct series_worker *worker = argument;
    for (int i = 0; i < worker->frames; i++)
        if (!coder_run(&worker->coder, worker->operation, worker->image, 1))
            die("an operation failed");
    return NULL;
}

/* Thread i on the i-th core that we may use: what is measured is the codec, not how the scheduler places threads. */
static void pin(pthread_attr_t *attributes, unsigned i)
{
    cpu_set_t all, one;
    pthread_attr_init(attributes);
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) == 0)
        return;
    unsigned left = i % (unsigned)CPU_COUNT(&all);
    for (size_t core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &all) && left-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(core, &one);
            pthread_attr_setaffinity_np(attributes, sizeof one, &one);
            return;
        }
}

/* Seconds a frame when `threads` threads each run `frames` frames of their own. */
static double time_series(struct series_worker *workers, unsigned threads, enum operation operation, int frames)
{
    double start = now();
    for (unsigned i = 0; i < threads; i++) {
        workers[i].operation = operation;
        workers[i].frames = frames;
        pthread_attr_t attributes;
        pin(&attributes, i);
        if (pthread_create(&workers[i].thread, &attributes, series_work, &workers[i]) != 0)
            die("no thread");
        pthread_attr_destroy(&attributes);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    return (now() - start) / (frames * (int)threads);
}

/* ---- the table ---- */

struct row {
    const char *image, *operation, *mode; /* mode: "one", "frame", "series" */
    unsigned threads;
    double mbps;
    const char *peer; /* "mist" with one thread for thread rows */
    double peer_mbps;
};

static void print_row(const struct settings *settings, const struct row *row)
{
    double ratio = row->peer_mbps > 0 ? row->mbps / row->peer_mbps : 0;
    if (settings->json)
        printf("{\"image\":\"%s\",\"op\":\"%s\",\"mode\":\"%s\",\"threads\":%u,\"mbps\":%.1f,\"peer\":\"%s\","
               "\"peer_mbps\":%.1f,\"ratio\":%.3f}\n",
               row->image, row->operation, row->mode, row->threads, row->mbps, row->peer, row->peer_mbps, ratio);
    else
        printf("%-12s %-15s %-7s %2u %9.1f   %-12s %9.1f %8.2f\n", row->image, row->operation, row->mode, row->threads,
               row->mbps, row->peer, row->peer_mbps, ratio);
    fflush(stdout);
}

static void check_round_trip(struct coder *coder, const struct bench_image *image)
{
    const struct mist_view *view = &image->view;
    size_t bytes = mist_frame_bytes(view->type, view->width, view->height, 1);
    memset(coder->out[0].data, 0x5a, bytes);
    if (!coder_run(coder, DECODE, image, 1) || memcmp(coder->out[0].data, view->data, bytes) != 0)
        die(coder->number ? "a peer's round trip is not exact" : "our round trip is not exact");
}

static void bench_single(const struct settings *settings, const struct bench_image *image, double log_ratio[OPERATIONS],
                         int counted[OPERATIONS])
{
    struct coder coders[CODERS];
    double megabytes = (double)mist_frame_bytes(image->view.type, image->view.width, image->view.height, 1) / 1e6;
    for (int i = 0; i < CODERS; i++)
        coder_start(&coders[i], i, &image->view);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        static double seconds[CODERS][MAX_ROUNDS];
        for (int round = -1; round < settings->rounds; round++) /* round -1 warms up */
            for (int i = 0; i < CODERS; i++)
                if (i == 0 || operation < DECODE_HALF || peers[i - 1]->reduces)
                    seconds[i][round < 0 ? 0 : round] = time_round(&coders[i], (enum operation)operation, image, 1);
        double ours = megabytes / median(seconds[0], settings->rounds);
        for (int i = 1; i < CODERS; i++) {
            if (operation >= DECODE_HALF && !peers[i - 1]->reduces)
                continue;
            double theirs = megabytes / median(seconds[i], settings->rounds);
            print_row(settings, &(struct row){image->name, operation_names[operation], "one", 1, ours,
                                              peers[i - 1]->name, theirs});
            if (i == 1) {
                log_ratio[operation] += __builtin_log(ours / theirs);
                counted[operation]++;
            }
        }
        if (operation == ENCODE)
            for (int i = 0; i < CODERS; i++)
                check_round_trip(&coders[i], image);
    }
    for (int i = 0; i < CODERS; i++)
        coder_end(&coders[i]);
}

/* Our own speed with several threads against one: within a frame, and over a series of frames. */
static void bench_threads(const struct settings *settings, const struct bench_image *image,
                          double log_series[DECODE_HALF], int *counted)
{
    struct series_worker workers[MAX_THREADS] = {0};
    unsigned threads = settings->threads;
    double megabytes = (double)mist_frame_bytes(image->view.type, image->view.width, image->view.height, 1) / 1e6;
    int frames = megabytes > 16 ? 2 : (int)(32 / megabytes);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].image = image;
        coder_start(&workers[i].coder, 0, &image->view);
        if (!coder_run(&workers[i].coder, ENCODE, image, 1))
            die("an operation failed");
    }
    for (int operation = 0; operation < DECODE_HALF; operation++) {
        static double seconds[3][MAX_ROUNDS];
        for (int round = -1; round < settings->rounds; round++) {
            int at = round < 0 ? 0 : round;
            seconds[0][at] = time_series(workers, 1, (enum operation)operation, frames);
            seconds[1][at] = time_round(&workers[0].coder, (enum operation)operation, image, threads);
            seconds[2][at] = time_series(workers, threads, (enum operation)operation, frames);
        }
        double one = megabytes / median(seconds[0], settings->rounds);
        for (int mode = 1; mode < 3; mode++)
            print_row(settings,
                      &(struct row){image->name, operation_names[operation], mode == 1 ? "frame" : "series", threads,
                                    megabytes / median(seconds[mode], settings->rounds), "mist-1", one});
        log_series[operation] += __builtin_log(megabytes / median(seconds[2], settings->rounds) / one);
    }
    ++*counted;
    for (unsigned i = 0; i < threads; i++)
        coder_end(&workers[i].coder);
}

static struct settings parse(int argc, char **argv)
{
    struct settings settings = {.rounds = 9, .threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            settings.json = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            settings.rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--image") == 0 && i + 1 < argc)
            settings.only = argv[++i];
        else
            die("usage: codec [--json] [--rounds N] [--image NAME]");
    }
    if (settings.rounds < 7 || settings.rounds > MAX_ROUNDS)
        die("--rounds takes 7 to 101");
    if (settings.threads > MAX_THREADS)
        settings.threads = MAX_THREADS;
    return settings;
}

int main(int argc, char **argv)
{
    struct settings settings = parse(argc, argv);
    const char *source = getenv("MIST_SOURCE") ? getenv("MIST_SOURCE") : ".";
    char shared[4096], examples[4096];
    snprintf(shared, sizeof shared, "%s/../shared/data", source);
    snprintf(examples, sizeof examples, "%s/examples/data", source);
    struct bench_image images[MAX_IMAGES];
    size_t count = bench_images(shared, examples, images, MAX_IMAGES);
    double log_ratio[OPERATIONS] = {0};
    double log_series[DECODE_HALF] = {0};
    int counted[OPERATIONS] = {0}, series = 0;
    if (!settings.json)
        printf("%-12s %-15s %-7s %2s %9s   %-12s %9s %8s\n", "image", "operation", "mode", "th", "MB/s", "peer", "MB/s",
               "ratio");
    for (size_t i = 0; i < count; i++) {
        if (!settings.only || strcmp(settings.only, images[i].name) == 0) {
            bench_single(&settings, &images[i], log_ratio, counted);
            bench_threads(&settings, &images[i], log_series, &series);
        }
        bench_image_free(&images[i]);
    }
    for (int operation = 0; operation < OPERATIONS && !settings.json; operation++)
        if (counted[operation])
            printf("geometric mean against openjph, one thread, %s: %.2f\n", operation_names[operation],
                   __builtin_exp(log_ratio[operation] / counted[operation]));
    for (int operation = 0; operation < DECODE_HALF && !settings.json && series; operation++)
        printf("geometric mean against one thread, series of frames by %u threads, %s: %.2f\n", settings.threads,
               operation_names[operation], __builtin_exp(log_series[operation] / series));
    return 0;
}
