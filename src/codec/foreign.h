/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Codestreams of other kinds than JPEG 2000, which items keep as the highest level of lossy sources: JPEG of 12 bits,
 * JPEG-LS and the like, and lossy JPEG 2000. Their decoders are DCMTK's, in format/dicom_stream_decode.c of libmist;
 * libmist-core is linked with foreign_core.c instead, which decodes JPEG 2000 and refuses the others.
 */
#ifndef CODEC_FOREIGN_H
#define CODEC_FOREIGN_H

#include <mist/image.h>

/*
 * Decodes a frame that came compressed into a view of an integer type. `precision`: bits that the file declares;
 * `convert`: colours from YCbCr to RGB. Thread-safe.
 */
enum mist_status foreign_decode(const uint8_t *data, size_t size, unsigned precision, bool convert,
                                const struct mist_view *view, struct mist_error *error);

#endif
