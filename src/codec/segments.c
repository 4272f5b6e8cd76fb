/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/segments.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/geometry.h"

#include <string.h>

static enum mist_status bad(struct mist_error *error, const char *segment, const char *what)
{
    return error_set(error, MIST_ERROR_CORRUPT, "%s: %s", segment, what);
}

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for the codestream's header");
}

/* ---- SIZ (A.5.1) ---- */

static enum mist_status check_siz(struct codestream_siz *siz, struct mist_error *error)
{
    if (siz->x1 <= siz->x0 || siz->y1 <= siz->y0)
        return bad(error, "SIZ", "the image area is empty");
    if (!siz->tile_width || !siz->tile_height || siz->tile_x0 > siz->x0 || siz->tile_y0 > siz->y0 ||
        (uint64_t)siz->tile_x0 + siz->tile_width <= siz->x0 || (uint64_t)siz->tile_y0 + siz->tile_height <= siz->y0)
        return bad(error, "SIZ", "the first tile does not overlap the image area");
    uint32_t wide = ceil_divide((uint64_t)siz->x1 - siz->tile_x0, siz->tile_width);
    uint32_t high = ceil_divide((uint64_t)siz->y1 - siz->tile_y0, siz->tile_height);
    if ((uint64_t)wide * high > CODESTREAM_MAX_TILES)
        return error_set(error, MIST_ERROR_LIMIT, "SIZ: %u x %u tiles; %u are allowed", wide, high,
                         CODESTREAM_MAX_TILES);
    siz->tiles_wide = wide;
    siz->tiles_high = high;
    return MIST_OK;
}

static enum mist_status read_component(struct byte_reader *reader, const struct codestream_siz *siz,
                                       struct codestream_component *component, struct mist_error *error)
{
    unsigned depth = read_u8(reader);
    component->precision = (uint8_t)((depth & 0x7f) + 1);
    component->is_signed = depth >> 7;
    component->dx = read_u8(reader);
    component->dy = read_u8(reader);
    if (component->precision > 38)
        return error_set(error, MIST_ERROR_CORRUPT, "SIZ: a component of %u bits; 38 are allowed",
                         component->precision);
    if (!component->dx || !component->dy)
        return bad(error, "SIZ", "a component's sub-sampling is 0");
    struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, component);
    if (rect_width(area) > MIST_MAX_SIDE || rect_height(area) > MIST_MAX_SIDE)
        return error_set(error, MIST_ERROR_LIMIT, "SIZ: a component of %u x %u samples; %u are allowed on a side",
                         rect_width(area), rect_height(area), MIST_MAX_SIDE);
    return MIST_OK;
}

/* Tiles x components of a codestream: each costs the parser some work even where it holds no sample. */
#define MAX_TILE_COMPONENTS ((uint64_t)1 << 20)

static enum mist_status parse_siz(struct codestream_header *header, struct byte_reader *reader,
                                  struct mist_error *error)
{
    struct codestream_siz *siz = &header->siz;
    if (siz->components)
        return bad(error, "SIZ", "appears twice");
    siz->capabilities = read_be16(reader);
    siz->x1 = read_be32(reader);
    siz->y1 = read_be32(reader);
    siz->x0 = read_be32(reader);
    siz->y0 = read_be32(reader);
    siz->tile_width = read_be32(reader);
    siz->tile_height = read_be32(reader);
    siz->tile_x0 = read_be32(reader);
    siz->tile_y0 = read_be32(reader);
    uint32_t components = read_be16(reader);
    if (reader->failed || !components || components > CODESTREAM_MAX_COMPONENTS ||
        reader_left(reader) < 3 * (size_t)components)
        return bad(error, "SIZ", "the number of components does not fit the segment");
    enum mist_status status = check_siz(siz, error);
    if (status)
        return status;
    if ((uint64_t)siz->tiles_wide * siz->tiles_high * components > MAX_TILE_COMPONENTS)
        return error_set(error, MIST_ERROR_LIMIT, "SIZ: %u tiles of %u components are too many",
                         siz->tiles_wide * siz->tiles_high, components);
    header->component = memory_allocate_zeroed(components, sizeof *header->component);
    header->coding = memory_allocate_zeroed(components, sizeof *header->coding);
    header->nonlinearity = memory_allocate_zeroed(components, 1);
    if (!header->component || !header->coding || !header->nonlinearity)
        return no_memory(error);
    siz->components = components;
    for (uint32_t c = 0; c < components && !status; c++)
        status = read_component(reader, siz, &header->component[c], error);
    return status;
}

