/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as pictures that browsers show. */
#ifndef HOST_RENDER_H
#define HOST_RENDER_H

#include <mist/buffer.h>
#include <mist/image.h>

/*
 * A JPEG (quality 90) of 1 or 3 components: 8-bit unsigned samples as they are, all others windowed to 8 bits from the
 * smallest to the largest finite value of the frame. `out` is overwritten.
 */
enum mist_status render_jpeg(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                             struct mist_error *error);

#endif
