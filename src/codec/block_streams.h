/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bit streams of a code-block (15444-15, 7.1) to and from plain bits. All streams but MEL put the first bit into
 * the least significant place of a byte and are held here as plain runs of bits ("flat"), which can be read and written
 * at any bit position with one 64-bit access; bit stuffing is added and removed in a pass of its own, eight bytes at a
 * time where there is nothing to stuff.
 *
 * Forward streams (MagSgn, SigProp): behind a byte 0xFF comes a byte of 7 bits.
 * Backward streams (VLC, MagRef; read from their last byte to their first): behind a byte above 0x8F comes a byte of 7
 * bits if those are all 1.
 */
#ifndef CODEC_BLOCK_STREAMS_H
#define CODEC_BLOCK_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes behind the content of a flat stream that must be allocated: kernels read up to 128 from any position of it. */
#define FLAT_PADDING 192

static inline uint64_t flat_load(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline void flat_store(uint8_t *bytes, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(bytes, &value, 8);
}

/* At least 57 bits from bit `position` on. */
static inline uint64_t flat_peek(const uint8_t *flat, size_t position)
{
    return flat_load(flat + (position >> 3)) >> (position & 7);
}

/* The lowest `count` bits set; count 0 .. 63. */
static inline uint64_t low_bits(unsigned count)
{
    return ((uint64_t)1 << count) - 1;
}

/* Whether some byte of x is zero. */
static inline bool has_zero_byte(uint64_t x)
{
    return ((x - 0x0101010101010101u) & ~x & 0x8080808080808080u) != 0;
}

#define EACH_BYTE 0x0101010101010101u

/* Writes plain bits: `count` (below 8 between calls) bits of `bits` wait to be written at `at`. */
struct flat_writer {
    uint8_t *at;
    uint64_t bits;
    unsigned count;
};

/* Appends `length` (0 .. 56) bits; the higher bits of value are 0. */
static inline void flat_put(struct flat_writer *writer, uint64_t value, unsigned length)
{
    writer->bits |= value << writer->count;
    writer->count += length;
    flat_store(writer->at, writer->bits);
    writer->at += writer->count >> 3;
    writer->bits >>= writer->count & 56;
    writer->count &= 7;
}

/*
 * Removes stuffing from `size` bytes at `in` (forward) or from the bytes that end at `end` (backward; the one nearest
 * to `end` is the first, and the bits in `first_ones` are read as ones in it); before the first, a byte above 0x8F
 * counts as read. Writes at most `size` bytes and FLAT_PADDING bytes of `padding` behind them. Returns the number of
 * bits.
 */
size_t unstuff_forward(uint8_t *flat, const uint8_t *in, size_t size, uint8_t padding);
size_t unstuff_backward(uint8_t *flat, const uint8_t *end, size_t size, uint8_t first_ones, uint8_t padding);

/*
 * Adds stuffing to `bits` bits; 8 readable bytes follow them. A last byte that is not full is filled with ones
 * (forward), and a last byte 0xFF is left out, since decoders read ones behind the end (7.1.2). Returns the end.
 */
uint8_t *stuff_forward(uint8_t *out, const uint8_t *flat, size_t bits);
/*
 * Writes downwards from `end` (exclusive), as if a byte above 0x8F had been written before. Whole bytes only: *last is
 * the byte that is not full, *last_bits its bits (0 .. 7). Up to 8 bytes below the returned start are overwritten.
 */
uint8_t *stuff_backward(uint8_t *end, const uint8_t *flat, size_t bits, uint8_t *last, unsigned *last_bits);

#endif
