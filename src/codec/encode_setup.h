/* SPDX-License-Identifier: BSD-2-Clause */
/* From encode options and a frame's shape to the parameters of its codestream. */
#ifndef CODEC_ENCODE_SETUP_H
#define CODEC_ENCODE_SETUP_H

#include "codec/codestream.h"
#include "codec/kernels.h"

/* What tile_make_precinct() takes as the size of the input that pays for the blocks: a frame has room for all. */
#define ENCODE_INPUT_SIZE ((size_t)1 << 40)

struct encode_setup {
    struct codestream_header header; /* its arrays are the three below */
    struct codestream_component component[MIST_MAX_COMPONENTS];
    struct codestream_component_coding coding[MIST_MAX_COMPONENTS];
    uint8_t nonlinearity[MIST_MAX_COMPONENTS]; /* floats only */
    unsigned precision;
    unsigned tile_parts;
    enum codec_lane lane;
    float scale[CODESTREAM_MAX_BANDS]; /* 1 / step of each band; irreversible only */
};

/* Checks everything that a caller may get wrong; MIST_ERROR_ARGUMENT or _LIMIT with a sentence. */
enum mist_status encode_setup(const struct mist_view *frame, const struct mist_encode_options *options,
                              struct encode_setup *setup, struct mist_error *error);

/*
 * Magnitude bit-planes that a band of the reversible transform needs: samples of `bits` magnitude bits (|x| <= 2^bits),
 * `decomposition` levels down (0: no wavelet). Proof at the definition.
 */
unsigned encode_reversible_planes(unsigned bits, unsigned kind, unsigned decomposition);

#endif