/* CAP (15444-1 A.5.2; Ccap15: 15444-15 A.3): one Ccap for every bit of Pcap, from the top. */
static enum mist_status parse_cap(struct codestream_header *header, struct byte_reader *reader,
                                  struct mist_error *error)
{
    header->cap.present = true;
    header->cap.parts = read_be32(reader);
    for (unsigned part = 1; part <= 32; part++) {
        if (!(header->cap.parts >> (32 - part) & 1))
            continue;
        uint16_t value = read_be16(reader);
        if (part == 15)
            header->cap.ccap15 = value;
    }
    return reader->failed ? bad(error, "CAP", "too short") : MIST_OK;
}

/* ---- COD, COC (A.6.1, A.6.2) ---- */

static enum mist_status read_coding(struct byte_reader *reader, bool precincts, const char *segment,
                                    struct codestream_coding *coding, struct mist_error *error)
{
    unsigned decompositions = read_u8(reader), width = read_u8(reader) + 2u, height = read_u8(reader) + 2u;
    coding->block_style = read_u8(reader);
    unsigned transform = read_u8(reader);
    if (reader->failed)
        return bad(error, segment, "too short");
    if (decompositions > CODESTREAM_MAX_DECOMPOSITIONS)
        return bad(error, segment, "more than 32 decomposition levels");
    if (width > 10 || height > 10 || width + height > 12)
        return bad(error, segment, "the code-block size is not allowed");
    if (transform > 1)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: wavelet kernel %u (15444-2 ATK) is not supported", segment,
                         transform);
    coding->decompositions = (uint8_t)decompositions;
    coding->block_width_log2 = (uint8_t)width;
    coding->block_height_log2 = (uint8_t)height;
    coding->reversible = transform == 1;
    coding->precincts = precincts;
    memset(coding->precinct, 0xff, sizeof coding->precinct);
    for (unsigned level = 0; precincts && level <= decompositions; level++) {
        uint8_t size = read_u8(reader);
        coding->precinct[level] = size;
        /* Above the lowest level a precinct is split over bands of half its size, so it must be 2 wide at least. */
        if (level && (!(size & 15) || !(size >> 4)))
            return bad(error, segment, "a precinct of one sample above the lowest resolution level");
    }
    return reader->failed ? bad(error, segment, "too short") : MIST_OK;
}

/* The component parameters that a segment of this scope may change; NULL when memory is short. */
static struct codestream_component_coding *scope_coding(struct segment_scope *scope)
{
    struct codestream_tile_header *tile = scope->tile;
    uint32_t components = scope->header->siz.components;
    if (!tile)
        return scope->header->coding;
    if (!tile->own_coding) {
        tile->own_coding = memory_allocate_array(components, sizeof *tile->own_coding);
        if (!tile->own_coding)
            return NULL;
        memcpy(tile->own_coding, scope->header->coding, components * sizeof *tile->own_coding);
        for (uint32_t c = 0; c < components; c++)
            tile->own_coding[c].own_coding = tile->own_coding[c].own_quantizer = false;
        tile->coding = tile->own_coding;
    }
    return tile->own_coding;
}

static enum mist_status parse_cod(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    struct codestream_style *style = scope->tile ? &scope->tile->style : &scope->header->style;
    struct codestream_component_coding *coding = scope_coding(scope);
    struct codestream_coding common = {0};
    if (!coding)
        return no_memory(error);
    unsigned flags = read_u8(reader);
    style->sop = flags & SCOD_SOP;
    style->eph = flags & SCOD_EPH;
    style->progression = read_u8(reader);
    style->layers = read_be16(reader);
    style->component_transform = read_u8(reader);
    enum mist_status status = read_coding(reader, flags & SCOD_PRECINCTS, "COD", &common, error);
    if (status)
        return status;
    if (style->progression > MIST_CPRL)
        return bad(error, "COD", "unknown progression order");
    if (!style->layers)
        return bad(error, "COD", "no quality layer");
    if (style->component_transform > 1)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "COD: multiple component transform %u (15444-2 MCT) is not supported",
                         style->component_transform);
    for (uint32_t c = 0; c < scope->header->siz.components; c++) {
        if (!coding[c].own_coding)
            coding[c].coding = common;
    }
    scope->cod = true;
    return MIST_OK;
}

