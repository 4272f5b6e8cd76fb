/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/packet_read.h"

#include "base/bytes.h"
#include "base/error.h"

#include <limits.h>

/*
 * What one packet brings for one code-block, between its header and its body. The body has, for each block, first
 * what belongs to sets that a later one of the same packet replaces, then the last cleanup segment, then refinement.
 */
struct contribution {
    struct code_block *block;
    uint32_t skip;
    uint32_t cleanup;
    uint32_t refinement;
    uint8_t set_passes; /* passes of the last set after this packet */
    uint8_t set_planes; /* skipped planes of the last set */
};

/* The contributions of a packet, in the order of the body. */
struct contributions {
    struct contribution *list;
    uint32_t count;
};

static unsigned floor_log2(uint32_t value)
{
    return 31 - (unsigned)__builtin_clz(value);
}

/* Number of coding passes (Table B.4): 1 .. 164. */
static unsigned read_passes(struct packet_bits *bits)
{
    if (!packet_bits_one(bits))
        return 1;
    if (!packet_bits_one(bits))
        return 2;
    unsigned value = packet_bits_read(bits, 2);
    if (value < 3)
        return 3 + value;
    value = packet_bits_read(bits, 5);
    return value < 31 ? 6 + value : 37 + packet_bits_read(bits, 7);
}

struct header_reader {
    struct packet_bits bits;
    const struct band *band;
    unsigned style; /* SPcod's code-block style */
    struct mist_error *error;
};

static enum mist_status corrupt(struct header_reader *reader, const char *what)
{
    return error_set(reader->error, MIST_ERROR_CORRUPT, "packet header: %s", what);
}

static enum mist_status read_length(struct header_reader *reader, const struct code_block *block, unsigned passes,
                                    uint32_t *length)
{
    unsigned count = block->length_bits + floor_log2(passes);
    if (count > 32)
        return corrupt(reader, "a segment length of more than 32 bits");
    *length = packet_bits_read(&reader->bits, count);
    return MIST_OK;
}

/* A Part 1 block in a stream that may mix both kinds, or nonsense in one that may not. */
static enum mist_status not_ht(struct header_reader *reader)
{
    if (reader->style & BLOCK_STYLE_MIXED)
        return error_set(reader->error, MIST_ERROR_UNSUPPORTED,
                         "the codestream mixes in Part-1 (non-HT) code-blocks, which are not supported");
    return corrupt(reader, "placeholder passes that have bytes");
}

/*
 * Before the first HT cleanup pass there may be placeholder passes without bytes, which only stand for bit-planes that
 * were not coded (15444-15, B.2). Their lengths are signalled as those of one segment, so how many length bits follow
 * depends on whether the segment up to the last place where a cleanup pass can be is empty. Sets *used to the passes
 * that this takes of `passes`.
 */
static enum mist_status read_first_segment(struct header_reader *reader, struct contribution *entry, unsigned passes,
                                           unsigned *used)
{
    struct code_block *block = entry->block;
    unsigned behind = (block->passes + passes - 1) % 3; /* passes after the last cleanup place */
    unsigned segment = passes > behind ? passes - behind : 0;
    uint32_t length = 0;
    enum mist_status status = MIST_OK;
    if (segment) {
        status = read_length(reader, block, segment, &length);
        if (status)
            return status;
    }
    if (length) {
        /* Mixed streams tell an HT cleanup segment by a length whose top bit is 0 (15444-15, B.3). */
        unsigned count = block->length_bits + floor_log2(segment);
        if ((reader->style & BLOCK_STYLE_MIXED) && (block->length_bits <= 3 || length < 2 || length >> (count - 1)))
            return not_ht(reader);
        block->coding = true;
        entry->cleanup = length;
        entry->set_passes = 1;
        entry->set_planes = (uint8_t)((block->passes + segment - 1) / 3);
        *used = segment;
        return MIST_OK;
    }
    unsigned rest = floor_log2(passes) - (segment ? floor_log2(segment) : 0);
    if (!segment)
        status = read_length(reader, block, passes, &length);
    else if (rest)
        length = packet_bits_read(&reader->bits, rest);
    *used = passes;
    return status ? status : length ? not_ht(reader) : MIST_OK;
}

