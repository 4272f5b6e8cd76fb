/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each kernel at each CPU level against its C version: time-stamp-counter cycles per sample (nanoseconds where there is
 * no such counter), the median of the rounds. Blocks are 64 x 64 of Laplacian samples, planes 512 x 512.
 */
#include "codec/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { BLOCK = 64, PLANE = 512, ROUNDS = 401, SCALES = 3 };
static const double scales[SCALES] = {0.7, 5, 60}; /* about 1, 4 and 7.5 bits a sample */

static double ticks(void)
{
#if defined(__x86_64__)
    return (double)__rdtsc();
#else
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
#endif
}

/* All that a kernel under test may need. */
struct setting {
    const struct codec_kernels *kernels;
    enum codec_lane lane;
    void *samples, *result, *bands[4];
    uint8_t *coded;
    size_t coded_size;
    void *scratch;
    struct mist_view view;
};

static int32_t get(const struct setting *s, size_t i)
{
    return s->lane == LANE_16 ? ((int16_t *)s->samples)[i] : ((int32_t *)s->samples)[i];
}

static void fill(struct setting *s, size_t count, double scale)
{
    srand(1);
    for (size_t i = 0; i < count; i++) {
        double u = (rand() + 1.0) / (RAND_MAX + 2.0);
        int value = (int)(-scale * log(u)) * (rand() & 1 ? 1 : -1);
        if (s->lane == LANE_16)
            ((int16_t *)s->samples)[i] = (int16_t)value;
        else
            ((int32_t *)s->samples)[i] = value;
    }
}

static void run_block_encode(struct setting *s)
{
    struct block_encode_job job = {.samples = s->samples, .stride = BLOCK, .width = BLOCK, .height = BLOCK};
    job.out = s->coded;
    job.capacity = block_encode_bound(BLOCK, BLOCK, 14);
    s->coded_size = s->kernels->block_encode[s->lane](&job, s->scratch);
}

static void run_block_decode(struct setting *s)
{
    struct block_decode_job job = {.cleanup = s->coded,
                                   .cleanup_size = s->coded_size,
                                   .passes = 1,
                                   .planes_skipped = 13,
                                   .planes = 14,
                                   .out = s->result,
                                   .stride = BLOCK,
                                   .width = BLOCK,
                                   .height = BLOCK};
    s->kernels->block_decode[s->lane](&job, 1, s->scratch);
    if (!job.good)
        exit(fprintf(stderr, "kernels: a block does not decode\n"));
}

/* Two blocks in one call: what a version that interleaves them gains. */
static void run_block_decode_pair(struct setting *s)
{
    struct block_decode_job job[2];
    for (int i = 0; i < 2; i++)
        job[i] = (struct block_decode_job){.cleanup = s->coded,
                                           .cleanup_size = s->coded_size,
                                           .passes = 1,
                                           .planes_skipped = 13,
                                           .planes = 14,
                                           .out = (char *)s->result + i * BLOCK * BLOCK * codec_lane_size(s->lane),
                                           .stride = BLOCK,
                                           .width = BLOCK,
                                           .height = BLOCK};
    s->kernels->block_decode[s->lane](job, 2, s->scratch);
    if (!job[0].good || !job[1].good)
        exit(fprintf(stderr, "kernels: a block does not decode\n"));
}

static struct wavelet_job wavelet_job(struct setting *s, void *plane)
{
    struct wavelet_job job = {.width = PLANE, .height = PLANE, .plane = plane, .plane_stride = PLANE};
    for (int b = 0; b < 4; b++) {
        job.band[b] = s->bands[b];
        job.band_stride[b] = PLANE / 2;
    }
    job.scratch = s->scratch;
    return job;
}

static void run_wavelet_forward(struct setting *s)
{
    struct wavelet_job job = wavelet_job(s, s->samples);
    s->kernels->wavelet53_forward[s->lane](&job);
}

static void run_wavelet_inverse(struct setting *s)
{
    struct wavelet_job job = wavelet_job(s, s->result);
    s->kernels->wavelet53_inverse[s->lane](&job);
}

