/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernels of every CPU level that this machine has, on random, extreme and malformed input. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "codec/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct codec_kernels kernels[CPU_LEVELS];
static unsigned levels;

/* A small generator with a fixed seed, so that failures repeat (xorshift64*). */
static uint64_t random_state = 88172645463325252u;
static uint64_t random_bits(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}
static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)((random_bits() >> 32) * limit >> 32);
}

/* `size` bytes between two pages that may not be touched, ending (or, with `front`, starting) at one. */
struct guarded {
    uint8_t *map;
    size_t map_size;
    uint8_t *bytes;
};
static struct guarded guarded_new(size_t size, bool front)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page) / page * page;
    struct guarded guarded = {.map_size = inner + 2 * page};
    guarded.map = mmap(NULL, guarded.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guarded.map != MAP_FAILED);
    mprotect(guarded.map, page, PROT_NONE);
    mprotect(guarded.map + page + inner, page, PROT_NONE);
    guarded.bytes = front ? guarded.map + page : guarded.map + page + inner - size;
    return guarded;
}
static void guarded_free(struct guarded *guarded)
{
    munmap(guarded->map, guarded->map_size);
}

/* Elements of any lane, or floats. */
static int64_t get(const void *samples, enum codec_lane lane, size_t i)
{
    return lane == LANE_16   ? ((const int16_t *)samples)[i]
           : lane == LANE_32 ? ((const int32_t *)samples)[i]
                             : ((const int64_t *)samples)[i];
}
static void set(void *samples, enum codec_lane lane, size_t i, int64_t value)
{
    if (lane == LANE_16)
        ((int16_t *)samples)[i] = (int16_t)value;
    else if (lane == LANE_32)
        ((int32_t *)samples)[i] = (int32_t)value;
    else
        ((int64_t *)samples)[i] = value;
}

static const struct {
    unsigned width, height;
} block_shapes[] = {{64, 64},  {1, 1},    {1, 2},    {2, 1},    {2, 2},    {3, 3},    {4, 4},    {5, 7},
                    {63, 61},  {64, 63},  {33, 64},  {1024, 4}, {1023, 3}, {1000, 1}, {4, 1024}, {3, 1023},
                    {1, 1024}, {128, 32}, {32, 128}, {17, 9},   {256, 16}, {65, 31},  {31, 65},  {7, 400}};

enum fill {
    FILL_RANDOM,
    FILL_SMALL,
    FILL_SPARSE,
    FILL_SPIKE,
    FILL_CHECKER,
    FILL_MAXIMUM,
    FILL_MINIMUM,
    FILL_ONES,
    FILL_DECAY,
    FILLS
};

/* Samples whose magnitudes are below 2^planes. */
static int64_t fill_sample(enum fill fill, unsigned planes, unsigned x, unsigned y)
{
    const int64_t most = (int64_t)(((uint64_t)1 << planes) - 1);
    int64_t sign = random_bits() & 1 ? 1 : -1;
    switch (fill) {
    case FILL_RANDOM:
        return sign * (int64_t)(random_bits() & (uint64_t)most);
    case FILL_SMALL:
        return sign * (int64_t)(random_bits() & 3 & (uint64_t)most);
    case FILL_SPARSE:
        return random_below(50) ? 0 : sign * (int64_t)(random_bits() & (uint64_t)most);
    case FILL_SPIKE:
        return x == 3 && y == 2 ? sign * most : 0;
    case FILL_CHECKER:
        return (x + y) & 1 ? most : -most;
    case FILL_MAXIMUM:
        return most;
    case FILL_MINIMUM:
        return -most;
    case FILL_ONES:
        return sign;
    default:
        return sign * (most >> random_below(planes + 1));
    }
}

static unsigned largest_planes(enum codec_lane lane)
{
    return lane == LANE_16 ? 15 : lane == LANE_32 ? 31 : 38;
}

