/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/stream.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/jph.h"

#include <string.h>

unsigned stream_levels(const struct codestream_header *header)
{
    unsigned levels = MIST_MAX_LEVELS;
    for (uint32_t c = 0; c < header->siz.components; c++) {
        unsigned here = header->coding[c].coding.decompositions + 1u;
        if (here < levels)
            levels = here;
    }
    return levels;
}

void stream_close(struct stream *stream)
{
    codestream_header_free(&stream->header);
    codestream_tile_parts_free(&stream->parts);
    memory_free(stream->first_part);
    memory_free(stream->next_part);
    memory_free(stream->packed);
    memory_free(stream->packed_part);
    memset(stream, 0, sizeof *stream);
}

/* Chains the tile-parts of each tile in codestream order. */
static enum mist_status chain_parts(struct stream *stream, struct mist_error *error)
{
    uint32_t tiles = stream->header.siz.tiles_wide * stream->header.siz.tiles_high;
    stream->first_part = memory_allocate_array(tiles, sizeof *stream->first_part);
    stream->next_part = memory_allocate_array(stream->parts.count, sizeof *stream->next_part);
    if (!stream->first_part || !stream->next_part)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for the list of tiles");
    memset(stream->first_part, 0xff, tiles * sizeof *stream->first_part);
    for (uint32_t i = stream->parts.count; i--;) {
        uint32_t tile = stream->parts.part[i].tile;
        stream->next_part[i] = stream->first_part[tile];
        stream->first_part[tile] = i;
    }
    return MIST_OK;
}

/* PPM (A.7.4): all payloads joined hold, for each tile-part in turn, a length and that many bytes. */
static enum mist_status unpack_ppm(struct stream *stream, struct mist_error *error)
{
    const struct codestream_packed_headers *ppm = stream->header.ppm;
    size_t total = 0;
    for (uint32_t i = 0; i < ppm->count; i++)
        total += ppm->span[i].size;
    stream->packed = memory_allocate(total);
    stream->packed_part = memory_allocate_zeroed(stream->parts.count, sizeof *stream->packed_part);
    if (!stream->packed || !stream->packed_part)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for PPM");
    uint8_t *at = stream->packed;
    for (uint32_t i = 0; i < ppm->count; i++) {
        if (ppm->span[i].size)
            memcpy(at, ppm->span[i].data, ppm->span[i].size);
        at += ppm->span[i].size;
    }
    struct byte_reader reader = byte_reader_start(stream->packed, total);
    for (uint32_t i = 0; i < stream->parts.count && reader_left(&reader); i++) {
        size_t size = read_be32(&reader);
        const uint8_t *bytes = reader_take(&reader, size);
        if (!bytes)
            return error_set(error, MIST_ERROR_CORRUPT, "PPM ends within the headers of tile-part %u", i);
        stream->packed_part[i] = (struct codestream_span){bytes, size};
    }
    return MIST_OK;
}

enum mist_status stream_open(const uint8_t *data, size_t size, struct stream *stream, struct mist_error *error)
{
    struct codestream_span codestream;
    memset(stream, 0, sizeof *stream);
    enum mist_status status = jph_find_codestream(data, size, &codestream, error);
    if (status)
        return status;
    stream->data = codestream.data;
    stream->size = codestream.size;
    status = codestream_parse_header(stream->data, stream->size, &stream->header, error);
    if (!status)
        status = codestream_list_tile_parts(stream->data, stream->size, &stream->header, &stream->parts, error);
    if (!status)
        status = chain_parts(stream, error);
    if (!status && stream->header.ppm)
        status = unpack_ppm(stream, error);
    if (status)
        stream_close(stream);
    return status;
}

enum mist_status stream_open_packets(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                     struct stream *stream, struct mist_error *error)
{
    unsigned levels = 0;
    *stream = (struct stream){.data = main_header, .size = size, .packets = packets};
    enum mist_status status = codestream_parse_header_alone(main_header, size, &stream->header, error);
    if (!status)
        status = codestream_check_by_level(&stream->header, &levels, error);
    if (!status && (packets->levels > levels || packets->levels > MIST_MAX_LEVELS))
        status = error_set(error, MIST_ERROR_CORRUPT, "packets of %u resolution levels where the header has %u",
                           packets->levels, levels);
    for (unsigned level = 0; level < packets->levels && !status; level++)
        if (packets->level[level].size > CODEC_MAX_PACKETS ||
            !size_add(stream->size, (size_t)packets->level[level].size, &stream->size))
            status = error_set(error, MIST_ERROR_LIMIT, "level %u has more than 4 GiB of packets", level);
    if (status)
        stream_close(stream);
    return status;
}

/* ---- one tile ---- */

void tile_scan_close(struct tile_scan *scan)
{
    codestream_tile_header_free(&scan->header);
}

static uint32_t count_parts(const struct tile_scan *scan)
{
    uint32_t count = 0;
    if (scan->stream->packets) {
        while (count < scan->stream->packets->levels && scan->stream->packets->level[count].data)
            count++;
        return count;
    }
    for (uint32_t i = scan->stream->first_part[scan->index]; i != STREAM_NONE; i = scan->stream->next_part[i])
        count++;
    return count;
}

/* One range a level: those that have arrived without a gap. */
static void list_levels(const struct codec_packets *packets, uint32_t count, struct packet_range *range)
{
    for (uint32_t i = 0; i < count; i++)
        range[i] =
            (struct packet_range){packets->level[i].data, packets->level[i].data + packets->level[i].size, false};
}

