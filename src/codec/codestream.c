/* SPDX-License-Identifier: BSD-2-Clause */
/* Walking the main header, the tile-parts and the tile-part headers. The segments themselves: segments.c. */
#include "codec/codestream.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/segments.h"

#include <string.h>

unsigned codestream_band_exponent(const struct codestream_quantizer *quantizer, unsigned band)
{
    if (quantizer->style != QUANTIZATION_DERIVED)
        return quantizer->step[band] >> 11;
    /* (E-5): the exponent falls by one with each resolution level above the lowest two. */
    unsigned first = quantizer->step[0] >> 11, level = band ? (band - 1) / 3 : 0;
    return first > level ? first - level : 0;
}

unsigned codestream_band_mantissa(const struct codestream_quantizer *quantizer, unsigned band)
{
    return quantizer->step[quantizer->style == QUANTIZATION_DERIVED ? 0 : band] & 0x7ff;
}

unsigned codestream_band_planes(const struct codestream_quantizer *quantizer, unsigned band)
{
    unsigned planes = quantizer->guard_bits + codestream_band_exponent(quantizer, band);
    return planes ? planes - 1 : 0;
}

void codestream_header_free(struct codestream_header *header)
{
    memory_free(header->component);
    memory_free(header->coding);
    memory_free(header->progressions.change);
    memory_free(header->ppm);
    memory_free(header->tlm);
    memory_free(header->nonlinearity);
    memset(header, 0, sizeof *header);
}

void codestream_tile_parts_free(struct codestream_tile_parts *parts)
{
    memory_free(parts->part);
    memset(parts, 0, sizeof *parts);
}

void codestream_tile_header_free(struct codestream_tile_header *tile)
{
    memory_free(tile->own_coding);
    memory_free(tile->own_progressions.change);
    memory_free(tile->ppt);
    memset(tile, 0, sizeof *tile);
}

/* Markers without a length: 0xFF30 .. 0xFF3F are reserved as such (Table A.1). */
static bool has_length(unsigned marker)
{
    return marker < 0xFF30 || marker > 0xFF3F;
}

/* The next marker and what follows its length field. False at the end of the bytes or when the length is no length. */
static bool next_segment(struct byte_reader *reader, unsigned *marker, struct byte_reader *payload)
{
    *marker = read_be16(reader);
    *payload = byte_reader_start(reader->at, 0);
    if (reader->failed || *marker == MARKER_SOD || *marker == MARKER_EOC || !has_length(*marker))
        return !reader->failed;
    unsigned length = read_be16(reader);
    if (length < 2)
        return false;
    const uint8_t *bytes = reader_take(reader, length - 2);
    if (bytes)
        *payload = byte_reader_start(bytes, length - 2);
    return bytes != NULL;
}

/* Why next_segment() failed. */
static enum mist_status segment_failure(const struct byte_reader *reader, const char *where, struct mist_error *error)
{
    if (reader->failed)
        return error_set(error, MIST_ERROR_TRUNCATED, "the codestream ends within %s", where);
    return error_set(error, MIST_ERROR_CORRUPT, "a marker segment in %s has a length below 2", where);
}

static enum mist_status check_complete(const struct codestream_header *header, bool cod, bool qcd,
                                       struct mist_error *error)
{
    if (!header->siz.components)
        return error_set(error, MIST_ERROR_CORRUPT, "the main header has no SIZ marker segment");
    if (!cod || !qcd)
        return error_set(error, MIST_ERROR_CORRUPT, "the main header has no %s marker segment", cod ? "QCD" : "COD");
    return MIST_OK;
}

/* `alone`: the bytes may end where the header does. */
static enum mist_status parse_header(const uint8_t *data, size_t size, bool alone, struct codestream_header *header,
                                     struct mist_error *error)
{
    struct segment_scope scope = {.header = header};
    struct byte_reader reader = byte_reader_start(data, size), payload;
    enum mist_status status = MIST_OK;
    memset(header, 0, sizeof *header);
    if (read_be16(&reader) != MARKER_SOC)
        return error_set(error, reader.failed ? MIST_ERROR_TRUNCATED : MIST_ERROR_CORRUPT,
                         "not a codestream: it does not begin with SOC (FF4F)");
    while (!status) {
        const uint8_t *start = reader.at;
        unsigned marker;
        /* SOT is left for the walk over tile-parts, whether or not the rest of its segment has arrived. */
        bool end = alone && !reader_left(&reader);
        if (end || (reader_left(&reader) >= 2 && load_be16(start) == MARKER_SOT)) {
            header->size = (size_t)(start - data);
            break;
        }
        if (!next_segment(&reader, &marker, &payload)) {
            status = segment_failure(&reader, "its main header", error);
        } else if (marker == MARKER_EOC || marker == MARKER_SOD) {
            status = error_set(error, MIST_ERROR_CORRUPT, "the main header ends with marker %04X", marker);
        } else if (!header->siz.components && marker != MARKER_SIZ) {
            status = error_set(error, MIST_ERROR_CORRUPT, "marker %04X comes before SIZ", marker);
        } else {
            status = segment_parse_main(&scope, marker, payload, error);
        }
    }
    if (!status)
        status = check_complete(header, scope.cod, scope.qcd, error);
    if (!status)
        status = segment_finish_tlm(&scope, error);
    memory_free(scope.tlm);
    if (status)
        codestream_header_free(header);
    return status;
}

