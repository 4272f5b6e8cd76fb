/* SPDX-License-Identifier: BSD-2-Clause */
/* Irreversible 9/7 lifting (15444-1, F.3.8.2 and F.4.8.2) on floats: a part of wavelet.c. */
#ifndef CODEC_WAVELET97_H
#define CODEC_WAVELET97_H

/* Table F.4 */
#define LIFT_ALPHA (-1.586134342059924f)
#define LIFT_BETA (-0.052980118572961f)
#define LIFT_GAMMA 0.882911075530934f
#define LIFT_DELTA 0.443506852043971f
#define LIFT_K 1.230174104914001f

static void lift_row(float *out, const float *in, const float *a, const float *b, float factor, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = in[i] + factor * (a[i] + b[i]);
}

static void extend_row(float *samples, uint32_t count)
{
    samples[-1] = samples[0];
    samples[count] = samples[count - 1];
}

static float *float_scratch(const struct wavelet_job *job, unsigned row)
{
    return (float *)((char *)job->scratch + row * scratch_pitch(job, sizeof(float)));
}
static float *float_band(const struct wavelet_job *job, unsigned band, uint32_t y)
{
    return job->band[band] ? (float *)job->band[band] + y * job->band_stride[band] : NULL;
}
static float *float_plane(const struct wavelet_job *job, uint32_t y)
{
    return (float *)job->plane + y * job->plane_stride;
}

/* One lifting step of a row in two halves: lift d from its neighbours in s, or s from those in d. */
static void lift_high(float *d, float *s, const struct wavelet_job *job, float factor)
{
    const uint32_t lows = wavelet_low(job->width, job->x_odd);
    extend_row(s, lows);
    lift_row(d, d, s - job->x_odd, s - job->x_odd + 1, factor, job->width - lows);
}
static void lift_low(float *d, float *s, const struct wavelet_job *job, float factor)
{
    const uint32_t lows = wavelet_low(job->width, job->x_odd);
    extend_row(d, job->width - lows);
    lift_row(s, s, d - 1 + job->x_odd, d + job->x_odd, factor, lows);
}

static void split_float_row(const struct wavelet_job *job, const float *in, float gain, float *low, float *high)
{
    const uint32_t odd = job->x_odd, lows = wavelet_low(job->width, odd), highs = job->width - lows;
    if (job->width == 1) {
        if (odd)
            high[0] = 2 * (in[0] * gain);
        else
            low[0] = in[0] * gain;
        return;
    }
    float *s = float_scratch(job, 8) + 16, *d = float_scratch(job, 9) + 16;
    for (uint32_t n = 0; n < lows; n++)
        s[n] = in[2 * n + odd] * gain;
    for (uint32_t n = 0; n < highs; n++)
        d[n] = in[2 * n + !odd] * gain;
    lift_high(d, s, job, LIFT_ALPHA);
    lift_low(d, s, job, LIFT_BETA);
    lift_high(d, s, job, LIFT_GAMMA);
    lift_low(d, s, job, LIFT_DELTA);
    for (uint32_t n = 0; n < lows; n++)
        low[n] = s[n] * (1 / LIFT_K);
    for (uint32_t n = 0; n < highs; n++)
        high[n] = d[n] * LIFT_K;
}

static void merge_float_row(const struct wavelet_job *job, const float *low, const float *high, float gain, float *out)
{
    const uint32_t odd = job->x_odd, lows = wavelet_low(job->width, odd), highs = job->width - lows;
    if (job->width == 1) {
        out[0] = (odd ? high[0] * 0.5f : low[0]) * gain;
        return;
    }
    float *s = float_scratch(job, 8) + 16, *d = float_scratch(job, 9) + 16;
    for (uint32_t n = 0; n < lows; n++)
        s[n] = low[n] * LIFT_K;
    for (uint32_t n = 0; n < highs; n++)
        d[n] = high[n] * (1 / LIFT_K);
    lift_low(d, s, job, -LIFT_DELTA);
    lift_high(d, s, job, -LIFT_GAMMA);
    lift_low(d, s, job, -LIFT_BETA);
    lift_high(d, s, job, -LIFT_ALPHA);
    for (uint32_t n = 0; n < lows; n++)
        out[2 * n + odd] = s[n] * gain;
    for (uint32_t n = 0; n < highs; n++)
        out[2 * n + !odd] = d[n] * gain;
}

/*
 * The vertical transform keeps the last four rows of each kind in scratch rows 0 .. 3 (s) and 4 .. 7 (d) and lifts them
 * in place, each step as soon as its neighbours have had the step before. What comes out of a pass of the loop depends
 * on rows that were taken in up to LIFT_BEFORE passes before, so a run of passes starts that much earlier and drops
 * what comes out until then, whatever the scratch rows held.
 */
enum { LIFT_BEFORE = 4 };
struct lifting {
    const struct wavelet_job *job;
    uint32_t lows, highs, odd;
};