/* Takes in all headers of the tile's tile-parts: changes of order and packed headers apply to the whole tile. */
static enum mist_status read_part_headers(struct tile_scan *scan, struct packet_range *range, struct mist_error *error)
{
    const struct stream *stream = scan->stream;
    for (uint32_t i = stream->first_part[scan->index]; i != STREAM_NONE; i = stream->next_part[i]) {
        const struct codestream_tile_part *part = &stream->parts.part[i];
        size_t body;
        struct mist_error cut = {0};
        enum mist_status status =
            codestream_tile_header_add(stream->data, &stream->header, part, &scan->header, &body, &cut);
        if (status == MIST_ERROR_TRUNCATED) { /* the input ends here: a tile-part without packets */
            *range = (struct packet_range){stream->data + part->end, stream->data + part->end, true};
        } else if (status) {
            return error_set(error, status, "%s", cut.message);
        } else {
            *range = (struct packet_range){stream->data + body, stream->data + part->end, part->cut};
        }
        range++;
    }
    return MIST_OK;
}

/* Joins the packed packet headers of the tile, from PPT or from PPM. */
static enum mist_status join_packed(struct tile_scan *scan, struct mist_error *error)
{
    const struct stream *stream = scan->stream;
    const struct codestream_packed_headers *ppt = scan->header.ppt;
    size_t total = 0, used = 0;
    if (!ppt && !stream->packed_part)
        return MIST_OK;
    for (uint32_t i = 0; ppt && i < ppt->count; i++)
        total += ppt->span[i].size;
    for (uint32_t i = stream->first_part[scan->index]; !ppt && i != STREAM_NONE; i = stream->next_part[i])
        total += stream->packed_part[i].size;
    uint8_t *joined = arena_allocate(scan->arena, total, 1);
    if (!joined)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for packed packet headers");
    for (uint32_t i = 0; ppt && i < ppt->count; i++) {
        if (ppt->span[i].size)
            memcpy(joined + used, ppt->span[i].data, ppt->span[i].size);
        used += ppt->span[i].size;
    }
    for (uint32_t i = stream->first_part[scan->index]; !ppt && i != STREAM_NONE; i = stream->next_part[i]) {
        if (stream->packed_part[i].size)
            memcpy(joined + used, stream->packed_part[i].data, stream->packed_part[i].size);
        used += stream->packed_part[i].size;
    }
    scan->reader.packed = true;
    scan->reader.header_at = joined;
    scan->reader.header_end = joined + total;
    return MIST_OK;
}

enum mist_status tile_scan_open(struct tile_scan *scan, struct mist_error *error)
{
    uint32_t parts = count_parts(scan);
    struct packet_range *range = arena_allocate(scan->arena, parts, sizeof *range);
    if (!range)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for the list of tile-parts");
    codestream_tile_header_start(&scan->stream->header, &scan->header);
    enum mist_status status = MIST_OK;
    if (scan->stream->packets)
        list_levels(scan->stream->packets, parts, range);
    else
        status = read_part_headers(scan, range, error);
    if (!status && !scan->stream->packets)
        status = join_packed(scan, error);
    if (!status)
        status = tile_build(scan->arena, &scan->stream->header, &scan->header, scan->index, &scan->tile, error);
    if (status)
        return status;
    scan->reader.arena = scan->arena;
    scan->reader.tile = &scan->tile;
    scan->reader.range = range;
    scan->reader.ranges = parts;
    scan->reader.input_size = scan->stream->size;
    scan->wanted = arena_allocate(scan->arena, scan->tile.components, 1);
    if (!scan->wanted)
        return error_set(error, MIST_ERROR_MEMORY, "no memory for the structure of a tile");
    for (uint32_t c = 0; c < scan->tile.components; c++)
        scan->wanted[c] = (uint8_t)scan->tile.component[c].resolutions;
    return MIST_OK;
}

static enum mist_status scan_packet(void *context, const struct progression_packet *packet, struct mist_error *error)
{
    struct tile_scan *scan = context;
    enum mist_status status;
    switch (packet_read(&scan->reader, packet, &status, error)) {
    case PACKET_FAILED:
        return status;
    case PACKET_MISSING:
        scan->stop = true;
        return MIST_OK;
    case PACKET_READ:
        break;
    }
    if (scan->stream->packets && scan->reader.current != packet->resolution)
        return error_set(error, MIST_ERROR_CORRUPT, "the packets of level %u do not end where its bytes do",
                         scan->reader.current);
    scan->tile.component[packet->component].resolution[packet->resolution].packets_read++;
    if (scan->after_packet) {
        const struct packet_reader *reader = &scan->reader;
        uint32_t last = reader->ranges ? reader->ranges - 1 : 0;
        const uint8_t *end = reader->at                         ? reader->at
                             : reader->current < reader->ranges ? reader->range[reader->current].start
                             : reader->ranges                   ? reader->range[last].end
                                                                : scan->stream->data;
        scan->after_packet(scan->context, packet, (size_t)(end - scan->stream->data));
    }
    if (packet->resolution < scan->wanted[packet->component])
        scan->missing--;
    scan->stop = scan->missing == 0;
    return MIST_OK;
}

enum mist_status tile_scan_read(struct tile_scan *scan, struct mist_error *error)
{
    const struct progression_visitor visitor = {scan_packet, scan, &scan->stop};
    scan->missing = 0;
    for (uint32_t c = 0; c < scan->tile.components; c++) {
        const struct tile_component *component = &scan->tile.component[c];
        if (!scan->part1 && !(component->coding->coding.block_style & BLOCK_STYLE_HT) && scan->wanted[c])
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "component %u has Part-1 (non-HT) code-blocks, which are not supported", c);
        for (unsigned r = 0; r < scan->wanted[c]; r++)
            scan->missing += component->resolution[r].precincts * scan->tile.style.layers;
    }
    scan->stop = scan->missing == 0;
    return scan->stop ? MIST_OK : progression_walk(scan->arena, &scan->tile, &visitor, error);
}
