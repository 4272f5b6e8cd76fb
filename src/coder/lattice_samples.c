/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/lattice_samples.h"

#include "base/memory.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define RUN_ENDLESS UINT64_MAX
/* What is specialised for each kind of row. */
#ifdef __wasm__
#define ALWAYS_INLINE inline /* twelve copies would be a tenth of what a page loads */
#else
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

static void fill(adaptive_bit *states, size_t count, uint32_t probability)
{
    for (size_t i = 0; i < count; i++)
        states[i] = ADAPTIVE_START(probability);
}
#define FILL(array, probability) fill((adaptive_bit *)(array), sizeof(array) / sizeof(adaptive_bit), probability)

static void start_contexts(struct lattice_contexts *contexts)
{
    static const uint32_t missed[SETS] = {6554, 19661}; /* 0.1 and 0.3 */
    for (unsigned set = 0; set < SETS; set++) {
        FILL(contexts->slices[set], missed[set]);
        FILL(contexts->wide[set], missed[set]);
    }
    int32_t *weights = &contexts->weights[0][0][0][0];
    for (size_t i = 0; i < sizeof contexts->weights / sizeof *weights; i++)
        weights[i] = 29491; /* 0.45 */
}

void lattice_model_start(struct lattice_model *model)
{
    for (unsigned phase = 0; phase < PHASES; phase++)
        start_contexts(&model->contexts[phase]);
    fill((adaptive_bit *)&model->shared, sizeof model->shared / sizeof(adaptive_bit), 32768);
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
            bit = code_adaptive(coder, &coder->model->shared.run_bits[class][found - 1], bit);
        else
            bit = code_bit(coder, 32768, bit);
        found = 2 * found + bit;
    }
    return found;
}

static uint64_t code_run(struct lattice_coder *coder, uint64_t run)
{
    struct lattice_shared *shared = &coder->model->shared;
    unsigned before = coder->run_class;
    if (!code_adaptive(coder, &shared->run_ends[before], run != RUN_ENDLESS))
        return RUN_ENDLESS;
    unsigned class = 0, wanted = run == RUN_ENDLESS ? 0 : 63 - (unsigned)__builtin_clzll(run + 1);
    while (class < RUN_CLASSES - 1 && !code_adaptive(coder, &shared->run_class[before][class], class == wanted))
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

/*
 * What is known around a sample, four values in a word, the first in the lowest bits. `near` are neighbours in the
 * slice. `other` are of the slices beside it: x - 1 to x + 2 of the same row in one and the other (the last is not
 * used), then the samples above and below in both. docs/coder-lattice.md draws them.
 */
enum { WORDS = 3, LANES = 4 };
struct hood {
    uint64_t near[WORDS], other[WORDS];
};

/* One lane of a word. */
static inline uint16_t lane(const uint64_t *words, unsigned i)
{
    return (uint16_t)(words[i / LANES] >> 16 * (i % LANES));
}

static inline uint64_t four(uint16_t a, uint16_t b, uint16_t c, uint16_t d)
{
    return a | (uint64_t)b << 16 | (uint64_t)c << 32 | (uint64_t)d << 48;
}

static inline uint64_t four_at(const uint16_t *at)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
#else
    return four(at[0], at[1], at[2], at[3]);
#endif
}

/*
 * Samples of this very row one by one: a wide load would have to wait until the narrow store of the sample before has
 * reached the cache, and no sample could begin before that.
 */
static inline uint64_t four_before(const volatile uint16_t *at)
{
    uint16_t a = at[-4], b = at[-3], c = at[-2], d = at[-1];
    return four(a, b, c, d);
}