/* Bytes of a block through one level's encoder, decoded by every level: what goes in comes out. */
static void block_round_trip(enum codec_lane lane, unsigned width, unsigned height, unsigned planes, enum fill fill)
{
    const size_t element = codec_lane_size(lane), stride = width + random_below(3);
    struct guarded samples = guarded_new((height - 1) * stride * element + width * element, random_bits() & 1);
    bool any = false;
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++) {
            int64_t value = fill_sample(fill, planes, x, y);
            any |= value != 0;
            set(samples.bytes, lane, y * stride + x, value);
        }
    void *scratch = memory_allocate_aligned(BLOCK_SCRATCH_SIZE);
    const size_t bound = block_encode_bound(width, height, planes);
    uint8_t *first = NULL;
    size_t first_size = 0;
    for (unsigned level = 0; level < levels; level++) {
        memset(scratch, (int)random_bits(), BLOCK_SCRATCH_SIZE);
        struct guarded out = guarded_new(bound, false);
        struct block_encode_job encode = {.samples = samples.bytes,
                                          .stride = stride,
                                          .width = width,
                                          .height = height,
                                          .out = out.bytes,
                                          .capacity = bound};
        size_t size = kernels[level].block_encode[lane](&encode, scratch);
        assert_int_equal(size > 0, any);
        assert_true(size <= bound);
        for (size_t i = 0; i + 1 < size; i++)
            assert_false(out.bytes[i] == 0xff && out.bytes[i + 1] > 0x8f); /* no marker inside */
        assert_true(size == 0 || out.bytes[size - 1] != 0xff);
        if (level == 0) {
            first = memory_allocate(size);
            memcpy(first, out.bytes, size);
            first_size = size;
        } else {
            assert_int_equal(size, first_size);
            assert_memory_equal(out.bytes, first, size);
        }
        guarded_free(&out);
    }
    for (unsigned level = 0; level < levels && any; level++) {
        memset(scratch, (int)random_bits(), BLOCK_SCRATCH_SIZE);
        struct guarded in = guarded_new(first_size, random_bits() & 1);
        memcpy(in.bytes, first, first_size);
        struct guarded out = guarded_new((height - 1) * stride * element + width * element, random_bits() & 1);
        struct block_decode_job decode = {.cleanup = in.bytes,
                                          .cleanup_size = first_size,
                                          .passes = 1,
                                          .planes_skipped = planes - 1,
                                          .planes = planes,
                                          .out = out.bytes,
                                          .stride = stride,
                                          .width = width,
                                          .height = height};
        kernels[level].block_decode[lane](&decode, 1, scratch);
        assert_true(decode.good);
        for (unsigned y = 0; y < height; y++)
            for (unsigned x = 0; x < width; x++)
                if (get(samples.bytes, lane, y * stride + x) != get(out.bytes, lane, y * stride + x))
                    fail_msg("lane %d %ux%u planes %u fill %d: sample %u,%u is %lld, not %lld", lane, width, height,
                             planes, fill, x, y, (long long)get(out.bytes, lane, y * stride + x),
                             (long long)get(samples.bytes, lane, y * stride + x));
        guarded_free(&in);
        guarded_free(&out);
    }
    memory_free(first);
    memory_free(scratch);
    guarded_free(&samples);
}

static void test_block_round_trip(void **state)
{
    (void)state;
    for (enum codec_lane lane = LANE_16; lane <= LANE_64; lane++)
        for (size_t s = 0; s < sizeof block_shapes / sizeof *block_shapes; s++)
            for (enum fill fill = 0; fill < FILLS; fill++) {
                unsigned most = largest_planes(lane);
                unsigned planes[] = {1 + random_below(most), most};
                for (unsigned i = 0; i < 2; i++)
                    block_round_trip(lane, block_shapes[s].width, block_shapes[s].height, planes[i], fill);
            }
    for (unsigned planes = 1; planes <= 38; planes++)
        for (enum codec_lane lane = LANE_16; lane <= LANE_64; lane++)
            if (planes <= largest_planes(lane))
                block_round_trip(lane, 64, 64, planes, FILL_DECAY);
}

/* ---- malformed blocks ---- */

/* One job on every level: no access outside, the same verdict and the same samples. */
static void decode_everywhere(enum codec_lane lane, struct block_decode_job job, const uint8_t *bytes)
{
    void *scratch = memory_allocate_aligned(BLOCK_SCRATCH_SIZE);
    const size_t element = codec_lane_size(lane), samples = job.width * job.height;
    struct guarded cleanup = guarded_new(job.cleanup_size, random_bits() & 1);
    struct guarded refinement = guarded_new(job.refinement_size, random_bits() & 1);
    memcpy(cleanup.bytes, bytes, job.cleanup_size);
    memcpy(refinement.bytes, bytes + job.cleanup_size, job.refinement_size);
    job.cleanup = cleanup.bytes;
    job.refinement = refinement.bytes;
    job.stride = job.width;
    struct guarded first = guarded_new(samples * element, false);
    bool good = false;
    for (unsigned level = 0; level < levels; level++) {
        struct guarded out = guarded_new(samples * element, random_bits() & 1);
        memset(out.bytes, 0x55, samples * element);
        memset(scratch, (int)random_bits(), BLOCK_SCRATCH_SIZE);
        job.out = level ? out.bytes : first.bytes;
        kernels[level].block_decode[lane](&job, 1, scratch);
        if (level > 0) {
            assert_int_equal(job.good, good);
            assert_memory_equal(out.bytes, first.bytes, samples * element);
        }
        good = job.good;
        guarded_free(&out);
    }
    for (size_t i = 0; i < samples && !good; i++)
        assert_true(get(first.bytes, lane, i) == 0);
    guarded_free(&first);
    guarded_free(&cleanup);
    guarded_free(&refinement);
    memory_free(scratch);
}

static void test_block_random_bytes(void **state)
{
    (void)state;
    static uint8_t bytes[12000];
    for (unsigned round = 0; round < 6000; round++) {
        size_t shape = random_below(sizeof block_shapes / sizeof *block_shapes);
        enum codec_lane lane = (enum codec_lane)random_below(CODEC_LANES);
        struct block_decode_job job = {.width = block_shapes[shape].width,
                                       .height = block_shapes[shape].height,
                                       .passes = 1 + random_below(3),
                                       .stripe_causal = random_bits() & 1,
                                       .half = random_bits() & 1};
        job.planes = 1 + random_below(block_decode_max_planes(lane, job.half));
        job.planes_skipped = random_below(job.planes);
        job.cleanup_size = random_below(random_bits() & 1 ? 40 : 6000);
        job.refinement_size = random_below(random_bits() & 1 ? 20 : 4000);
        for (size_t i = 0; i < job.cleanup_size + job.refinement_size; i++) {
            uint64_t random = random_bits();
            bytes[i] = random >> 62 ? (uint8_t)random : random >> 61 ? 0xff : 0;
        }
        if (job.cleanup_size > 1 && random_below(8)) { /* mostly a length that fits */
            size_t scup = 2 + random_below((uint32_t)job.cleanup_size);
            bytes[job.cleanup_size - 1] = (uint8_t)(scup >> 4);
            bytes[job.cleanup_size - 2] = (uint8_t)((bytes[job.cleanup_size - 2] & 0xf0) | (scup & 15));
        }
        decode_everywhere(lane, job, bytes);
    }
}

