/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/pyramid_samples.h"

#include <string.h>

static void fill_states(void *states, size_t size)
{
    for (size_t i = 0; i < size / sizeof(adaptive_bit); i++)
        ((adaptive_bit *)states)[i] = ADAPTIVE_START(32768);
}

void pyramid_coder_start(struct pyramid_coder *coder)
{
    fill_states(&coder->contexts, sizeof coder->contexts);
    int32_t *weights = (int32_t *)&coder->weights;
    for (size_t i = 0; i < sizeof coder->weights / sizeof *weights; i++)
        weights[i] = 29491; /* 0.45 */
    adaptive_tables_make(&coder->tables);
}

/* ---- Bits ---- */

static inline unsigned code_bit(struct pyramid_coder *coder, uint32_t probability, unsigned bit)
{
    if (coder->decoding)
        return range_decode_bit(&coder->decoder, probability);
    range_encode_bit(&coder->encoder, probability, bit);
    return bit;
}

static inline unsigned code_adaptive(struct pyramid_coder *coder, adaptive_bit *state, unsigned bit)
{
    bit = code_bit(coder, adaptive_probability(*state), bit);
    adaptive_update(&coder->tables, state, bit);
    return bit;
}

static inline unsigned code_mixed(struct pyramid_coder *coder, adaptive_bit *a, adaptive_bit *b, int32_t *weights,
                                  unsigned bit)
{
    struct adaptive_mix mix = {.input = {a, b}, .weights = weights};
    bit = code_bit(coder, adaptive_mix_predict(&coder->tables, &mix), bit);
    adaptive_mix_update(&coder->tables, &mix, bit);
    return bit;
}

void pyramid_code_ground(struct pyramid_coder *coder, unsigned bits)
{
    uint32_t pattern = (uint32_t)coder->ground, found = 0;
    for (unsigned i = bits; i-- > 0;)
        found = 2 * found + code_bit(coder, 32768, pattern >> i & 1);
    coder->ground = coder->least < 0 ? (int32_t)(found << (32 - bits)) >> (32 - bits) : (int32_t)found;
}

/* ---- One sample ---- */

/* What is known of a sample that is to be coded. */
struct place {
    unsigned place;           /* in its block */
    unsigned state;           /* of the block */
    int32_t least, most;      /* that it can be */
    int32_t expected, beside; /* by what is left of the mean, and by neighbours that are no background */
    bool has_beside;
    unsigned near;   /* which neighbours are the background */
    unsigned level;  /* the class of how far the mean is from the background */
    unsigned energy; /* the class of how much neighbours differ */
};

static inline unsigned class_of(int32_t difference)
{
    uint32_t magnitude = difference < 0 ? 0 - (uint32_t)difference : (uint32_t)difference;
    return magnitude ? 32 - (unsigned)__builtin_clz(magnitude) : 0;
}

