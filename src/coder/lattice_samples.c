/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/lattice_samples.h"

#include "base/memory.h"

#include <string.h>

#define RUN_ENDLESS UINT64_MAX

/* The neighbours of a sample in its slice, in samples of the level: candidates are taken in this order. */
static const struct {
    int8_t x, y;
} near_at[PHASES][NEAR] = {
    {{-1, 0}, {0, -1}, {-1, -1}, {1, -1}, {-2, 0}, {0, -2}, {2, -1}, {-2, -1}, {-1, -2}, {1, -2}, {-3, 0}, {0, -3}},
    {{-1, 0}, {1, 0}, {0, -2}, {-2, 0}, {-1, -2}, {1, -2}, {-1, 2}, {1, 2}, {-3, 0}, {3, 0}, {2, -2}, {-2, -2}},
    {{0, -1}, {0, 1}, {-1, 0}, {1, -1}, {-1, -1}, {-1, 1}, {1, 1}, {-2, 0}, {0, -2}, {2, -1}, {2, 1}, {1, -2}},
};

static void fill(adaptive_bit *states, size_t count, uint32_t probability)
{
    for (size_t i = 0; i < count; i++)
        states[i] = ADAPTIVE_START(probability);
}
#define FILL(array, probability) fill((adaptive_bit *)(array), sizeof(array) / sizeof(adaptive_bit), probability)

void lattice_model_start(struct lattice_model *model)
{
    static const uint32_t missed[SETS] = {6554, 19661}; /* 0.1 and 0.3 */
    for (unsigned set = 0; set < SETS; set++) {
        FILL(model->close[set], missed[set]);
        FILL(model->slices[set], missed[set]);
        FILL(model->wide[set], missed[set]);
    }
    int32_t *weights = &model->weights[0][0][0][0][0];
    for (size_t i = 0; i < sizeof model->weights / sizeof *weights; i++)
        weights[i] = 22938; /* 0.35 */
    FILL(model->run_ends, 32768);
    FILL(model->run_class, 32768);
    FILL(model->run_bits, 32768);
    FILL(model->rank, 32768);
}

void lattice_set_stride(struct lattice_coder *coder, ptrdiff_t stride)
{
    coder->stride = stride;
    for (unsigned phase = 0; phase < PHASES; phase++)
        for (unsigned i = 0; i < NEAR; i++)
            coder->near_offset[phase][i] = near_at[phase][i].y * stride + near_at[phase][i].x;
    const ptrdiff_t cross[CROSS] = {0, -1, 1, -stride, stride};
    memcpy(coder->cross_offset, cross, sizeof cross);
}

/* ---- Bits ---- */

static inline unsigned code_bit(struct lattice_coder *coder, uint32_t probability, unsigned bit)
{
    if (coder->task == LATTICE_DECODE)
        return range_decode_bit(&coder->decoder, probability);
    range_encode_bit(&coder->encoder, probability, bit);
    return bit;
}

static inline unsigned code_adaptive(struct lattice_coder *coder, adaptive_bit *state, unsigned bit)
{
    bit = code_bit(coder, adaptive_probability(*state), bit);
    adaptive_update(&coder->tables, state, bit);
    return bit;
}

/* ---- Runs of quiet samples: how many follow before one that is not what all its neighbours are ---- */

/* The bits of run + 1 below its highest one: two in context, the others as they are. */
static uint64_t code_run_bits(struct lattice_coder *coder, unsigned class, uint64_t value)
{
    uint64_t found = 1;
    for (unsigned i = class; i-- > 0;) {
        unsigned bit = value >> i & 1;
        if (i + 2 >= class)
            bit = code_adaptive(coder, &coder->model->run_bits[class][found - 1], bit);
        else
            bit = code_bit(coder, 32768, bit);
        found = 2 * found + bit;
    }
    return found;
}

static uint64_t code_run(struct lattice_coder *coder, uint64_t run)
{
    struct lattice_model *model = coder->model;
    unsigned before = coder->run_class;
    if (!code_adaptive(coder, &model->run_ends[before], run != RUN_ENDLESS))
        return RUN_ENDLESS;
    unsigned class = 0, wanted = run == RUN_ENDLESS ? 0 : 63 - (unsigned)__builtin_clzll(run + 1);
    while (class < RUN_CLASSES - 1 && !code_adaptive(coder, &model->run_class[before][class], class == wanted))
        class ++;
    coder->run_class = class;
    return code_run_bits(coder, class, run + 1) - 1;
}

