/* SPDX-License-Identifier: BSD-2-Clause */
/* Coefficients into Huffman-coded scans, and the order of a scan's blocks: T.81, annexes A.2, F and G. */
#include "coder/jpeg_file.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool jpeg_scan_visit(const struct jpeg_walk *walk, const struct jpeg_planes *planes, const struct jpeg_visitor *visitor)
{
    const struct jpeg_scan *scan = &walk->scan;
    const struct jpeg_frame *frame = &walk->frame;
    bool alone = scan->components == 1;
    const struct jpeg_component *first = &frame->component[scan->index[0]];
    uint32_t wide = alone ? first->columns : frame->mcus_wide, high = alone ? first->rows : frame->mcus_high;
    uint32_t until_restart = walk->restart;
    unsigned restarts = 0;
    for (uint32_t y = 0; y < high; y++)
        for (uint32_t x = 0; x < wide; x++) {
            if (walk->restart && !until_restart--) {
                if (!visitor->restart(visitor->state, restarts++))
                    return false;
                until_restart = walk->restart - 1;
            }
            for (unsigned i = 0; i < scan->components; i++) {
                const struct jpeg_component *component = &frame->component[scan->index[i]];
                const struct jpeg_plane *plane = &planes->plane[scan->index[i]];
                uint32_t h = alone ? 1 : component->h, v = alone ? 1 : component->v;
                for (uint32_t row = y * v; row < y * v + v; row++) {
                    int16_t *block = plane->block + ((size_t)row * plane->wide + (size_t)x * h) * plane->stride;
                    for (uint32_t j = 0; j < h; j++)
                        if (!visitor->block(visitor->state, i, block + (size_t)j * plane->stride, plane->stride))
                            return false;
                }
            }
        }
    return true;
}

/* libjpeg's limits, which the usual encoders share: how many correction bits wait for an EOB run to end. */
enum { RUN_CORRECTIONS = 937, MAX_CORRECTIONS = 1001 };

/* Symbols go into `counts` instead of `out` where that is set. */
struct writing {
    const struct jpeg_walk *walk;
    struct mist_buffer *out;
    size_t limit;
    uint64_t word; /* the last `filled` bits wait to be written */
    unsigned filled;
    bool zero_padding, failed, short_of_memory;
    struct jpeg_codes dc[4], ac[4]; /* by place in the scan */
    uint32_t (*counts)[4][256];
    int before[4];
    uint32_t run, longest_run;
    uint8_t corrections[MAX_CORRECTIONS]; /* bits that follow the EOB run's symbol */
    unsigned waiting;
};

static void put_byte(struct writing *writing, uint8_t byte)
{
    uint8_t bytes[2] = {byte, 0};
    size_t size = byte == 0xff ? 2 : 1;
    if (writing->out->size + size > writing->limit)
        writing->failed = true;
    else if (!buffer_append(writing->out, bytes, size))
        writing->failed = writing->short_of_memory = true;
}

/* 0 .. 16 bits. */
static inline void put_bits(struct writing *writing, unsigned value, unsigned count)
{
    if (writing->counts)
        return;
    writing->word = writing->word << count | (value & ((1u << count) - 1));
    writing->filled += count;
    while (writing->filled >= 8) {
        writing->filled -= 8;
        put_byte(writing, (uint8_t)(writing->word >> writing->filled));
    }
}

static void pad(struct writing *writing)
{
    unsigned missing = (8 - writing->filled % 8) % 8;
    put_bits(writing, writing->zero_padding ? 0 : 0xff, missing);
}

static inline void put_symbol(struct writing *writing, bool ac, unsigned slot, unsigned symbol)
{
    if (writing->counts) {
        unsigned table = ac ? writing->walk->scan.ac[slot] : writing->walk->scan.dc[slot];
        uint32_t *count = &writing->counts[ac][table][symbol & 255];
        *count += *count < UINT32_MAX;
        return;
    }
    const struct jpeg_codes *codes = ac ? &writing->ac[slot] : &writing->dc[slot];
    if (symbol > 255 || !codes->length[symbol])
        writing->failed = true; /* the file's own table has no such symbol */
    else
        put_bits(writing, codes->code[symbol], codes->length[symbol]);
}

