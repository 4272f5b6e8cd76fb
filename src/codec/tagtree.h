/* SPDX-License-Identifier: BSD-2-Clause */
/* Tag trees (15444-1 B.10.2): a 2D array of small numbers, coded with the minima of 2 x 2 groups, recursively. */
#ifndef CODEC_TAGTREE_H
#define CODEC_TAGTREE_H

#include "codec/packet_bits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the decoder knows of a node: its value is at least `value`, or exactly that once `known`. */
struct tagtree_node {
    uint16_t value;
    bool known;
};

/* Nodes of a tree over wide x high leaves; 0 if there is no leaf. The leaves come first, row by row. */
uint64_t tagtree_nodes(uint32_t wide, uint32_t high);

/*
 * Reads what the packet header says of leaf (x, y) until its value is known or known to be at least `threshold`.
 * Returns whether it is known and below `threshold`; the value is then nodes[y * wide + x].value. `nodes` starts
 * zeroed.
 */
bool tagtree_decode(struct tagtree_node *nodes, uint32_t wide, uint32_t high, uint32_t x, uint32_t y,
                    uint32_t threshold, struct packet_bits *bits);

#endif