/* Segments from here on: cleanup alone, SigProp and MagRef together (or the one of them that is still to come). */
static enum mist_status read_segments(struct header_reader *reader, struct contribution *entry, unsigned passes)
{
    struct code_block *block = entry->block;
    while (passes) {
        unsigned phase = block->passes % 3;
        unsigned segment = phase == 0 ? 1 : 3 - phase;
        uint32_t length = 0;
        if (segment > passes)
            segment = passes;
        enum mist_status status = read_length(reader, block, segment, &length);
        if (status)
            return status;
        if (phase == 0) { /* a further HT set replaces what came before */
            if (__builtin_add_overflow(entry->skip, entry->cleanup, &entry->skip) ||
                __builtin_add_overflow(entry->skip, entry->refinement, &entry->skip))
                return corrupt(reader, "segment lengths beyond 32 bits");
            if (!length)
                return corrupt(reader, "an HT cleanup segment without bytes");
            entry->cleanup = length;
            entry->refinement = 0;
            entry->set_passes = 1;
            entry->set_planes = (uint8_t)(block->passes / 3);
        } else {
            if (__builtin_add_overflow(entry->refinement, length, &entry->refinement))
                return corrupt(reader, "segment lengths beyond 32 bits");
            entry->set_passes = (uint8_t)(entry->set_passes + segment);
        }
        block->passes = (uint16_t)(block->passes + segment);
        passes -= segment;
    }
    return MIST_OK;
}

/* Coding passes of a Part-1 block that may still go into a segment; `passes` came before (B.10.7, Table D.9). */
static unsigned part1_segment(unsigned style, unsigned passes)
{
    enum { BEFORE_BYPASS = 10 };
    if (style & BLOCK_STYLE_TERMINATE)
        return 1;
    if (!(style & BLOCK_STYLE_BYPASS))
        return UINT_MAX;
    if (passes < BEFORE_BYPASS)
        return BEFORE_BYPASS - passes;
    return (passes - BEFORE_BYPASS) % 3 == 0 ? 2 : 1; /* the raw ones of a plane, cleanup */
}

/* The segments of a Part-1 block: how many bytes there are, nothing else. */
static enum mist_status read_part1(struct header_reader *reader, struct contribution *entry, unsigned passes)
{
    struct code_block *block = entry->block;
    while (passes) {
        unsigned segment = part1_segment(reader->style, block->passes);
        uint32_t length = 0;
        if (segment > passes)
            segment = passes;
        enum mist_status status = read_length(reader, block, segment, &length);
        if (status)
            return status;
        if (__builtin_add_overflow(entry->skip, length, &entry->skip))
            return corrupt(reader, "segment lengths beyond 32 bits");
        block->passes = (uint16_t)(block->passes + segment);
        passes -= segment;
    }
    return MIST_OK;
}

static enum mist_status read_block(struct header_reader *reader, struct contribution *entry)
{
    struct code_block *block = entry->block;
    unsigned passes = read_passes(&reader->bits), used = 0;
    while (packet_bits_one(&reader->bits)) {
        if (++block->length_bits > 32)
            return corrupt(reader, "a segment length of more than 32 bits");
    }
    /* From the top plane on three passes a plane, of which the lowest has only the cleanup pass. */
    if (block->passes + passes + 2 > 3u * (reader->band->planes - block->zero_planes))
        return corrupt(reader, "more coding passes than the band has bit-planes");
    if (!(reader->style & BLOCK_STYLE_HT))
        return read_part1(reader, entry, passes);
    entry->set_passes = block->set_passes;
    entry->set_planes = (uint8_t)(block->planes_skipped - block->zero_planes);
    if (!block->coding) {
        enum mist_status status = read_first_segment(reader, entry, passes, &used);
        if (status)
            return status;
        block->passes = (uint16_t)(block->passes + used);
    }
    return read_segments(reader, entry, passes - used);
}