/* Valid blocks with some bytes changed or cut off. */
static void test_block_damaged(void **state)
{
    (void)state;
    static uint8_t bytes[40000];
    static int32_t samples[BLOCK_MAX_AREA];
    void *scratch = memory_allocate_aligned(BLOCK_SCRATCH_SIZE);
    for (unsigned round = 0; round < 3000; round++) {
        size_t shape = random_below(sizeof block_shapes / sizeof *block_shapes);
        const unsigned width = block_shapes[shape].width, height = block_shapes[shape].height;
        const unsigned planes = 1 + random_below(14);
        for (unsigned i = 0; i < width * height; i++)
            samples[i] = (int32_t)fill_sample(FILL_DECAY, planes, i % width, i / width);
        struct block_encode_job encode = {samples, width, width, height, bytes, sizeof bytes};
        size_t size = kernels[0].block_encode[LANE_32](&encode, scratch);
        for (unsigned i = random_below(4); i > 0 && size > 0; i--)
            bytes[random_below((uint32_t)size)] = (uint8_t)random_bits();
        struct block_decode_job job = {.width = width,
                                       .height = height,
                                       .cleanup_size = random_below(4) ? size : random_below((uint32_t)size + 1),
                                       .passes = 1 + random_below(3),
                                       .planes = planes + 1,
                                       .planes_skipped = planes - 1};
        job.refinement_size = size - job.cleanup_size;
        decode_everywhere((enum codec_lane)random_below(CODEC_LANES), job, bytes);
    }
    memory_free(scratch);
}

/* Blocks of different shapes, passes and soundness in one call come out as they do one by one. */
static void test_block_batch(void **state)
{
    (void)state;
    enum { COUNT = 7 };
    static uint8_t bytes[COUNT][40000];
    static int32_t samples[BLOCK_MAX_AREA], together[COUNT][BLOCK_MAX_AREA], alone[BLOCK_MAX_AREA];
    void *scratch = memory_allocate_aligned(BLOCK_SCRATCH_SIZE);
    for (unsigned round = 0; round < 200 * levels; round++) {
        const struct codec_kernels *k = &kernels[round % levels];
        struct block_decode_job jobs[COUNT];
        const unsigned count = 1 + random_below(COUNT);
        for (unsigned n = 0; n < count; n++) {
            size_t shape = random_below(sizeof block_shapes / sizeof *block_shapes);
            const unsigned width = block_shapes[shape].width, height = block_shapes[shape].height;
            const unsigned planes = 1 + random_below(14);
            for (unsigned i = 0; i < width * height; i++)
                samples[i] = (int32_t)fill_sample(FILL_DECAY, planes, i % width, i / width);
            struct block_encode_job encode = {samples, width, width, height, bytes[n], sizeof bytes[n]};
            size_t size = k->block_encode[LANE_32](&encode, scratch);
            if (size > 0 && random_below(3) == 0)
                bytes[n][random_below((uint32_t)size)] = (uint8_t)random_bits();
            jobs[n] = (struct block_decode_job){.cleanup = bytes[n],
                                                .cleanup_size = random_below(6) ? size : size / 2,
                                                .refinement = bytes[n],
                                                .refinement_size = size,
                                                .passes = 1 + random_below(3),
                                                .planes = planes + 2,
                                                .planes_skipped = planes - 1,
                                                .stripe_causal = random_bits() & 1,
                                                .out = together[n],
                                                .stride = width,
                                                .width = width,
                                                .height = height};
        }
        k->block_decode[LANE_32](jobs, count, scratch);
        for (unsigned n = 0; n < count; n++) {
            struct block_decode_job job = jobs[n];
            job.out = alone;
            kernels[0].block_decode[LANE_32](&job, 1, scratch);
            assert_int_equal(job.good, jobs[n].good);
            assert_memory_equal(alone, together[n], job.width * job.height * sizeof *alone);
        }
    }
    memory_free(scratch);
}

