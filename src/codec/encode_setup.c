/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/encode_setup.h"

#include "codec/geometry.h"
#include "codec/markers_write.h"
#include "codec/nonlinearity.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

struct mist_encode_options mist_encode_options_default(void)
{
    return (struct mist_encode_options){
        .block_width = 64,
        .block_height = 64,
        .progression = MIST_RPCL,
        .tile_parts = true,
        .color_transform = true,
        .base_step = 1.0 / 256,
        .threads = 1,
    };
}

/*
 * Dynamic range of the reversible transform: a bound on every value that it makes, and so on what QCD must allow.
 *
 * Without rounding, a sample of a band is a sum of input samples times the taps of an iterated analysis filter, so its
 * magnitude is at most the largest input magnitude times the sum of the taps' absolute values. In one dimension that
 * sum is, d decompositions down, at most low[d] for the low-pass and high[d] for the high-pass: the largest for signals
 * of any length, rounded up; the last entries are where it grows to, for all d from 7 on. In the middle of a signal it
 * is a little less (2.8199 where high[5] is 2.8267): a level of an even number of samples is mirrored half a sample off
 * what the next one mirrors, so that near such an edge taps do not just fold onto one another. In two dimensions it is
 * the product of the two. Rounding: each of the four lifting passes of a level is off by at most 1/2, an error that
 * what follows amplifies like a sample, by at most 2.8737^2 < 8.3; so it adds at most 4 * 8.3 / 2 = 16.6 a level. Input
 * magnitudes are at most 2^bits: the DC level shift maps 0 .. 2^p - 1 to -2^(p-1) .. 2^(p-1) - 1; the RCT keeps Y in
 * that range and puts differences, below 2^p, into Cb and Cr.
 *
 * For 32 bits and RCT: 2^32 * 8.3 + 16.6 * 32 < 2^36, far inside 64 bits. tests/codec/test_encode.py drives single
 * coefficients to the linear bound, and compares every band, and the sums themselves, with Mb.
 */
unsigned encode_reversible_planes(unsigned bits, unsigned kind, unsigned decomposition)
{
    static const double low[] = {1, 1.5, 1.625, 1.6875, 1.6973, 1.7067, 1.7137, 1.7209};
    static const double high[] = {1, 2, 2.5, 2.75, 2.8047, 2.8267, 2.8476, 2.8737};
    unsigned level = decomposition < 7 ? decomposition : 7;
    double gain = (kind & 1 ? high[level] : low[level]) * (kind & 2 ? high[level] : low[level]);
    double bound = ldexp(gain, (int)bits) + 16.6 * decomposition;
    unsigned planes = 1;
    while (ldexp(1, (int)planes) <= bound)
        planes++;
    return planes;
}

static unsigned log2_exact(unsigned value)
{
    return value && !(value & (value - 1)) ? (unsigned)__builtin_ctz(value) : UINT32_MAX;
}

static enum mist_status check_arguments(const struct mist_view *frame, const struct mist_encode_options *options,
                                        struct mist_error *error)
{
    if (!mist_frame_bytes(frame->type, frame->width, frame->height, frame->components))
        return error_set(error, MIST_ERROR_LIMIT, "a frame of %u x %u with %u components cannot be encoded",
                         frame->width, frame->height, frame->components);
    unsigned bits = (unsigned)(8 * mist_sample_size(frame->type));
    bool is_float = mist_sample_is_float(frame->type);
    if (is_float && nonlinearity_pattern_type(frame->type) == MIST_SAMPLE_TYPES)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s samples do not fit into a codestream; f16 and f32 do",
                         mist_sample_name(frame->type));
    if (!is_float && bits > 32)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "%s samples do not fit into a codestream; those of up to 32 bits do",
                         mist_sample_name(frame->type));
    if (is_float && (options->irreversible || (options->precision && options->precision != bits)))
        return error_set(error, MIST_ERROR_ARGUMENT, "%s samples are coded losslessly, with all their %u bits",
                         mist_sample_name(frame->type), bits);
    if (options->precision > bits)
        return error_set(error, MIST_ERROR_ARGUMENT, "a precision of %u bits for samples of type %s",
                         options->precision, mist_sample_name(frame->type));
    if (options->levels < 0 || options->levels > (int)MIST_MAX_LEVELS)
        return error_set(error, MIST_ERROR_ARGUMENT, "%d resolution levels; 1 to %u are possible", options->levels,
                         MIST_MAX_LEVELS);
    unsigned width = log2_exact(options->block_width), height = log2_exact(options->block_height);
    if (width < 2 || width > 10 || height < 2 || height > 10 || width + height > 12)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "code-blocks of %u x %u; sides are powers of two from 4 to 1024, with at most 4096 samples",
                         options->block_width, options->block_height);
    for (int i = 0; i < 2; i++) {
        unsigned side = i ? options->precinct_height : options->precinct_width;
        if (side && (log2_exact(side) < 2 || log2_exact(side) > 15))
            return error_set(error, MIST_ERROR_ARGUMENT, "precincts of %u; sides are powers of two from 4 to 32768",
                             side);
    }
    if ((unsigned)options->progression > MIST_CPRL)
        return error_set(error, MIST_ERROR_ARGUMENT, "no such progression order");
    if (options->irreversible && !(options->base_step > 0 && options->base_step <= 1))
        return error_set(error, MIST_ERROR_ARGUMENT, "a base step of %g; it is above 0 and at most 1",
                         options->base_step);
    return MIST_OK;
}

