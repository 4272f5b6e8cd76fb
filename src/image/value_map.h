/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the samples of an item become planes of integers for the coders, and back: bit for bit at full size, and as
 * numbers at every reduced level. docs/values.md is the same for readers in other languages.
 *
 * A value map turns a frame of samples into up to three planes:
 *
 *   coded      integers, for the wavelet coder (kind ranks: for the label coder). Every sample has one. What the coder
 *              returns at a reduced level are averages of them.
 *   holes      u16, where map->holes.count > 0: 0 for a measurement, h for a sample that is none and whose exact
 *              pattern is holes.pattern[h - 1]. For the label coder: a reduced level is exactly every 2^r-th one.
 *   remainder  unsigned integers as wide as the samples, where map->remainder: what the two above leave out. It belongs
 *              to the full level only.
 *
 * Kinds, with k the coded integer:
 *
 *   identity   k is the sample. Integers of up to 32 bits.
 *   linear     The sample is (type)(a + b * (double)k), exactly, for every sample. Floats that are scaled integers;
 *              64-bit integers whose range fits 32 bits (b = 1, a whole and |a| <= 2^52).
 *   table      The sample is about a + b * k, and exactly table[k - lowest]. Floats of few different values: normalised
 *              or z-scored integers, quantised probabilities. The table belongs to the full level only.
 *   quantised  The sample is about a + b * k; the remainder makes it exact. All other floats and 64-bit integers.
 *              b is a power of two, so that about 2^12 steps cover the bulk of the values.
 *   ranks      Labels. All components of a pixel together are one value, and k (one component, u16) is its rank among
 *              the item's different values, of which there are at most 65,536: rank[k]. Ranks are never averaged: the
 *              label coder samples them. A NaN is a value like others; there are no holes.
 *
 * Holes are samples that are no measurement: NaN, infinities, floats far beyond the bulk of the item's values
 * (VALUE_OUTLIER_SPANS), and values that the caller names, such as DICOM's padding. Under a hole the coded plane has
 * what its surroundings suggest (pull-push: means of what is known on coarser and coarser grids, interpolated), so that
 * no average sees a hole's value, and a hole costs next to nothing. Where there are more than 65,535 different patterns
 * of holes (noise in NaN payloads), the lowest bits of the patterns are left to the remainder.
 *
 * Order codes. The order code o(p) of an n-bit pattern p is an unsigned n-bit integer in the order of the values: p of
 * unsigned types; p with its highest bit flipped of signed ones; of floats ~p if the sign bit is set, else p with it
 * set. A remainder is o(sample) - o(decoded), modulo 2^n, where decoded is what the coded and hole planes give.
 *
 * All functions are reentrant; a map is only read once it is made.
 */
#ifndef IMAGE_VALUE_MAP_H
#define IMAGE_VALUE_MAP_H

#include "base/bytes.h"

#include <mist/image.h>

enum value_map_kind {
    VALUE_MAP_IDENTITY,
    VALUE_MAP_LINEAR,
    VALUE_MAP_TABLE,
    VALUE_MAP_QUANTISED,
    VALUE_MAP_RANKS,
    VALUE_MAP_KINDS
};

#define VALUE_MAX_HOLES 65535u /* different patterns of holes */
#define VALUE_MAX_RANKS 65536u /* different values of labels; entries of a table */

/*
 * A float is an outlier, and so a hole, if it lies more than this many spans outside the interval from the 0.5th to the
 * 99.5th percentile of the item's values (its commonest value, usually the background, does not count where it is a
 * quarter of them); a span is the length of that interval. The wavelet then never spreads a 10^6 of a division by
 * nearly nothing over its neighbours, and a hot bladder in a PET (some 30 spans) is still a measurement. Integers have
 * none.
 */
#define VALUE_OUTLIER_SPANS 64

/* Samples that are no measurement: their patterns, zero-extended, ascending. */
struct value_holes {
    uint32_t count;
    uint64_t *pattern; /* [count] */
};

