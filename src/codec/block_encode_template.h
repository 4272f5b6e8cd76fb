/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the cleanup encoder that depends on the lane: LANE_BITS (16, 32, 64) and SAMPLE, its signed integer. */

#define NAME(base) KERNEL_JOIN(base, LANE_BITS)

/* Sample n of a quad. */
static inline void NAME(quad_take)(struct quad *quad, unsigned n, SAMPLE sample)
{
    uint64_t sign = sample < 0, magnitude = sample < 0 ? 0 - (uint64_t)sample : (uint64_t)sample;
    quad->value[n] = 2 * (magnitude - 1) + sign;
    quad->exponent[n] = magnitude ? 64 - (unsigned)__builtin_clzll(quad->value[n] | 1) : 0;
    quad->rho |= (unsigned)(magnitude != 0) << n;
    quad->largest = quad->exponent[n] > quad->largest ? quad->exponent[n] : quad->largest;
}

/* The quad at columns x, x + 1; samples outside the block are 0. `bottom` is NULL below the last row. */
static inline struct quad NAME(quad_load)(const SAMPLE *top, const SAMPLE *bottom, unsigned x, unsigned width)
{
    struct quad quad = {0};
    bool right = x + 1 < width;
    NAME(quad_take)(&quad, 0, top[x]);
    NAME(quad_take)(&quad, 1, bottom ? bottom[x] : 0);
    NAME(quad_take)(&quad, 2, right ? top[x + 1] : 0);
    NAME(quad_take)(&quad, 3, right && bottom ? bottom[x + 1] : 0);
    return quad;
}

static bool NAME(all_zero)(const struct block_encode_job *job)
{
    for (unsigned y = 0; y < job->height; y++) {
        const SAMPLE *row = (const SAMPLE *)job->samples + y * job->stride;
        SAMPLE any = 0;
        for (unsigned x = 0; x < job->width; x++)
            any |= row[x];
        if (any)
            return false;
    }
    return true;
}

/* One row of quads, which starts at sample row y. */
static void NAME(encode_row)(struct encode_scratch *scratch, const struct block_encode_job *job, unsigned y)
{
    const bool first_row = y == 0;
    const SAMPLE *top = (const SAMPLE *)job->samples + y * job->stride;
    const SAMPLE *bottom = y + 1 < job->height ? top + job->stride : NULL;
    const unsigned now = y >> 1 & 1;
    uint8_t *rho = scratch->rho[now] + 1, *exponent = scratch->exponent[now] + 1;
    const uint8_t *rho_above = scratch->rho[!now] + 1, *exponent_above = scratch->exponent[!now] + 1;
    unsigned u[2] = {0, 0};
    const unsigned quads = (job->width + 1) / 2;
    for (unsigned q = 0; q < quads; q++) {
        struct quad quad = NAME(quad_load)(top, bottom, 2 * q, job->width);
        unsigned context = quad_context(rho + q, rho_above + q, first_row);
        unsigned predictor = first_row ? 1 : quad_predictor(exponent_above + 2 * q, quad.rho);
        rho[q] = (uint8_t)quad.rho;
        exponent[2 * q] = (uint8_t)quad.exponent[1];
        exponent[2 * q + 1] = (uint8_t)quad.exponent[3];
        u[q & 1] = quad_code(scratch, &quad, context, predictor, first_row);
        if (!(q & 1) && q + 1 < quads)
            continue;
        if (first_row && u[0] > 0 && u[1] > 0)
            mel_put(&scratch->mel_encoder, u[0] > 2 && u[1] > 2);
        uvlc_put(&scratch->vlc_writer, u[0], u[1], first_row);
        u[1] = 0;
    }
}

static size_t NAME(block_encode)(const struct block_encode_job *job, void *memory)
{
    struct encode_scratch *scratch = memory;
    if (NAME(all_zero)(job))
        return 0;
    start_block(scratch);
    for (unsigned y = 0; y < job->height; y += 2)
        NAME(encode_row)(scratch, job, y);
    return finish_block(scratch, job->out);
}

#undef NAME
#undef LANE_BITS
#undef SAMPLE
