/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reversible 5/3 lifting (15444-1, F.3.8.1 and F.4.8.1) in one lane: LANE_BITS, SAMPLE (signed) and WORD (unsigned).
 *     d(n) = x - floor((s + s') / 2)        s(n) = x + floor((d + d' + 2) / 4)
 */

#define NAME(base) KERNEL_JOIN(base, LANE_BITS)
/* Rows are taken apart and put together in vectors, which compilers do not find by themselves. */
#if defined(__AVX2__) && LANE_BITS == 16
#define PAIR_VECTORS
#define PAIR_ADD(a, b) v_add16(a, b)
#define PAIR_HALF(a) v_shift_right_signed16(a, 1)
#elif defined(__AVX2__) && LANE_BITS == 32
#define PAIR_VECTORS
#define PAIR_ADD(a, b) v_add(a, b)
#define PAIR_HALF(a) v_shift_right_signed(a, 1)
#endif
#ifdef PAIR_VECTORS
#define VECTOR (uint32_t)(sizeof(vec) / sizeof(SAMPLE))
#endif
#define split_pairs NAME(split_pairs)
#define merge_pairs_even NAME(merge_pairs_even)
#define merge_pairs_odd NAME(merge_pairs_odd)
#define halves NAME(halves)
#define half_sum NAME(half_sum)
#define quarter_sum NAME(quarter_sum)
#define predict NAME(predict)
#define unpredict NAME(unpredict)
#define update NAME(update)
#define unupdate NAME(unupdate)
#define extend NAME(extend)
#define scratch_halves NAME(scratch_halves)
#define scratch_row NAME(scratch_row)
#define band_row NAME(band_row)
#define plane_row NAME(plane_row)
#define edge_sum NAME(edge_sum)
#define split_row NAME(split_row)
#define merge_row NAME(merge_row)

static inline SAMPLE half_sum(SAMPLE a, SAMPLE b)
{
    return (SAMPLE)((SAMPLE)(WORD)((WORD)a + (WORD)b) >> 1);
}
static inline SAMPLE quarter_sum(SAMPLE a, SAMPLE b)
{
    return (SAMPLE)((SAMPLE)(WORD)((WORD)((WORD)a + (WORD)b) + 2) >> 2);
}

/* out = in - half_sum(a, b), and so on: the four lifting steps on whole rows. */
static void predict(SAMPLE *restrict out, const SAMPLE *in, const SAMPLE *a, const SAMPLE *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (SAMPLE)(WORD)((WORD)in[i] - (WORD)half_sum(a[i], b[i]));
}
static void unpredict(SAMPLE *restrict out, const SAMPLE *in, const SAMPLE *a, const SAMPLE *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (SAMPLE)(WORD)((WORD)in[i] + (WORD)half_sum(a[i], b[i]));
}
static void update(SAMPLE *restrict out, const SAMPLE *in, const SAMPLE *a, const SAMPLE *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (SAMPLE)(WORD)((WORD)in[i] + (WORD)quarter_sum(a[i], b[i]));
}
static void unupdate(SAMPLE *restrict out, const SAMPLE *in, const SAMPLE *a, const SAMPLE *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (SAMPLE)(WORD)((WORD)in[i] - (WORD)quarter_sum(a[i], b[i]));
}

/* The sample before the first and behind the last are copies of these. */
static inline void extend(SAMPLE *samples, uint32_t count)
{
    samples[-1] = samples[0];
    samples[count] = samples[count - 1];
}

/* Two scratch rows with room before and behind them, from row `first` on. */
struct halves {
    SAMPLE *s, *d;
};
static struct halves scratch_halves(const struct wavelet_job *job, unsigned first)
{
    size_t pitch = scratch_pitch(job, sizeof(SAMPLE));
    char *row = (char *)job->scratch + first * pitch + 64;
    return (struct halves){(SAMPLE *)row, (SAMPLE *)(row + pitch)};
}
static SAMPLE *scratch_row(const struct wavelet_job *job, unsigned row)
{
    return (SAMPLE *)((char *)job->scratch + row * scratch_pitch(job, sizeof(SAMPLE)));
}
static SAMPLE *band_row(const struct wavelet_job *job, unsigned band, uint32_t y)
{
    y -= job->first_band_row[band];
    return job->band[band] ? (SAMPLE *)job->band[band] + y * job->band_stride[band] : NULL;
}
static SAMPLE *plane_row(const struct wavelet_job *job, uint32_t y)
{
    return (SAMPLE *)job->plane + (y - job->first_row) * job->plane_stride;
}

