/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples, geometry, resampling and image metrics: what the rest of MIST means by "an image". */
#ifndef MIST_IMAGE_H
#define MIST_IMAGE_H

#include <mist/buffer.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mist_sample_type {
    MIST_U8,
    MIST_S8,
    MIST_U16,
    MIST_S16,
    MIST_U32,
    MIST_S32,
    MIST_F16,
    MIST_F32,
    MIST_F64,
    MIST_S64,
    MIST_U64,
    MIST_SAMPLE_TYPES /* how many there are */
};

/* Bytes of one sample; 0 for a value that is no sample type. */
MIST_API size_t mist_sample_size(enum mist_sample_type type);
/* "u8", "s16", "f32", ... or NULL. The reverse returns MIST_SAMPLE_TYPES for an unknown name. */
MIST_API const char *mist_sample_name(enum mist_sample_type type);
MIST_API enum mist_sample_type mist_sample_type_from_name(const char *name);
MIST_API bool mist_sample_is_signed(enum mist_sample_type type); /* s8 .. s64 and the floats */
MIST_API bool mist_sample_is_float(enum mist_sample_type type);

/* Limits that every reader enforces before it multiplies or allocates. */
#define MIST_MAX_SIDE 65535u                   /* columns or rows of a frame */
#define MIST_MAX_FRAME_BYTES ((size_t)1 << 31) /* raw bytes of one frame */
#define MIST_MAX_FRAMES 1000000u               /* frames of an item */
#define MIST_MAX_COMPONENTS 4u
#define MIST_MAX_LEVELS 33u /* resolution levels: 32 decompositions + 1 (15444-1, Table A.15) */

/*
 * One frame of samples in memory that somebody else owns. Sample (x, y) of component c is at
 * data + x * column_stride + y * row_stride + c * component_stride (strides in bytes, in the machine's byte order,
 * each sample aligned to its size). Planar and interleaved images are both views.
 */
struct mist_view {
    void *data;
    enum mist_sample_type type;
    uint32_t width;
    uint32_t height;
    uint32_t components;
    size_t column_stride;
    size_t row_stride;
    size_t component_stride;
};

/* A view of tightly packed samples: interleaved (component fastest) or planar (component slowest). */
MIST_API struct mist_view mist_view_interleaved(void *data, enum mist_sample_type type, uint32_t width, uint32_t height,
                                                uint32_t components);
MIST_API struct mist_view mist_view_planar(void *data, enum mist_sample_type type, uint32_t width, uint32_t height,
                                           uint32_t components);
/* Bytes of a tightly packed frame, or 0 if a side is 0 or beyond the limits above. */
MIST_API size_t mist_frame_bytes(enum mist_sample_type type, uint32_t width, uint32_t height, uint32_t components);

/*
 * Where samples are in the patient. `affine` maps (column, row, frame, 1) to millimetres in RAS+ (the NIfTI
 * convention: x to the right, y to the front, z to the head) and is valid only if has_affine. `spacing` is in
 * millimetres along column, row, frame; 0 where unknown.
 */
struct mist_geometry {
    bool has_affine;
    double affine[4][4];
    double spacing[3];
};

/*
 * The geometry of the same image reduced r times by the 5/3 low-pass: sample n sits on full-resolution sample 2^r n,
 * so in-plane spacing and affine columns are multiplied by 2^r and the origin stays.
 * With `centered`, of the conventional pixel grid: the origin also moves by (2^r - 1)/2 full-resolution samples
 * in-plane.
 */
MIST_API struct mist_geometry mist_geometry_reduce(const struct mist_geometry *full, unsigned reduce, bool centered);

/* The geometry of an image resampled from width x height to new_width x new_height over the same field of view. */
MIST_API struct mist_geometry mist_geometry_resize(const struct mist_geometry *full, uint32_t width, uint32_t height,
                                                   uint32_t new_width, uint32_t new_height);

/* ceil(size / 2^reduce): a side at a reduced level. */
MIST_API uint32_t mist_reduced_size(uint32_t size, unsigned reduce);

