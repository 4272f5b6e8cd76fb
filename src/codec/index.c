/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_codestream_index(): how many bytes each resolution level needs. */
#include "base/error.h"
#include "codec/stream.h"

#include <string.h>

/* What the walk over packets finds out about levels. */
struct level_walk {
    const struct tile_scan *scan;
    unsigned levels;
    uint64_t missing[MIST_MAX_LEVELS]; /* packets of each level */
    uint64_t end[MIST_MAX_LEVELS];     /* behind the last packet of each level */
};

/*
 * The level that a component's resolution belongs to: reducing by r drops the r highest resolutions of every
 * component, so levels are counted from the top; what a component has more than others belongs to level 0.
 */
static unsigned level_of(const struct level_walk *walk, uint32_t component, unsigned resolution)
{
    unsigned surplus = walk->scan->tile.component[component].resolutions - walk->levels;
    return resolution > surplus ? resolution - surplus : 0;
}

static void note_packet(void *context, const struct progression_packet *packet, size_t end)
{
    struct level_walk *walk = context;
    unsigned level = level_of(walk, packet->component, packet->resolution);
    walk->missing[level]--;
    if (walk->end[level] < end)
        walk->end[level] = end;
}

static enum mist_status walk_tile(struct level_walk *walk, const struct stream *stream, struct arena *arena,
                                  uint32_t index, struct mist_error *error)
{
    struct arena_mark mark = arena_mark(arena);
    struct tile_scan scan = {.stream = stream, .arena = arena, .index = index, .after_packet = note_packet};
    enum mist_status status = tile_scan_open(&scan, error);
    scan.context = walk;
    walk->scan = &scan;
    for (uint32_t c = 0; !status && c < scan.tile.components; c++) {
        const struct tile_component *component = &scan.tile.component[c];
        if (component->resolutions < walk->levels) {
            status = error_set(error, MIST_ERROR_UNSUPPORTED, "tile %u has fewer resolution levels than others", index);
            break;
        }
        for (unsigned r = 0; r < component->resolutions; r++)
            walk->missing[level_of(walk, c, r)] += component->resolution[r].precincts * scan.tile.style.layers;
    }
    if (!status)
        status = tile_scan_read(&scan, error);
    tile_scan_close(&scan);
    arena_rewind(arena, mark);
    return status;
}

/*
 * Fills in the levels that have not arrived. TLM gives the ends of tile-parts; these are the ends of levels if there is
 * one tile, resolutions come in order, and there are as many tile-parts as levels; those levels that have arrived
 * must agree.
 */
static void use_tlm(const struct stream *stream, struct mist_codestream_index *index)
{
    const struct codestream_header *header = &stream->header;
    uint64_t end[MIST_MAX_LEVELS], at = header->size;
    bool ordered = header->style.progression == MIST_RPCL || header->style.progression == MIST_RLCP;
    if (!ordered || header->progressions.count || header->siz.tiles_wide * header->siz.tiles_high != 1 ||
        header->tlm_count != index->levels)
        return;
    for (unsigned level = 0; level < index->levels; level++) {
        at += header->tlm[level].length;
        end[level] = at;
        if (level < index->complete && index->level_end[level] != at)
            return;
    }
    memcpy(index->level_end, end, index->levels * sizeof *end);
}

static void finish(const struct level_walk *walk, struct mist_codestream_index *index)
{
    uint64_t end = index->header_end;
    for (unsigned level = 0; level < walk->levels; level++) {
        if (walk->missing[level])
            break;
        if (end < walk->end[level])
            end = walk->end[level];
        index->level_end[level] = end;
        index->complete++;
    }
}

enum mist_status mist_codestream_index(const uint8_t *data, size_t size, struct mist_codestream_index *index,
                                       struct mist_error *error)
{
    struct stream stream;
    struct arena arena = {0};
    struct level_walk walk = {0};
    memset(index, 0, sizeof *index);
    enum mist_status status = stream_open(data, size, &stream, error);
    if (status)
        return status;
    walk.levels = index->levels = stream_levels(&stream.header);
    index->header_end = stream.header.size;
    uint32_t tiles = stream.header.siz.tiles_wide * stream.header.siz.tiles_high;
    for (uint32_t tile = 0; tile < tiles && !status; tile++)
        status = walk_tile(&walk, &stream, &arena, tile, error);
    if (!status) {
        finish(&walk, index);
        use_tlm(&stream, index);
        uint64_t before = (uint64_t)(stream.data - data); /* of a JPH file */
        index->header_end += before;
        for (unsigned level = 0; level < index->levels; level++) {
            if (index->level_end[level])
                index->level_end[level] += before;
        }
    }
    arena_free(&arena);
    stream_close(&stream);
    return status;
}
