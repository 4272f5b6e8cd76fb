/* SPDX-License-Identifier: BSD-2-Clause */
/* HTJ2K (ISO/IEC 15444-15): samples in memory <-> codestreams in memory. */
#ifndef MIST_CODEC_H
#define MIST_CODEC_H

#include <mist/buffer.h>
#include <mist/image.h>
#include <mist/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A codec context: scratch memory that is reused from call to call, and threads, asleep between calls, once a call has
 * asked for several. Use one per thread; calls on different contexts may run at the same time. After a fork() the child
 * makes its own. No other state: the same arguments give the same bytes.
 */
typedef struct mist_codec mist_codec;

/*
 * All functions are whole-buffer: they read [data, data + size), which stays the caller's and is never written, and
 * either fill what the caller has allocated (mist_decode) or a mist_buffer that the caller frees with
 * mist_buffer_free() (mist_encode, mist_codestream_reduce, mist_jph_wrap). They return MIST_OK or a status whose
 * sentence is in `error`, which may be NULL and is left as it was on success. Functions without a context argument may
 * be called from any thread at any time. Input may come from anywhere: what it claims is checked before memory is
 * allocated for it (sides to MIST_MAX_SIDE, outputs to max_samples, structures to a multiple of the input's size).
 */

/* A new context, or NULL when memory is short. */
MIST_API mist_codec *mist_codec_new(void);
/* Frees the context and nulls the pointer. Safe on NULL and on a pointer to NULL. */
MIST_API void mist_codec_free(mist_codec **codec);

enum mist_progression { MIST_LRCP, MIST_RLCP, MIST_RPCL, MIST_PCRL, MIST_CPRL };

struct mist_encode_options {
    unsigned precision;   /* bits of a sample; 0: those of the sample type */
    int levels;           /* resolution levels (decompositions + 1); 0: by mist_level_count() */
    unsigned block_width; /* code-block: powers of two, 4..1024, product at most 4096; default 64 x 64 */
    unsigned block_height;
    unsigned precinct_width; /* powers of two at the full resolution; 0: maximal (2^15) */
    unsigned precinct_height;
    enum mist_progression progression; /* default MIST_RPCL */
    bool tile_parts;                   /* one per resolution level (LRCP, RLCP, RPCL; else one); default true */
    bool color_transform; /* RCT (or ICT) on the first three components; default true, ignored below 3 components */
    bool irreversible;    /* 9/7 with quantisation, for previews; default false: lossless 5/3 */
    double base_step;     /* quantisation step as a fraction of the range; default 1/256; irreversible only */
    unsigned threads;     /* threads for one frame; default 1 */
};

/* What a store's items are coded with: the defaults that the fields above name. */
MIST_API struct mist_encode_options mist_encode_options_default(void);

/*
 * Encodes one frame (every type but f64; 1 to 4 components; any strides) into `out`, which is overwritten. `options`
 * NULL: the defaults. Floats are coded losslessly as their bit patterns in the order of the values, marked as NLT
 * type 3 of 15444-2; NaN payloads, infinities and -0.0 survive. No colour transform is applied to them.
 * MIST_ERROR_RANGE if a sample does not fit into options->precision (two's complement where the type is signed);
 * MIST_ERROR_ARGUMENT for options that are not allowed, _LIMIT for a frame that is too large, _MEMORY. On failure `out`
 * is empty. Free it with mist_buffer_free().
 */
MIST_API enum mist_status mist_encode(mist_codec *codec, const struct mist_view *frame,
                                      const struct mist_encode_options *options, struct mist_buffer *out,
                                      struct mist_error *error);

/* One component of a codestream. */
struct mist_component_info {
    unsigned precision; /* 1 .. 38 as signalled; decoding takes up to 32 */
    bool is_signed;
    bool ordered_float; /* signed, 16 or 32 bits, NLT of type 3 (15444-2): bit patterns of floats, or plain integers */
    uint32_t width;     /* columns and rows (sub-sampled components have fewer than the image area) */
    uint32_t height;
};

/* What a codestream's main header says. */
struct mist_codestream_info {
    uint32_t width; /* of the image area on the reference grid at full resolution */
    uint32_t height;
    uint32_t components;                                       /* 1 .. 16384 */
    struct mist_component_info component[MIST_MAX_COMPONENTS]; /* the first of them at full resolution */
    unsigned levels; /* resolution levels that every tile-component has: the smallest count */
    bool reversible;
    uint32_t tiles;
};