/* A component index: one byte below 257 components, else two. */
static uint32_t read_component_index(const struct segment_scope *scope, struct byte_reader *reader)
{
    return scope->header->siz.components < 257 ? read_u8(reader) : read_be16(reader);
}

/* The component that COC, QCC or RGN is about; NULL with status set. */
static struct codestream_component_coding *read_target(struct segment_scope *scope, struct byte_reader *reader,
                                                       const char *segment, enum mist_status *status,
                                                       struct mist_error *error)
{
    uint32_t c = read_component_index(scope, reader);
    struct codestream_component_coding *coding = NULL;
    if (reader->failed || c >= scope->header->siz.components) {
        *status = bad(error, segment, "names a component that does not exist");
    } else {
        coding = scope_coding(scope);
        *status = coding ? MIST_OK : no_memory(error);
    }
    return coding ? coding + c : NULL;
}

static enum mist_status parse_coc(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    enum mist_status status;
    struct codestream_component_coding *target = read_target(scope, reader, "COC", &status, error);
    if (!target)
        return status;
    unsigned flags = read_u8(reader);
    status = read_coding(reader, flags & SCOD_PRECINCTS, "COC", &target->coding, error);
    target->own_coding = true;
    return status;
}

/* ---- QCD, QCC (A.6.4, A.6.5) ---- */

static enum mist_status read_quantizer(struct byte_reader *reader, const char *segment,
                                       struct codestream_quantizer *quantizer, struct mist_error *error)
{
    unsigned flags = read_u8(reader), style = flags & 31, entry = style == QUANTIZATION_NONE ? 1 : 2;
    if (reader->failed || style > QUANTIZATION_EXPOUNDED)
        return bad(error, segment, "unknown quantisation style");
    memset(quantizer, 0, sizeof *quantizer);
    quantizer->style = (enum codestream_quantization)style;
    quantizer->guard_bits = (uint8_t)(flags >> 5);
    while (reader_left(reader) >= entry && quantizer->bands < CODESTREAM_MAX_BANDS) {
        uint16_t step = entry == 1 ? (uint16_t)(read_u8(reader) >> 3 << 11) : read_be16(reader);
        quantizer->step[quantizer->bands++] = step;
    }
    return quantizer->bands ? MIST_OK : bad(error, segment, "no step size");
}

static enum mist_status parse_qcd(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    struct codestream_component_coding *coding = scope_coding(scope);
    struct codestream_quantizer common;
    if (!coding)
        return no_memory(error);
    enum mist_status status = read_quantizer(reader, "QCD", &common, error);
    if (status)
        return status;
    for (uint32_t c = 0; c < scope->header->siz.components; c++) {
        if (!coding[c].own_quantizer)
            coding[c].quantizer = common;
    }
    scope->qcd = true;
    return MIST_OK;
}

static enum mist_status parse_qcc(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    enum mist_status status;
    struct codestream_component_coding *target = read_target(scope, reader, "QCC", &status, error);
    if (!target)
        return status;
    target->own_quantizer = true;
    return read_quantizer(reader, "QCC", &target->quantizer, error);
}

/* RGN (A.6.3): only the implicit (Maxshift) style exists. */
static enum mist_status parse_rgn(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    enum mist_status status;
    struct codestream_component_coding *target = read_target(scope, reader, "RGN", &status, error);
    if (!target)
        return status;
    unsigned style = read_u8(reader);
    target->region_shift = read_u8(reader);
    if (reader->failed)
        return bad(error, "RGN", "too short");
    if (target->region_shift > 37)
        return bad(error, "RGN", "a shift of more than 37 bit-planes");
    if (style)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "RGN: region style %u (15444-2) is not supported", style);
    return MIST_OK;
}