static ALWAYS_INLINE void look_around(const struct lattice_row *row, ptrdiff_t s, uint32_t x, enum lattice_phase phase,
                                      unsigned references, struct hood *hood)
{
    const uint64_t even = 0x0000ffff0000ffff;
    const uint16_t *at = row->samples + x, *before = row->before + x, *after = row->after + x;
    hood->near[0] = four_at(phase == PHASE_EVEN ? at - 2 * s - 1 : at - s - 1);
    hood->near[1] = phase == PHASE_ODD ? four_at(at + s - 1) : four_before(at);
    hood->near[2] = phase == PHASE_FIRST  ? four_at(at - 2 * s - 1)
                    : phase == PHASE_EVEN ? (four_at(at + 1) & even) | (four_at(at + 2 * s - 1) & even) << 16
                                          : four_before(at) >> 32 | four(0, 0, at[-2 * s], at[-2 * s + 1]);
    hood->other[0] = references >= 1 ? four_at(before - 1) : 0;
    hood->other[1] = references == 2 ? four_at(after - 1) : 0;
    hood->other[2] = references == 2   ? four(before[-s], before[s], after[-s], after[s])
                     : references == 1 ? four(before[-s], before[s], 0, 0)
                                       : 0;
}

/* The neighbours at a side of the sample, the nearest first, by their lanes of `near`. */
enum { SIDES = 4 };
static const uint8_t side_lane[PHASES][SIDES] = {{1, 7, 2, 0}, {7, 8, 1, 0}, {1, 5, 9, 0}};

/* The value with the most votes; the first of equals. */
static ALWAYS_INLINE uint16_t first_candidate(const struct hood *hood, enum lattice_phase phase, unsigned references)
{
    static const int8_t side_votes[PHASES][SIDES] = {{3, 3, 1, 1}, {3, 3, 1, 0}, {3, 3, 3, 0}};
    const unsigned sides = phase == PHASE_FIRST ? 4 : 3, count = references + sides;
    uint16_t value[2 + SIDES], best;
    int votes[2 + SIDES], most = -1;
    for (unsigned i = 0; i < count; i++) {
        value[i] =
            i < references ? lane(hood->other, LANES * i + 1) : lane(hood->near, side_lane[phase][i - references]);
        votes[i] = i >= references ? side_votes[phase][i - references] : references == 2 ? 4 : 5;
    }
    if (phase == PHASE_FIRST && references == 0)
        votes[3] = -1; /* where the corner is as one of its neighbours, the other one tells more */
    best = value[0];
    int first = 0, all = 0;
    for (unsigned i = 0; i < count; i++) {
        first += value[i] == best ? votes[i] : 0;
        all += votes[i] > 0 ? votes[i] : 0;
    }
    if (2 * first >= all) /* nobody can have more: most samples end here */
        return best;
    for (unsigned i = 0; i < count; i++) {
        int sum = 0;
        for (unsigned j = 0; j < count; j++)
            sum += value[j] == value[i] ? votes[j] : 0;
        best = sum > most ? value[i] : best;
        most = sum > most ? sum : most;
    }
    return best;
}

/* Eight bits: which lanes of two words are the value. */
static inline unsigned equal_lanes(uint64_t low, uint64_t high, uint16_t value)
{
#ifdef __SSE2__
    __m128i words = _mm_set_epi64x((int64_t)high, (int64_t)low);
    __m128i equal = _mm_cmpeq_epi16(words, _mm_set1_epi16((int16_t)value));
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
    const uint64_t most = 0x7fff7fff7fff7fff;
    uint64_t words[2] = {low, high};
    unsigned found = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t differ = words[i] ^ value * (uint64_t)0x0001000100010001;
        uint64_t equal = ~(((differ & most) + most) | differ | most); /* the highest bit of each lane */
        found |= ((unsigned)((equal >> 15) * 0x0001000200040008 >> 48) & 15) << 4 * i;
    }
    return found;
#endif
}