/* quarter_sum of d(i - 1) and d(i) where one of them may be beyond an edge. */
static inline SAMPLE edge_sum(const SAMPLE *d, uint32_t i, uint32_t count)
{
    return quarter_sum(d[clamp_index((int64_t)i - 1, count)], d[clamp_index(i, count)]);
}

/* The samples at even and at odd places of a row. */
static void split_pairs(const SAMPLE *restrict in, SAMPLE *restrict even, SAMPLE *restrict odd, uint32_t pairs)
{
    uint32_t n = 0;
#ifdef PAIR_VECTORS
    for (; n + VECTOR <= pairs; n += VECTOR) {
        vec a, b;
        NAME(v_split)(in + 2 * n, &a, &b);
        v_store(even + n, a);
        v_store(odd + n, b);
    }
#endif
    for (; n < pairs; n++) {
        even[n] = in[2 * n];
        odd[n] = in[2 * n + 1];
    }
}

/* Undoes the prediction of the high-pass samples and puts them between the low-pass ones. */
static void merge_pairs_even(const SAMPLE *s, const SAMPLE *high, SAMPLE *restrict out, uint32_t pairs)
{
    uint32_t n = 0;
#ifdef PAIR_VECTORS
    for (; n + VECTOR <= pairs; n += VECTOR) {
        vec here = v_load(s + n), sum = PAIR_ADD(here, v_load(s + n + 1));
        NAME(v_join)(out + 2 * n, here, PAIR_ADD(v_load(high + n), PAIR_HALF(sum)));
    }
#endif
    for (; n < pairs; n++) {
        out[2 * n] = s[n];
        out[2 * n + 1] = (SAMPLE)(WORD)((WORD)high[n] + (WORD)half_sum(s[n], s[n + 1]));
    }
}
static void merge_pairs_odd(const SAMPLE *s, const SAMPLE *high, SAMPLE *restrict out, uint32_t pairs)
{
    uint32_t n = 0;
#ifdef PAIR_VECTORS
    for (; n + VECTOR <= pairs; n += VECTOR) {
        vec here = v_load(s + n), sum = PAIR_ADD(v_load(s + n - 1), here);
        NAME(v_join)(out + 2 * n, PAIR_ADD(v_load(high + n), PAIR_HALF(sum)), here);
    }
#endif
    for (; n < pairs; n++) {
        out[2 * n] = (SAMPLE)(WORD)((WORD)high[n] + (WORD)half_sum(*(s + n - 1), s[n]));
        out[2 * n + 1] = s[n];
    }
}

/* Splits a row of the plane's width into its low and high half. */
static void split_row(const struct wavelet_job *job, struct halves half, const SAMPLE *restrict in,
                      SAMPLE *restrict low, SAMPLE *restrict high)
{
    const unsigned odd = job->x_odd;
    const uint32_t lows = wavelet_low(job->width, odd), highs = job->width - lows;
    if (job->width == 1) { /* F.4.6 */
        if (odd)
            high[0] = (SAMPLE)(WORD)(2 * (WORD)in[0]);
        else
            low[0] = in[0];
        return;
    }
    SAMPLE *restrict s = half.s, *restrict d = half.d;
    const uint32_t pairs = lows < highs ? lows : highs;
    split_pairs(in, odd ? d : s, odd ? s : d, pairs);
    if (lows > pairs)
        s[pairs] = in[2 * pairs + odd];
    if (highs > pairs)
        d[pairs] = in[2 * pairs + !odd];
    extend(s, lows);
    predict(high, d, s - odd, s - odd + 1, highs);
    const struct interior inner = interior(lows, highs, odd);
    if (inner.end > inner.begin)
        update(low + inner.begin, s + inner.begin, high + inner.begin + odd - 1, high + inner.begin + odd,
               inner.end - inner.begin);
    for (uint32_t n = 0; n < lows; n++) {
        if (n == inner.begin && inner.end > n)
            n = inner.end;
        if (n < lows)
            low[n] = (SAMPLE)(WORD)((WORD)s[n] + (WORD)edge_sum(high, n + odd, highs));
    }
}