static void test_block_rules(void **state)
{
    (void)state;
    int32_t samples[16] = {5, -3, 0, 9};
    int32_t out[16];
    uint8_t bytes[8192];
    void *scratch = memory_allocate_aligned(BLOCK_SCRATCH_SIZE);
    struct block_encode_job encode = {samples, 4, 4, 4, bytes, sizeof bytes};
    size_t size = kernels[0].block_encode[LANE_32](&encode, scratch);
    const struct block_decode_job right = {.cleanup = bytes,
                                           .cleanup_size = size,
                                           .passes = 1,
                                           .planes_skipped = 7,
                                           .planes = 8,
                                           .out = out,
                                           .stride = 4,
                                           .width = 4,
                                           .height = 4};
    struct {
        const char *what;
        struct block_decode_job job;
        bool good;
    } cases[] = {{"as encoded", right, true},          {"no pass", right, false},
                 {"four passes", right, false},        {"no plane for SigProp", right, false},
                 {"all planes skipped", right, false}, {"too many planes", right, false},
                 {"one byte", right, false},           {"U_q beyond S_blk + 2", right, false}};
    cases[1].job.passes = 0;
    cases[2].job.passes = 4;
    cases[3].job.passes = 2;
    cases[4].job.planes_skipped = 8;
    cases[5].job.planes = 32;
    cases[6].job.cleanup_size = 1;
    cases[7].job.planes_skipped = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(out, 1, sizeof out);
        kernels[0].block_decode[LANE_32](&cases[i].job, 1, scratch);
        if (cases[i].job.good != cases[i].good || out[2] != 0)
            fail_msg("%s", cases[i].what);
    }
    /* Values at bit-plane p in whole and half units. */
    struct block_decode_job at_plane_2 = right;
    at_plane_2.planes = 10;
    kernels[0].block_decode[LANE_32](&at_plane_2, 1, scratch);
    assert_int_equal(out[0], 5 * 4 + 2);
    assert_int_equal(out[1], -(3 * 4 + 2));
    at_plane_2.half = true;
    kernels[0].block_decode[LANE_32](&at_plane_2, 1, scratch);
    assert_int_equal(out[0], 2 * 5 * 4 + 4);
    assert_int_equal(out[2], 0);
    struct block_decode_job whole_half = right;
    whole_half.half = true;
    kernels[0].block_decode[LANE_32](&whole_half, 1, scratch);
    assert_int_equal(out[1], -(2 * 3 + 1));
    memory_free(scratch);
}

/* ---- wavelet ---- */

/* The standard's 1-D procedures (F.3.6, F.4.6) as they are written, on a signal that starts at i0. */
static int64_t mirrored(const int64_t *x, int64_t count, int64_t i)
{
    while (i < 0 || i >= count)
        i = i < 0 ? -i : 2 * (count - 1) - i;
    return x[i];
}
static int64_t floor_divide(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
static void naive_forward_53(int64_t *x, int64_t count, unsigned odd)
{
    int64_t in[64];
    memcpy(in, x, (size_t)count * sizeof *x);
    if (count == 1) {
        x[0] = odd ? 2 * in[0] : in[0];
        return;
    }
    for (int64_t i = !odd; i < count; i += 2)
        x[i] = in[i] - floor_divide(mirrored(in, count, i - 1) + mirrored(in, count, i + 1), 2);
    for (int64_t i = odd; i < count; i += 2)
        x[i] = in[i] + floor_divide(mirrored(x, count, i - 1) + mirrored(x, count, i + 1) + 2, 4);
}

/* A wavelet job with bands of its own, each row apart by a stride that is larger than the row. */
struct wavelet_case {
    struct wavelet_job job;
    uint32_t lows_x, lows_y;
};
static struct wavelet_case wavelet_case_new(uint32_t width, uint32_t height, unsigned parity, size_t element)
{
    struct wavelet_case c = {.job = {.width = width, .height = height, .x_odd = parity & 1, .y_odd = parity >> 1}};
    c.lows_x = wavelet_low(width, c.job.x_odd);
    c.lows_y = wavelet_low(height, c.job.y_odd);
    c.job.plane_stride = width + random_below(3);
    c.job.plane = memory_allocate_zeroed(c.job.plane_stride * height, element);
    c.job.scratch = memory_allocate_aligned(wavelet_scratch_size(width, element));
    for (unsigned band = 0; band < 4; band++) {
        uint32_t wide = band & 1 ? width - c.lows_x : c.lows_x, high = band & 2 ? height - c.lows_y : c.lows_y;
        c.job.band_stride[band] = wide + random_below(3);
        if (wide && high)
            c.job.band[band] = memory_allocate_zeroed(c.job.band_stride[band] * high, element);
    }
    return c;
}
static void wavelet_case_free(struct wavelet_case *c)
{
    for (unsigned band = 0; band < 4; band++)
        memory_free(c->job.band[band]);
    memory_free(c->job.plane);
    memory_free(c->job.scratch);
}
/* Where sample (x, y) of the interleaved transform is. */
static size_t band_index(const struct wavelet_case *c, uint32_t x, uint32_t y, unsigned *band)
{
    *band = ((x + c->job.x_odd) & 1) | ((y + c->job.y_odd) & 1) << 1;
    return y / 2 * c->job.band_stride[*band] + x / 2;
}

/* All rows at once, or the later ones first: runs of rows do not depend on one another. */
static void in_two_runs(void (*kernel)(const struct wavelet_job *job), const struct wavelet_job *job)
{
    struct wavelet_job first = *job, second = *job;
    const uint32_t steps = wavelet_steps(job->height, job->y_odd), middle = random_below(steps);
    if (middle > 0) {
        first.end_step = second.first_step = middle;
        second.end_step = steps;
        kernel(&second);
    }
    kernel(&first);
}

static void wavelet_53_case(enum codec_lane lane, uint32_t width, uint32_t height, unsigned parity, unsigned level)
{
    struct wavelet_case c = wavelet_case_new(width, height, parity, codec_lane_size(lane));
    static int64_t in[64][64], expected[64][64];
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            in[y][x] = (int64_t)(random_bits() % 8191) - 4095;
            set(c.job.plane, lane, y * c.job.plane_stride + x, in[y][x]);
        }
    memcpy(expected, in, sizeof in);
    for (uint32_t x = 0; x < width; x++) { /* vertical first: F.4.2 */
        int64_t column[64];
        for (uint32_t y = 0; y < height; y++)
            column[y] = expected[y][x];
        naive_forward_53(column, height, c.job.y_odd);
        for (uint32_t y = 0; y < height; y++)
            expected[y][x] = column[y];
    }
    for (uint32_t y = 0; y < height; y++)
        naive_forward_53(expected[y], width, c.job.x_odd);
    in_two_runs(kernels[level].wavelet53_forward[lane], &c.job);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            unsigned band;
            size_t i = band_index(&c, x, y, &band);
            if (get(c.job.band[band], lane, i) != expected[y][x])
                fail_msg("5/3 level %u lane %d %ux%u parity %u: %u,%u", level, lane, width, height, parity, x, y);
            set(c.job.plane, lane, y * c.job.plane_stride + x, 77);
        }
    in_two_runs(kernels[level].wavelet53_inverse[lane], &c.job);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            assert_true(get(c.job.plane, lane, y * c.job.plane_stride + x) == in[y][x]);
    wavelet_case_free(&c);
}

