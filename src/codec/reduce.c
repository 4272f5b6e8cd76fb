/* SPDX-License-Identifier: BSD-2-Clause */
/* mist_codestream_reduce(): a standalone codestream of the lower resolution levels, by header rewrite alone. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/packets.h"
#include "codec/reduce.h"
#include "codec/stream.h"

#include <string.h>

struct rewrite {
    const struct codestream_header *header;
    unsigned reduce;
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
    const struct codestream_siz *siz = &rewrite->header->siz;
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

/* One segment of the main header, rewritten; TLM and PLM go, because they list what is no more. */
static void put_segment(struct rewrite *rewrite, unsigned marker, const uint8_t *segment, size_t size)
{
    const struct codestream_header *header = rewrite->header;
    size_t component_bytes = header->siz.components < 257 ? 1 : 2, start = rewrite->out->size;
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

bool reduce_main_header(const uint8_t *data, const struct codestream_header *header, unsigned reduce,
                        struct mist_buffer *out)
{
    struct rewrite rewrite = {header, reduce, out, false};
    size_t at = 2;
    put(&rewrite, data, 2);
    while (at < header->size && !rewrite.failed) {
        unsigned marker = load_be16(data + at);
        bool bare = marker >= 0xFF30 && marker <= 0xFF3F;
        size_t size = bare ? 2 : 2 + (size_t)load_be16(data + at + 2); /* the parser has checked these */
        if (bare)
            put(&rewrite, data + at, 2);
        else
            put_segment(&rewrite, marker, data + at, size);
        at += size;
    }
    return !rewrite.failed;
}

/*
 * The packets of each tile-part. What else a tile-part's header says is left away (PLT, COM), so it must not say
 * anything about coding.
 */
static enum mist_status find_packets(const struct stream *stream, struct codec_packets *packets,
                                     struct mist_error *error)
{
    struct codestream_tile_header tile;
    enum mist_status status = MIST_OK;
    codestream_tile_header_start(&stream->header, &tile);
    for (uint32_t i = 0; i < packets->levels && !status; i++) {
        const struct codestream_tile_part *part = &stream->parts.part[i];
        size_t body = 0;
        status = codestream_tile_header_add(stream->data, &stream->header, part, &tile, &body, error);
        packets->level[i].data = stream->data + body;
        packets->level[i].size = part->end - body;
    }
    if (!status && (tile.own_coding || tile.own_progressions.count || tile.ppt))
        status = error_set(error, MIST_ERROR_UNSUPPORTED,
                           "coding parameters in tile-part headers cannot be reduced by header rewrite");
    codestream_tile_header_free(&tile);
    return status;
}

/* What the contract in codec.h asks of the input: levels 0 .. levels-1 are here, each of them in one tile-part. */
static enum mist_status check_parts(const struct stream *stream, const struct mist_codestream_index *index,
                                    unsigned levels, size_t before, struct mist_error *error)
{
    const struct codestream_tile_parts *parts = &stream->parts;
    if (index->complete < levels)
        return error_set(error, MIST_ERROR_TRUNCATED, "the codestream holds %u resolution levels; %u are needed",
                         index->complete, levels);
    for (unsigned i = 0; i < levels; i++)
        if (i >= parts->count || parts->part[i].end + before != index->level_end[i])
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "only a codestream with one tile-part per resolution level can be reduced by header "
                             "rewrite");
    return MIST_OK;
}

enum mist_status mist_codestream_reduce(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                        struct mist_error *error)
{
    struct mist_codestream_index index;
    struct codec_packets packets = {0};
    struct stream stream;
    unsigned levels;
    enum mist_status status = mist_codestream_index(data, size, &index, error);
    if (status)
        return status;
    if (reduce >= index.levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels", reduce,
                         index.levels);
    status = stream_open(data, size, &stream, error);
    if (status)
        return status;
    packets.levels = index.levels - reduce;
    status = codestream_check_by_level(&stream.header, &levels, error);
    if (!status)
        status = check_parts(&stream, &index, packets.levels, (size_t)(stream.data - data), error);
    if (!status)
        status = find_packets(&stream, &packets, error);
    if (!status)
        status = codec_codestream_join(stream.data, stream.header.size, &packets, reduce, out, error);
    stream_close(&stream);
    return status;
}

enum mist_status codestream_reduce_header(const uint8_t *data, size_t size, unsigned reduce, struct mist_buffer *out,
                                          struct mist_error *error)
{
    struct codestream_header header;
    enum mist_status status = codestream_parse_header(data, size, &header, error);
    if (status)
        return status;
    for (uint32_t c = 0; c < header.siz.components && !status; c++)
        if (header.coding[c].coding.decompositions < reduce)
            status = error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels",
                               reduce, header.coding[c].coding.decompositions + 1u);
    out->size = 0;
    if (!status && !reduce_main_header(data, &header, reduce, out))
        status = error_set(error, MIST_ERROR_MEMORY, "no memory for a reduced codestream's header");
    codestream_header_free(&header);
    return status;
}
