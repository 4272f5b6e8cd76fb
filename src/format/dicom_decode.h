/* SPDX-License-Identifier: BSD-2-Clause */
/* One compressed DICOM frame -> samples. */
#ifndef FORMAT_DICOM_DECODE_H
#define FORMAT_DICOM_DECODE_H

#include "format/dicom_pixels.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Decodes one frame into `samples`, which has room for the bytes of pixels' span of frame 0 and gets them in the layout
 * that `pixels` states. Lossless kinds give what was encoded; lossy ones what DCMTK's (JPEG, JPEG-LS), OpenJPEG's (JPEG
 * 2000) or MIST's own decoder (HTJ2K) makes of them. JPEG colours are converted to RGB where the file says YBR_FULL or
 * YBR_FULL_422. Memory beside that of the result is a small multiple of the frame's. Thread-safe.
 */
enum mist_status dicom_decode(const struct dicom_pixels *pixels, enum dicom_coding coding, const uint8_t *data,
                              size_t size, uint8_t *samples, struct mist_error *error);

/* RLE (PS3.5, annex G) of `count` pixels into whole samples of `bytes` bytes, little endian, interleaved. */
enum mist_status dicom_rle_decode(const uint8_t *data, size_t size, size_t count, unsigned components, unsigned bytes,
                                  uint8_t *samples, struct mist_error *error);

/*
 * JPEG and JPEG-LS by DCMTK into interleaved samples of 1 byte (precision up to 8) or 2 in the machine's order.
 * `convert`: colours from YCbCr to RGB, of lossy JPEG only. `stream` was read from `data` and fits `pixels`.
 */
enum mist_status dicom_jpeg_decode(const struct dicom_pixels *pixels, const struct dicom_stream *stream, bool convert,
                                   const uint8_t *data, size_t size, uint8_t *samples, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