static void test_wavelet_53(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++)
        for (enum codec_lane lane = LANE_16; lane <= LANE_64; lane++)
            for (unsigned parity = 0; parity < 4; parity++) {
                for (uint32_t width = 1; width <= 9; width++)
                    for (uint32_t height = 1; height <= 9; height++)
                        wavelet_53_case(lane, width, height, parity, level);
                for (uint32_t side = 10; side <= 64; side++) {
                    wavelet_53_case(lane, side, 1 + random_below(64), parity, level);
                    wavelet_53_case(lane, 1 + random_below(64), side, parity, level);
                }
            }
}

/* Forward 9/7 in double precision, the equations of F.4.8.2. */
static double mirrored_double(const double *x, int64_t count, int64_t i)
{
    while (i < 0 || i >= count)
        i = i < 0 ? -i : 2 * (count - 1) - i;
    return x[i];
}
static void naive_forward_97(double *x, int64_t count, unsigned odd)
{
    static const double factors[4] = {-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971};
    const double k = 1.230174104914001;
    if (count == 1) {
        x[0] *= odd ? 2 : 1;
        return;
    }
    for (unsigned step = 0; step < 4; step++)
        for (int64_t i = (step & 1) ? odd : !odd; i < count; i += 2)
            x[i] += factors[step] * (mirrored_double(x, count, i - 1) + mirrored_double(x, count, i + 1));
    for (int64_t i = 0; i < count; i++)
        x[i] *= ((i + odd) & 1) ? k : 1 / k;
}

static void wavelet_97_case(uint32_t width, uint32_t height, unsigned parity, unsigned level)
{
    struct wavelet_case c = wavelet_case_new(width, height, parity, sizeof(float));
    static double in[64][64], expected[64][64];
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            in[y][x] = (double)(random_bits() % 8191) - 4095;
            ((float *)c.job.plane)[y * c.job.plane_stride + x] = (float)in[y][x];
        }
    memcpy(expected, in, sizeof in);
    for (uint32_t x = 0; x < width; x++) {
        double column[64];
        for (uint32_t y = 0; y < height; y++)
            column[y] = expected[y][x];
        naive_forward_97(column, height, c.job.y_odd);
        for (uint32_t y = 0; y < height; y++)
            expected[y][x] = column[y];
    }
    for (uint32_t y = 0; y < height; y++)
        naive_forward_97(expected[y], width, c.job.x_odd);
    kernels[level].wavelet97_forward(&c.job);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            unsigned band;
            size_t i = band_index(&c, x, y, &band);
            if (fabs(((float *)c.job.band[band])[i] - expected[y][x]) > 0.02)
                fail_msg("9/7 level %u %ux%u parity %u: %u,%u is %g, not %g", level, width, height, parity, x, y,
                         ((float *)c.job.band[band])[i], expected[y][x]);
            ((float *)c.job.plane)[y * c.job.plane_stride + x] = 1e9f;
        }
    kernels[level].wavelet97_inverse(&c.job);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            assert_true(fabs(((float *)c.job.plane)[y * c.job.plane_stride + x] - in[y][x]) < 0.02);
    wavelet_case_free(&c);
}

static void test_wavelet_97(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++)
        for (unsigned parity = 0; parity < 4; parity++) {
            for (uint32_t width = 1; width <= 9; width++)
                for (uint32_t height = 1; height <= 9; height++)
                    wavelet_97_case(width, height, parity, level);
            for (uint32_t side = 10; side <= 64; side++) {
                wavelet_97_case(side, 1 + random_below(64), parity, level);
                wavelet_97_case(1 + random_below(64), side, parity, level);
            }
        }
}

