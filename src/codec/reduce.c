/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_codestream_reduce(): a standalone codestream of the lower resolution levels, by header rewrite alone. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/reduce.h"
#include "codec/stream.h"

#include <string.h>

struct rewrite {
    const struct stream *stream;
    unsigned reduce;
    uint32_t parts; /* tile-parts that are kept */
    struct mist_buffer *out;
    bool failed; /* memory is short */
};

static void put(struct rewrite *rewrite, const void *bytes, size_t size)
{
    rewrite->failed = rewrite->failed || !buffer_append(rewrite->out, bytes, size);
}

static uint32_t halve(uint32_t value, unsigned times)
{
    return (uint32_t)(((uint64_t)value + ((uint64_t)1 << times) - 1) >> times);
}

/*
 * SIZ: all coordinates become ceil(v / 2^r), so a component's samples become ceil(ceil(v / dx) / 2^r) =
 * ceil(ceil(v / 2^r) / dx), its reduced size. The one tile ends where the image ends.
 */
static void rewrite_siz(struct rewrite *rewrite, uint8_t *segment)
{
    const struct codestream_siz *siz = &rewrite->stream->header.siz;
    unsigned r = rewrite->reduce;
    uint8_t *at = segment + 6;
    store_be32(at, halve(siz->x1, r));
    store_be32(at + 4, halve(siz->y1, r));
    store_be32(at + 8, halve(siz->x0, r));
    store_be32(at + 12, halve(siz->y0, r));
    store_be32(at + 16, halve(siz->x1, r) - halve(siz->tile_x0, r));
    store_be32(at + 20, halve(siz->y1, r) - halve(siz->tile_y0, r));
    store_be32(at + 24, halve(siz->tile_x0, r));
    store_be32(at + 28, halve(siz->tile_y0, r));
}

/*
 * COD and COC: fewer decompositions, and precinct sizes (which go from the lowest level up) cut to the levels that are
 * left. `at` is the offset of SPcod's number of decompositions, `flags` Scod. Returns the new size.
 */
static size_t rewrite_coding(const struct rewrite *rewrite, uint8_t *segment, size_t size, size_t at, uint8_t flags)
{
    segment[at] = (uint8_t)(segment[at] - rewrite->reduce);
    return flags & SCOD_PRECINCTS ? at + 5 + segment[at] + 1u : size;
}

/*
 * QCD and QCC: bands are listed from the lowest level up, three a level. Derived steps stay: (E-5) counts
 * decompositions from the top, and the base exponent belongs to the LL band, which stays the same band.
 */
static size_t rewrite_quantizer(const struct rewrite *rewrite, const uint8_t *segment, size_t size, size_t at,
                                unsigned decompositions)
{
    unsigned style = segment[at] & 31, entry = style == QUANTIZATION_NONE ? 1 : 2;
    size_t cut = at + 1 + entry * (3 * (size_t)(decompositions - rewrite->reduce) + 1);
    return style == QUANTIZATION_DERIVED || cut > size ? size : cut;
}

static void put_tlm(struct rewrite *rewrite)
{
    uint8_t head[6];
    store_be16(head, MARKER_TLM);
    store_be16(head + 2, (uint16_t)(4 + 5 * rewrite->parts));
    head[4] = 0;
    head[5] = 0x50; /* one byte of tile index, four of length */
    put(rewrite, head, sizeof head);
    for (uint32_t i = 0; i < rewrite->parts; i++) {
        const struct codestream_tile_part *part = &rewrite->stream->parts.part[i];
        uint8_t entry[5] = {0};
        store_be32(entry + 1, (uint32_t)(part->end - part->offset));
        put(rewrite, entry, sizeof entry);
    }
}

/* One segment of the main header, rewritten; PLM goes, because it lists packets that are no more. */
static void put_segment(struct rewrite *rewrite, unsigned marker, const uint8_t *segment, size_t size, bool *tlm_done)
{
    const struct codestream_header *header = &rewrite->stream->header;
    size_t component_bytes = header->siz.components < 257 ? 1 : 2, start = rewrite->out->size;
    if (marker == MARKER_TLM) {
        if (!*tlm_done)
            put_tlm(rewrite);
        *tlm_done = true;
    }
    if (marker == MARKER_TLM || marker == MARKER_PLM)
        return;
    put(rewrite, segment, size);
    if (rewrite->failed)
        return;
    uint8_t *copy = rewrite->out->data + start;
    if (marker == MARKER_SIZ) {
        rewrite_siz(rewrite, copy);
    } else if (marker == MARKER_COD) {
        size = rewrite_coding(rewrite, copy, size, 9, copy[4]);
    } else if (marker == MARKER_COC) {
        size = rewrite_coding(rewrite, copy, size, 5 + component_bytes, copy[4 + component_bytes]);
    } else if (marker == MARKER_QCD) {
        size = rewrite_quantizer(rewrite, copy, size, 4, header->coding[0].coding.decompositions);
    } else if (marker == MARKER_QCC) {
        unsigned c = component_bytes == 1 ? copy[4] : load_be16(copy + 4);
        size = rewrite_quantizer(rewrite, copy, size, 4 + component_bytes, header->coding[c].coding.decompositions);
    }
    store_be16(copy + 2, (uint16_t)(size - 2));
    rewrite->out->size = start + size;
}