/* Reads the main header; `data` may also be a JPH file. */
MIST_API enum mist_status mist_codestream_info(const uint8_t *data, size_t size, struct mist_codestream_info *info,
                                               struct mist_error *error);

/*
 * A component (0 .. components-1) reduced by `reduce` levels. Its size is mist_reduced_size() of the full one, except
 * in streams whose image area does not begin at the origin of the reference grid, where it may be one more or less.
 * MIST_ERROR_ARGUMENT if there is no such component or level. `data` may be a JPH file.
 */
MIST_API enum mist_status mist_codestream_component(const uint8_t *data, size_t size, uint32_t component,
                                                    unsigned reduce, struct mist_component_info *info,
                                                    struct mist_error *error);

struct mist_decode_options {
    unsigned reduce;  /* resolution levels to drop; 0: full size */
    bool best_effort; /* use code-blocks of incomplete levels too, instead of falling back to the last complete one */
    bool region;      /* decode only the rectangle below */
    uint32_t x, y, width, height; /* in samples of the reduced image */
    int component;                /* -1: all (they must have equal sizes); else only this one */
    unsigned threads;             /* threads for one frame; default 1 */
    uint64_t max_samples;         /* refuse larger outputs; 0: MIST_MAX_FRAME_BYTES / 4 */
};
MIST_API struct mist_decode_options mist_decode_options_default(void);

/* What mist_decode() did. */
struct mist_decode_report {
    uint32_t blocks_decoded; /* code-blocks whose coding passes were decoded */
    unsigned levels_used;    /* resolution levels whose data went into the picture */
};

/*
 * Decodes `data` into `out`, whose width, height, components and type the caller has set from
 * mist_codestream_info() and mist_codestream_component(): an integer type that holds precision and sign, or a wider one
 * of either signedness if all values fit (else MIST_ERROR_RANGE); f16 or f32 where all components are ordered_float of
 * 16 or 32 bits. Reduced floats lie between their neighbours' values, an average beside a NaN or infinity may be
 * either. Values are clamped to the component's range as 15444-1 G.1.2 says. A stream that ends early at a tile-part
 * boundary decodes at any reduce whose levels are complete; asked for more, it fails with MIST_ERROR_TRUNCATED unless
 * best_effort is set. `report` may be NULL. `data` may be a JPH file.
 */
MIST_API enum mist_status mist_decode(mist_codec *codec, const uint8_t *data, size_t size,
                                      const struct mist_decode_options *options, struct mist_view *out,
                                      struct mist_decode_report *report, struct mist_error *error);

/*
 * Which prefix holds which level: level_end[l] is the number of bytes that a stream must be cut to so that resolution
 * levels 0..l are complete; level_end is set for `levels` entries and `complete` says how many of them `data` holds.
 * What `data` holds is found by walking tile-parts and packet headers; the ends of levels that it does not hold come
 * from TLM if there is one tile with a tile-part for each level, else they are 0. Offsets count from data[0], also
 * where that is a JPH file. Streams whose levels are not in order (LRCP, PCRL...) get the smallest prefix that contains
 * all of level l.
 */
struct mist_codestream_index {
    unsigned levels;
    unsigned complete;
    uint64_t header_end; /* where the main header ends */
    uint64_t level_end[MIST_MAX_LEVELS];
};
MIST_API enum mist_status mist_codestream_index(const uint8_t *data, size_t size, struct mist_codestream_index *index,
                                                struct mist_error *error);

/*
 * Rewrites headers so that levels 0..L-reduce become a standalone codestream of ceil(W/2^r) x ceil(H/2^r) (SIZ, COD,
 * QCD, TLM, tile-parts, EOC), no pixel decoded. `data` must have one tile, RPCL or RLCP order (LRCP with one layer) and
 * one tile-part per resolution (what mist_encode() writes); it may be a prefix that holds those levels. What tile-part
 * headers say besides (PLT, COM) is left away. `out` is overwritten.
 */
MIST_API enum mist_status mist_codestream_reduce(const uint8_t *data, size_t size, unsigned reduce,
                                                 struct mist_buffer *out, struct mist_error *error);

/*
 * Puts a codestream (not a JPH file) into a JPH file (15444-15 Annex D): signature, file type, image header and colour
 * specification boxes around it; sRGB for 3 or 4 components, else greyscale. `out` is overwritten.
 */
MIST_API enum mist_status mist_jph_wrap(const uint8_t *data, size_t size, struct mist_buffer *out,
                                        struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