static inline int32_t kept(int32_t value, int32_t least, int32_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* A magnitude, at least 1: the class of it by bits that say whether it goes on, then its bits below the highest. */
static uint32_t code_magnitude(struct pyramid_coder *coder, const struct place *place, unsigned sign,
                               uint32_t magnitude)
{
    struct pyramid_contexts *contexts = &coder->contexts;
    unsigned class = 1, wanted = class_of((int32_t)magnitude);
    while (class < PYRAMID_CLASSES - 1 && code_mixed(coder, &contexts->class_energy[place->energy][sign][class],
                                                     &contexts->class_block[place->place][place->level][class],
                                                     coder->weights.class[class], class < wanted))
        class += 1;
    uint32_t found = 1;
    for (unsigned i = class - 1; i-- > 0;) {
        unsigned bit = magnitude >> i & 1;
        bit =
            i + 3 >= class ? code_adaptive(coder, &contexts->low[class][found - 1], bit) : code_bit(coder, 32768, bit);
        found = 2 * found + bit;
    }
    return found;
}

/* A sample that can be much, by its difference from what is expected. */
static int32_t code_difference(struct pyramid_coder *coder, const struct place *place, int32_t value)
{
    struct pyramid_contexts *contexts = &coder->contexts;
    int32_t expected = place->has_beside ? (place->expected + place->beside + 1) >> 1 : place->expected;
    expected = kept(expected, place->least, place->most);
    int32_t lean = place->has_beside ? kept(place->beside - place->expected, -1, 1) + 1 : 1;
    size_t block = ((size_t)place->place * PYRAMID_STATES + place->state) * PYRAMID_CLASSES + place->level;
    size_t energy = ((size_t)place->place * PYRAMID_ENERGIES + place->energy) * 3 + (unsigned)lean;
    if (!code_mixed(coder, &contexts->zero[0][block], &contexts->zero[1][energy], coder->weights.zero[place->place],
                    value != expected))
        return expected;
    unsigned below = value < expected;
    if (expected == place->least || expected == place->most)
        below = expected != place->least;
    else
        below = code_mixed(coder, &contexts->sign[0][energy], &contexts->sign[1][place->state],
                           coder->weights.sign[place->place], below);
    uint32_t magnitude = below ? (uint32_t)(expected - value) : (uint32_t)(value - expected);
    int32_t found = (int32_t)code_magnitude(coder, place, below, magnitude);
    return kept(below ? expected - found : expected + found, place->least, place->most);
}

/* A sample that can be no more than four values. */
static int32_t code_last(struct pyramid_coder *coder, const struct place *place, int32_t value)
{
    struct pyramid_contexts *contexts = &coder->contexts;
    unsigned offset = (unsigned)(value - place->least), node = 1;
    unsigned range = (unsigned)(place->most - place->least);
    unsigned beside = place->has_beside ? (unsigned)(kept(place->beside - place->least, -1, 4) + 1) : 0;
    for (unsigned i = 2; i-- > 0;) {
        unsigned bit = offset >> i & 1, so_far = (node & 1) << 1;
        if ((i == 1 ? 2 : so_far + 1) > range)
            bit = 0;
        else
            bit = code_mixed(coder, &contexts->last_near[place->has_beside][beside][node],
                             &contexts->last_block[place->state][range][node], coder->weights.last[node], bit);
        node = 2 * node + bit;
    }
    return place->least + (int32_t)(node & 3);
}

static int32_t code_sample(struct pyramid_coder *coder, const struct place *place, int32_t value)
{
    struct pyramid_contexts *contexts = &coder->contexts;
    if (place->least == place->most)
        return place->least;
    if (place->least <= coder->ground && coder->ground <= place->most) {
        unsigned range = place->most - place->least < 7 ? (unsigned)(place->most - place->least) : 7;
        if (!code_mixed(coder, &contexts->ground_near[place->place][place->near],
                        &contexts->ground_block[place->place][place->state][place->level][range],
                        coder->weights.ground[place->place][(place->near & 15) == 15], value != coder->ground))
            return coder->ground;
    }
    return place->most - place->least < 4 ? code_last(coder, place, value) : code_difference(coder, place, value);
}

/* ---- Neighbours ---- */

/*
 * What the known neighbours say: left, above, the same sample of the frame before, left above, and `right`, the one
 * right above or what stands for it.
 */
static void look_beside(const struct pyramid_coder *coder, const int32_t *at, ptrdiff_t stride, const int32_t *before,
                        int32_t right, struct place *place)
{
    const int32_t neighbour[5] = {at[-1], at[-stride], *before, at[-stride - 1], right};
    int32_t least = INT32_MAX, most = INT32_MIN;
    int64_t sum = 0;
    int count = 0;
    place->near = 0;
    for (unsigned i = 0; i < 5; i++) {
        bool ground = neighbour[i] == coder->ground;
        place->near |= (unsigned)ground << i;
        if (ground)
            continue;
        least = neighbour[i] < least ? neighbour[i] : least;
        most = neighbour[i] > most ? neighbour[i] : most;
        sum += i < 2 ? 2 * neighbour[i] : neighbour[i];
        count += i < 2 ? 2 : 1;
    }
    place->has_beside = count > 0;
    place->beside = count ? (int32_t)(sum / count) : 0;
    unsigned energy = count ? class_of(most - least) : 0;
    place->energy = energy < PYRAMID_ENERGIES ? energy : PYRAMID_ENERGIES - 1;
}

/* ---- Level 0 ---- */

void pyramid_code_first(struct pyramid_coder *coder, const struct pyramid_grid *grid, const struct pyramid_grid *before)
{
    for (uint32_t y = 0; y < grid->height; y++)
        for (uint32_t x = 0; x < grid->width; x++) {
            int32_t *at = grid->samples + (ptrdiff_t)y * grid->stride + x;
            const int32_t *same = before->samples + (ptrdiff_t)y * before->stride + x;
            struct place place = {.place = 4, .state = 0, .least = coder->least, .most = coder->most};
            look_beside(coder, at, grid->stride, same, at[1 - grid->stride], &place);
            place.near |= (unsigned)(same[1] == coder->ground) << 5 | (unsigned)(same[before->stride] == coder->ground)
                                                                          << 6;
            place.expected = kept(at[-1] + at[-grid->stride] - at[-grid->stride - 1], coder->least, coder->most);
            place.level = class_of(*same - coder->ground);
            *at = code_sample(coder, &place, *at);
        }
}

/* ---- Further levels ---- */

/* Whether all samples of a block are its mean. */
static bool code_flat(struct pyramid_coder *coder, const int32_t *mean, ptrdiff_t mean_stride, const int32_t *at,
                      ptrdiff_t stride, const int32_t *before, ptrdiff_t before_stride, bool flat)
{
    const int32_t m = *mean;
    const ptrdiff_t around[8] = {
        -1, 1, -mean_stride, mean_stride, -mean_stride - 1, -mean_stride + 1, mean_stride - 1, mean_stride + 1};
    const int32_t beside[8] = {at[-1],    at[stride - 1], at[-stride],           at[-stride + 1],
                               before[0], before[1],      before[before_stride], before[before_stride + 1]};
    unsigned ground = m == coder->ground, means = ground, samples = ground;
    for (unsigned i = 0; i < 8; i++) {
        means |= (unsigned)(mean[around[i]] == m) << (i + 1);
        samples |= (unsigned)(beside[i] == m) << (i + 1);
    }
    return !code_mixed(coder, &coder->contexts.flat[0][means], &coder->contexts.flat[1][samples],
                       coder->weights.flat[ground], !flat);
}

/* One block: where it is and how large. */
struct block {
    const int32_t *mean;
    int32_t *at;
    const int32_t *before;
    ptrdiff_t mean_stride, stride, before_stride;
    unsigned columns, rows; /* 1 or 2 */
};

static bool is_flat(const struct block *block)
{
    for (unsigned i = 0; i < block->columns * block->rows; i++)
        if (block->at[i / block->columns * block->stride + i % block->columns] != *block->mean)
            return false;
    return true;
}

/* The samples of a block that are not all its mean, of which each but the last leaves less to the others. */
static void code_children(struct pyramid_coder *coder, const struct block *block)
{
    const int32_t count = (int32_t)(block->columns * block->rows), m = *block->mean;
    int64_t left =
        (int64_t)count * m - count / 2; /* the least sum of those that are left; count - 1 more is the most */
    struct place place = {.level = class_of(m - coder->ground)};
    const unsigned means =
        (unsigned)(block->mean[1] == coder->ground) | (unsigned)(block->mean[block->mean_stride] == coder->ground) << 1;
    for (int32_t i = 0; i < count; i++) {
        unsigned column = (unsigned)i % block->columns, row = (unsigned)i / block->columns;
        int32_t *at = block->at + (ptrdiff_t)row * block->stride + column, others = count - 1 - i;
        const int32_t *before = block->before + (ptrdiff_t)row * block->before_stride + column;
        int64_t least = left - (int64_t)others * coder->most, most = left + count - 1 - (int64_t)others * coder->least;
        place.place = row * 2 + column;
        place.least = least > coder->least ? (int32_t)least : coder->least;
        place.most = most < coder->most ? (int32_t)most : coder->most;
        /* right above the last sample is a block that is not yet known */
        look_beside(coder, at, block->stride, before, place.place == 3 ? block->mean[1] : at[1 - block->stride],
                    &place);
        place.near |= means << 5 | (unsigned)(before[1] == coder->ground) << 7 |
                      (unsigned)(before[block->before_stride] == coder->ground) << 8;
        place.expected = pyramid_mean(left + count / 2, others == 0 ? 1 : others == 1 ? 2 : 4);
        if (others == 2)
            place.expected = (int32_t)((left + count / 2) / 3);
        *at = code_sample(coder, &place, *at);
        place.state += i == 0 ? 1 + (*at == coder->ground) : *at == coder->ground;
        left -= *at;
    }
}

void pyramid_code_blocks(struct pyramid_coder *coder, const struct pyramid_grid *means, const struct pyramid_grid *grid,
                         const struct pyramid_grid *before)
{
    struct block block = {.mean_stride = means->stride, .stride = grid->stride, .before_stride = before->stride};
    for (uint32_t y = 0; y < means->height; y++)
        for (uint32_t x = 0; x < means->width; x++) {
            block.mean = means->samples + (ptrdiff_t)y * means->stride + x;
            block.at = grid->samples + 2 * (ptrdiff_t)y * grid->stride + 2 * x;
            block.before = before->samples + 2 * (ptrdiff_t)y * before->stride + 2 * x;
            block.columns = grid->width - 2 * x < 2 ? 1 : 2;
            block.rows = grid->height - 2 * y < 2 ? 1 : 2;
            bool flat = block.columns * block.rows == 1;
            if (!flat)
                flat = code_flat(coder, block.mean, block.mean_stride, block.at, block.stride, block.before,
                                 block.before_stride, coder->decoding || is_flat(&block));
            if (!flat) {
                code_children(coder, &block);
                continue;
            }
            for (unsigned i = 0; i < block.columns * block.rows; i++)
                block.at[i / block.columns * block.stride + i % block.columns] = *block.mean;
        }
}