/* Bits of a magnitude: 0 for 0, 1 for 1, 2 for 2 and 3 ... */
static inline unsigned bits_of(unsigned magnitude)
{
    return magnitude ? 32u - (unsigned)__builtin_clz(magnitude) : 0;
}

/* A value's bits in JPEG's signed form. */
static inline void put_signed(struct writing *writing, int value, unsigned size)
{
    put_bits(writing, (unsigned)(value < 0 ? value - 1 : value), size);
}

static void write_dc(struct writing *writing, unsigned slot, int value)
{
    int difference = value - writing->before[slot];
    unsigned size = bits_of((unsigned)abs(difference));
    writing->before[slot] = value;
    put_symbol(writing, false, slot, size);
    put_signed(writing, difference, size);
}

static bool write_sequential(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct writing *writing = state;
    unsigned zeros = 0;
    write_dc(writing, slot, block[0]);
    for (unsigned k = 1; k < 64; k++) {
        int value = jpeg_place[k] < stride ? block[jpeg_place[k]] : 0;
        if (!value) {
            zeros++;
            continue;
        }
        for (; zeros > 15; zeros -= 16)
            put_symbol(writing, true, slot, 0xf0);
        unsigned size = bits_of((unsigned)abs(value));
        put_symbol(writing, true, slot, zeros << 4 | size);
        put_signed(writing, value, size);
        zeros = 0;
    }
    if (zeros)
        put_symbol(writing, true, slot, 0);
    return !writing->failed;
}

static bool write_dc_first(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct writing *writing = state;
    write_dc(writing, slot, block[0] >> writing->walk->scan.low);
    return !writing->failed;
}

static bool write_dc_more(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct writing *writing = state;
    put_bits(writing, (unsigned)(block[0] >> writing->walk->scan.low) & 1, 1);
    return !writing->failed;
}

static void put_corrections(struct writing *writing, const uint8_t *bits, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_bits(writing, bits[i], 1);
}

static void end_run(struct writing *writing)
{
    if (!writing->run)
        return;
    unsigned size = bits_of(writing->run) - 1;
    put_symbol(writing, true, 0, size << 4);
    put_bits(writing, writing->run & ((1u << size) - 1), size);
    put_corrections(writing, writing->corrections, writing->waiting);
    writing->run = writing->waiting = 0;
}

static bool write_ac_first(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct writing *writing = state;
    const struct jpeg_scan *scan = &writing->walk->scan;
    unsigned zeros = 0;
    for (unsigned k = scan->from; k <= scan->to; k++) {
        int value = jpeg_place[k] < stride ? block[jpeg_place[k]] : 0;
        int magnitude = abs(value) >> scan->low;
        if (!magnitude) {
            zeros++;
            continue;
        }
        end_run(writing);
        for (; zeros > 15; zeros -= 16)
            put_symbol(writing, true, slot, 0xf0);
        unsigned size = bits_of((unsigned)magnitude);
        put_symbol(writing, true, slot, zeros << 4 | size);
        put_signed(writing, value < 0 ? -magnitude : magnitude, size);
        zeros = 0;
    }
    if (zeros && ++writing->run == writing->longest_run)
        end_run(writing);
    return !writing->failed;
}

