/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of one chunk where they lie; data is NULL where they are not at hand. */
#ifndef CODER_PIECE_H
#define CODER_PIECE_H

#include <stddef.h>
#include <stdint.h>

struct coder_piece {
    const uint8_t *data;
    size_t size;
};

#endif