/* Whether the sample is not the candidate, in the context of who agrees with it. */
static ALWAYS_INLINE unsigned code_missed(struct lattice_coder *coder, const struct hood *hood,
                                          enum lattice_phase phase, unsigned references, unsigned set,
                                          uint16_t candidate, unsigned missed)
{
    static const uint16_t slices_at[REFERENCES] = {0, 1 << 9, (1 << 9) + (1 << 8)};
    struct lattice_contexts *contexts = &coder->model->contexts[phase];
    const uint8_t *side = side_lane[phase];
    const unsigned zero = candidate == 0;
    unsigned near = equal_lanes(hood->near[0], hood->near[1], candidate), before = 0, after = 0;
    unsigned last = equal_lanes(hood->near[2], hood->other[2], candidate);
    if (references >= 1) {
        unsigned rows = equal_lanes(hood->other[0], hood->other[1], candidate);
        before = (rows & 7) | (last >> 4 & 3) << 3;
        after = references == 2 ? (rows >> 4 & 7) | (last >> 6) << 3 : 0;
    }
    unsigned a = near & 15, b = near >> 4, c = last & 15;
    near |= c << 8;
    unsigned sides = (near >> side[0] & 1) | (near >> side[1] & 1) << 1 | (near >> side[2] & 1) << 2;
    unsigned others = references == 2 ? before >> 1 & after >> 1 & 1 : before >> 1 & 1;
    unsigned slices = references == 2 ? before | after << 5 | sides << 10 : before | sides << 5;
    if (references == 0) /* the nearest eight */
        slices = zero | (phase == PHASE_FIRST  ? a | (b >> 2) << 4 | (c & 3) << 6
                         : phase == PHASE_EVEN ? (a & 7) | (b >> 2) << 3 | (c & 3) << 5 | (c >> 3) << 7
                                               : (a & 7) | (b & 7) << 3 | (c & 3) << 6)
                            << 1;
    struct adaptive_mix mix = {
        .input = {&contexts->slices[set][slices_at[references] + slices], &contexts->wide[set][references][near]},
        .weights = contexts->weights[set][references][zero | (unsigned)((sides & 3) == 3) << 1 | others << 2],
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
            bit = code_adaptive(coder, &coder->model->shared.rank[node], bit);
        else
            bit = code_bit(coder, 32768, bit);
        found = 2 * found + bit;
        node = 2 * node + bit;
    }
    return (uint16_t)found;
}

enum { MAX_TRIED = 3 };