/* ---- quantisation ---- */

static unsigned set_reversible_steps(struct codestream_quantizer *quantizer, unsigned decompositions, unsigned bits)
{
    unsigned planes[CODESTREAM_MAX_BANDS], most = 0;
    for (unsigned band = 0; band < quantizer->bands; band++) {
        unsigned kind = band ? (band - 1) % 3 + 1 : 0, level = band ? (band - 1) / 3 + 1 : 0;
        planes[band] = encode_reversible_planes(bits, kind, band ? decompositions - level + 1 : decompositions);
        most = planes[band] > most ? planes[band] : most;
    }
    /* Mb = guard bits + exponent - 1 (E-2), and an exponent has 5 bits. */
    quantizer->style = QUANTIZATION_NONE;
    quantizer->guard_bits = (uint8_t)(most > 31 ? most - 30 : 1);
    for (unsigned band = 0; band < quantizer->bands; band++) {
        unsigned exponent = planes[band] + 1 > quantizer->guard_bits ? planes[band] + 1 - quantizer->guard_bits : 0;
        quantizer->step[band] = (uint16_t)(exponent << 11);
    }
    return most;
}

/*
 * How much a quantisation error of 1 / 2^gain in one sample of a band weighs in the picture: the L2 norm of what 9/7
 * synthesises from that sample alone, times the band's gain (Table E.1), by which its nominal range is larger. It is
 * the product of the norms of the two directions. A step inversely proportional to it spreads the error evenly.
 */
static double synthesis_norm(unsigned kind, unsigned decomposition)
{
    static const double low[] = {1, 1.40211, 2.03037, 2.90116, 4.11529};
    static const double high[] = {1, 2 * 0.72126, 2 * 0.98347, 2 * 1.44196, 2 * 2.07376};
    unsigned level = decomposition < 4 ? decomposition : 4;
    double norm = (kind & 1 ? high[level] : low[level]) * (kind & 2 ? high[level] : low[level]);
    return ldexp(norm, (int)(decomposition - level)); /* sqrt(2) a direction from level to level, nearly */
}

static unsigned set_irreversible_steps(struct encode_setup *setup, struct codestream_quantizer *quantizer,
                                       unsigned decompositions, double base_step)
{
    quantizer->style = QUANTIZATION_EXPOUNDED;
    quantizer->guard_bits = 2;
    unsigned most = 0;
    for (unsigned band = 0; band < quantizer->bands; band++) {
        unsigned kind = band ? (band - 1) % 3 + 1 : 0, level = band ? (band - 1) / 3 + 1 : 0;
        double step = base_step / synthesis_norm(kind, band ? decompositions - level + 1 : decompositions);
        unsigned exponent = 0;
        for (; step < 1 && exponent < 28; exponent++)
            step *= 2;
        unsigned mantissa = (unsigned)((step - 1) * 2048 + 0.5);
        mantissa = step < 1 ? 0 : mantissa > 2047 ? 2047 : mantissa;
        quantizer->step[band] = (uint16_t)(exponent << 11 | mantissa);
        /* (E-3): step = 2^(precision + gain - exponent) (1 + mantissa / 2^11) */
        int power = (int)setup->precision + (int)band_gain_log2((enum band_kind)kind) - (int)exponent;
        setup->scale[band] = (float)(1 / ldexp(1 + mantissa / 2048.0, power));
        unsigned planes = quantizer->guard_bits + exponent - 1;
        most = planes > most ? planes : most;
    }
    return most;
}

/* ---- the header ---- */

static void set_coding(struct codestream_coding *coding, const struct mist_encode_options *options, unsigned levels)
{
    coding->decompositions = (uint8_t)(levels - 1);
    coding->block_width_log2 = (uint8_t)log2_exact(options->block_width);
    coding->block_height_log2 = (uint8_t)log2_exact(options->block_height);
    coding->block_style = BLOCK_STYLE_HT;
    coding->reversible = !options->irreversible;
    coding->precincts = options->precinct_width || options->precinct_height;
    unsigned x = options->precinct_width ? log2_exact(options->precinct_width) : 15;
    unsigned y = options->precinct_height ? log2_exact(options->precinct_height) : 15;
    memset(coding->precinct, (int)(x | y << 4), sizeof coding->precinct);
}

