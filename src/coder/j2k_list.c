/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/j2k_list.h"

#include "base/error.h"
#include "coder/j2k.h"

#include <string.h>

static enum mist_status unsupported(struct mist_error *error, const char *what)
{
    return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG 2000 codestream with %s is not taken apart", what);
}

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for the list of a codestream's packets");
}

/* What the main header must be like. */
static enum mist_status check_header(struct j2k_list *list, struct mist_error *error)
{
    const struct codestream_header *header = &list->stream.header;
    if (header->siz.tiles_wide * header->siz.tiles_high != 1)
        return unsupported(error, "several tiles");
    if (header->ppm)
        return unsupported(error, "packed packet headers (PPM)");
    if (header->progressions.count)
        return unsupported(error, "progression order changes (POC)");
    list->levels = stream_levels(header);
    unsigned kind = header->coding[0].coding.block_style & BLOCK_STYLE_HT;
    for (uint32_t c = 0; c < header->siz.components; c++) {
        const struct codestream_coding *coding = &header->coding[c].coding;
        if (coding->decompositions + 1u != list->levels)
            return unsupported(error, "components of different numbers of resolution levels");
        if (coding->block_style & BLOCK_STYLE_MIXED || (coding->block_style & BLOCK_STYLE_HT) != kind)
            return unsupported(error, "code-blocks of Part 1 and of Part 15");
    }
    return MIST_OK;
}

static enum mist_status check_tile_header(const struct codestream_tile_header *tile, struct mist_error *error)
{
    if (tile->ppt)
        return unsupported(error, "packed packet headers (PPT)");
    if (tile->own_progressions.count)
        return unsupported(error, "progression order changes (POC)");
    if (tile->own_coding)
        return unsupported(error, "coding parameters in a tile-part");
    return MIST_OK;
}

/* Numbers the packets; every one of them takes a byte at least, so memory follows the input. */
static enum mist_status number_packets(struct j2k_list *list, struct mist_error *error)
{
    const struct tile *tile = &list->scan.tile;
    uint64_t total = 0, limit = J2K_MAX_PACKETS < list->stream.size ? J2K_MAX_PACKETS : list->stream.size;
    list->base = arena_allocate(&list->arena, (size_t)tile->components * list->levels, sizeof *list->base);
    if (!list->base)
        return no_memory(error);
    for (uint32_t c = 0; c < tile->components; c++)
        for (unsigned r = 0; r < list->levels; r++) {
            uint64_t precincts = tile->component[c].resolution[r].precincts;
            list->base[(size_t)c * list->levels + r] = (uint32_t)total;
            if (precincts > limit || (total += precincts * tile->style.layers) > limit)
                return limit < J2K_MAX_PACKETS ? unsupported(error, "fewer bytes than packets")
                                               : unsupported(error, "more than 4 million packets");
        }
    list->packet = arena_allocate(&list->arena, (size_t)total, sizeof *list->packet);
    list->place = arena_allocate(&list->arena, (size_t)total, sizeof *list->place);
    return list->packet && list->place ? MIST_OK : no_memory(error);
}

static uint32_t number_of(const struct j2k_list *list, const struct progression_packet *packet)
{
    uint32_t base = list->base[(size_t)packet->component * list->levels + packet->resolution];
    return base + (uint32_t)packet->precinct * list->scan.tile.style.layers + packet->layer;
}

static void note_packet(void *context, const struct progression_packet *packet, size_t end)
{
    struct j2k_list *list = context;
    const struct packet_reader *reader = &list->scan.reader;
    (void)end;
    list->place[number_of(list, packet)] = list->count;
    list->packet[list->count++] = (struct j2k_packet){.start = reader->packet_start,
                                                      .data = reader->packet_header,
                                                      .end = reader->at,
                                                      .level = packet->resolution,
                                                      .part = reader->current};
}

/* A packet whose header and body lie in two tile-parts is not one run of bytes. */
static enum mist_status check_packets(const struct j2k_list *list, struct mist_error *error)
{
    if (list->scan.missing)
        return error_set(error, MIST_ERROR_TRUNCATED, "the codestream ends before its last packet");
    for (uint32_t i = 0; i < list->count; i++) {
        const struct j2k_packet *packet = &list->packet[i];
        const struct packet_range *range = &list->scan.reader.range[packet->part];
        if (packet->start < range->start || packet->end > range->end || packet->data > packet->end)
            return unsupported(error, "packets across tile-parts");
    }
    return MIST_OK;
}

enum mist_status j2k_list_read(struct j2k_list *list, struct mist_error *error)
{
    enum mist_status status = check_header(list, error);
    if (status)
        return status;
    list->scan = (struct tile_scan){
        .stream = &list->stream, .arena = &list->arena, .after_packet = note_packet, .context = list, .part1 = true};
    status = tile_scan_open(&list->scan, error);
    if (!status)
        status = check_tile_header(&list->scan.header, error);
    if (!status)
        status = number_packets(list, error);
    if (!status)
        status = tile_scan_read(&list->scan, error);
    return status ? status : check_packets(list, error);
}

struct list_walk {
    const struct j2k_list *list;
    j2k_visit visit;
    void *context;
    bool stop;
};

static enum mist_status visit_packet(void *context, const struct progression_packet *packet, struct mist_error *error)
{
    struct list_walk *walk = context;
    const struct j2k_list *list = walk->list;
    return walk->visit(walk->context, &list->packet[list->place[number_of(list, packet)]], error);
}

enum mist_status j2k_list_walk(struct j2k_list *list, enum mist_progression order, j2k_visit visit, void *context,
                               struct mist_error *error)
{
    struct list_walk walk = {list, visit, context, false};
    struct progression_visitor visitor = {visit_packet, &walk, &walk.stop};
    struct tile tile = list->scan.tile;
    tile.style.progression = (uint8_t)order;
    return progression_walk(&list->arena, &tile, &visitor, error);
}

void j2k_list_free(struct j2k_list *list)
{
    tile_scan_close(&list->scan);
    stream_close(&list->stream);
    arena_free(&list->arena);
    memset(list, 0, sizeof *list);
}
