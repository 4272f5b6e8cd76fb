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

/*
 * A malformed block can hold the magnitude 2^planes, which no block of `planes` bit-planes has; where that is one more
 * than a lane holds it wraps, and refinement goes on from there. Within a lane all CPU levels still agree.
 */
static bool fits_lane(int64_t value, enum codec_lane lane)
{
    int64_t limit = lane == LANE_16 ? INT16_MAX : lane == LANE_32 ? INT32_MAX : INT64_MAX;
    return value <= limit && value >= -limit;
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

/* What one CPU level and lane make of the job. */
struct result {
    void *out;
    enum codec_lane lane;
    bool good;
};

static void check_same(const struct block_decode_job *job, const struct result *a, const struct result *b)
{
    fuzz_require(a->good == b->good);
    for (unsigned y = 0; y < job->height; y++)
        for (unsigned x = 0; x < job->width; x++) {
            int64_t one = element(a->out, a->lane, y * job->stride + x);
            int64_t other = element(b->out, b->lane, y * job->stride + x);
            fuzz_require(one == other || (a->lane != b->lane && !fits_lane(one, b->lane)));
        }
}

/* Every CPU level against the first one in this lane, and that against the same in the widest lane. */
static void check_lane(const struct block_decode_job *job, enum codec_lane lane, struct result *widest)
{
    struct result first = {.lane = lane};
    for (int level = CPU_BASELINE; level <= (int)cpu_level(); level++) {
        struct result result = {.lane = lane};
        result.out = decode(job, lane, (enum cpu_level)level, &result.good);
        check_untouched(job, lane, result.out);
        if (!first.out) {
            first = result;
            continue;
        }
        check_same(job, &first, &result);
        memory_free(result.out);
    }
    if (widest->out) {
        check_same(job, widest, &first);
        memory_free(first.out);
    } else {
        *widest = first;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct block_input input = {0};
    struct result widest = {0};
    parse(data, size, &input);
    for (int lane = LANE_64; lane >= LANE_16; lane--)
        if (input.job.planes <= block_decode_max_planes((enum codec_lane)lane, input.job.half))
            check_lane(&input.job, (enum codec_lane)lane, &widest);
    memory_free(widest.out);
    free(input.cleanup);
    free(input.refinement);
    return 0;
}
