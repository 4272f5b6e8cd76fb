/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * libFuzzer's own mutations rarely keep a block's three streams plausible: MagSgn grows from the front of the cleanup
 * segment, MEL and VLC share its end, where the last 12 bits give their length. So half of the time: change the
 * geometry alone, or make the length field fit the segment, or flip bits near the end where MEL and VLC are.
 */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maximum);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maximum, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maximum, unsigned seed)
{
    enum { HEADER = 9 };
    if (seed & 1 || size < HEADER + 4)
        return LLVMFuzzerMutate(data, size, maximum);
    uint8_t *segment = data + HEADER;
    size_t bytes = size - HEADER;
    unsigned random = seed >> 3;
    switch (seed >> 1 & 3) {
    case 0: /* geometry, planes, passes */
        data[random % HEADER] ^= (uint8_t)(1u << (random >> 4 & 7));
        return size;
    case 1: { /* Scup, in the low 4 bits of the last but one byte and the last byte, as (15444-15, 7.1.1) has it */
        size_t suffix = 2 + random % (bytes - 1);
        suffix = suffix > 4079 ? 4079 : suffix;
        segment[bytes - 1] = (uint8_t)(suffix >> 4);
        segment[bytes - 2] = (uint8_t)((segment[bytes - 2] & 0xf0) | (suffix & 15));
        return size;
    }
    case 2: { /* a bit within the last 32 bytes */
        size_t back = 1 + random % (bytes < 32 ? bytes : 32);
        segment[bytes - back] ^= (uint8_t)(1u << (random >> 6 & 7));
        return size;
    }
    default: { /* front and tail mutated, Scup kept */
        uint8_t tail[2] = {segment[bytes - 2], segment[bytes - 1]};
        size_t grown = LLVMFuzzerMutate(segment, bytes - 2, maximum - HEADER - 2);
        memcpy(segment + grown, tail, 2);
        return HEADER + grown + 2;
    }
    }
}
