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

int main(void)
{
    for (levels = 0; levels <= (unsigned)cpu_level(); levels++)
        codec_kernels_select(&kernels[levels], (enum cpu_level)levels);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