/* Inclusion and, the first time, zero bit-planes of one block (B.10.4, B.10.5). */
static enum mist_status read_inclusion(struct header_reader *reader, const struct precinct_band *part, uint32_t column,
                                       uint32_t row, unsigned layer, bool *included)
{
    struct code_block *block = &part->block[(size_t)row * part->grid.wide + column];
    if (block->included) {
        *included = packet_bits_one(&reader->bits);
        return MIST_OK;
    }
    *included =
        tagtree_decode(part->inclusion, part->grid.wide, part->grid.high, column, row, layer + 1, &reader->bits);
    if (!*included)
        return MIST_OK;
    if (!tagtree_decode(part->planes, part->grid.wide, part->grid.high, column, row, reader->band->planes + 1,
                        &reader->bits))
        return corrupt(reader, "more zero bit-planes than the band has");
    block->included = true;
    block->zero_planes = (uint8_t)part->planes[(size_t)row * part->grid.wide + column].value;
    block->planes_skipped = block->zero_planes;
    block->length_bits = 3;
    return MIST_OK;
}

static enum mist_status read_header(struct packet_reader *packets, struct header_reader *reader,
                                    const struct resolution *resolution, const struct progression_packet *packet,
                                    struct contributions *found)
{
    const struct precinct *precinct = resolution->precinct[packet->precinct];
    uint64_t blocks = 0;
    for (unsigned b = 0; b < resolution->bands; b++)
        blocks += (uint64_t)precinct->band[b].grid.wide * precinct->band[b].grid.high;
    found->list = arena_allocate(packets->arena, (size_t)blocks, sizeof *found->list);
    if (!found->list)
        return error_set(reader->error, MIST_ERROR_MEMORY, "no memory for a packet of %llu code-blocks",
                         (unsigned long long)blocks);
    for (unsigned b = 0; b < resolution->bands; b++) {
        const struct precinct_band *part = &precinct->band[b];
        reader->band = &resolution->band[b];
        for (uint32_t row = 0; row < part->grid.high; row++)
            for (uint32_t column = 0; column < part->grid.wide; column++) {
                bool included;
                enum mist_status status = read_inclusion(reader, part, column, row, packet->layer, &included);
                if (!status && included && !reader->bits.failed) {
                    struct contribution *entry = &found->list[found->count++];
                    *entry = (struct contribution){.block = &part->block[(size_t)row * part->grid.wide + column]};
                    status = read_block(reader, entry);
                }
                if (reader->bits.failed)
                    return MIST_OK; /* the caller looks at that first: what was read is meaningless */
                if (status)
                    return status;
            }
    }
    return MIST_OK;
}

/* Gives a block the bytes of one contribution; `available` of them are there. */
static void take_body(struct contribution *entry, const uint8_t *at, uint64_t available)
{
    struct code_block *block = entry->block;
    if (entry->cleanup) {
        if (available < (uint64_t)entry->skip + entry->cleanup)
            return; /* without its last bytes a cleanup segment means nothing (15444-15, 7.1.1) */
        block->cleanup = at + entry->skip;
        block->cleanup_size = entry->cleanup;
        block->refinement_size[0] = block->refinement_size[1] = 0;
        block->set_passes = 1;
        block->planes_skipped = (uint8_t)(block->zero_planes + entry->set_planes);
    }
    uint64_t before = (uint64_t)entry->skip + entry->cleanup;
    if (!block->cleanup || entry->set_passes <= block->set_passes || available < before + entry->refinement)
        return;
    unsigned piece = block->set_passes == 1 ? 0 : 1;
    block->refinement[piece] = at + before;
    block->refinement_size[piece] = entry->refinement;
    block->set_passes = entry->set_passes;
}

/* Passes without a byte: nothing follows the header, and it may end its tile-part. */
static bool body_is_empty(const struct contributions *found)
{
    uint32_t i = 0;
    while (i < found->count && !(found->list[i].skip | found->list[i].cleanup | found->list[i].refinement))
        i++;
    return i == found->count;
}

