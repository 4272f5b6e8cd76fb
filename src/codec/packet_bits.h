/* SPDX-License-Identifier: BSD-2-Clause */
/* The bits of a packet header, most significant first; after a byte FF the next one has 7 bits (15444-1 B.10.1). */
#ifndef CODEC_PACKET_BITS_H
#define CODEC_PACKET_BITS_H

#include <stdbool.h>
#include <stdint.h>

struct packet_bits {
    const uint8_t *at; /* next byte to load */
    const uint8_t *end;
    unsigned byte;  /* the byte being read */
    unsigned count; /* bits of it not yet read */
    bool failed;    /* ran out of bytes: reads give 0 from then on */
};

static inline struct packet_bits packet_bits_start(const uint8_t *at, const uint8_t *end)
{
    return (struct packet_bits){.at = at, .end = end};
}

static inline unsigned packet_bits_one(struct packet_bits *bits)
{
    if (bits->count == 0) {
        bits->count = bits->byte == 0xff ? 7 : 8;
        if (bits->at == bits->end) {
            bits->failed = true;
            bits->byte = 0;
            return 0;
        }
        bits->byte = *bits->at++;
    }
    bits->count--;
    return bits->byte >> bits->count & 1;
}

/* `count` <= 32 bits. */
static inline uint32_t packet_bits_read(struct packet_bits *bits, unsigned count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 1 | packet_bits_one(bits);
    return value;
}

/* Drops the padding of the last byte. A header that ends with FF is followed by one stuffed byte (B.10.1). */
static inline void packet_bits_finish(struct packet_bits *bits)
{
    if (bits->byte == 0xff) {
        if (bits->at == bits->end)
            bits->failed = true;
        else
            bits->at++;
    }
    bits->count = 0;
    bits->byte = 0;
}

#endif