/* A rectangle inverted with the stated margin around it equals that part of the whole inverse. */
static void test_wavelet_margin(void **state)
{
    (void)state;
    const uint32_t side = 40;
    for (unsigned round = 0; round < 400; round++) {
        const bool is_53 = round & 1;
        const uint32_t margin = is_53 ? WAVELET_MARGIN_53 : WAVELET_MARGIN_97;
        struct wavelet_case whole = wavelet_case_new(side, side, round >> 1 & 3, 4);
        for (unsigned band = 0; band < 4; band++)
            for (size_t i = 0; i < whole.job.band_stride[band] * (side / 2); i++) {
                int32_t value = (int32_t)random_below(2000) - 1000;
                if (is_53)
                    ((int32_t *)whole.job.band[band])[i] = value;
                else
                    ((float *)whole.job.band[band])[i] = (float)value;
            }
        uint32_t x0 = random_below(side), x1 = x0 + 1 + random_below(side - x0), y0 = random_below(side),
                 y1 = y0 + 1 + random_below(side - y0);
        uint32_t left = x0 > margin ? x0 - margin : 0, right = x1 + margin < side ? x1 + margin : side;
        uint32_t top = y0 > margin ? y0 - margin : 0, bottom = y1 + margin < side ? y1 + margin : side;
        struct wavelet_job part = whole.job;
        part.width = right - left;
        part.height = bottom - top;
        part.x_odd = (left + whole.job.x_odd) & 1;
        part.y_odd = (top + whole.job.y_odd) & 1;
        for (unsigned band = 0; band < 4; band++) {
            uint32_t skip_x = band & 1 ? left - wavelet_low(left, whole.job.x_odd) : wavelet_low(left, whole.job.x_odd);
            uint32_t skip_y = band & 2 ? top - wavelet_low(top, whole.job.y_odd) : wavelet_low(top, whole.job.y_odd);
            part.band[band] = (int32_t *)whole.job.band[band] + skip_y * whole.job.band_stride[band] + skip_x;
        }
        int32_t *patch = memory_allocate_zeroed((size_t)part.width * part.height, 4);
        part.plane = patch;
        part.plane_stride = part.width;
        const struct codec_kernels *k = &kernels[round % levels];
        (is_53 ? k->wavelet53_inverse[LANE_32] : k->wavelet97_inverse)(&whole.job);
        (is_53 ? k->wavelet53_inverse[LANE_32] : k->wavelet97_inverse)(&part);
        for (uint32_t y = y0; y < y1; y++)
            assert_memory_equal(patch + (y - top) * part.width + x0 - left,
                                (int32_t *)whole.job.plane + y * whole.job.plane_stride + x0, (x1 - x0) * 4);
        memory_free(patch);
        wavelet_case_free(&whole);
    }
}

/* Every CPU level gives the same bits, on large rows and with values that wrap. */
static void test_wavelet_levels(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        const uint32_t width = 1 + random_below(700), height = 1 + random_below(12);
        for (unsigned kind = 0; kind < 4; kind++) {
            const size_t element = kind < 3 ? codec_lane_size((enum codec_lane)kind) : sizeof(float);
            struct wavelet_case a = wavelet_case_new(width, height, round & 3, element);
            for (size_t i = 0; i < a.job.plane_stride * height * element / 2; i++)
                ((uint16_t *)a.job.plane)[i] = (uint16_t)random_bits();
            for (size_t i = 0; kind == 3 && i < a.job.plane_stride * height; i++)
                ((float *)a.job.plane)[i] = (float)(int32_t)random_bits();
            for (unsigned level = 1; level < levels; level++) {
                struct wavelet_case b = wavelet_case_new(width, height, round & 3, element);
                b.job.plane_stride = a.job.plane_stride;
                memory_free(b.job.plane);
                b.job.plane = memory_allocate(a.job.plane_stride * height * element);
                memcpy(b.job.plane, a.job.plane, a.job.plane_stride * height * element);
                if (kind < 3) {
                    kernels[0].wavelet53_forward[kind](&a.job);
                    kernels[level].wavelet53_forward[kind](&b.job);
                } else {
                    kernels[0].wavelet97_forward(&a.job);
                    kernels[level].wavelet97_forward(&b.job);
                }
                for (uint32_t y = 0; y < height; y++)
                    for (uint32_t x = 0; x < width; x++) {
                        unsigned band;
                        size_t i = band_index(&a, x, y, &band), j = band_index(&b, x, y, &band);
                        assert_memory_equal((char *)a.job.band[band] + i * element,
                                            (char *)b.job.band[band] + j * element, element);
                    }
                if (kind < 3) {
                    kernels[0].wavelet53_inverse[kind](&a.job);
                    kernels[level].wavelet53_inverse[kind](&b.job);
                } else {
                    kernels[0].wavelet97_inverse(&a.job);
                    kernels[level].wavelet97_inverse(&b.job);
                }
                for (uint32_t y = 0; y < height; y++)
                    assert_memory_equal((char *)a.job.plane + y * a.job.plane_stride * element,
                                        (char *)b.job.plane + y * b.job.plane_stride * element, width * element);
                wavelet_case_free(&b);
            }
            wavelet_case_free(&a);
        }
    }
}

/* ---- transfer ---- */

static const unsigned type_size[] = {1, 1, 2, 2, 4, 4};

