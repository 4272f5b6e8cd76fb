/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/tagtree.h"

/* 2^15 / 4 leaves a side and so 14 levels at most in a codestream; any 32-bit size fits. */
#define MAX_LEVELS 33

uint64_t tagtree_nodes(uint32_t wide, uint32_t high)
{
    uint64_t nodes = 0, w = wide, h = high;
    if (!wide || !high)
        return 0;
    for (;; w = (w + 1) / 2, h = (h + 1) / 2) {
        nodes += w * h;
        if (w * h == 1)
            return nodes;
    }
}

bool tagtree_decode(struct tagtree_node *nodes, uint32_t wide, uint32_t high, uint32_t x, uint32_t y,
                    uint32_t threshold, struct packet_bits *bits)
{
    struct tagtree_node *path[MAX_LEVELS];
    unsigned levels = 0;
    uint64_t offset = 0;
    for (;;) {
        path[levels++] = nodes + offset + (uint64_t)y * wide + x;
        if (wide == 1 && high == 1)
            break;
        offset += (uint64_t)wide * high;
        wide = (wide + 1) / 2;
        high = (high + 1) / 2;
        x /= 2;
        y /= 2;
    }
    uint32_t least = 0; /* what the parent says of this node */
    while (levels--) {
        struct tagtree_node *node = path[levels];
        if (node->value < least)
            node->value = (uint16_t)least;
        while (!node->known && node->value < threshold && !bits->failed) {
            if (packet_bits_one(bits))
                node->known = true;
            else
                node->value++;
        }
        least = node->value;
    }
    return path[0]->known && path[0]->value < threshold;
}