static void next_run(struct lattice_coder *coder)
{
    uint64_t run = 0;
    if (coder->task == LATTICE_COUNT) {
        if (!buffer_append(&coder->runs, &coder->run, sizeof coder->run))
            coder->failed = true;
        coder->run = 0;
        return;
    }
    if (coder->task == LATTICE_ENCODE) {
        memcpy(&run, coder->runs.data + coder->next_run, sizeof run);
        coder->next_run += sizeof run;
    }
    coder->run = code_run(coder, run);
}

void lattice_chunk_start(struct lattice_coder *coder, enum lattice_task task, struct mist_buffer *out,
                         struct coder_piece piece)
{
    coder->task = task;
    coder->run = 0;
    coder->run_class = RUN_CLASSES;
    coder->next_run = 0;
    if (task == LATTICE_COUNT) {
        coder->runs.size = 0;
        return;
    }
    if (task == LATTICE_ENCODE)
        range_encode_start(&coder->encoder, out);
    else
        range_decode_start(&coder->decoder, piece);
    next_run(coder);
}

void lattice_chunk_end(struct lattice_coder *coder)
{
    if (coder->task == LATTICE_COUNT) {
        coder->run = RUN_ENDLESS;
        next_run(coder);
    } else if (coder->task == LATTICE_ENCODE && !range_encode_end(&coder->encoder)) {
        coder->failed = true;
    }
}

/* ---- One sample ---- */

/* What is known around a sample. */
struct hood {
    unsigned phase, references;
    uint16_t near[NEAR], before[CROSS], after[CROSS];
};

static inline void look_around(const struct lattice_coder *coder, const struct lattice_row *row, uint32_t x,
                               struct hood *hood)
{
    const ptrdiff_t *offset = coder->near_offset[row->phase];
    hood->phase = row->phase;
    hood->references = row->references;
    for (unsigned i = 0; i < NEAR; i++)
        hood->near[i] = row->samples[x + offset[i]];
    if (row->references >= 1)
        for (unsigned i = 0; i < CROSS; i++)
            hood->before[i] = row->before[x + coder->cross_offset[i]];
    if (row->references == 2)
        for (unsigned i = 0; i < CROSS; i++)
            hood->after[i] = row->after[x + coder->cross_offset[i]];
}

/* The value with the most votes; the first of equals. */
static inline uint16_t first_candidate(const struct hood *hood)
{
    static const int8_t near_votes[PHASES][4] = {{3, 3, 1, 1}, {3, 3, 1, 0}, {3, 3, 3, 0}};
    uint16_t value[6];
    int votes[6], count = 0, best = 0, most = -1;
    for (unsigned i = 0; i < hood->references; i++) {
        value[count] = i ? hood->after[0] : hood->before[0];
        votes[count++] = hood->references == 2 ? 4 : 5;
    }
    for (unsigned i = 0; i < 4; i++) {
        value[count] = hood->near[i];
        votes[count++] = near_votes[hood->phase][i];
    }
    if (hood->phase == PHASE_FIRST && hood->references == 0)
        votes[2] = -1; /* where the corner is as one of its neighbours, the other one tells more */
    for (int i = 0; i < count; i++) {
        int sum = 0;
        for (int j = 0; j < count; j++)
            sum += value[j] == value[i] ? votes[j] : 0;
        best = sum > most ? i : best;
        most = sum > most ? sum : most;
    }
    return value[best];
}

/* Whether the sample is not the candidate, in the context of who agrees with it. */
static inline unsigned code_missed(struct lattice_coder *coder, const struct hood *hood, unsigned set,
                                   uint16_t candidate, unsigned missed)
{
    struct lattice_model *model = coder->model;
    unsigned phase = hood->phase, references = hood->references, zero = candidate == 0;
    unsigned near = 0, before = 0, after = 0;
    for (unsigned i = 0; i < NEAR; i++)
        near |= (unsigned)(hood->near[i] == candidate) << i;
    for (unsigned i = 0; i < CROSS && references >= 1; i++)
        before |= (unsigned)(hood->before[i] == candidate) << i;
    for (unsigned i = 0; i < CROSS && references == 2; i++)
        after |= (unsigned)(hood->after[i] == candidate) << i;
    unsigned others = (before & 1) && (references == 1 || (after & 1));
    unsigned close = (near & 255) | (before & 1) << 8 | (after & 1) << 9 | zero << 10;
    unsigned slices = references ? before | after << 5 | (near & 7) << 10 : (near & 15) | zero << 4;
    struct adaptive_mix mix = {
        .input = {&model->close[set][phase][references][close], &model->slices[set][phase][references][slices],
                  &model->wide[set][phase][references][near]},
        .weights = model->weights[set][phase][references][zero | (unsigned)((near & 3) == 3) << 1 | others << 2],
    };
    missed = code_bit(coder, adaptive_mix_predict(&coder->tables, &mix), missed);
    adaptive_mix_update(&coder->tables, &mix, missed);
    return missed;
}

