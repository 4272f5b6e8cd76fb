/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FORMAT_PACK_H
#define FORMAT_PACK_H

#include <mist/image.h>

/* Copies a frame's samples packed and interleaved, in the stated byte order, to `out` (mist_frame_bytes() of room). */
void pack_samples(const struct mist_view *frame, bool big_endian, uint8_t *out);

#endif