static float *lifting_low(const struct lifting *l, int64_t n)
{
    return float_scratch(l->job, clamp_index(n, l->lows) & 3);
}
static float *lifting_high(const struct lifting *l, int64_t n)
{
    return float_scratch(l->job, 4 + (clamp_index(n, l->highs) & 3));
}
/* Lifts d(n), or s(n), if there is one. */
static void lifting_step_high(const struct lifting *l, int64_t n, float factor)
{
    if (n >= 0 && n < l->highs)
        lift_row(lifting_high(l, n), lifting_high(l, n), lifting_low(l, n - l->odd), lifting_low(l, n - l->odd + 1),
                 factor, l->job->width);
}
static void lifting_step_low(const struct lifting *l, int64_t n, float factor)
{
    if (n >= 0 && n < l->lows)
        lift_row(lifting_low(l, n), lifting_low(l, n), lifting_high(l, n - 1 + l->odd), lifting_high(l, n + l->odd),
                 factor, l->job->width);
}

static void wavelet97_forward(const struct wavelet_job *job)
{
    const uint32_t odd = job->y_odd, lows = wavelet_low(job->height, odd);
    const struct lifting l = {job, lows, job->height - lows, odd};
    if (job->height == 1) {
        if (job->first_step)
            return;
        split_float_row(job, float_plane(job, 0), odd ? 2 : 1, float_band(job, odd ? 2 : 0, 0),
                        float_band(job, odd ? 3 : 1, 0));
        return;
    }
    const size_t bytes = job->width * sizeof(float);
    const int64_t begin = (int64_t)job->first_step - 1,
                  end = (job->end_step ? job->end_step : lows + WAVELET_EXTRA_97) - 1;
    for (int64_t n = begin < LIFT_BEFORE ? -1 : begin - LIFT_BEFORE; n < end; n++) {
        const int64_t next_low = n + 1 - odd; /* the last of the neighbours of d(n) */
        if (next_low >= 0 && next_low < lows)
            memcpy(lifting_low(&l, next_low), float_plane(job, low_row(job, (uint32_t)next_low)), bytes);
        if (n >= 0 && n < l.highs)
            memcpy(lifting_high(&l, n), float_plane(job, high_row(job, (uint32_t)n)), bytes);
        lifting_step_high(&l, n, LIFT_ALPHA);
        lifting_step_low(&l, n - odd, LIFT_BETA);
        lifting_step_high(&l, n - 1, LIFT_GAMMA);
        lifting_step_low(&l, n - 1 - odd, LIFT_DELTA);
        const int64_t low = n - 1 - odd, high = n - 2; /* no step needs these any more */
        if (n < begin)
            continue;
        if (low >= 0 && low < lows)
            split_float_row(job, lifting_low(&l, low), 1 / LIFT_K, float_band(job, 0, (uint32_t)low),
                            float_band(job, 1, (uint32_t)low));
        if (high >= 0 && high < l.highs)
            split_float_row(job, lifting_high(&l, high), LIFT_K, float_band(job, 2, (uint32_t)high),
                            float_band(job, 3, (uint32_t)high));
    }
}

static void wavelet97_inverse(const struct wavelet_job *job)
{
    const uint32_t odd = job->y_odd, lows = wavelet_low(job->height, odd);
    const struct lifting l = {job, lows, job->height - lows, odd};
    if (job->height == 1) {
        if (job->first_step)
            return;
        merge_float_row(job, float_band(job, odd ? 2 : 0, 0), float_band(job, odd ? 3 : 1, 0), odd ? 0.5f : 1,
                        float_plane(job, 0));
        return;
    }
    const size_t bytes = job->width * sizeof(float);
    const int64_t begin = job->first_step, end = job->end_step ? job->end_step : lows + WAVELET_EXTRA_97;
    for (int64_t n = begin < LIFT_BEFORE ? 0 : begin - LIFT_BEFORE; n < end; n++) {
        if (n < l.highs)
            merge_float_row(job, float_band(job, 2, (uint32_t)n), float_band(job, 3, (uint32_t)n), 1 / LIFT_K,
                            lifting_high(&l, n));
        if (n >= odd && n - odd < lows)
            merge_float_row(job, float_band(job, 0, (uint32_t)(n - odd)), float_band(job, 1, (uint32_t)(n - odd)),
                            LIFT_K, lifting_low(&l, n - odd));
        lifting_step_low(&l, n - odd, -LIFT_DELTA);
        lifting_step_high(&l, n - 1, -LIFT_GAMMA);
        lifting_step_low(&l, n - 1 - odd, -LIFT_BETA);
        lifting_step_high(&l, n - 2, -LIFT_ALPHA);
        const int64_t low = n - 2 - odd, high = n - 2;
        if (n < begin)
            continue;
        if (low >= 0 && low < lows)
            memcpy(float_plane(job, low_row(job, (uint32_t)low)), lifting_low(&l, low), bytes);
        if (high >= 0 && high < l.highs)
            memcpy(float_plane(job, high_row(job, (uint32_t)high)), lifting_high(&l, high), bytes);
    }
}

#endif