/* A rank by its bits, the highest first; a bit that no rank below `symbols` has as 1 there is 0 and not coded. */
static uint16_t code_rank(struct lattice_coder *coder, uint16_t rank)
{
    uint32_t found = 0;
    unsigned node = 1;
    for (unsigned i = coder->rank_bits; i-- > 0;) {
        unsigned bit = rank >> i & 1;
        if ((uint32_t)(2 * found + 1) << i >= coder->symbols)
            bit = 0;
        else if (node < 1u << TREE_BITS)
            bit = code_adaptive(coder, &coder->model->rank[node], bit);
        else
            bit = code_bit(coder, 32768, bit);
        found = 2 * found + bit;
        node = 2 * node + bit;
    }
    return (uint16_t)found;
}

enum { MAX_TRIED = 3 };

/* The next neighbour, in the order of `near` behind those of the other slices, that differs from those tried. */
static bool next_candidate(const struct hood *hood, const uint16_t *tried, unsigned count, uint16_t *candidate)
{
    for (unsigned i = 0; i < 2 + NEAR; i++) {
        if (i < 2 && i >= hood->references)
            continue;
        uint16_t value = i == 0 ? hood->before[0] : i == 1 ? hood->after[0] : hood->near[i - 2];
        bool known = false;
        for (unsigned j = 0; j < count; j++)
            known |= tried[j] == value;
        *candidate = value;
        if (!known)
            return true;
    }
    return false;
}

/* The smallest rank that was not tried. */
static uint16_t rank_left(const uint16_t *tried, unsigned count)
{
    for (uint16_t rank = 0;; rank++) {
        bool known = false;
        for (unsigned j = 0; j < count; j++)
            known |= tried[j] == rank;
        if (!known)
            return rank;
    }
}

/* A sample that is not its first candidate. */
static uint16_t code_other(struct lattice_coder *coder, const struct hood *hood, uint16_t first, uint16_t sample)
{
    uint16_t tried[MAX_TRIED] = {first};
    unsigned count = 1;
    while (count + 1 < coder->symbols && count < MAX_TRIED && next_candidate(hood, tried, count, &tried[count])) {
        if (!code_missed(coder, hood, 1, tried[count], sample != tried[count]))
            return tried[count];
        count++;
    }
    return count + 1 == coder->symbols ? rank_left(tried, count) : code_rank(coder, sample);
}

/* A sample whose neighbours do not agree. */
static inline uint16_t code_sample(struct lattice_coder *coder, const struct lattice_row *row, uint32_t x)
{
    struct hood hood = {0};
    look_around(coder, row, x, &hood);
    uint16_t candidate = first_candidate(&hood), sample = row->samples[x];
    if (!code_missed(coder, &hood, 0, candidate, sample != candidate))
        return candidate;
    return code_other(coder, &hood, candidate, sample);
}

/* ---- One row ---- */

/* What a quiet sample is: `quiet[x]` is its value if all of `others` are it, too. */
struct row_rule {
    const uint16_t *quiet, *others[16];
    unsigned count; /* a multiple of 4 */
};

static void add_cross(struct row_rule *rule, const uint16_t *at, ptrdiff_t stride, bool centre)
{
    const uint16_t *cross[] = {at - 1, at + 1, at - stride, at + stride, at};
    for (unsigned i = 0; i < 4u + centre; i++)
        rule->others[rule->count++] = cross[i];
}

