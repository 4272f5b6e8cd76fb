/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random bytes straight into the HT block decoder, at every CPU level and lane, which must agree. The input is
 *   width - 1 (2 bytes, modulo what the height leaves), height - 1 (2), planes (1), planes_skipped (1),
 *   flags (1: bits 0-1 passes - 1, bit 2 stripe causal, bit 3 half units, bit 4 an 8-sample gap between rows),
 *   refinement size (2), then the refinement segment and all the rest as the cleanup segment.
 */
#include "fuzz.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "codec/kernels.h"

#include <stdlib.h>
#include <string.h>

struct block_input {
    struct block_decode_job job;
    uint8_t *cleanup; /* copies of exactly that size, so that a sanitizer or guard sees every byte too many */
    uint8_t *refinement;
};

static uint8_t *copy_of(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    fuzz_require(copy);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

static void parse(const uint8_t *data, size_t size, struct block_input *input)
{
    struct block_decode_job *job = &input->job;
    job->height = 1 + (unsigned)fuzz_take(&data, &size, 2) % BLOCK_MAX_SIDE;
    unsigned widest = BLOCK_MAX_AREA / job->height;
    widest = widest > BLOCK_MAX_SIDE ? BLOCK_MAX_SIDE : widest;
    job->width = 1 + (unsigned)fuzz_take(&data, &size, 2) % widest;
    job->planes = 1 + (unsigned)fuzz_take(&data, &size, 1) % 62;
    job->planes_skipped = (unsigned)fuzz_take(&data, &size, 1) % job->planes;
    unsigned flags = (unsigned)fuzz_take(&data, &size, 1);
    job->passes = 1 + (flags & 3) % 3;
    job->stripe_causal = flags & 4;
    job->half = flags & 8;
    job->stride = job->width + (flags & 16 ? 8 : 0);
    size_t refinement = fuzz_take(&data, &size, 2);
    refinement = refinement > size ? size : refinement;
    job->refinement = input->refinement = copy_of(data, refinement);
    job->refinement_size = refinement;
    job->cleanup = input->cleanup = copy_of(data + refinement, size - refinement);
    job->cleanup_size = size - refinement;
}

/* Element i of a lane. */
static int64_t element(const void *samples, enum codec_lane lane, size_t i)
{
    return lane == LANE_16   ? ((const int16_t *)samples)[i]
           : lane == LANE_32 ? ((const int32_t *)samples)[i]
                             : ((const int64_t *)samples)[i];
}

/* What nobody may touch: the samples between rows and behind the block. */
#define UNTOUCHED 0x5a

static void *decode(const struct block_decode_job *job, enum codec_lane lane, enum cpu_level level, bool *good)
{
    struct codec_kernels kernels;
    codec_kernels_select(&kernels, level);
    size_t bytes = ((size_t)job->stride * job->height + 64) * codec_lane_size(lane);
    static _Alignas(64) uint8_t scratch[BLOCK_SCRATCH_SIZE]; /* what the block before left in it must not matter */
    void *out = memory_allocate_aligned(bytes);
    fuzz_require(out);
    memset(out, UNTOUCHED, bytes);
    struct block_decode_job jobs[2] = {*job, *job}; /* two at once: what interleaves blocks must not mix them */
    void *other = memory_allocate_aligned(bytes);
    fuzz_require(other);
    memset(other, UNTOUCHED, bytes);
    jobs[0].out = out;
    jobs[1].out = other;
    kernels.block_decode[lane](jobs, 2, scratch);
    fuzz_require(jobs[0].good == jobs[1].good && !memcmp(out, other, bytes));
    *good = jobs[0].good;
    memory_free(other);
    return out;
}

static void check_untouched(const struct block_decode_job *job, enum codec_lane lane, const uint8_t *out)
{
    size_t size = codec_lane_size(lane);
    for (unsigned y = 0; y < job->height; y++) {
        size_t from = ((size_t)y * job->stride + job->width) * size, to = (size_t)(y + 1) * job->stride * size;
        to += y + 1 == job->height ? 64 * size : 0;
        for (size_t i = from; i < to; i++)
            fuzz_require(out[i] == UNTOUCHED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct block_input input = {0};
    struct block_decode_job *job = &input.job;
    parse(data, size, &input);
    void *widest = NULL;
    bool widest_good = false, good;
    for (int lane = LANE_64; lane >= LANE_16; lane--) {
        if (job->planes > block_decode_max_planes((enum codec_lane)lane, job->half))
            continue;
        for (int level = CPU_BASELINE; level <= (int)cpu_level(); level++) {
            void *out = decode(job, (enum codec_lane)lane, (enum cpu_level)level, &good);
            check_untouched(job, (enum codec_lane)lane, out);
            if (!widest) {
                widest = out;
                widest_good = good;
                continue;
            }
            fuzz_require(good == widest_good);
            for (unsigned y = 0; y < job->height; y++)
                for (unsigned x = 0; x < job->width; x++)
                    fuzz_require(element(out, (enum codec_lane)lane, y * job->stride + x) ==
                                 element(widest, LANE_64, y * job->stride + x));
            memory_free(out);
        }
    }
    memory_free(widest);
    free(input.cleanup);
    free(input.refinement);
    return 0;
}