/* Start with all members zero; release with value_map_free(). */
struct value_map {
    enum value_map_kind kind;
    enum mist_sample_type source; /* type of the samples */
    uint32_t components;          /* of the samples; ranks has one coded component, the others as many as these */
    enum mist_sample_type coded;  /* identity: source; ranks: u16; else u16, s16, u32 or s32 */
    unsigned precision;           /* bits that coded values need (sign included where coded is signed): 1 .. 32 */
    double a, b;                  /* linear, table, quantised: b > 0, both finite; else 0 */
    /* Coded values outside holes; a reduced level's are clamped to it. Identity without holes: all of the precision. */
    int64_t lowest, highest;
    bool remainder;      /* there are remainder planes */
    uint64_t *table;     /* table: [highest - lowest + 1] patterns; NULL where it is not here (below the full level) */
    uint32_t rank_count; /* ranks: 1 .. VALUE_MAX_RANKS */
    uint64_t *rank;      /* ranks: [rank_count], ascending: the order codes of the components, the first one highest */
    struct value_holes holes;
    unsigned hole_bits; /* used by value_map_forward() only, not stored: lowest bits of holes left to the remainder */
};

/* "identity", "linear", "table", "quantised", "ranks"; NULL for no kind. */
const char *value_map_kind_name(enum value_map_kind kind);

/* Frees what a map owns and zeroes it. */
void value_map_free(struct value_map *map);

/* Whether a map that was read from a file makes sense (else MIST_ERROR_CORRUPT). All functions below need that. */
enum mist_status value_map_check(const struct value_map *map, struct mist_error *error);

/* The map of integers of up to 32 bits that are coded as they are at a precision that somebody vouches for. */
struct value_map value_map_identity(enum mist_sample_type type, uint32_t components, unsigned precision);

/* ---- what the values are like ---- */

#define VALUE_LABEL_VALUES 1024u /* more different values than these are no labels by their content */

struct value_statistics {
    uint64_t pixels;         /* of all frames; below, the value of a pixel is that of all its components together */
    bool whole;              /* every sample is a whole number */
    uint32_t distinct;       /* different values; VALUE_MAX_RANKS + 1: more than VALUE_MAX_RANKS, or not counted */
    double minimum, maximum; /* of the finite samples; 0 if there are none */
    double common;           /* share of the commonest value among the pixels that have a left and an upper neighbour */
    /*
     * Of all pairs of a pixel and its left or upper neighbour, those whose pixel is not of the commonest value: the
     * share of equal ones (0 to 1). Then the same share for each value by itself: the share that half of the values
     * reach. Both are 1 where there is one value only, and 0 where there are more than VALUE_LABEL_VALUES.
     */
    double flatness;
    double typical_flatness;
};

/*
 * Whether the values look like names of regions: whole numbers, few different ones, in large areas of one value.
 * Content alone; the caller knows names. A constant image does.
 */
bool value_looks_like_labels(const struct value_statistics *statistics);

/* ---- choosing a map ---- */

enum value_wish {
    VALUE_AS_IMAGE,  /* never ranks */
    VALUE_AS_LABELS, /* ranks, or MIST_ERROR_UNSUPPORTED: more than VALUE_MAX_RANKS values, or pixels of over 64 bits */
    VALUE_LABELS_IF_ALIKE, /* ranks if value_looks_like_labels() */
};

/* Patterns low .. high (in the order of the values, both included) that the caller thinks are no measurements. */
struct value_candidate {
    uint64_t low, high; /* zero-extended patterns of the sample type */
};
#define VALUE_MAX_CANDIDATES 8u

/*
 * Candidates become holes where they are apart from the measurements: outside the range of all other samples, and not
 * next to it (a padding of 0 beside tissue from 1 is averaged with no harm). A padding value declared with the wrong
 * sign has the same pattern, so patterns are what is asked for.
 */
struct value_options {
    enum value_wish wish;
    uint32_t candidates; /* 0 .. VALUE_MAX_CANDIDATES */
    struct value_candidate candidate[VALUE_MAX_CANDIDATES];
};