/* The inverse of split_row. */
static void merge_row(const struct wavelet_job *job, struct halves half, const SAMPLE *restrict low,
                      const SAMPLE *restrict high, SAMPLE *restrict out)
{
    const unsigned odd = job->x_odd;
    const uint32_t lows = wavelet_low(job->width, odd), highs = job->width - lows;
    if (job->width == 1) { /* F.3.6 */
        out[0] = odd ? high[0] / 2 : low[0];
        return;
    }
    SAMPLE *restrict s = half.s;
    const struct interior inner = interior(lows, highs, odd);
    if (inner.end > inner.begin)
        unupdate(s + inner.begin, low + inner.begin, high + inner.begin + odd - 1, high + inner.begin + odd,
                 inner.end - inner.begin);
    for (uint32_t n = 0; n < lows; n++) {
        if (n == inner.begin && inner.end > n)
            n = inner.end;
        if (n < lows)
            s[n] = (SAMPLE)(WORD)((WORD)low[n] - (WORD)edge_sum(high, n + odd, highs));
    }
    extend(s, lows);
    const uint32_t pairs = lows < highs ? lows : highs;
    if (odd)
        merge_pairs_odd(s, high, out, pairs);
    else
        merge_pairs_even(s, high, out, pairs);
    if (lows > pairs)
        out[2 * pairs + odd] = s[pairs];
    if (highs > pairs)
        out[2 * pairs + !odd] =
            (SAMPLE)(WORD)((WORD)high[pairs] + (WORD)half_sum(*(s + pairs - odd), s[pairs - odd + 1]));
}

static void NAME(forward_line)(const struct wavelet_job *job)
{
    const SAMPLE *in = plane_row(job, 0);
    const bool odd = job->y_odd;
    SAMPLE *doubled = scratch_row(job, 0);
    for (uint32_t x = 0; odd && x < job->width; x++)
        doubled[x] = (SAMPLE)(WORD)(2 * (WORD)in[x]);
    split_row(job, scratch_halves(job, 3), odd ? doubled : in, band_row(job, odd ? 2 : 0, 0),
              band_row(job, odd ? 3 : 1, 0));
}

/* d(n) of all columns. */
static void NAME(predict_high_row)(const struct wavelet_job *job, SAMPLE *d, uint32_t n)
{
    const uint32_t lows = wavelet_low(job->height, job->y_odd), odd = job->y_odd;
    predict(d, plane_row(job, high_row(job, n)), plane_row(job, low_row(job, clamp_index((int64_t)n - odd, lows))),
            plane_row(job, low_row(job, clamp_index((int64_t)n - odd + 1, lows))), job->width);
}

static void NAME(wavelet53_forward)(const struct wavelet_job *job)
{
    const uint32_t lows = wavelet_low(job->height, job->y_odd), highs = job->height - lows, odd = job->y_odd;
    const uint32_t first = job->first_step, end = job->end_step ? job->end_step : wavelet_steps(job->height, odd);
    struct halves half = scratch_halves(job, 3);
    SAMPLE *s = scratch_row(job, 0), *d[2] = {scratch_row(job, 1), scratch_row(job, 2)};
    if (job->height == 1) {
        if (first == 0)
            NAME(forward_line)(job);
        return;
    }
    if (first > 0 && first - 1 < highs)
        NAME(predict_high_row)(job, d[(first - 1) & 1], first - 1);
    for (uint32_t n = first; n < end; n++) {
        if (n < highs) {
            NAME(predict_high_row)(job, d[n & 1], n);
            split_row(job, half, d[n & 1], band_row(job, 2, n), band_row(job, 3, n));
        }
        if (n >= odd && n - odd < lows) {
            update(s, plane_row(job, low_row(job, n - odd)), d[clamp_index((int64_t)n - 1, highs) & 1],
                   d[clamp_index(n, highs) & 1], job->width);
            split_row(job, half, s, band_row(job, 0, n - odd), band_row(job, 1, n - odd));
        }
    }
}