/* POC (A.6.6): entries fill the segment; those of further segments of a tile follow. */
static enum mist_status parse_poc(struct segment_scope *scope, struct byte_reader *reader, struct mist_error *error)
{
    uint32_t components = scope->header->siz.components;
    struct codestream_progressions *list = scope->tile ? &scope->tile->own_progressions : &scope->header->progressions;
    size_t entries = reader_left(reader) / (components < 257 ? 7 : 9);
    if (!entries)
        return bad(error, "POC", "too short");
    if (list->count + entries > 1 << 16)
        return error_set(error, MIST_ERROR_LIMIT, "POC: too many progression order changes");
    struct codestream_progression *grown = memory_resize(list->change, list->count + entries, sizeof *grown);
    if (!grown)
        return no_memory(error);
    list->change = grown;
    while (entries--) {
        struct codestream_progression *change = &list->change[list->count++];
        change->resolution_start = read_u8(reader);
        change->component_start = (uint16_t)read_component_index(scope, reader);
        change->layer_end = read_be16(reader);
        change->resolution_end = read_u8(reader);
        change->component_end = (uint16_t)read_component_index(scope, reader);
        change->order = read_u8(reader);
        if (change->component_end == 0) /* 0 stands for 256 in one byte, and for 16384 in two (Table A.32) */
            change->component_end = components < 257 ? 256 : CODESTREAM_MAX_COMPONENTS;
        if (change->order > MIST_CPRL)
            return bad(error, "POC", "unknown progression order");
    }
    if (scope->tile)
        scope->tile->progressions = list;
    return MIST_OK;
}

/* PPM, PPT (A.7.4, A.7.5) and TLM (A.7.1): payloads are numbered by their first byte. */
static enum mist_status keep_payload(struct codestream_packed_headers **list, struct byte_reader *reader,
                                     const char *segment, struct mist_error *error)
{
    unsigned index = read_u8(reader);
    if (reader->failed)
        return bad(error, segment, "too short");
    if (!*list)
        *list = memory_allocate_zeroed(1, sizeof **list);
    if (!*list)
        return no_memory(error);
    if ((*list)->span[index].data)
        return bad(error, segment, "an index appears twice");
    (*list)->span[index] = (struct codestream_span){reader->at, reader_left(reader)};
    if ((*list)->count <= index)
        (*list)->count = index + 1;
    return MIST_OK;
}

/* Bytes of the tile field (Stlm bits 4-5) and of the length field (bit 6) of one TLM entry. */
static void tlm_layout(uint8_t stlm, unsigned *tile_bytes, unsigned *length_bytes)
{
    *tile_bytes = stlm >> 4 & 3;
    *length_bytes = stlm & 0x40 ? 4 : 2;
}

enum mist_status segment_finish_tlm(struct segment_scope *scope, struct mist_error *error)
{
    struct codestream_header *header = scope->header;
    size_t entries = 0;
    for (unsigned pass = 0; scope->tlm && pass < 2; pass++) {
        for (uint32_t i = 0; i < scope->tlm->count; i++) {
            unsigned tile_bytes, length_bytes;
            if (!scope->tlm->span[i].data)
                continue;
            struct byte_reader reader = byte_reader_start(scope->tlm->span[i].data, scope->tlm->span[i].size);
            tlm_layout(read_u8(&reader), &tile_bytes, &length_bytes);
            if (tile_bytes == 3)
                return bad(error, "TLM", "unknown layout");
            size_t here = reader_left(&reader) / (tile_bytes + length_bytes);
            entries += pass ? 0 : here;
            for (size_t n = 0; pass && n < here; n++) {
                struct codestream_tlm_entry *entry = &header->tlm[header->tlm_count++];
                entry->tile = tile_bytes == 0 ? -1 : tile_bytes == 1 ? read_u8(&reader) : read_be16(&reader);
                entry->length = length_bytes == 2 ? read_be16(&reader) : read_be32(&reader);
            }
        }
        if (pass == 0)
            header->tlm = memory_allocate_array(entries, sizeof *header->tlm);
        if (!header->tlm)
            return no_memory(error);
    }
    return MIST_OK;
}

