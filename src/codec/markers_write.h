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
 * Stores a TLM segment of MARKERS_TLM_SIZE(count) bytes for `count` <= MIST_MAX_LEVELS tile-parts of tile 0; length[i]
 * < 2^32 is that of a tile-part with its markers.
 */
#define MARKERS_TLM_SIZE(count) (6 + 5 * (size_t)(count))
void markers_store_tlm(uint8_t *segment, const uint64_t *length, unsigned count);

/* Stores SOT and SOD, CODESTREAM_PART_HEADER bytes, of tile-part `index` of `count`; `length` counts them too. */
void markers_store_part_header(uint8_t *header, unsigned index, unsigned count, uint64_t length);

bool markers_write_eoc(struct mist_buffer *out);

/* Ccap15's MAGB field for blocks of at most `planes` magnitude bit-planes (15444-15 A.3, bits 0 to 4). */
unsigned markers_magb(unsigned planes);

#endif