enum mist_status codestream_parse_header(const uint8_t *data, size_t size, struct codestream_header *header,
                                         struct mist_error *error)
{
    return parse_header(data, size, false, header, error);
}

enum mist_status codestream_parse_header_alone(const uint8_t *data, size_t size, struct codestream_header *header,
                                               struct mist_error *error)
{
    enum mist_status status = parse_header(data, size, true, header, error);
    if (!status && header->size != size) {
        codestream_header_free(header);
        status = error_set(error, MIST_ERROR_CORRUPT, "a main header with a tile-part behind it");
    }
    return status;
}

static bool append_part(struct codestream_tile_parts *parts, uint32_t *capacity, struct codestream_tile_part part)
{
    if (parts->count == *capacity) {
        uint32_t grown = *capacity ? *capacity * 2 : 16;
        struct codestream_tile_part *moved = memory_resize(parts->part, grown, sizeof *moved);
        if (!moved)
            return false;
        parts->part = moved;
        *capacity = grown;
    }
    parts->part[parts->count++] = part;
    return true;
}

/* Reads one SOT segment (A.4.2) at `offset`, of which all 12 bytes are there. */
static enum mist_status read_sot(const uint8_t *data, size_t size, size_t offset, const struct codestream_siz *siz,
                                 struct codestream_tile_part *part, struct mist_error *error)
{
    struct byte_reader reader = byte_reader_start(data + offset + 2, CODESTREAM_SOT_SIZE - 2);
    unsigned length = read_be16(&reader);
    part->tile = read_be16(&reader);
    uint32_t bytes = read_be32(&reader);
    part->index = read_u8(&reader);
    part->count = read_u8(&reader);
    part->offset = offset;
    if (length != 10)
        return error_set(error, MIST_ERROR_CORRUPT, "SOT at byte %zu has length %u instead of 10", offset, length);
    if (part->tile >= siz->tiles_wide * siz->tiles_high)
        return error_set(error, MIST_ERROR_CORRUPT, "SOT at byte %zu names tile %u of %u", offset, part->tile,
                         siz->tiles_wide * siz->tiles_high);
    if (bytes == 0) { /* the last tile-part: up to EOC */
        bool eoc = size - offset >= CODESTREAM_SOT_SIZE + 4 && load_be16(data + size - 2) == MARKER_EOC;
        part->end = eoc ? size - 2 : size;
        part->cut = !eoc;
    } else if (bytes < CODESTREAM_SOT_SIZE + 2) {
        return error_set(error, MIST_ERROR_CORRUPT, "SOT at byte %zu claims a tile-part of %u bytes", offset, bytes);
    } else {
        part->cut = bytes > size - offset;
        part->end = part->cut ? size : offset + bytes;
    }
    return MIST_OK;
}

enum mist_status codestream_list_tile_parts(const uint8_t *data, size_t size, const struct codestream_header *header,
                                            struct codestream_tile_parts *parts, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    uint32_t capacity = 0;
    size_t offset = header->size;
    memset(parts, 0, sizeof *parts);
    while (!status && size - offset >= CODESTREAM_SOT_SIZE && load_be16(data + offset) == MARKER_SOT) {
        struct codestream_tile_part part = {0};
        status = read_sot(data, size, offset, &header->siz, &part, error);
        if (!status && !append_part(parts, &capacity, part))
            status = error_set(error, MIST_ERROR_MEMORY, "no memory for the list of tile-parts");
        offset = part.end;
    }
    bool cut = parts->count && parts->part[parts->count - 1].cut;
    if (!status && !cut && size - offset >= 2) {
        unsigned marker = load_be16(data + offset);
        parts->complete = marker == MARKER_EOC;
        if (marker != MARKER_EOC && marker != MARKER_SOT)
            status = error_set(error, MIST_ERROR_CORRUPT, "%04X at byte %zu where SOT or EOC must be", marker, offset);
    }
    parts->end = offset;
    if (status)
        codestream_tile_parts_free(parts);
    return status;
}

void codestream_tile_header_start(const struct codestream_header *header, struct codestream_tile_header *tile)
{
    memset(tile, 0, sizeof *tile);
    tile->style = header->style;
    tile->coding = header->coding;
    tile->progressions = &header->progressions;
}

enum mist_status codestream_tile_header_add(const uint8_t *data, const struct codestream_header *header,
                                            const struct codestream_tile_part *part,
                                            struct codestream_tile_header *tile, size_t *body, struct mist_error *error)
{
    size_t start = part->offset + CODESTREAM_SOT_SIZE;
    struct byte_reader reader = byte_reader_start(data + start, part->end - start), payload;
    struct segment_scope scope = {.header = (struct codestream_header *)header, .tile = tile};
    for (;;) {
        unsigned marker;
        if (!next_segment(&reader, &marker, &payload)) {
            if (reader.failed && !part->cut)
                return error_set(error, MIST_ERROR_CORRUPT, "the tile-part at byte %zu ends within its header",
                                 part->offset);
            return segment_failure(&reader, "a tile-part header", error);
        }
        if (marker == MARKER_SOD)
            break;
        enum mist_status status = segment_parse_tile(&scope, marker, payload, error);
        if (status)
            return status;
    }
    tile->started = true;
    *body = (size_t)(reader.at - data);
    return MIST_OK;
}
