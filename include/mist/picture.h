/* SPDX-License-Identifier: BSD-2-Clause */
/* Single pictures in files. */
#ifndef MIST_PICTURE_H
#define MIST_PICTURE_H

#include <mist/image.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes one picture, aside and renamed. The name's extension says how: .npy (height x width, or height x width x
 * components, in the view's type), .pgm (1 component), .ppm (3), .png (8 or 16 bits), .pgx (1 component, any sign).
 * `precision` is the bits that the samples may need. MIST_ERROR_ARGUMENT if the format cannot hold the picture.
 */
MIST_API enum mist_status mist_picture_write(const char *path, const struct mist_view *picture, unsigned precision,
                                             struct mist_error *error);

/*
 * Reads one frame (0 for the first) of an image file into `samples`, which is overwritten and which the caller frees
 * with mist_buffer_free(); `picture` shows them. The content says how: binary PGM and PPM, PGX, and every format that a
 * dataset takes in (PNG, DICOM, NIfTI, .npy: height x width, with frames before it or 1 to 4 components behind it).
 * *precision: the bits that the file says its samples need. Errors name the file. Thread-safe.
 */
MIST_API enum mist_status mist_picture_read(const char *path, uint32_t frame, struct mist_buffer *samples,
                                            struct mist_view *picture, unsigned *precision, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