static bool write_ac_more(void *state, unsigned slot, int16_t *block, unsigned stride)
{
    struct writing *writing = state;
    const struct jpeg_scan *scan = &writing->walk->scan;
    int magnitude[64] = {0};
    unsigned last = 0, zeros = 0;
    for (unsigned k = scan->from; k <= scan->to; k++) {
        magnitude[k] = jpeg_place[k] < stride ? abs(block[jpeg_place[k]]) >> scan->low : 0;
        last = magnitude[k] == 1 ? k : last;
    }
    /* This block's bits stand behind those of the run; once a symbol has been written they follow it. */
    uint8_t *bits = writing->corrections + writing->waiting;
    unsigned count = 0;
    for (unsigned k = scan->from; k <= scan->to; k++) {
        if (!magnitude[k]) {
            zeros++;
            continue;
        }
        for (; zeros > 15 && k <= last; zeros -= 16) {
            end_run(writing);
            put_symbol(writing, true, slot, 0xf0);
            put_corrections(writing, bits, count);
            bits = writing->corrections;
            count = 0;
        }
        if (magnitude[k] > 1) {
            bits[count++] = (uint8_t)(magnitude[k] & 1);
            continue;
        }
        end_run(writing);
        put_symbol(writing, true, slot, zeros << 4 | 1);
        put_bits(writing, block[jpeg_place[k]] > 0, 1);
        put_corrections(writing, bits, count);
        bits = writing->corrections;
        count = zeros = 0;
    }
    if (zeros || count) {
        writing->waiting += count;
        if (++writing->run == writing->longest_run || writing->waiting > RUN_CORRECTIONS)
            end_run(writing);
    }
    return !writing->failed;
}

static bool write_restart(void *state, unsigned number)
{
    struct writing *writing = state;
    end_run(writing);
    memset(writing->before, 0, sizeof writing->before);
    if (writing->counts)
        return true;
    pad(writing);
    uint8_t marker[2] = {0xff, (uint8_t)(0xd0 + number % 8)};
    if (writing->out->size + 2 > writing->limit)
        writing->failed = true;
    else if (!buffer_append(writing->out, marker, 2))
        writing->failed = writing->short_of_memory = true;
    return !writing->failed;
}

static bool write_all(struct writing *writing, const struct jpeg_planes *planes)
{
    const struct jpeg_walk *walk = writing->walk;
    const struct jpeg_scan *scan = &walk->scan;
    struct jpeg_visitor visitor = {.state = writing, .restart = write_restart};
    visitor.block = !walk->frame.progressive ? write_sequential
                    : scan->from             ? (scan->high ? write_ac_more : write_ac_first)
                    : scan->high             ? write_dc_more
                                             : write_dc_first;
    if (!jpeg_scan_visit(walk, planes, &visitor))
        return false;
    end_run(writing);
    if (!writing->counts)
        pad(writing);
    return !writing->failed;
}

static struct writing *start(const struct jpeg_walk *walk, struct mist_error *error)
{
    struct writing *writing = memory_allocate_zeroed(1, sizeof *writing);
    if (writing)
        writing->walk = walk;
    else
        error_set(error, MIST_ERROR_MEMORY, "writing a JPEG file: out of memory");
    return writing;
}

enum mist_status jpeg_scan_write(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                 const struct jpeg_scan_coding *coding, size_t limit, struct mist_buffer *out,
                                 struct mist_error *error)
{
    const struct jpeg_scan *scan = &walk->scan;
    struct writing *writing = start(walk, error);
    if (!writing)
        return MIST_ERROR_MEMORY;
    writing->out = out;
    writing->limit = limit;
    writing->zero_padding = coding->zero_padding;
    writing->longest_run = coding->longest_run && coding->longest_run < 0x7fff ? coding->longest_run : 0x7fff;
    for (unsigned i = 0; i < scan->components; i++)
        writing->failed |= (!scan->from && !scan->high && !jpeg_codes_make(&walk->dc[scan->dc[i]], &writing->dc[i])) ||
                           (scan->to && !jpeg_codes_make(&walk->ac[scan->ac[i]], &writing->ac[i]));
    enum mist_status status = MIST_OK;
    if (writing->failed || !write_all(writing, planes))
        status = writing->short_of_memory
                     ? error_set(error, MIST_ERROR_MEMORY, "writing a JPEG file: out of memory")
                     : error_set(error, MIST_ERROR_CORRUPT,
                                 "scan %u of a JPEG file cannot be written with its own tables", walk->scans);
    memory_free(writing);
    return status;
}

enum mist_status jpeg_scan_count(const struct jpeg_walk *walk, const struct jpeg_planes *planes,
                                 uint32_t counts[2][4][256], struct mist_error *error)
{
    struct writing *writing = start(walk, error);
    if (!writing)
        return MIST_ERROR_MEMORY;
    writing->counts = counts;
    write_all(writing, planes);
    memory_free(writing);
    return MIST_OK;
}
