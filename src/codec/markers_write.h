/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing a main header from its parameters (15444-1 Annex A, 15444-15 Annex A). */
#ifndef CODEC_MARKERS_WRITE_H
#define CODEC_MARKERS_WRITE_H

#include "codec/codestream.h"

#include <mist/buffer.h>

/*
 * Appends SOC, SIZ, CAP, COD, QCD, and NLT for floats; all components are coded as component 0 says. False when memory
 * is short. The segments a codestream of ours has no use for (COC, QCC, POC, COM ...) are never written.
 */
bool markers_write_main(struct mist_buffer *out, const struct codestream_header *header);

/*
 * Appends a TLM for `count` tile-parts of tile 0 (Ztlm 0, 1-byte tile indices, 4-byte lengths), the lengths zero.
 * Returns the offset of the first length in *lengths; each next one is MARKERS_TLM_ENTRY bytes on.
 */
#define MARKERS_TLM_ENTRY 5
bool markers_write_tlm(struct mist_buffer *out, unsigned count, size_t *lengths);

/* Appends SOT (length zero, to be patched at offset + MARKERS_SOT_LENGTH) and SOD. */
#define MARKERS_SOT_LENGTH 6
bool markers_write_tile_part(struct mist_buffer *out, unsigned index, unsigned count);

bool markers_write_eoc(struct mist_buffer *out);

/* Ccap15's MAGB field for blocks of at most `planes` magnitude bit-planes (15444-15 A.3, bits 0 to 4). */
unsigned markers_magb(unsigned planes);

#endif