/* The next neighbour, those in other slices first, that differs from those tried. */
static bool next_candidate(const struct hood *hood, unsigned references, const uint16_t *tried, unsigned count,
                           uint16_t *candidate)
{
    unsigned known_near = 0, known_other = 0;
    for (unsigned i = 0; i < count; i++) {
        known_near |= equal_lanes(hood->near[0], hood->near[1], tried[i]);
        known_near |= equal_lanes(hood->near[2], hood->near[2], tried[i]) << 8;
        known_other |= equal_lanes(hood->other[0], hood->other[1], tried[i]);
    }
    for (unsigned i = 0; i < references; i++)
        if (!(known_other >> (LANES * i + 1) & 1)) {
            *candidate = lane(hood->other, LANES * i + 1);
            return true;
        }
    known_near &= (1 << WORDS * LANES) - 1;
    if (known_near == (1 << WORDS * LANES) - 1)
        return false;
    *candidate = lane(hood->near, (unsigned)__builtin_ctz(~known_near));
    return true;
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
static uint16_t code_other(struct lattice_coder *coder, const struct lattice_row *row, const struct hood *hood,
                           uint16_t first, uint16_t sample)
{
    uint16_t tried[MAX_TRIED] = {first};
    unsigned count = 1;
    while (count + 1 < coder->symbols && count < MAX_TRIED &&
           next_candidate(hood, row->references, tried, count, &tried[count])) {
        if (!code_missed(coder, hood, row->phase, row->references, 1, tried[count], sample != tried[count]))
            return tried[count];
        count++;
    }
    return count + 1 == coder->symbols ? rank_left(tried, count) : code_rank(coder, sample);
}

/* A sample whose neighbours do not agree. */
static ALWAYS_INLINE uint16_t code_sample(struct lattice_coder *coder, const struct lattice_row *row, uint32_t x,
                                          enum lattice_phase phase, unsigned references)
{
    struct hood hood;
    look_around(row, coder->stride, x, phase, references, &hood);
    uint16_t candidate = first_candidate(&hood, phase, references), sample = row->samples[x];
    if (!code_missed(coder, &hood, phase, references, 0, candidate, sample != candidate))
        return candidate;
    return code_other(coder, row, &hood, candidate, sample);
}

/* ---- One row ---- */

/* Eight samples at once; the compiler's own vectors, for all machines. */
typedef uint16_t vector __attribute__((vector_size(16)));
enum { VECTOR_LANES = 8 };

static ALWAYS_INLINE vector vector_at(const uint16_t *at)
{
    vector loaded;
    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

static ALWAYS_INLINE vector cross_differs(const uint16_t *at, ptrdiff_t s, vector quiet)
{
    return (vector_at(at) ^ quiet) | (vector_at(at - 1) ^ quiet) | (vector_at(at + 1) ^ quiet) |
           (vector_at(at - s) ^ quiet) | (vector_at(at + s) ^ quiet);
}

/* The values that a row's samples have if they are quiet. */
static ALWAYS_INLINE const uint16_t *quiet_values(const struct lattice_row *row, ptrdiff_t s, enum lattice_phase phase,
                                                  unsigned references)
{
    return phase == PHASE_EVEN                      ? row->samples - 1
           : phase == PHASE_FIRST && references > 0 ? row->before
                                                    : row->samples - s;
}

/* Which neighbours in the slice, known before the row is, are not the quiet value. */
static ALWAYS_INLINE vector slice_differs(const uint16_t *at, ptrdiff_t s, vector quiet, enum lattice_phase phase,
                                          unsigned references)
{
    vector found;
    if (phase == PHASE_ODD)
        return (vector_at(at - s - 1) ^ quiet) | (vector_at(at - s + 1) ^ quiet) | (vector_at(at + s - 1) ^ quiet) |
               (vector_at(at + s) ^ quiet) | (vector_at(at + s + 1) ^ quiet);
    if (phase == PHASE_EVEN) {
        found = vector_at(at + 1) ^ quiet;
        if (references == 0)
            found |= (vector_at(at - 2 * s - 1) ^ quiet) | (vector_at(at - 2 * s + 1) ^ quiet) |
                     (vector_at(at + 2 * s - 1) ^ quiet) | (vector_at(at + 2 * s + 1) ^ quiet);
        return found;
    }
    found = (vector_at(at - s) ^ quiet) | (vector_at(at - s - 1) ^ quiet) | (vector_at(at - s + 1) ^ quiet);
    if (references == 0)
        found |= (vector_at(at - 2 * s) ^ quiet) | (vector_at(at - s + 2) ^ quiet);
    return found;
}

/* Eight bits: which lanes are not zero. */
static ALWAYS_INLINE unsigned lanes_set(vector lanes)
{
#ifdef __SSE2__
    __m128i zero = _mm_cmpeq_epi16((__m128i)lanes, _mm_setzero_si128());
    return 255 & ~(unsigned)_mm_movemask_epi8(_mm_packs_epi16(zero, zero));
#else
    unsigned set = 0;
    for (unsigned i = 0; i < VECTOR_LANES; i++)
        set |= (unsigned)(lanes[i] != 0) << i;
    return set;
#endif
}

/*
 * Which samples of the row, up to 64 from `from` on, are new and not quiet: a bit for each. Reads up to VECTOR_LANES +
 * 1 samples behind the row, which is still in the planes.
 */
static ALWAYS_INLINE uint64_t find_differing(const struct lattice_coder *coder, const struct lattice_row *row,
                                             const uint16_t *quiet_at, uint32_t from, enum lattice_phase phase,
                                             unsigned references)
{
    const ptrdiff_t s = coder->stride;
    uint32_t left = row->width - from < 64 ? row->width - from : 64;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < left; i += VECTOR_LANES) {
        uint32_t x = from + i;
        vector quiet = vector_at(quiet_at + x);
        vector found = slice_differs(row->samples + x, s, quiet, phase, references);
        if (references >= 1)
            found |= cross_differs(row->before + x, s, quiet);
        if (references == 2)
            found |= cross_differs(row->after + x, s, quiet);
        bits |= (uint64_t)lanes_set(found) << i;
    }
    bits &= phase == PHASE_EVEN ? 0xaaaaaaaaaaaaaaaa : UINT64_MAX;
    return bits & UINT64_MAX >> (64 - left);
}

/* A quiet sample at a run's end. */
static uint16_t code_quiet(struct lattice_coder *coder, const struct lattice_row *row, uint32_t x, uint16_t quiet)
{
    struct hood hood;
    look_around(row, coder->stride, x, row->phase, row->references, &hood);
    uint16_t sample = code_other(coder, row, &hood, quiet, row->samples[x]);
    next_run(coder);
    return sample;
}

/* Quiet samples from x on, `count` of them: those where runs end are coded. */
static ALWAYS_INLINE void pass_quiet(struct lattice_coder *coder, const struct lattice_row *row, const uint16_t *quiet,
                                     uint32_t x, uint32_t count, uint32_t step)
{
    while (coder->run < count) {
        uint32_t run = (uint32_t)coder->run;
        x += run * step;
        row->samples[x] = code_quiet(coder, row, x, quiet[x]);
        x += step;
        count -= run + 1;
    }
    coder->run -= count;
}

/* Only how long the runs are. */
static void count_quiet(struct lattice_coder *coder, const struct lattice_row *row, const uint16_t *quiet, uint32_t x,
                        uint32_t count, uint32_t step)
{
    for (; count > 0; count--, x += step)
        if (row->samples[x] == quiet[x])
            coder->run++;
        else
            next_run(coder);
}

static ALWAYS_INLINE void code_row(struct lattice_coder *coder, const struct lattice_row *row, enum lattice_phase phase,
                                   unsigned references)
{
    const uint32_t first = phase == PHASE_EVEN, step = 1 + first;
    const uint16_t *quiet = quiet_values(row, coder->stride, phase, references);
    const bool counting = coder->task == LATTICE_COUNT;
    /* All bits first: afterwards rows may hold what a sample that is not yet known would be if it were quiet. */
    for (uint32_t i = 0; i < row->width; i += 64)
        coder->differs[i / 64] = find_differing(coder, row, quiet, i, phase, references);
    if (coder->task == LATTICE_DECODE && phase != PHASE_EVEN) /* whose new samples are so from the beginning */
        memcpy(row->samples, quiet, row->width * sizeof *quiet);
    uint32_t next = first; /* the first sample that is not dealt with */
    for (uint32_t i = 0; i < row->width; i += 64)
        for (uint64_t bits = coder->differs[i / 64]; bits; bits &= bits - 1) {
            uint32_t x = i + (uint32_t)__builtin_ctzll(bits);
            if (counting) {
                count_quiet(coder, row, quiet, next, (x - next) / step, step);
            } else {
                pass_quiet(coder, row, quiet, next, (x - next) / step, step);
                row->samples[x] = code_sample(coder, row, x, phase, references);
            }
            next = x + step;
        }
    uint32_t left = next < row->width ? (row->width - next + first) / step : 0;
    if (counting)
        count_quiet(coder, row, quiet, next, left, step);
    else
        pass_quiet(coder, row, quiet, next, left, step);
}

/* Each of the nine kinds of row has its own code, as its contexts are known then. */
#define ROW_KIND(name, phase, references)                                        \
    static void name(struct lattice_coder *coder, const struct lattice_row *row) \
    {                                                                            \
        code_row(coder, row, phase, references);                                 \
    }
ROW_KIND(first_alone, PHASE_FIRST, 0)
ROW_KIND(first_behind, PHASE_FIRST, 1)
ROW_KIND(first_between, PHASE_FIRST, 2)
ROW_KIND(even_alone, PHASE_EVEN, 0)
ROW_KIND(even_behind, PHASE_EVEN, 1)
ROW_KIND(even_between, PHASE_EVEN, 2)
ROW_KIND(odd_alone, PHASE_ODD, 0)
ROW_KIND(odd_behind, PHASE_ODD, 1)
ROW_KIND(odd_between, PHASE_ODD, 2)

void lattice_row_code(struct lattice_coder *coder, const struct lattice_row *row)
{
    static void (*const kinds[PHASES][REFERENCES])(struct lattice_coder *, const struct lattice_row *) = {
        {first_alone, first_behind, first_between},
        {even_alone, even_behind, even_between},
        {odd_alone, odd_behind, odd_between}};
    kinds[row->phase][row->references](coder, row);
}
