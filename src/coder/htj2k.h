/* SPDX-License-Identifier: BSD-2-Clause */
/* What the HTJ2K coder's chunks are to the codec. */
#ifndef CODER_HTJ2K_H
#define CODER_HTJ2K_H

#include "codec/packets.h"
#include "coder/coder.h"

/* A frame's chunks as the packets of its codestream, those that are not at hand with data NULL. */
void htj2k_packets(const struct coder_stream *stream, const struct coder_parts *parts, struct codec_packets *packets);

#endif