/* NLT (15444-2 A.3.10): Cnlt, BDnlt, Tnlt. Which types can be undone is the decoder's business. */
static enum mist_status parse_nlt(struct codestream_header *header, struct byte_reader *reader,
                                  struct mist_error *error)
{
    uint32_t c = read_be16(reader);
    read_u8(reader);
    uint8_t type = read_u8(reader);
    if (reader->failed)
        return bad(error, "NLT", "too short");
    if (c == 65535)
        memset(header->nonlinearity, type, header->siz.components);
    else if (c < header->siz.components)
        header->nonlinearity[c] = type;
    else
        return bad(error, "NLT", "names a component that does not exist");
    return MIST_OK;
}

/* Segments of 15444-2 without which the samples come out wrong. */
static const char *refused_segment(unsigned marker)
{
    switch (marker) {
    case MARKER_DCO:
        return "DCO (variable DC offset)";
    case MARKER_VMS:
        return "VMS (visual masking)";
    case MARKER_DFS:
        return "DFS (downsampling factor styles)";
    case MARKER_ADS:
        return "ADS (arbitrary decomposition)";
    case MARKER_MCT:
    case MARKER_MCC:
    case MARKER_MCO:
        return "MCT, MCC, MCO (multiple component transform)";
    case MARKER_ATK:
        return "ATK (arbitrary transformation kernel)";
    case MARKER_QPD:
    case MARKER_QPC:
        return "QPD, QPC (precinct quantisation)";
    default:
        return NULL;
    }
}

static enum mist_status refuse(unsigned marker, struct mist_error *error)
{
    const char *name = refused_segment(marker);
    if (!name)
        return MIST_OK; /* PLT, PLM, CRG, COM, CPF, PRF and what nobody knows: decoding does not need them */
    return error_set(error, MIST_ERROR_UNSUPPORTED, "marker segment %s of 15444-2 is not supported", name);
}

/* Segments that both kinds of header may have. */
static enum mist_status parse_common(struct segment_scope *scope, unsigned marker, struct byte_reader *reader,
                                     struct mist_error *error)
{
    switch (marker) {
    case MARKER_COD:
        return parse_cod(scope, reader, error);
    case MARKER_COC:
        return parse_coc(scope, reader, error);
    case MARKER_QCD:
        return parse_qcd(scope, reader, error);
    case MARKER_QCC:
        return parse_qcc(scope, reader, error);
    case MARKER_RGN:
        return parse_rgn(scope, reader, error);
    case MARKER_POC:
        return parse_poc(scope, reader, error);
    default:
        return refuse(marker, error);
    }
}

enum mist_status segment_parse_main(struct segment_scope *scope, unsigned marker, struct byte_reader payload,
                                    struct mist_error *error)
{
    switch (marker) {
    case MARKER_SIZ:
        return parse_siz(scope->header, &payload, error);
    case MARKER_CAP:
        return parse_cap(scope->header, &payload, error);
    case MARKER_PPM:
        return keep_payload(&scope->header->ppm, &payload, "PPM", error);
    case MARKER_TLM:
        return keep_payload(&scope->tlm, &payload, "TLM", error);
    case MARKER_NLT:
        return parse_nlt(scope->header, &payload, error);
    default:
        return parse_common(scope, marker, &payload, error);
    }
}

enum mist_status segment_parse_tile(struct segment_scope *scope, unsigned marker, struct byte_reader payload,
                                    struct mist_error *error)
{
    if (marker == MARKER_PPT)
        return keep_payload(&scope->tile->ppt, &payload, "PPT", error);
    bool coding = marker == MARKER_COD || marker == MARKER_COC || marker == MARKER_QCD || marker == MARKER_QCC ||
                  marker == MARKER_RGN;
    if (coding && scope->tile->started)
        return error_set(error, MIST_ERROR_CORRUPT, "marker %04X in a tile's second or later tile-part", marker);
    if (marker == MARKER_SOT || marker == MARKER_EOC || marker == MARKER_SIZ || marker == MARKER_SOC)
        return error_set(error, MIST_ERROR_CORRUPT, "marker %04X in a tile-part header", marker);
    return parse_common(scope, marker, &payload, error);
}
