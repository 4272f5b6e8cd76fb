/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/packet_write.h"

#include "base/memory.h"

#include <string.h>

/* Bits, most significant first; a byte behind FF has 7 bits (B.10.1). */
struct header_bits {
    struct mist_buffer *out;
    unsigned byte;
    unsigned left; /* bits that still fit */
    bool failed;
};

static void put_bit(struct header_bits *bits, unsigned bit)
{
    bits->byte = bits->byte << 1 | bit;
    if (--bits->left)
        return;
    uint8_t byte = (uint8_t)bits->byte;
    bits->failed = !buffer_append(bits->out, &byte, 1) || bits->failed;
    bits->left = byte == 0xff ? 7 : 8;
    bits->byte = 0;
}

static void put_bits(struct header_bits *bits, uint32_t value, unsigned count)
{
    while (count--)
        put_bit(bits, value >> count & 1);
}

/* Fills the last byte with zeros. Behind a final FF stands one more byte, of the stuffed bit (left is 7 then). */
static void finish_bits(struct header_bits *bits)
{
    if (bits->left < 8)
        put_bits(bits, 0, bits->left);
}

/* A tag tree to be written: values and what the reader knows already, leaves first (see tagtree_nodes()). */
struct tree {
    uint32_t wide, high;
    uint16_t *value;
    uint16_t *told; /* the reader knows that the value is at least this */
    uint8_t *known; /* ... or exactly the value */
};

static bool tree_start(struct tree *tree, struct arena *arena, uint32_t wide, uint32_t high)
{
    uint64_t nodes = tagtree_nodes(wide, high);
    *tree =
        (struct tree){wide, high, arena_allocate(arena, (size_t)nodes, 2),
                      arena_allocate_zeroed(arena, (size_t)nodes, 2), arena_allocate_zeroed(arena, (size_t)nodes, 1)};
    return tree->value && tree->told && tree->known;
}

/* Inner nodes become the minima of their children. */
static void tree_fill(struct tree *tree)
{
    uint16_t *child = tree->value;
    uint32_t wide = tree->wide, high = tree->high;
    while (wide > 1 || high > 1) {
        uint16_t *parent = child + (size_t)wide * high;
        uint32_t parents_wide = (wide + 1) / 2, parents_high = (high + 1) / 2;
        for (size_t i = 0; i < (size_t)parents_wide * parents_high; i++)
            parent[i] = UINT16_MAX;
        for (uint32_t y = 0; y < high; y++)
            for (uint32_t x = 0; x < wide; x++) {
                uint16_t *least = &parent[(size_t)(y / 2) * parents_wide + x / 2];
                uint16_t value = child[(size_t)y * wide + x];
                *least = value < *least ? value : *least;
            }
        child = parent;
        wide = parents_wide;
        high = parents_high;
    }
}

/* Tells whether leaf (x, y) is below `threshold`, and if so its value (B.10.2). */
static void tree_tell(struct tree *tree, uint32_t x, uint32_t y, uint32_t threshold, struct header_bits *bits)
{
    size_t path[33], offset = 0;
    unsigned levels = 0;
    for (uint32_t wide = tree->wide, high = tree->high;; wide = (wide + 1) / 2, high = (high + 1) / 2) {
        path[levels++] = offset + (size_t)y * wide + x;
        if (wide == 1 && high == 1)
            break;
        offset += (size_t)wide * high;
        x /= 2;
        y /= 2;
    }
    uint16_t least = 0;
    while (levels--) {
        size_t node = path[levels];
        if (tree->told[node] < least)
            tree->told[node] = least;
        while (!tree->known[node] && tree->told[node] < threshold) {
            bool here = tree->value[node] == tree->told[node];
            put_bit(bits, here);
            tree->known[node] = here;
            tree->told[node] = (uint16_t)(tree->told[node] + !here);
        }
        least = tree->told[node];
    }
}

static void put_block(const struct code_block *block, struct header_bits *bits)
{
    put_bit(bits, 0); /* one coding pass (Table B.4) */
    unsigned length_bits = 32 - (unsigned)__builtin_clz(block->cleanup_size);
    unsigned more = length_bits > 3 ? length_bits - 3 : 0; /* Lblock starts at 3 (B.10.7.1) */
    for (unsigned i = 0; i < more; i++)
        put_bit(bits, 1);
    put_bit(bits, 0);
    put_bits(bits, block->cleanup_size, 3 + more);
}

static bool put_band(const struct precinct_band *part, unsigned planes, struct arena *arena, struct header_bits *bits)
{
    const uint32_t wide = part->grid.wide, high = part->grid.high;
    if (!wide || !high)
        return true;
    struct tree inclusion, zero_planes;
    if (!tree_start(&inclusion, arena, wide, high) || !tree_start(&zero_planes, arena, wide, high))
        return false;
    for (size_t i = 0; i < (size_t)wide * high; i++) {
        inclusion.value[i] = part->block[i].cleanup_size ? 0 : 1; /* the first layer, or none */
        zero_planes.value[i] = (uint16_t)(planes - 1);
    }
    tree_fill(&inclusion);
    tree_fill(&zero_planes);
    for (uint32_t y = 0; y < high; y++)
        for (uint32_t x = 0; x < wide; x++) {
            const struct code_block *block = &part->block[(size_t)y * wide + x];
            tree_tell(&inclusion, x, y, 1, bits);
            if (!block->cleanup_size)
                continue;
            tree_tell(&zero_planes, x, y, planes, bits);
            put_block(block, bits);
        }
    return true;
}

static size_t blocks_of(const struct precinct_band *part)
{
    return (size_t)part->grid.wide * part->grid.high;
}

bool packet_write(struct mist_buffer *out, struct arena *arena, const struct resolution *resolution,
                  const struct precinct *precinct)
{
    bool any = false;
    for (unsigned b = 0; b < resolution->bands; b++)
        for (size_t i = 0; i < blocks_of(&precinct->band[b]); i++)
            any = any || precinct->band[b].block[i].cleanup_size;
    struct header_bits bits = {.out = out, .left = 8};
    struct arena_mark mark = arena_mark(arena);
    put_bit(&bits, any);
    bool good = true;
    for (unsigned b = 0; any && good && b < resolution->bands; b++)
        good = put_band(&precinct->band[b], resolution->band[b].planes, arena, &bits);
    finish_bits(&bits);
    arena_rewind(arena, mark);
    good = good && !bits.failed;
    for (unsigned b = 0; any && b < resolution->bands; b++)
        for (size_t i = 0; good && i < blocks_of(&precinct->band[b]); i++)
            good = buffer_append(out, precinct->band[b].block[i].cleanup, precinct->band[b].block[i].cleanup_size);
    return good;
}
