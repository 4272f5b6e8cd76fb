/* SPDX-License-Identifier: BSD-2-Clause */
/* Huffman-coded scans into coefficients: T.81, annexes F (sequential) and G (progressive). */
#include "coder/jpeg_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

/* The next bits stand at the top of `word`; `left` of them come from the file, zeros follow. */
struct bits {
    const uint8_t *at, *end;
    uint64_t word;
    unsigned left;
    bool failed; /* more was taken than there is */
};

static inline void bits_fill(struct bits *bits)
{
    while (bits->left <= 56 && bits->at < bits->end) {
        if (*bits->at == 0xff) {
            if (bits->end - bits->at < 2 || bits->at[1])
                return; /* a marker */
            bits->at++;
            bits->word |= (uint64_t)0xff << (56 - bits->left);
        } else {
            bits->word |= (uint64_t)*bits->at << (56 - bits->left);
        }
        bits->at++;
        bits->left += 8;
    }
}

static inline void bits_skip(struct bits *bits, unsigned count)
{
    bits->failed |= count > bits->left;
    bits->left -= count > bits->left ? bits->left : count;
    bits->word <<= count;
}

/* 0 .. 16 bits. */
static inline unsigned bits_take(struct bits *bits, unsigned count)
{
    if (!count)
        return 0;
    if (bits->left < count)
        bits_fill(bits);
    unsigned value = (unsigned)(bits->word >> (64 - count));
    bits_skip(bits, count);
    return value;
}

static inline unsigned bits_symbol(struct bits *bits, const struct jpeg_lookup *lookup)
{
    if (bits->left < 16)
        bits_fill(bits);
    unsigned entry = lookup->fast[bits->word >> (64 - JPEG_LOOKUP_BITS)];
    if (entry) {
        bits_skip(bits, entry >> 8);
        return entry & 255;
    }
    uint32_t code = (uint32_t)(bits->word >> 48);
    unsigned length = JPEG_LOOKUP_BITS + 1;
    while (code >= lookup->limit[length])
        length++;
    if (length > 16) {
        bits->failed = true;
        return 0;
    }
    bits_skip(bits, length);
    return lookup->symbols[(uint32_t)((int32_t)(code >> (16 - length)) + lookup->offset[length]) & 255];
}