static void NAME(inverse_line)(const struct wavelet_job *job)
{
    const bool odd = job->y_odd;
    SAMPLE *out = plane_row(job, 0);
    merge_row(job, scratch_halves(job, 3), band_row(job, odd ? 2 : 0, 0), band_row(job, odd ? 3 : 1, 0), out);
    for (uint32_t x = 0; odd && x < job->width; x++)
        out[x] /= 2;
}

/* Low row n - odd of the image from the bands' and d(n - 1), d(n). */
static void NAME(inverse_low_row)(const struct wavelet_job *job, SAMPLE *const d[2], uint32_t n, SAMPLE *out)
{
    const uint32_t highs = job->height - wavelet_low(job->height, job->y_odd), odd = job->y_odd;
    SAMPLE *s = scratch_row(job, 0);
    merge_row(job, scratch_halves(job, 3), band_row(job, 0, n - odd), band_row(job, 1, n - odd), s);
    unupdate(out, s, d[clamp_index((int64_t)n - 1, highs) & 1], d[clamp_index(n, highs) & 1], job->width);
}

static void NAME(wavelet53_inverse)(const struct wavelet_job *job)
{
    const uint32_t lows = wavelet_low(job->height, job->y_odd), highs = job->height - lows, odd = job->y_odd;
    const uint32_t first = job->first_step, end = job->end_step ? job->end_step : wavelet_steps(job->height, odd);
    struct halves half = scratch_halves(job, 3);
    SAMPLE *d[2] = {scratch_row(job, 1), scratch_row(job, 2)};
    SAMPLE *before = scratch_row(job, 6); /* the low row of the step before the first, which another run writes */
    if (job->height == 1) {
        if (first == 0)
            NAME(inverse_line)(job);
        return;
    }
    for (uint32_t n = first < 2 ? 0 : first - 2; n < first; n++)
        if (n < highs)
            merge_row(job, half, band_row(job, 2, n), band_row(job, 3, n), d[n & 1]);
    if (first > odd && first - 1 - odd < lows)
        NAME(inverse_low_row)(job, d, first - 1, before);
    for (uint32_t n = first; n < end; n++) {
        if (n < highs)
            merge_row(job, half, band_row(job, 2, n), band_row(job, 3, n), d[n & 1]);
        if (n >= odd && n - odd < lows)
            NAME(inverse_low_row)(job, d, n, plane_row(job, low_row(job, n - odd)));
        if (n >= 1 && n <= highs) {
            const uint32_t a = clamp_index((int64_t)n - 1 - odd, lows), b = clamp_index((int64_t)n - odd, lows);
            unpredict(plane_row(job, high_row(job, n - 1)), d[(n - 1) & 1],
                      a + odd < first ? before : plane_row(job, low_row(job, a)),
                      b + odd < first ? before : plane_row(job, low_row(job, b)), job->width);
        }
    }
}

#undef PAIR_VECTORS
#undef PAIR_ADD
#undef PAIR_HALF
#undef VECTOR
#undef split_pairs
#undef merge_pairs_even
#undef merge_pairs_odd
#undef halves
#undef half_sum
#undef quarter_sum
#undef predict
#undef unpredict
#undef update
#undef unupdate
#undef extend
#undef scratch_halves
#undef scratch_row
#undef band_row
#undef plane_row
#undef edge_sum
#undef split_row
#undef merge_row
#undef NAME
#undef LANE_BITS
#undef SAMPLE
#undef WORD
