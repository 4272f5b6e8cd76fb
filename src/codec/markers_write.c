/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/markers_write.h"

#include "base/bytes.h"
#include "base/memory.h"

static bool put8(struct mist_buffer *out, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    return buffer_append(out, &byte, 1);
}
static bool put16(struct mist_buffer *out, unsigned value)
{
    uint8_t bytes[2];
    store_be16(bytes, (uint16_t)value);
    return buffer_append(out, bytes, 2);
}
static bool put32(struct mist_buffer *out, uint32_t value)
{
    uint8_t bytes[4];
    store_be32(bytes, value);
    return buffer_append(out, bytes, 4);
}

static bool write_siz(struct mist_buffer *out, const struct codestream_header *header)
{
    const struct codestream_siz *siz = &header->siz;
    bool good = put16(out, MARKER_SIZ) && put16(out, 38 + 3 * siz->components) && put16(out, siz->capabilities) &&
                put32(out, siz->x1) && put32(out, siz->y1) && put32(out, siz->x0) && put32(out, siz->y0) &&
                put32(out, siz->tile_width) && put32(out, siz->tile_height) && put32(out, siz->tile_x0) &&
                put32(out, siz->tile_y0) && put16(out, siz->components);
    for (uint32_t i = 0; good && i < siz->components; i++) {
        const struct codestream_component *c = &header->component[i];
        good = put8(out, (c->precision - 1u) | (c->is_signed ? 0x80u : 0)) && put8(out, c->dx) && put8(out, c->dy);
    }
    return good;
}

static bool write_cap(struct mist_buffer *out, const struct codestream_cap *cap)
{
    return put16(out, MARKER_CAP) && put16(out, 8) && put32(out, cap->parts) && put16(out, cap->ccap15);
}

static bool write_cod(struct mist_buffer *out, const struct codestream_header *header)
{
    const struct codestream_coding *coding = &header->coding[0].coding;
    const struct codestream_style *style = &header->style;
    unsigned sizes = coding->precincts ? coding->decompositions + 1u : 0;
    unsigned scod =
        (coding->precincts ? SCOD_PRECINCTS : 0u) | (style->sop ? SCOD_SOP : 0u) | (style->eph ? SCOD_EPH : 0u);
    bool good = put16(out, MARKER_COD) && put16(out, 12 + sizes) && put8(out, scod) && put8(out, style->progression) &&
                put16(out, style->layers) && put8(out, style->component_transform) &&
                put8(out, coding->decompositions) && put8(out, coding->block_width_log2 - 2u) &&
                put8(out, coding->block_height_log2 - 2u) && put8(out, coding->block_style) &&
                put8(out, coding->reversible ? 1 : 0);
    for (unsigned i = 0; good && i < sizes; i++)
        good = put8(out, coding->precinct[i]);
    return good;
}

static bool write_qcd(struct mist_buffer *out, const struct codestream_quantizer *quantizer)
{
    bool plain = quantizer->style == QUANTIZATION_NONE;
    bool good = put16(out, MARKER_QCD) && put16(out, 3u + quantizer->bands * (plain ? 1u : 2u)) &&
                put8(out, (unsigned)quantizer->guard_bits << 5 | (unsigned)quantizer->style);
    for (unsigned i = 0; good && i < quantizer->bands; i++)
        good = plain ? put8(out, quantizer->step[i] >> 11 << 3) : put16(out, quantizer->step[i]);
    return good;
}

/* NLT (15444-2 A.3.10) for all components at once: they are alike. */
static bool write_nlt(struct mist_buffer *out, const struct codestream_header *header)
{
    const struct codestream_component *c = &header->component[0];
    return !header->nonlinearity ||
           (put16(out, MARKER_NLT) && put16(out, 6) && put16(out, 65535) &&
            put8(out, (c->precision - 1u) | (c->is_signed ? 0x80u : 0)) && put8(out, header->nonlinearity[0]));
}

bool markers_write_main(struct mist_buffer *out, const struct codestream_header *header)
{
    return put16(out, MARKER_SOC) && write_siz(out, header) && write_cap(out, &header->cap) && write_cod(out, header) &&
           write_qcd(out, &header->coding[0].quantizer) && write_nlt(out, header);
}

void markers_store_tlm(uint8_t *segment, const uint64_t *length, unsigned count)
{
    /* Stlm 0x50: tile index of 1 byte, tile-part length of 4 bytes (15444-1 Table A.34). */
    store_be16(segment, MARKER_TLM);
    store_be16(segment + 2, (uint16_t)(MARKERS_TLM_SIZE(count) - 2));
    segment[4] = 0;
    segment[5] = 0x50;
    for (unsigned i = 0; i < count; i++) {
        segment[6 + 5 * i] = 0;
        store_be32(segment + 7 + 5 * (size_t)i, (uint32_t)length[i]);
    }
}

void markers_store_part_header(uint8_t *header, unsigned index, unsigned count, uint64_t length)
{
    store_be16(header, MARKER_SOT);
    store_be16(header + 2, CODESTREAM_SOT_SIZE - 2);
    store_be16(header + 4, 0);
    store_be32(header + 6, (uint32_t)length);
    header[10] = (uint8_t)index;
    header[11] = (uint8_t)count;
    store_be16(header + CODESTREAM_SOT_SIZE, MARKER_SOD);
}

bool markers_write_eoc(struct mist_buffer *out)
{
    return put16(out, MARKER_EOC);
}

unsigned markers_magb(unsigned planes)
{
    if (planes <= 8)
        return 0;
    if (planes < 28)
        return planes - 8;
    return planes < 48 ? 13 + (planes >> 2) : 31;
}
