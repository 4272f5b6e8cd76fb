/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMAT_DICOM_WRITER_H
#define FORMAT_DICOM_WRITER_H

#include "format/dicom_restore.h"

/* As format_writer_open(). */
enum mist_status dicom_writer_open(const struct format_target *target, struct format_writer **writer,
                                   struct mist_error *error);

/* The output's pixels: the original's at the target's size, whole samples in the order of the output. */
enum mist_status dicom_output_pixels(const struct format_target *target, const struct dicom_pixels *original,
                                     struct dicom_pixels *pixels, struct mist_error *error);

/*
 * dicom_encapsulate.c: the same with frames as lossless HTJ2K codestreams, one fragment each, found by an Extended
 * Offset Table (PS3.5, A.4; PS3.3, C.7.6.3.1.8). What is behind the pixel data of the original and bits beside its
 * samples are not written.
 */
bool dicom_encapsulate_fits(const struct dicom_archived *archived);
enum mist_status dicom_encapsulate_open(const struct format_target *target, const struct dicom_archived *archived,
                                        struct format_writer **writer, struct mist_error *error);
/*
 * The UID of the transfer syntax of which a codestream is a frame of an image with these pixels; NULL where it is none:
 * of another size, lossy, with colours transformed where they are no RGB ...
 */
const char *dicom_encapsulate_syntax(const struct dicom_pixels *pixels, const uint8_t *data, size_t size);

#endif
