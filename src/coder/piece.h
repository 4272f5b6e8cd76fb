/* SPDX-License-Identifier: BSD-2-Clause */
/* A run of coded bytes that belongs to somebody else. */
#ifndef CODER_PIECE_H
#define CODER_PIECE_H

#include <stddef.h>
#include <stdint.h>

struct coder_piece {
    const uint8_t *data; /* may be NULL if size is 0; in struct coder_parts NULL means that the bytes are not at hand */
    size_t size;
};

#endif