/*
 * `bits` as in set_reversible_steps(). Sums of two samples within a lifting step are the same as in the decoder, so its
 * bound for LANE_16 (decode_plan.c, where P = bits + 1) holds here. For LANE_32: such a sum and the 2 that is added to
 * it take one bit more than `planes`, which comes from a bound that allows 16.6 for the rounding of the level in
 * question, of which its own two high-pass steps use at most 1.5. The RCT's R + 2 G + B takes two bits more than a
 * sample.
 */
static enum codec_lane choose_lane(unsigned bits, unsigned decompositions, unsigned planes)
{
    if (bits < LANE_16_BITS && decompositions <= LANE_16_DECOMPOSITIONS)
        return LANE_16;
    return planes <= 30 ? LANE_32 : LANE_64;
}

/* RCT or ICT. Not on the bit patterns of floats: they would need 33 bits, and their differences mean nothing. */
static bool has_transform(const struct mist_view *frame, const struct mist_encode_options *options)
{
    return frame->components >= 3 && options->color_transform && !mist_sample_is_float(frame->type);
}

static void set_header(struct encode_setup *setup, const struct mist_view *frame,
                       const struct mist_encode_options *options, unsigned planes)
{
    struct codestream_header *header = &setup->header;
    header->siz = (struct codestream_siz){
        .capabilities = 0x4000, /* bit 14: CAP is there */
        .x1 = frame->width,
        .y1 = frame->height,
        .tile_width = frame->width,
        .tile_height = frame->height,
        .components = frame->components,
        .tiles_wide = 1,
        .tiles_high = 1,
    };
    header->component = setup->component;
    header->coding = setup->coding;
    header->cap = (struct codestream_cap){
        .present = true,
        .parts = PCAP_PART15,
        .ccap15 = (uint16_t)(markers_magb(planes) | (options->irreversible ? 0x20 : 0)),
    };
    header->style = (struct codestream_style){
        .progression = (uint8_t)options->progression,
        .layers = 1,
        .component_transform = has_transform(frame, options),
    };
    if (mist_sample_is_float(frame->type)) {
        header->siz.capabilities |= 0x8200; /* 15444-2 Table A.2: extensions, of which the non-linearity is used */
        memset(setup->nonlinearity, NONLINEARITY_SIGN_MAGNITUDE, sizeof setup->nonlinearity);
        header->nonlinearity = setup->nonlinearity;
    }
    for (uint32_t c = 0; c < frame->components; c++) {
        setup->component[c] = (struct codestream_component){
            .precision = (uint8_t)setup->precision, .is_signed = mist_sample_is_signed(frame->type), .dx = 1, .dy = 1};
        setup->coding[c] = setup->coding[0];
    }
}

enum mist_status encode_setup(const struct mist_view *frame, const struct mist_encode_options *options,
                              struct encode_setup *setup, struct mist_error *error)
{
    enum mist_status status = check_arguments(frame, options, error);
    if (status)
        return status;
    memset(setup, 0, sizeof *setup);
    setup->precision = options->precision ? options->precision : (unsigned)(8 * mist_sample_size(frame->type));
    if (options->irreversible && setup->precision > 24)
        return error_set(error, MIST_ERROR_ARGUMENT, "irreversible coding takes up to 24 bits, not %u",
                         setup->precision);
    unsigned levels = options->levels ? (unsigned)options->levels : mist_level_count(frame->width, frame->height);
    set_coding(&setup->coding[0].coding, options, levels);
    bool transform = has_transform(frame, options);
    struct codestream_quantizer *quantizer = &setup->coding[0].quantizer;
    quantizer->bands = (uint8_t)(3 * (levels - 1) + 1);
    unsigned planes;
    if (options->irreversible) {
        planes = set_irreversible_steps(setup, quantizer, levels - 1, options->base_step);
        setup->lane = LANE_32;
    } else {
        const unsigned bits = setup->precision - 1 + transform; /* Cb and Cr of the RCT reach twice the samples (G.2) */
        planes = set_reversible_steps(quantizer, levels - 1, bits);
        setup->lane = choose_lane(bits, levels - 1, planes);
    }
    set_header(setup, frame, options, planes);
    bool by_resolution = options->progression <= MIST_RPCL; /* one layer: LRCP too goes by resolution */
    setup->tile_parts = options->tile_parts && by_resolution ? levels : 1;
    return MIST_OK;
}
