/* SPDX-License-Identifier: BSD-2-Clause */
/* The variable-length codes of the HT cleanup pass (15444-15, 7.3.5, 7.3.6, Annex C), as scripts/generate-vlc-tables
 * lays them out from the tables of the standard; the script says how each code comes about. */
#ifndef CODEC_BLOCK_TABLES_H
#define CODEC_BLOCK_TABLES_H

#include <stdint.h>

/*
 * A CxtVLC codeword, all zero where the bits are none. `next` is what the quad adds to the context of its right
 * neighbour, behind the first row of quads only its bit 1. Bit n of rho, e_k and e_1 is the quad's sample n: top left,
 * bottom left, top right, bottom right.
 */
struct block_vlc {
    uint32_t code; /* its length in bits 0 .. 5, u_off in bits 8 and 9 */
    uint16_t next; /* << 7 */
    uint16_t quad; /* rho << 4 | e_k << 8 | e_1 << 12 */
};
/* By (0: first quad row, 1: others) << 10 | context << 7 | next 7 bits of the VLC stream. */
extern const struct block_vlc block_vlc_decode[2 * 1024];

/*
 * By (0: first quad row, 1: others) << 11 | context << 8 | rho << 4 | eps: codeword << 8 | length << 4 | e_k. Bit n of
 * eps says that u_q > 0 and sample n has the largest exponent of the quad.
 */
extern const uint32_t block_vlc_encode[2 * 2048];

/*
 * The u-VLC prefixes of a pair of quads, by mode << 6 | next 6 bits: bits used | bits of the first suffix << 4 | of the
 * second << 8 | first prefix value << 12 | second << 16. Modes: u_off of the first | of the second << 1; in the first
 * quad row, 4 + MEL event instead of 3.
 */
extern const uint32_t block_uvlc_decode[6 * 64];

/* Whole u-VLC codes of up to 8 bits, by mode << 8 | next 8 bits: length | u0 << 16 | u1 << 24; 1 << 31: longer. */
extern const uint32_t block_uvlc_pair[6 * 256];

/* u-VLC codes of a pair by (0: other quad rows, 1: first) << 10 | u0 << 5 | u1, each below 32: bits | length << 24. */
extern const uint32_t block_uvlc_encode[2 * 1024];

/* MEL, the adaptive run-length code (7.3.3): in state k, a bit for 2^exponent quads without anything. */
static const uint8_t mel_exponent[13] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5};

#endif