/* A value of `size` bits in JPEG's signed form (T.81, figure F.12). */
static inline int bits_signed(struct bits *bits, unsigned size)
{
    int value = (int)bits_take(bits, size);
    return size && value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

struct reading {
    struct bits bits;
    const struct jpeg_walk *walk;
    struct jpeg_lookup dc[4], ac[4]; /* by place in the scan */
    int before[4];                   /* DC of the component's previous block */
    uint32_t run;                    /* blocks of the EOB run that are left */
    uint32_t longest_run;
    bool out_of_range, marker_missing;
};

static bool put(struct reading *reading, int16_t *block, unsigned k, int value)
{
    if (value <= -JPEG_COEFFICIENT_LIMIT || value >= JPEG_COEFFICIENT_LIMIT) {
        reading->out_of_range = true;
        return false;
    }
    block[jpeg_place[k]] = (int16_t)value;
    return true;
}

static bool read_dc(struct reading *reading, unsigned slot, int16_t *block)
{
    unsigned size = bits_symbol(&reading->bits, &reading->dc[slot]);
    if (size > 15)
        return false;
    reading->before[slot] += bits_signed(&reading->bits, size);
    if (abs(reading->before[slot]) >= JPEG_COEFFICIENT_LIMIT) { /* also keeps the shift within an int */
        reading->out_of_range = true;
        return false;
    }
    return put(reading, block, 0, reading->before[slot] * (1 << reading->walk->scan.low));
}

static bool read_sequential(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct reading *reading = state;
    if (!read_dc(reading, slot, block))
        return false;
    for (unsigned k = 1; k < 64; k++) {
        unsigned symbol = bits_symbol(&reading->bits, &reading->ac[slot]);
        unsigned zeros = symbol >> 4, size = symbol & 15;
        if (!size && zeros < 15)
            break;
        k += zeros;
        if (k > 63 || (size && !put(reading, block, k, bits_signed(&reading->bits, size))))
            return false;
    }
    return !reading->bits.failed;
}

static bool read_dc_first(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct reading *reading = state;
    return read_dc(reading, slot, block) && !reading->bits.failed;
}

static bool read_dc_more(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct reading *reading = state;
    if (bits_take(&reading->bits, 1))
        block[0] = (int16_t)(block[0] | 1 << reading->walk->scan.low);
    return !reading->bits.failed;
}

/* A run of blocks without further coefficients, of 2^size .. 2^(size+1) - 1 with this one. */
static void read_run(struct reading *reading, unsigned size)
{
    reading->run = (1u << size) + bits_take(&reading->bits, size);
    if (reading->run > reading->longest_run)
        reading->longest_run = reading->run;
}

static bool read_ac_first(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct reading *reading = state;
    const struct jpeg_scan *scan = &reading->walk->scan;
    for (unsigned k = scan->from; k <= scan->to && !reading->run; k++) {
        unsigned symbol = bits_symbol(&reading->bits, &reading->ac[slot]);
        unsigned zeros = symbol >> 4, size = symbol & 15;
        if (!size && zeros < 15) {
            read_run(reading, zeros);
            break;
        }
        k += zeros;
        if (k > scan->to || (size && !put(reading, block, k, bits_signed(&reading->bits, size) * (1 << scan->low))))
            return false;
    }
    reading->run -= reading->run > 0;
    return !reading->bits.failed;
}

/* One more bit of a coefficient that is not 0. */
static bool refine(struct reading *reading, int16_t *block, unsigned k)
{
    int value = block[jpeg_place[k]], bit = 1 << reading->walk->scan.low;
    if (!bits_take(&reading->bits, 1))
        return true;
    return put(reading, block, k, value < 0 ? value - bit : value + bit);
}

static bool read_ac_more(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct reading *reading = state;
    const struct jpeg_scan *scan = &reading->walk->scan;
    unsigned k = scan->from;
    while (k <= scan->to && !reading->run) {
        unsigned symbol = bits_symbol(&reading->bits, &reading->ac[slot]);
        unsigned zeros = symbol >> 4, size = symbol & 15;
        if (!size && zeros < 15) {
            read_run(reading, zeros);
            break;
        }
        if (size > 1)
            return false;
        int value = !size ? 0 : bits_take(&reading->bits, 1) ? 1 << scan->low : -(1 << scan->low);
        for (;; k++) { /* passes over `zeros` coefficients that stay 0, and refines those between them */
            if (k > scan->to)
                return false;
            if (block[jpeg_place[k]]) {
                if (!refine(reading, block, k))
                    return false;
            } else if (!zeros--) {
                break;
            }
        }
        if (value && !put(reading, block, k, value))
            return false;
        k++;
    }
    for (; k <= scan->to && reading->run; k++)
        if (block[jpeg_place[k]] && !refine(reading, block, k))
            return false;
    reading->run -= reading->run > 0;
    return !reading->bits.failed;
}

static bool read_restart(void *state, unsigned number)
{
    struct reading *reading = state;
    struct bits *bits = &reading->bits;
    memset(reading->before, 0, sizeof reading->before);
    bits_fill(bits);
    if (bits->left >= 8 || bits->end - bits->at < 2 || bits->at[0] != 0xff || bits->at[1] != 0xd0 + number % 8 ||
        reading->run) {
        reading->marker_missing = true;
        return false;
    }
    bits->at += 2;
    bits->word = bits->left = 0;
    return true;
}

static enum mist_status prepare(struct reading *reading, const struct jpeg_walk *walk, size_t end,
                                struct mist_error *error)
{
    const struct jpeg_scan *scan = &walk->scan;
    bool dc = scan->from == 0 && !scan->high, ac = scan->to > 0, good = true;
    reading->walk = walk;
    reading->bits.at = walk->data + walk->at;
    reading->bits.end = walk->data + end;
    for (unsigned i = 0; i < scan->components && good; i++)
        good = (!dc || jpeg_lookup_make(&walk->dc[scan->dc[i]], &reading->dc[i])) &&
               (!ac || jpeg_lookup_make(&walk->ac[scan->ac[i]], &reading->ac[i]));
    return good ? MIST_OK
                : error_set(error, MIST_ERROR_CORRUPT,
                            "a Huffman table of the JPEG file's scan %u is missing or damaged", walk->scans);
}

enum mist_status jpeg_scan_read(const struct jpeg_walk *walk, size_t end, struct jpeg_planes *planes,
                                struct jpeg_scan_coding *coding, struct mist_error *error)
{
    const struct jpeg_scan *scan = &walk->scan;
    struct reading *reading = memory_allocate_zeroed(1, sizeof *reading);
    if (!reading)
        return error_set(error, MIST_ERROR_MEMORY, "reading a JPEG file: out of memory");
    enum mist_status status = prepare(reading, walk, end, error);
    struct jpeg_visitor visitor = {.state = reading, .restart = read_restart};
    visitor.block = !walk->frame.progressive ? read_sequential
                    : scan->from             ? (scan->high ? read_ac_more : read_ac_first)
                    : scan->high             ? read_dc_more
                                             : read_dc_first;
    if (!status && !jpeg_scan_visit(walk, planes, &visitor)) {
        bool ended = reading->bits.at + 2 >= reading->bits.end && reading->bits.failed;
        if (ended && end == walk->size)
            status = error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file ends within its scan %u", walk->scans);
        else
            status = error_set(error, MIST_ERROR_CORRUPT, "scan %u of the JPEG file is damaged%s", walk->scans,
                               reading->marker_missing ? ": a restart marker is not where it should be"
                               : reading->out_of_range ? ": a coefficient is out of range"
                                                       : "");
    }
    coding->longest_run = reading->longest_run;
    memory_free(reading);
    return status;
}
