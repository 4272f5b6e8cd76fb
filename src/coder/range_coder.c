/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/range_coder.h"

#include "base/memory.h"

void range_encode_start(struct range_encoder *encoder, struct mist_buffer *out)
{
    *encoder = (struct range_encoder){.out = out, .start = out->size, .range = UINT32_MAX};
}

/* Adds one to the number that the bytes so far are. It never runs over their start, for low + range <= 1 there. */
static void carry(struct range_encoder *encoder)
{
    struct mist_buffer *out = encoder->out;
    for (size_t i = out->size; i > encoder->start && ++out->data[i - 1] == 0; i--)
        ;
}

static void put_byte(struct range_encoder *encoder, uint32_t byte)
{
    uint8_t value = (uint8_t)byte;
    if (!encoder->failed && !buffer_append(encoder->out, &value, 1))
        encoder->failed = true;
}

void range_encode_bit(struct range_encoder *encoder, uint32_t probability, unsigned bit)
{
    uint32_t bound = (encoder->range >> 16) * (65536 - probability);
    if (bit) {
        encoder->low += bound;
        if (encoder->low < bound)
            carry(encoder);
        encoder->range -= bound;
    } else {
        encoder->range = bound;
    }
    while (encoder->range < RANGE_SMALLEST) {
        put_byte(encoder, encoder->low >> 24);
        encoder->low <<= 8;
        encoder->range <<= 8;
    }
}

bool range_encode_end(struct range_encoder *encoder)
{
    /* Of all numbers in [low, low + range) the one with the most zeros at its end. */
    uint64_t value = 0;
    for (unsigned zeros = 33; zeros-- > 0;) {
        uint64_t mask = ((uint64_t)1 << zeros) - 1;
        value = (encoder->low + mask) & ~mask;
        if (value - encoder->low < encoder->range)
            break;
    }
    if (value >> 32)
        carry(encoder);
    for (unsigned i = 0; i < 4; i++)
        put_byte(encoder, (uint32_t)value >> (24 - 8 * i));
    struct mist_buffer *out = encoder->out;
    while (!encoder->failed && out->size > encoder->start && out->data[out->size - 1] == 0)
        out->size--;
    return !encoder->failed;
}