static bool read_body(struct packet_reader *reader, const struct contributions *found)
{
    bool complete = true;
    for (uint32_t i = 0; i < found->count; i++) {
        struct contribution *entry = &found->list[i];
        uint64_t size = (uint64_t)entry->skip + entry->cleanup + entry->refinement;
        uint64_t available = (uint64_t)(reader->range[reader->current].end - reader->at);
        take_body(entry, reader->at, available);
        complete = complete && size <= available;
        reader->at += size <= available ? size : available;
    }
    return complete;
}

/* Moves to the next tile-part when this one has been read to its end. False when there is none. */
static bool next_range(struct packet_reader *reader)
{
    while (reader->current < reader->ranges) {
        const struct packet_range *range = &reader->range[reader->current];
        if (!reader->at)
            reader->at = range->start;
        if (reader->at < range->end)
            return true;
        if (range->cut)
            return false;
        reader->current++;
        reader->at = NULL;
    }
    return false;
}

static enum packet_result out_of_bytes(struct packet_reader *reader, bool in_header, enum mist_status *status,
                                       struct mist_error *error)
{
    if (reader->current >= reader->ranges || reader->range[reader->current].cut)
        return PACKET_MISSING;
    *status = error_set(error, MIST_ERROR_CORRUPT, "a packet's %s goes beyond %s", in_header ? "header" : "body",
                        in_header && reader->packed ? "PPM or PPT" : "its tile-part");
    return PACKET_FAILED;
}

static void skip_sop(struct packet_reader *reader)
{
    const uint8_t *end = reader->range[reader->current].end;
    if (reader->tile->style.sop && end - reader->at >= 6 && load_be16(reader->at) == MARKER_SOP)
        reader->at += 6;
}

static void skip_eph(struct packet_reader *reader, struct packet_bits *bits)
{
    if (reader->tile->style.eph && bits->end - bits->at >= 2 && load_be16(bits->at) == MARKER_EPH)
        bits->at += 2;
}

enum packet_result packet_read(struct packet_reader *reader, const struct progression_packet *packet,
                               enum mist_status *status, struct mist_error *error)
{
    struct tile_component *component = &reader->tile->component[packet->component];
    struct resolution *resolution = &component->resolution[packet->resolution];
    struct contributions found = {0};
    /* Of its own: beyond the end of the bytes a header may look wrong in any way, which is no error then. */
    struct mist_error wrong = {0};
    struct header_reader header = {.style = component->coding->coding.block_style, .error = &wrong};
    bool there = next_range(reader);
    *status = MIST_OK;
    reader->packet_start = reader->at;
    if (there)
        skip_sop(reader);
    reader->packet_header = reader->at;
    if (!there && (!reader->packed || reader->header_at == reader->header_end))
        return PACKET_MISSING;
    if (reader->packed)
        header.bits = packet_bits_start(reader->header_at, reader->header_end);
    else
        header.bits = packet_bits_start(reader->at, reader->range[reader->current].end);

    struct arena_mark mark = {0};
    if (packet_bits_one(&header.bits)) {
        *status =
            tile_make_precinct(reader->arena, reader->tile, resolution, packet->precinct, reader->input_size, &wrong);
        mark = arena_mark(reader->arena);
        if (!*status)
            *status = read_header(reader, &header, resolution, packet, &found);
        if (*status) {
            *status = error_set(error, *status, "%s", wrong.message);
            return PACKET_FAILED;
        }
    }
    packet_bits_finish(&header.bits);
    if (header.bits.failed)
        return out_of_bytes(reader, true, status, error);
    skip_eph(reader, &header.bits);
    if (reader->packed)
        reader->header_at = header.bits.at;
    else
        reader->packet_body = reader->at = header.bits.at;
    bool complete = true;
    if (found.count)
        complete = ((!reader->packed && body_is_empty(&found)) || next_range(reader)) && read_body(reader, &found);
    if (found.list)
        arena_rewind(reader->arena, mark);
    return complete ? PACKET_READ : out_of_bytes(reader, false, status, error);
}
