/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the samples of an item become the integers that the codec codes, and back, bit for bit.
 *
 * identity  integers: coded as they are, at the precision that the values of this item need.
 * linear    floats that all are (type)(a + b * (double)k) for an integer |k| < 2^24 (scaled integers): k is coded.
 * ordered   all other floats: bit patterns, mapped to integers in the order of the values (binary16 -> s16, binary32
 *           -> s32), so that low-pass averages lie between their samples. Of binary64 the upper 32 bits are mapped so
 *           (plane 0) and the lower 32 bits, as s32, are plane 1; plane 1 is left out where all of it is zero. NaN
 *           payloads, infinities and -0.0 are bit patterns like any other.
 *
 * The order map of an n-bit pattern p is p if its sign bit is clear, else -1 - (p without its sign bit).
 * Component c, plane p is coded component c * planes + p. The planes have nothing to do with one another: no colour
 * transform may be applied where planes > 1.
 *
 * Reduced levels: the codec returns averages. Identity and linear: the same map. Ordered: the inverse map of plane 0
 * (the lower bits of a binary64 are 0), kept between the smallest and the largest value of the item; averages between
 * the finite values and a NaN or infinity become whichever is nearer, so that none appears where no sample was one.
 */
#ifndef IMAGE_VALUE_MAP_H
#define IMAGE_VALUE_MAP_H

#include <mist/image.h>

enum value_map_kind { VALUE_MAP_IDENTITY, VALUE_MAP_LINEAR, VALUE_MAP_ORDERED, VALUE_MAP_KINDS };

/* All members are needed for the inverse: an item stores them (a and b as their 64 bits). */
struct value_map {
    enum value_map_kind kind;
    enum mist_sample_type source; /* type of the samples */
    enum mist_sample_type coded;  /* type of what the codec codes: an integer type */
    unsigned precision;           /* bits that the coded values need (sign included where coded is signed) */
    unsigned planes;              /* coded components per component: 1 or 2 */
    double a;                     /* linear only, else 0 */
    double b;                     /* linear only, else 0; > 0 */
    /* Ordered only, else 0. Mapped values of plane 0: of all samples, and of the finite ones; if there are no finite
     * ones, finite_lowest > finite_highest. */
    int32_t lowest, highest;
    int32_t finite_lowest, finite_highest;
};

/* "identity", "linear", "ordered"; NULL for no kind. The reverse gives VALUE_MAP_KINDS for an unknown name. */
const char *value_map_kind_name(enum value_map_kind kind);
enum value_map_kind value_map_kind_from_name(const char *name);

/* Whether a map that was read from a file makes sense (else MIST_ERROR_CORRUPT): value_map_inverse() needs that. */
enum mist_status value_map_check(const struct value_map *map, struct mist_error *error);

/* ---- choosing a map ---- */

/*
 * Looks at all frames, on up to `threads` threads, through `read`, which must fill `frame` (of `type`, tightly packed)
 * and may be called from several threads. The same samples give the same map, whatever the threads. Integer frames are
 * read once; floats once more where they look like scaled integers, since every sample must be shown to be one.
 * MIST_ERROR_UNSUPPORTED if the map would need more than MIST_MAX_COMPONENTS coded components.
 */
struct value_map_frames {
    enum mist_sample_type type;
    uint32_t width, height, components, frames;
    enum mist_status (*read)(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error);
    void *context;
};
enum mist_status value_map_choose(const struct value_map_frames *frames, unsigned threads, struct value_map *map,
                                  struct mist_error *error);

/*
 * The same in steps. Scan every frame into a state (states of several threads are merged), propose maps, and take the
 * first one that value_map_holds() for every frame; the last one proposed always does.
 */
#define VALUE_MAP_PROPOSALS 3
struct value_map_state;
struct value_map_state *value_map_state_new(enum mist_sample_type type); /* NULL when memory is short */
void value_map_state_free(struct value_map_state **state);
void value_map_scan(struct value_map_state *state, const struct mist_view *frame);
void value_map_merge(struct value_map_state *state, const struct value_map_state *other);
unsigned value_map_propose(const struct value_map_state *state, struct value_map maps[VALUE_MAP_PROPOSALS]);
bool value_map_holds(const struct value_map *map, const struct mist_view *frame);

/* ---- using it ---- */

/*
 * samples (map->source, n components) -> coded (map->coded, n * map->planes components), same size, any strides.
 * MIST_ERROR_RANGE if a sample is not one that the map was made for.
 */
enum mist_status value_map_forward(const struct value_map *map, const struct mist_view *samples,
                                   struct mist_view *coded, struct mist_error *error);
/* The reverse; `reduced` where coded comes from a reduced level. Any coded values are taken. */
enum mist_status value_map_inverse(const struct value_map *map, const struct mist_view *coded, bool reduced,
                                   struct mist_view *samples, struct mist_error *error);

#endif