static int64_t sample_get(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t component)
{
    const char *at =
        (const char *)view->data + x * view->column_stride + y * view->row_stride + component * view->component_stride;
    switch (view->type) {
    case MIST_U8:
        return *(const uint8_t *)at;
    case MIST_S8:
        return *(const int8_t *)at;
    case MIST_U16:
        return *(const uint16_t *)at;
    case MIST_S16:
        return *(const int16_t *)at;
    case MIST_U32:
        return *(const uint32_t *)at;
    default:
        return *(const int32_t *)at;
    }
}
static void sample_set(const struct mist_view *view, uint32_t x, uint32_t y, uint32_t component, int64_t value)
{
    char *at = (char *)view->data + x * view->column_stride + y * view->row_stride + component * view->component_stride;
    memcpy(at, &value, type_size[view->type]); /* little-endian */
}

static void transfer_case(enum mist_sample_type type, enum codec_lane lane, unsigned precision, bool interleaved,
                          unsigned level)
{
    const uint32_t width = 1 + random_below(70), height = 1 + random_below(5), components = 3;
    const unsigned size = type_size[type];
    const bool is_signed = type & 1;
    struct guarded memory = guarded_new((size_t)width * height * components * size, false);
    struct mist_view view = {
        memory.bytes, type, width, height, components, size, (size_t)width * size, (size_t)width * height * size};
    if (interleaved) {
        view.column_stride = components * size;
        view.row_stride = (size_t)width * components * size;
        view.component_stride = size;
    }
    struct guarded plane = guarded_new((size_t)width * height * codec_lane_size(lane), false);
    struct transfer_job job = {.view = &view, .component = 1, .plane = plane.bytes, .stride = width};
    transfer_set_range(&job, precision, is_signed);
    const uint64_t span = (uint64_t)(job.high - job.low) + 1;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < components; c++) {
                int64_t value = job.low + (int64_t)(random_bits() % span);
                value = random_below(8) ? value : random_bits() & 1 ? job.low : job.high;
                sample_set(&view, x, y, c, value);
            }
    assert_true(kernels[level].load[lane](&job));
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            int64_t value = sample_get(&view, x, y, 1);
            assert_true(get(plane.bytes, lane, y * width + x) == value - job.shift);
            sample_set(&view, x, y, 1, 0);
            set(plane.bytes, lane, y * width + x, value - job.shift);
        }
    /* Back, with some samples beyond the range: those are clamped. */
    int64_t *expected = memory_allocate_array((size_t)width * height, sizeof *expected);
    const bool room = codec_lane_size(lane) * 8 > precision;
    for (uint32_t i = 0; i < width * height; i++) {
        expected[i] = get(plane.bytes, lane, i) + job.shift;
        if (room && random_below(5) == 0) {
            bool above = random_bits() & 1;
            set(plane.bytes, lane, i, (above ? job.high + 1 : job.low - 1) - job.shift);
            expected[i] = above ? job.high : job.low;
        }
    }
    assert_true(kernels[level].store[lane](&job));
    for (uint32_t i = 0; i < width * height; i++)
        assert_true(sample_get(&view, i % width, i / width, 1) == expected[i]);
    /* One sample out of range, where the type allows it. */
    if (precision < 8 * size) {
        uint32_t x = random_below(width), y = random_below(height);
        sample_set(&view, x, y, 1, job.high + 1);
        assert_false(kernels[level].load[lane](&job));
        if (is_signed) {
            sample_set(&view, x, y, 1, job.low - 1);
            assert_false(kernels[level].load[lane](&job));
        }
    }
    if (precision <= 24) { /* floats hold these exactly */
        float *floats = memory_allocate_array((size_t)width * height, sizeof *floats);
        job.plane = floats;
        for (uint32_t i = 0; i < width * height; i++)
            sample_set(&view, i % width, i / width, 1, expected[i]);
        assert_true(kernels[level].load_float(&job));
        for (uint32_t i = 0; i < width * height; i++) {
            assert_true(floats[i] == (float)(expected[i] - job.shift));
            sample_set(&view, i % width, i / width, 1, 0);
        }
        assert_true(kernels[level].store_float(&job));
        for (uint32_t i = 0; i < width * height; i++)
            assert_true(sample_get(&view, i % width, i / width, 1) == expected[i]);
        memory_free(floats);
    }
    memory_free(expected);
    guarded_free(&memory);
    guarded_free(&plane);
}

static void test_transfer(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++)
        for (unsigned type = MIST_U8; type <= MIST_S32; type++)
            for (enum codec_lane lane = LANE_16; lane <= LANE_64; lane++)
                for (unsigned precision = 1; precision <= 8 * type_size[type]; precision++)
                    if (precision <= 8 * codec_lane_size(lane))
                        for (unsigned interleaved = 0; interleaved < 2; interleaved++)
                            transfer_case((enum mist_sample_type)type, lane, precision, interleaved, level);
}