static void run_load(struct setting *s)
{
    struct transfer_job job = {.view = &s->view, .component = 0, .plane = s->result, .stride = PLANE};
    transfer_set_range(&job, 12, false);
    s->kernels->load[s->lane](&job);
}

static void run_store(struct setting *s)
{
    struct transfer_job job = {.view = &s->view, .component = 0, .plane = s->result, .stride = PLANE};
    transfer_set_range(&job, 12, false);
    s->kernels->store[s->lane](&job);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double measure(struct setting *s, void (*run)(struct setting *), size_t samples)
{
    static double taken[ROUNDS];
    run(s);
    for (int i = 0; i < ROUNDS; i++) {
        double start = ticks();
        run(s);
        taken[i] = ticks() - start;
    }
    qsort(taken, ROUNDS, sizeof *taken, compare);
    return taken[ROUNDS / 2] / (double)samples;
}

static void measure_levels(struct setting *s, struct codec_kernels *kernels, const char *name, double scale,
                           void (*run)(struct setting *), size_t samples)
{
    double base = 0;
    for (int level = 0; level <= (int)cpu_level(); level++) {
        s->kernels = &kernels[level];
        double cycles = measure(s, run, samples);
        base = level ? base : cycles;
        printf("%-20s lane %d  scale %4.1f  %-7s %7.3f cycles/sample  %5.2f x C\n", name, 16 << s->lane, scale,
               cpu_level_name((enum cpu_level)level), cycles, base / cycles);
    }
}

int main(void)
{
    struct codec_kernels kernels[CPU_LEVELS];
    for (int level = 0; level <= (int)cpu_level(); level++)
        codec_kernels_select(&kernels[level], (enum cpu_level)level);
    for (int lane = LANE_16; lane <= LANE_32; lane++) {
        struct setting s = {.lane = (enum codec_lane)lane};
        s.samples = aligned_alloc(64, PLANE * PLANE * 4);
        s.result = aligned_alloc(64, PLANE * PLANE * 4);
        for (int b = 0; b < 4; b++)
            s.bands[b] = aligned_alloc(64, PLANE * PLANE);
        s.coded = malloc(block_encode_bound(BLOCK, BLOCK, 14));
        s.scratch = aligned_alloc(64, 2 * BLOCK_SCRATCH_SIZE);
        s.view = mist_view_interleaved(calloc(PLANE * PLANE, 2), MIST_U16, PLANE, PLANE, 1);
        for (int i = 0; i < SCALES; i++) {
            fill(&s, BLOCK * BLOCK, scales[i]);
            measure_levels(&s, kernels, "block_encode", scales[i], run_block_encode, BLOCK * BLOCK);
            measure_levels(&s, kernels, "block_decode", scales[i], run_block_decode, BLOCK * BLOCK);
            measure_levels(&s, kernels, "block_decode x2", scales[i], run_block_decode_pair, 2 * BLOCK * BLOCK);
            for (size_t k = 0; k < BLOCK * BLOCK; k++)
                if ((s.lane == LANE_16 ? ((int16_t *)s.result)[k] : ((int32_t *)s.result)[k]) != get(&s, k))
                    exit(fprintf(stderr, "kernels: a round trip is not exact\n"));
        }
        fill(&s, PLANE * PLANE, 60);
        measure_levels(&s, kernels, "wavelet53_forward", 60, run_wavelet_forward, PLANE * PLANE);
        measure_levels(&s, kernels, "wavelet53_inverse", 60, run_wavelet_inverse, PLANE * PLANE);
        measure_levels(&s, kernels, "load", 0, run_load, PLANE * PLANE);
        measure_levels(&s, kernels, "store", 0, run_store, PLANE * PLANE);
        free(s.samples);
        free(s.result);
        for (int b = 0; b < 4; b++)
            free(s.bands[b]);
        free(s.coded);
        free(s.scratch);
        free(s.view.data);
    }
    return 0;
}
