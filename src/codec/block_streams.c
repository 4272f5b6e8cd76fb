/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/block_streams.h"

/* Appends up to 64 bits to whole-byte output; `count` is 0 .. 7 before and after. */
struct joiner {
    uint8_t *at;
    uint64_t bits;
    unsigned count;
};

static inline void join_byte(struct joiner *joiner, uint64_t byte, unsigned length)
{
    joiner->bits |= byte << joiner->count;
    joiner->count += length;
    if (joiner->count >= 8) {
        *joiner->at++ = (uint8_t)joiner->bits;
        joiner->bits >>= 8;
        joiner->count -= 8;
    }
}

static inline void join_eight(struct joiner *joiner, uint64_t eight)
{
    flat_store(joiner->at, joiner->bits | eight << joiner->count);
    joiner->at += 8;
    joiner->bits = eight >> 1 >> (63 - joiner->count);
}

/* The bits that are left and the padding; returns the length in bits. */
static size_t join_end(const struct joiner *joiner, const uint8_t *start, uint8_t padding)
{
    memset(joiner->at, padding, FLAT_PADDING);
    if (joiner->count)
        *joiner->at = (uint8_t)(joiner->bits | (unsigned)padding << joiner->count);
    return (size_t)(joiner->at - start) * 8 + joiner->count;
}

size_t unstuff_forward(uint8_t *flat, const uint8_t *in, size_t size, uint8_t padding)
{
    struct joiner joiner = {flat, 0, 0};
    bool short_byte = false;
    while (size > 0) {
        size_t single = size < 8 ? size : 8;
        if (single == 8) {
            uint64_t eight = flat_load(in);
            if (!short_byte && !has_zero_byte(~eight)) {
                join_eight(&joiner, eight);
                in += 8;
                size -= 8;
                continue;
            }
        }
        for (size_t i = 0; i < single; i++) {
            unsigned length = short_byte ? 7 : 8;
            join_byte(&joiner, in[i] & low_bits(length), length);
            short_byte = in[i] == 0xff;
        }
        in += single;
        size -= single;
    }
    return join_end(&joiner, flat, padding);
}

size_t unstuff_backward(uint8_t *flat, const uint8_t *end, size_t size, uint8_t first_ones, uint8_t padding)
{
    struct joiner joiner = {flat, 0, 0};
    uint8_t previous = 0xff;
    while (size > 0) {
        size_t single = size < 8 ? size : 8;
        if (single == 8) {
            uint64_t eight = __builtin_bswap64(flat_load(end - 8)) | first_ones;
            if (!has_zero_byte(~eight & 0x7f * EACH_BYTE)) { /* no byte with seven ones */
                join_eight(&joiner, eight);
                previous = (uint8_t)(eight >> 56);
                first_ones = 0;
                end -= 8;
                size -= 8;
                continue;
            }
        }
        for (size_t i = 0; i < single; i++) {
            uint8_t byte = *--end | first_ones;
            first_ones = 0;
            unsigned length = previous > 0x8f && (byte & 0x7f) == 0x7f ? 7 : 8;
            join_byte(&joiner, byte & low_bits(length), length);
            previous = byte;
        }
        size -= single;
    }
    return join_end(&joiner, flat, padding);
}

uint8_t *stuff_forward(uint8_t *out, const uint8_t *flat, size_t bits)
{
    size_t position = 0;
    uint8_t *start = out;
    bool short_byte = false;
    while (position + 64 <= bits) {
        uint64_t eight = flat_peek(flat, position);
        if (!short_byte && !has_zero_byte(~(eight & low_bits(56)))) { /* no 0xFF among the next seven */
            flat_store(out, eight);
            out += 7;
            position += 56;
            continue;
        }
        for (unsigned i = 0, length; i < 7; i++, eight >>= length, position += length) {
            length = short_byte ? 7 : 8;
            *out = (uint8_t)(eight & low_bits(length));
            short_byte = *out++ == 0xff;
        }
    }
    while (position < bits) {
        unsigned length = short_byte ? 7 : 8;
        unsigned have = bits - position < length ? (unsigned)(bits - position) : length;
        uint64_t value = flat_peek(flat, position) & low_bits(have);
        *out = (uint8_t)(value | (low_bits(length) & ~low_bits(have)));
        short_byte = *out++ == 0xff;
        position += have;
    }
    return out > start && out[-1] == 0xff ? out - 1 : out;
}

uint8_t *stuff_backward(uint8_t *end, const uint8_t *flat, size_t bits, uint8_t *last, unsigned *last_bits)
{
    uint8_t previous = 0xff;
    size_t position = 0;
    for (;;) {
        uint64_t eight = flat_peek(flat, position);
        if (position + 64 <= bits && !has_zero_byte((~eight & 0x7f * EACH_BYTE) | (uint64_t)1 << 56)) {
            flat_store(end - 8, __builtin_bswap64(eight));
            end -= 7;
            previous = *end;
            position += 56;
            continue;
        }
        if (position + 7 > bits)
            break;
        bool stuffed = previous > 0x8f && (eight & 0x7f) == 0x7f;
        if (!stuffed && position + 8 > bits)
            break;
        previous = stuffed ? 0x7f : (uint8_t)eight;
        *--end = previous;
        position += stuffed ? 7 : 8;
    }
    *last_bits = (unsigned)(bits - position);
    *last = (uint8_t)(flat_peek(flat, position) & low_bits(*last_bits));
    return end;
}
