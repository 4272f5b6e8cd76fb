/* SPDX-License-Identifier: BSD-2-Clause */
/* Huffman tables of JPEG: from DHT to codes and look-ups, and the best one for given counts. */
#include "coder/jpeg_file.h"

#include <string.h>

bool jpeg_codes_make(const struct jpeg_table *table, struct jpeg_codes *codes)
{
    uint32_t code = 0;
    unsigned index = 0;
    memset(codes, 0, sizeof *codes);
    if (!table->known)
        return false;
    for (unsigned length = 1; length <= 16; length++, code <<= 1)
        for (unsigned i = 0; i < table->counts[length]; i++, index++) {
            uint8_t symbol = table->symbols[index & 255];
            if (index > 255 || code >> length || codes->length[symbol])
                return false;
            codes->code[symbol] = (uint16_t)code++;
            codes->length[symbol] = (uint8_t)length;
        }
    return true;
}

bool jpeg_lookup_make(const struct jpeg_table *table, struct jpeg_lookup *lookup)
{
    struct jpeg_codes codes;
    if (!jpeg_codes_make(table, &codes))
        return false;
    memset(lookup, 0, sizeof *lookup);
    memcpy(lookup->symbols, table->symbols, sizeof lookup->symbols);
    uint32_t code = 0;
    int32_t index = 0;
    for (unsigned length = 1; length <= 16; length++, code <<= 1) {
        lookup->offset[length] = index - (int32_t)code;
        code += table->counts[length];
        index += table->counts[length];
        lookup->limit[length] = code << (16 - length);
    }
    lookup->limit[17] = UINT32_MAX;
    for (unsigned symbol = 0; symbol < 256; symbol++) {
        unsigned length = codes.length[symbol];
        if (!length || length > JPEG_LOOKUP_BITS)
            continue;
        unsigned first = (unsigned)codes.code[symbol] << (JPEG_LOOKUP_BITS - length);
        for (unsigned i = 0; i < 1u << (JPEG_LOOKUP_BITS - length); i++)
            lookup->fast[first + i] = (uint16_t)(length << 8 | symbol);
    }
    return true;
}

/* The two rarest roots; of equally rare ones the later. */
static void find_rarest(const uint64_t *weight, const int *parent, unsigned nodes, int *first, int *second)
{
    *first = *second = -1;
    for (int i = 0; i < (int)nodes; i++) {
        if (parent[i] >= 0 || !weight[i])
            continue;
        if (*first < 0 || weight[i] <= weight[*first]) {
            *second = *first;
            *first = i;
        } else if (*second < 0 || weight[i] <= weight[*second]) {
            *second = i;
        }
    }
}

void jpeg_table_optimal(const uint32_t counts[256], struct jpeg_table *table)
{
    /* Huffman's algorithm over the symbols and one that stands for the code of all ones (T.81, K.2). */
    enum { SYMBOLS = 257, NODES = 2 * SYMBOLS };
    uint64_t weight[NODES] = {0};
    int parent[NODES];
    uint32_t lengths[NODES] = {0}; /* symbols of each length; chains are at most as long as there are symbols */
    unsigned nodes = SYMBOLS, of[SYMBOLS] = {0};
    bool any = false;
    memset(parent, -1, sizeof parent);
    for (unsigned s = 0; s < 256; s++)
        any |= (weight[s] = counts[s]) != 0;
    weight[0] += !any; /* a table has at least one symbol */
    weight[256] = 1;
    for (;;) {
        int first, second;
        find_rarest(weight, parent, nodes, &first, &second);
        if (second < 0)
            break;
        weight[nodes] = weight[first] + weight[second];
        parent[first] = parent[second] = (int)nodes++;
    }
    for (unsigned s = 0; s < SYMBOLS; s++) {
        for (int node = (int)s; weight[s] && parent[node] >= 0; node = parent[node])
            of[s]++;
        lengths[of[s]] += weight[s] != 0;
    }
    /* Codes of more than 16 bits are shortened in pairs (T.81, figure K.3). */
    for (unsigned length = NODES - 1; length > 16; length--)
        while (lengths[length]) {
            unsigned shorter = length - 2;
            while (!lengths[shorter])
                shorter--;
            lengths[length] -= 2;
            lengths[length - 1]++;
            lengths[shorter + 1] += 2;
            lengths[shorter]--;
        }
    unsigned longest = 16;
    while (!lengths[longest])
        longest--;
    lengths[longest]--; /* the code of all ones */
    memset(table, 0, sizeof *table);
    unsigned index = 0;
    for (unsigned length = 1; length < NODES; length++)
        for (unsigned s = 0; s < 256; s++)
            if (of[s] == length && weight[s])
                table->symbols[index++] = (uint8_t)s;
    for (unsigned length = 1; length <= 16; length++)
        table->counts[length] = (uint8_t)lengths[length];
    table->known = true;
}
