/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing packets: headers (15444-1 B.10) and bodies, of one quality layer. */
#ifndef CODEC_PACKET_WRITE_H
#define CODEC_PACKET_WRITE_H

#include "codec/tile.h"

#include <mist/buffer.h>

/*
 * Appends the packet of one precinct whose blocks are coded (cleanup and cleanup_size; size 0: not included), each
 * with one cleanup pass and Mb - 1 zero bit-planes. `arena` is used for a while. False when memory is short.
 */
bool packet_write(struct mist_buffer *out, struct arena *arena, const struct resolution *resolution,
                  const struct precinct *precinct);

#endif