/*
 * Resolution levels of a width x height frame by equation (1) of the paper: N = ceil(log2(min(X,Y)/32)), at least 1.
 * The number of wavelet decompositions is N - 1; the smallest level's short side is in (32, 64] when N > 1.
 */
MIST_API unsigned mist_level_count(uint32_t width, uint32_t height);

/* What every frame of an item has in common. */
struct mist_image_info {
    enum mist_sample_type type; /* of the original samples */
    unsigned precision;         /* bits that the values need (sign included where signed): 1 .. 8 * sample size */
    uint32_t width;             /* columns */
    uint32_t height;            /* rows */
    uint32_t components;        /* samples per pixel */
    uint32_t frames;            /* planes: slices x volumes */
    uint32_t slices;            /* spatial slices of a volume; frame f is slice f % slices of volume f / slices */
    uint8_t axes[3];            /* which axis of the file is column, row, slice: {0, 1, 2} but for turned volumes */
    bool label;                 /* values are names (masks, palettes): never averaged */
    struct mist_geometry geometry;
};

/* ---- resampling: src and dst have the same type and components; any strides; they do not overlap ---- */

/* Every 2^reduce-th sample: labels on the grid of the reduced images. dst is ceil(size/2^reduce). */
MIST_API enum mist_status mist_subsample(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                         struct mist_error *error);
/*
 * Area average of src onto dst's size (dst no larger than src on either side): each output sample is the mean of the
 * src area it covers, fractions weighted. Integers are rounded to nearest (ties to even). This is the conventional
 * downsampling that SSIM and MAD are measured against. For a reduced level of odd sizes pass dst of ceil(size/2^r):
 * use mist_area_reduce() then, whose pixels are whole 2^r x 2^r blocks (the last ones smaller).
 */
MIST_API enum mist_status mist_area_resize(const struct mist_view *src, struct mist_view *dst,
                                           struct mist_error *error);
MIST_API enum mist_status mist_area_reduce(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                           struct mist_error *error);
/*
 * A reduced image (native grid) interpolated onto the conventional grid of the same size, (2^r - 1) / 2^(r+1) of its
 * own samples further right and down (cubic convolution, a = -0.5, edges clamped, integers rounded and clamped).
 */
MIST_API enum mist_status mist_grid_center(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                           struct mist_error *error);
/* The reverse, of a reduced image on the conventional grid (JPEG levels, pyramids) onto the native one. */
MIST_API enum mist_status mist_grid_native(const struct mist_view *src, unsigned reduce, struct mist_view *dst,
                                           struct mist_error *error);
/*
 * Resamples to exactly dst's size over the same field of view, where src is on the centred grid: area averaging where
 * it shrinks, cubic convolution where it grows; `nearest` for labels.
 */
MIST_API enum mist_status mist_resize(const struct mist_view *src, struct mist_view *dst, bool nearest,
                                      struct mist_error *error);

/* ---- metrics: a and b have the same size and components; any sample types ---- */

/* Smallest and largest finite sample; both 0 if there is none. */
MIST_API void mist_range(const struct mist_view *view, double *minimum, double *maximum);
/*
 * Mean SSIM (Wang et al. 2004): Gaussian window 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, population variance, mean over
 * all pixels whose window lies inside the image (the 11x11 window is shrunk to an odd side for smaller images) and over
 * components. Values are taken as above `least`, `data_range` (> 0) is their span; usually both are those of the
 * reference image, for the index depends on where zero is: values on both sides of it have means near it, and every
 * small difference of these counts. Windows with a NaN or an infinity in them are left out; MIST_ERROR_RANGE if nothing
 * remains.
 */
MIST_API enum mist_status mist_ssim(const struct mist_view *a, const struct mist_view *b, double least,
                                    double data_range, double *ssim, struct mist_error *error);
/* Mean absolute difference of values divided by data_range (so, of values scaled to [0,1]); finite samples only. */
MIST_API enum mist_status mist_mad(const struct mist_view *a, const struct mist_view *b, double data_range, double *mad,
                                   struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