/* A component whose range does not fit the view's type: values that fit are stored, others are reported. */
static void test_transfer_other_type(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++) {
        uint8_t bytes[3];
        struct mist_view view = {bytes, MIST_U8, 3, 1, 1, 1, 3, 3};
        int16_t plane[3] = {0, 100, 255};
        struct transfer_job job = {.view = &view, .plane = plane, .stride = 3};
        transfer_set_range(&job, 12, true);
        assert_true(kernels[level].store[LANE_16](&job));
        assert_int_equal(bytes[2], 255);
        plane[1] = 256;
        assert_false(kernels[level].store[LANE_16](&job));
        assert_int_equal(bytes[1], 255);
        plane[1] = -1;
        assert_false(kernels[level].store[LANE_16](&job));
        assert_int_equal(bytes[1], 0);
        float floats[3] = {0.5f, 1.5f, -3};
        job.plane = floats;
        assert_false(kernels[level].store_float(&job));
        assert_int_equal(bytes[0], 0); /* ties to even */
        assert_int_equal(bytes[1], 2);
        assert_int_equal(bytes[2], 0);
    }
}

static void test_color(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++)
        for (enum codec_lane lane = LANE_16; lane <= LANE_64; lane++) {
            enum { COUNT = 103 };
            const size_t element = codec_lane_size(lane);
            int64_t planes[3][COUNT], red[COUNT], green[COUNT], blue[COUNT];
            struct color_job job = {{planes[0], planes[1], planes[2]}, COUNT, COUNT, 1};
            const unsigned bits = lane == LANE_16 ? 13 : lane == LANE_32 ? 28 : 33;
            const int64_t most = ((int64_t)1 << bits) - 1;
            for (unsigned i = 0; i < COUNT; i++) {
                red[i] = i == 0 ? most : (int64_t)(random_bits() & (uint64_t)most) - most / 2;
                green[i] = i == 1 ? -most : (int64_t)(random_bits() & (uint64_t)most) - most / 2;
                blue[i] = i == 2 ? most : (int64_t)(random_bits() & (uint64_t)most) - most / 2;
                set(planes[0], lane, i, red[i]);
                set(planes[1], lane, i, green[i]);
                set(planes[2], lane, i, blue[i]);
            }
            assert_true(element <= sizeof(int64_t));
            kernels[level].rct_forward[lane](&job);
            for (unsigned i = 0; i < COUNT; i++) {
                assert_true(get(planes[0], lane, i) == floor_divide(red[i] + 2 * green[i] + blue[i], 4));
                assert_true(get(planes[1], lane, i) == blue[i] - green[i]);
                assert_true(get(planes[2], lane, i) == red[i] - green[i]);
            }
            kernels[level].rct_inverse[lane](&job);
            for (unsigned i = 0; i < COUNT; i++) {
                assert_true(get(planes[0], lane, i) == red[i]);
                assert_true(get(planes[1], lane, i) == green[i]);
                assert_true(get(planes[2], lane, i) == blue[i]);
            }
        }
    for (unsigned level = 0; level < levels; level++) {
        float planes[3][2] = {{100, -20}, {50, 60}, {-30, 70}}, in[3][2];
        memcpy(in, planes, sizeof in);
        struct color_job job = {{planes[0], planes[1], planes[2]}, 2, 2, 1};
        kernels[level].ict_forward(&job);
        assert_true(fabsf(planes[0][0] - (0.299f * 100 + 0.587f * 50 - 0.114f * 30)) < 1e-4f);
        assert_true(fabsf(planes[1][0] - (-30 - planes[0][0]) * 0.5f / 0.886f) < 1e-2f);
        assert_true(fabsf(planes[2][0] - (100 - planes[0][0]) * 0.5f / 0.701f) < 1e-2f);
        kernels[level].ict_inverse(&job);
        for (unsigned c = 0; c < 3; c++)
            for (unsigned i = 0; i < 2; i++)
                assert_true(fabsf(planes[c][i] - in[c][i]) < 0.01f);
    }
}

static void test_quantize(void **state)
{
    (void)state;
    for (unsigned level = 0; level < levels; level++) {
        float floats[6] = {0.4f, -0.6f, 7.9f, -1e12f, 1e12f, 0};
        int32_t integers[6];
        const int32_t expected[6] = {0, -1, 15, -INT32_MAX, INT32_MAX, 0};
        struct quantize_job job = {integers, 6, floats, 6, 6, 1, 2.0f};
        kernels[level].quantize(&job);
        assert_memory_equal(integers, expected, sizeof expected);
        const int32_t halves[6] = {0, -3, 31, 5, 1 << 20, -1};
        memcpy(integers, halves, sizeof halves);
        job.scale = 0.25f;
        kernels[level].dequantize(&job);
        for (unsigned i = 0; i < 6; i++)
            assert_true(floats[i] == (float)halves[i] * 0.25f);
    }
}

int main(void)
{
    for (levels = 0; levels <= (unsigned)cpu_level(); levels++)
        codec_kernels_select(&kernels[levels], (enum cpu_level)levels);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_round_trip),
        cmocka_unit_test(test_block_random_bytes),
        cmocka_unit_test(test_block_damaged),
        cmocka_unit_test(test_block_rules),
        cmocka_unit_test(test_block_batch),
        cmocka_unit_test(test_wavelet_53),
        cmocka_unit_test(test_wavelet_97),
        cmocka_unit_test(test_wavelet_margin),
        cmocka_unit_test(test_wavelet_levels),
        cmocka_unit_test(test_transfer),
        cmocka_unit_test(test_transfer_other_type),
        cmocka_unit_test(test_color),
        cmocka_unit_test(test_quantize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