static void row_rule(const struct lattice_coder *coder, const struct lattice_row *row, struct row_rule *rule)
{
    const uint16_t *at = row->samples;
    ptrdiff_t s = coder->stride;
    bool alone = row->references == 0;
    const uint16_t *others[PHASES][5] = {{at - s, at - s - 1, at - s + 1, at - 2 * s, at - s + 2},
                                         {at + 1, at - 2 * s - 1, at - 2 * s + 1, at + 2 * s - 1, at + 2 * s + 1},
                                         {at - s - 1, at - s + 1, at + s, at + s - 1, at + s + 1}};
    static const unsigned beside[PHASES] = {3, 1, 5}; /* how many of these there are beside other slices */
    rule->quiet = row->phase == PHASE_EVEN ? at - 1 : row->phase == PHASE_ODD || alone ? at - s : row->before;
    rule->count = alone ? 5 : beside[row->phase];
    memcpy(rule->others, others[row->phase], sizeof others[0]);
    if (row->references >= 1)
        add_cross(rule, row->before, s, row->phase != PHASE_FIRST);
    if (row->references == 2)
        add_cross(rule, row->after, s, true);
    while (rule->count % 4)
        rule->others[rule->count++] = rule->quiet;
}

/* Zero for each quiet sample. Reads up to LATTICE_BLOCK - 1 samples behind the row, which stay in the planes. */
static void find_differing(uint16_t *differs, const struct row_rule *rule, uint32_t width)
{
    for (uint32_t x = 0; x < width; x += LATTICE_BLOCK)
        for (unsigned k = 0; k < rule->count; k += 4) {
            const uint16_t *q = rule->quiet + x, *const *other = rule->others + k;
            const uint16_t *a = other[0] + x, *b = other[1] + x, *c = other[2] + x, *d = other[3] + x;
            uint16_t found[LATTICE_BLOCK];
            for (unsigned i = 0; i < LATTICE_BLOCK; i++)
                found[i] = (uint16_t)((a[i] ^ q[i]) | (b[i] ^ q[i]) | (c[i] ^ q[i]) | (d[i] ^ q[i]));
            for (unsigned i = 0; i < LATTICE_BLOCK; i++)
                differs[x + i] = (uint16_t)(found[i] | (k ? differs[x + i] : 0));
        }
}

/* A quiet sample at a run's end, or in counting. */
static uint16_t code_quiet(struct lattice_coder *coder, const struct lattice_row *row, uint32_t x, uint16_t quiet)
{
    uint16_t sample = row->samples[x];
    if (coder->task == LATTICE_COUNT) {
        if (sample == quiet)
            coder->run++;
        else
            next_run(coder);
        return sample;
    }
    struct hood hood = {0};
    look_around(coder, row, x, &hood);
    sample = code_other(coder, &hood, quiet, sample);
    next_run(coder);
    return sample;
}

/* Puts the value that it has if it is quiet into each new sample of a row. */
static void fill_quiet(const struct lattice_row *row, const uint16_t *quiet)
{
    if (row->phase == PHASE_EVEN)
        for (uint32_t x = 1; x < row->width; x += 2)
            row->samples[x] = quiet[x];
    else
        memcpy(row->samples, quiet, row->width * sizeof *quiet);
}

void lattice_row_code(struct lattice_coder *coder, const struct lattice_row *row)
{
    static const uint16_t all[4] = {0xffff, 0xffff, 0xffff, 0xffff}, odd[4] = {0, 0xffff, 0, 0xffff};
    uint64_t word, mask;
    const uint32_t first = row->phase == PHASE_EVEN, step = 1 + first, in_word = 4 / step;
    const uint16_t *differs = coder->differs;
    struct row_rule rule;
    row_rule(coder, row, &rule);
    find_differing(coder->differs, &rule, row->width);
    if (coder->task == LATTICE_DECODE)
        fill_quiet(row, rule.quiet);
    memcpy(&mask, first ? odd : all, sizeof mask);
    for (uint32_t x = first; x < row->width;) {
        if (coder->run >= in_word && coder->task != LATTICE_COUNT && x - first + 4 <= row->width) {
            memcpy(&word, differs + x - first, sizeof word);
            if (!(word & mask)) {
                coder->run -= in_word;
                x += 4;
                continue;
            }
        }
        /* rule.quiet may be this very row, of which samples before x are known by now */
        if (differs[x])
            row->samples[x] = coder->task == LATTICE_COUNT ? row->samples[x] : code_sample(coder, row, x);
        else if (coder->run && coder->task != LATTICE_COUNT)
            coder->run--;
        else
            row->samples[x] = code_quiet(coder, row, x, rule.quiet[x]);
        x += step;
    }
}