/*
 * `read` must fill `frame` (of `type`, tightly packed and interleaved) and may be called from several threads.
 * statistics may be NULL. `map` is overwritten; the caller frees it.
 * All frames are read once on up to `threads` threads; those of floats with more than 65,536 different values, or with
 * outliers, once more. The same samples give the same map and statistics, whatever the threads. Memory: a frame, and
 * about 2 MB, for each thread.
 */
struct value_map_frames {
    enum mist_sample_type type;
    uint32_t width, height, components, frames;
    enum mist_status (*read)(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error);
    void *context;
};
enum mist_status value_map_choose(const struct value_map_frames *frames, const struct value_options *options,
                                  unsigned threads, struct value_map *map, struct value_statistics *statistics,
                                  struct mist_error *error);

/* ---- using it: any strides, all views of one size ---- */

/* Components of the coded plane. Hole and remainder planes have as many as the samples. */
uint32_t value_map_coded_components(const struct value_map *map);
/* Type of the remainder's samples: u8, u16, u32 or u64, as wide as the source's. */
enum mist_sample_type value_map_remainder_type(const struct value_map *map);

/*
 * samples -> coded, holes (u16; may be NULL if the map has none), remainder (may be NULL if the map has none).
 * MIST_ERROR_RANGE if a sample is not one that the map was made for.
 */
enum mist_status value_map_forward(const struct value_map *map, const struct mist_view *samples,
                                   struct mist_view *coded, struct mist_view *holes, struct mist_view *remainder,
                                   struct mist_error *error);

/*
 * coded -> samples. `reduced` where coded are averages: they are clamped to the map's range, and no table is asked for.
 * Any coded values are taken. Then, at every level, value_map_apply_holes() overwrites the samples where `holes` (u16)
 * is not 0 (MIST_ERROR_CORRUPT for a number that is none of the map's). Then, at the full level, the remainder.
 */
enum mist_status value_map_inverse(const struct value_map *map, const struct mist_view *coded, bool reduced,
                                   struct mist_view *samples, struct mist_error *error);
enum mist_status value_map_apply_holes(const struct value_map *map, const struct mist_view *holes,
                                       struct mist_view *samples, struct mist_error *error);
enum mist_status value_map_apply_remainder(const struct value_map *map, const struct mist_view *remainder,
                                           struct mist_view *samples, struct mist_error *error);

/* ---- as bytes: docs/values.md, "The map" and "The table" ---- */

/*
 * varint: LEB128, 7 bits a byte, the lowest first, at most 10 bytes. svarint: a varint of (v << 1) ^ (v >> 63). real: a
 * varint of the eight bytes of a binary64 read in the opposite order, so that short fractions are short.
 *
 *   byte 0   bits 0-2 kind; bits 3-6 source type (u8, s8, u16, s16, u32, s32, f16, f32, f64, s64, u64 from 0);
 *            bit 7: there are holes
 *   byte 1   bits 0-4 precision - 1; bit 5: coded is signed; bit 6: there are remainders; bit 7: a range follows
 *   linear, table, quantised: real a, real b
 *   if there is a range:  svarint lowest, varint highest - lowest
 *   ranks:   byte components, plus 128 if the ranks are stored as whole numbers (one float component, all values whole,
 * of at most 2^53, no -0.0); varint rank_count; varint runs; svarint of the first number; `runs` pairs of varints
 *            (step, times): the next `times` numbers each are `step` more than the one before. A number is the value
 *            itself, or the rank minus centre: 2^(n-1) for one signed or float component of n bits, else 0
 *   holes:   varint count, varint of the first pattern, and for each further one varint of its distance to the one
 * before
 *
 * Identity, linear, table and quantised do not store the components (they are the samples'), nor `coded`: identity's is
 * the source, else 16 bits up to a precision of 16, and 32 bits above. Reading needs the components of the item. What
 * is read has been checked; bytes behind it are left in the reader. MIST_ERROR_CORRUPT, _MEMORY (at most 2 MB are
 * allocated).
 */
enum mist_status value_map_write(const struct value_map *map, struct mist_buffer *out, struct mist_error *error);
enum mist_status value_map_read(struct byte_reader *reader, uint32_t components, struct value_map *map,
                                struct mist_error *error);

#endif