static void put_main_header(struct rewrite *rewrite)
{
    const struct stream *stream = rewrite->stream;
    bool tlm_done = false;
    size_t at = 2;
    put(rewrite, stream->data, 2);
    while (at < stream->header.size && !rewrite->failed) {
        unsigned marker = load_be16(stream->data + at);
        bool bare = marker >= 0xFF30 && marker <= 0xFF3F;
        size_t size = bare ? 2 : 2 + (size_t)load_be16(stream->data + at + 2); /* the parser has checked these */
        if (bare)
            put(rewrite, stream->data + at, 2);
        else
            put_segment(rewrite, marker, stream->data + at, size, &tlm_done);
        at += size;
    }
}

static void put_tile_parts(struct rewrite *rewrite)
{
    static const uint8_t eoc[2] = {0xFF, 0xD9};
    for (uint32_t i = 0; i < rewrite->parts; i++) {
        const struct codestream_tile_part *part = &rewrite->stream->parts.part[i];
        size_t start = rewrite->out->size, size = part->end - part->offset;
        put(rewrite, rewrite->stream->data + part->offset, size);
        if (rewrite->failed)
            return;
        uint8_t *sot = rewrite->out->data + start;
        store_be32(sot + 6, (uint32_t)size);
        sot[11] = (uint8_t)rewrite->parts;
    }
    put(rewrite, eoc, sizeof eoc);
}

/* What the contract in codec.h asks of the input. */
static enum mist_status check(const struct rewrite *rewrite, const struct mist_codestream_index *index, size_t before,
                              struct mist_error *error)
{
    const struct codestream_header *header = &rewrite->stream->header;
    const struct codestream_tile_parts *parts = &rewrite->stream->parts;
    bool ordered = header->style.progression == MIST_RPCL || header->style.progression == MIST_RLCP;
    if (header->siz.tiles_wide * header->siz.tiles_high != 1 || !ordered || header->progressions.count || header->ppm)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "only a codestream of one tile in RPCL or RLCP order can be reduced by header rewrite");
    if (index->complete < rewrite->parts)
        return error_set(error, MIST_ERROR_TRUNCATED, "the codestream holds %u resolution levels; %u are needed",
                         index->complete, rewrite->parts);
    for (uint32_t i = 0; i < rewrite->parts; i++) {
        if (i >= parts->count || parts->part[i].end + before != index->level_end[i])
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "only a codestream with one tile-part per resolution level can be reduced by header "
                             "rewrite");
    }
    for (uint32_t c = 0; c < header->siz.components; c++) {
        if (header->coding[c].coding.decompositions + 1u != index->levels)
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "components with different numbers of levels cannot be reduced by header rewrite");
    }
    return MIST_OK;
}

/* Tile-part headers are copied as they are, so they must not say anything about levels. */
static enum mist_status check_part_headers(const struct rewrite *rewrite, struct mist_error *error)
{
    struct codestream_tile_header tile;
    enum mist_status status = MIST_OK;
    codestream_tile_header_start(&rewrite->stream->header, &tile);
    for (uint32_t i = 0; i < rewrite->parts && !status; i++) {
        size_t body;
        status = codestream_tile_header_add(rewrite->stream->data, &rewrite->stream->header,
                                            &rewrite->stream->parts.part[i], &tile, &body, error);
    }
    if (!status && (tile.own_coding || tile.own_progressions.count))
        status = error_set(error, MIST_ERROR_UNSUPPORTED,
                           "coding parameters in tile-part headers cannot be reduced by header rewrite");
    codestream_tile_header_free(&tile);
    return status;
}

enum mist_status mist_codestream_reduce(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                        struct mist_error *error)
{
    struct mist_codestream_index index;
    struct stream stream;
    enum mist_status status = mist_codestream_index(data, size, &index, error);
    if (status)
        return status;
    if (reduce >= index.levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels", reduce,
                         index.levels);
    status = stream_open(data, size, &stream, error);
    if (status)
        return status;
    struct rewrite rewrite = {&stream, reduce, index.levels - reduce, out, false};
    status = check(&rewrite, &index, (size_t)(stream.data - data), error);
    if (!status)
        status = check_part_headers(&rewrite, error);
    if (!status) {
        out->size = 0;
        rewrite.failed = !buffer_reserve(out, (size_t)index.level_end[rewrite.parts - 1] + 64);
        if (!rewrite.failed)
            put_main_header(&rewrite);
        if (!rewrite.failed)
            put_tile_parts(&rewrite);
        if (rewrite.failed)
            status = error_set(error, MIST_ERROR_MEMORY, "no memory for a reduced codestream");
    }
    stream_close(&stream);
    return status;
}

enum mist_status codestream_reduce_header(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                          struct mist_error *error)
{
    struct stream stream = {.data = data, .size = size};
    struct rewrite rewrite = {&stream, reduce, 0, out, false};
    enum mist_status status = codestream_parse_header(data, size, &stream.header, error);
    if (status)
        return status;
    for (uint32_t c = 0; c < stream.header.siz.components && !status; c++)
        if (stream.header.coding[c].coding.decompositions < reduce)
            status = error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels",
                               reduce, stream.header.coding[c].coding.decompositions + 1u);
    out->size = 0;
    if (!status)
        put_main_header(&rewrite);
    if (rewrite.failed)
        status = error_set(error, MIST_ERROR_MEMORY, "no memory for a reduced codestream's header");
    codestream_header_free(&stream.header);
    return status;
}
