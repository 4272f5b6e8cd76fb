/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/j2k.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/part1.h"
#include "codec/jph.h"
#include "coder/j2k_order.h"

#include <string.h>

/* ---- what the header says ---- */

static const uint8_t *find_box(const uint8_t *bytes, size_t size, const char type[4])
{
    return memmem(bytes, size, type, 4);
}

/* A JP2 file whose samples are not what is seen: `boxes` are those before the codestream. */
static enum mist_status check_boxes(const uint8_t *boxes, size_t size, struct mist_error *error)
{
    enum { ENUMERATED = 1, SYCC = 18, ESYCC = 24 };
    if (find_box(boxes, size, "pclr"))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a JP2 file with a palette is not supported");
    const uint8_t *colr = find_box(boxes, size, "colr");
    if (!colr || (size_t)(boxes + size - colr) < 11 || colr[4] != ENUMERATED)
        return MIST_OK;
    uint32_t space = load_be32(colr + 7);
    if (space == SYCC || space == ESYCC)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a JP2 file of YCC colours is not supported");
    return MIST_OK;
}

static enum mist_status read_header(const uint8_t *data, size_t size, struct codestream_header *header,
                                    struct mist_error *error)
{
    struct codestream_span span;
    enum mist_status status = jph_find_codestream(data, size, &span, error);
    if (!status && span.data != data)
        status = check_boxes(data, (size_t)(span.data - data), error);
    if (status)
        return status;
    status = codestream_parse_header(span.data, span.size, header, error);
    /* Without a tile-part it may be a main header alone. */
    return status == MIST_ERROR_TRUNCATED ? codestream_parse_header_alone(span.data, span.size, header, error) : status;
}

static enum mist_status check_components(const struct codestream_header *header, struct mist_error *error)
{
    const struct codestream_component *first = &header->component[0];
    if (header->siz.components > MIST_MAX_COMPONENTS)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "JPEG 2000 with %u components is not supported",
                         header->siz.components);
    for (uint32_t c = 0; c < header->siz.components; c++)
        if (memcmp(&header->component[c], first, sizeof *first))
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "JPEG 2000 with components of different sizes or types is not supported");
    if (first->precision > 32)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "JPEG 2000 of %u bits is not supported", first->precision);
    return MIST_OK;
}

enum mist_status j2k_info(const uint8_t *data, size_t size, struct j2k_info *info, struct mist_error *error)
{
    struct codestream_header header;
    memset(info, 0, sizeof *info);
    enum mist_status status = read_header(data, size, &header, error);
    if (status)
        return status;
    status = check_components(&header, error);
    if (!status) {
        const struct codestream_siz *siz = &header.siz;
        struct rect area = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header.component[0]);
        *info = (struct j2k_info){.width = rect_width(area),
                                  .height = rect_height(area),
                                  .components = siz->components,
                                  .precision = header.component[0].precision,
                                  .is_signed = header.component[0].is_signed,
                                  .levels = stream_levels(&header),
                                  .color_transform = header.style.component_transform,
                                  .reversible = header.coding[0].coding.reversible,
                                  .tiles = siz->tiles_wide * siz->tiles_high,
                                  .layers = header.style.layers};
        for (uint32_t c = 0; c < siz->components; c++)
            info->part15 = info->part15 || header.coding[c].coding.block_style & BLOCK_STYLE_HT;
        if (!info->width || !info->height)
            status = error_set(error, MIST_ERROR_CORRUPT, "a JPEG 2000 codestream without samples");
    }
    codestream_header_free(&header);
    return status;
}

/* ---- parts ---- */

static void empty_parts(struct j2k_parts *parts)
{
    parts->levels = 0;
    parts->main_header.size = parts->packets.size = parts->order.size = 0;
    memset(parts->level_size, 0, sizeof parts->level_size);
}

void j2k_parts_free(struct j2k_parts *parts)
{
    mist_buffer_free(&parts->main_header);
    mist_buffer_free(&parts->packets);
    mist_buffer_free(&parts->order);
    memset(parts, 0, sizeof *parts);
}

struct codec_packets j2k_parts_packets(const struct j2k_parts *parts)
{
    struct codec_packets packets = {.levels = parts->levels};
    const uint8_t *at = parts->packets.data;
    for (unsigned level = 0; level < parts->levels; level++) {
        packets.level[level].data = at;
        packets.level[level].size = parts->level_size[level];
        at += parts->level_size[level];
    }
    return packets;
}

static enum mist_status take_packet(void *context, const struct j2k_packet *packet, struct mist_error *error)
{
    struct j2k_parts *parts = context;
    size_t size = (size_t)(packet->end - packet->data);
    parts->level_size[packet->level] += size;
    return buffer_append(&parts->packets, packet->data, size)
               ? MIST_OK
               : error_set(error, MIST_ERROR_MEMORY, "no memory for the packets of a codestream");
}

/* An image area that does not begin at 0 may have a row or column more or less at a level than others would. */
static enum mist_status check_sizes(const struct codestream_header *header, struct mist_error *error)
{
    const struct codestream_siz *siz = &header->siz;
    for (uint32_t c = 0; c < siz->components; c++) {
        struct rect full = geometry_component((struct rect){siz->x0, siz->y0, siz->x1, siz->y1}, &header->component[c]);
        for (unsigned r = 0; r <= header->coding[c].coding.decompositions; r++) {
            struct rect level = geometry_resolution(full, r);
            if (rect_width(level) != mist_reduced_size(rect_width(full), r) ||
                rect_height(level) != mist_reduced_size(rect_height(full), r))
                return error_set(error, MIST_ERROR_UNSUPPORTED,
                                 "a JPEG 2000 codestream with levels of unusual sizes is not taken apart");
        }
    }
    return MIST_OK;
}

static enum mist_status split(struct j2k_list *list, const uint8_t *data, size_t size, struct j2k_parts *out,
                              struct mist_error *error)
{
    enum mist_status status = stream_open(data, size, &list->stream, error);
    if (!status)
        status = check_sizes(&list->stream.header, error);
    if (!status)
        status = j2k_list_read(list, error);
    if (!status)
        status = j2k_kept_header(&list->stream, &out->main_header, error);
    if (!status && !buffer_reserve(&out->packets, size))
        status = error_set(error, MIST_ERROR_MEMORY, "no memory for the packets of a codestream");
    if (!status)
        status = j2k_list_walk(list, j2k_kept_order(&list->stream.header), take_packet, out, error);
    if (!status)
        status = j2k_order_write(list, data, size, &out->order, error);
    out->levels = list->levels;
    return status;
}

static enum mist_status verify(const struct j2k_parts *parts, const uint8_t *data, size_t size,
                               struct mist_error *error)
{
    struct codec_packets packets = j2k_parts_packets(parts);
    struct mist_buffer back = {0};
    enum mist_status status = j2k_rebuild(parts->main_header.data, parts->main_header.size, &packets, parts->order.data,
                                          parts->order.size, &back, error);
    if (!status && (back.size != size || memcmp(back.data, data, size) != 0))
        status = error_set(error, MIST_ERROR_UNSUPPORTED,
                           "a JPEG 2000 codestream with bytes that belong to no packet is not taken apart");
    mist_buffer_free(&back);
    return status;
}

enum mist_status j2k_split(const uint8_t *data, size_t size, struct j2k_parts *out, struct mist_error *error)
{
    struct j2k_list list = {0};
    struct mist_error why = {0};
    empty_parts(out);
    enum mist_status status = split(&list, data, size, out, &why);
    j2k_list_free(&list);
    if (!status)
        status = verify(out, data, size, &why);
    if (!status)
        return MIST_OK;
    empty_parts(out);
    /* Whatever it is, the answer is the same: it is kept whole. */
    return error_set(error, status == MIST_ERROR_MEMORY ? status : MIST_ERROR_UNSUPPORTED, "%s", why.message);
}

/* ---- pictures ---- */

static enum mist_status check_view(const struct j2k_info *info, unsigned reduce, const struct mist_view *out,
                                   struct mist_error *error)
{
    if (reduce >= info->levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels", reduce,
                         info->levels);
    if (mist_sample_is_float(out->type) || !mist_sample_size(out->type))
        return error_set(error, MIST_ERROR_ARGUMENT, "JPEG 2000 holds integers");
    bool is_signed = mist_sample_is_signed(out->type);
    unsigned bits = (unsigned)(8 * mist_sample_size(out->type)) - (is_signed && !info->is_signed);
    if (info->precision > bits || (info->is_signed && !is_signed))
        return error_set(error, MIST_ERROR_ARGUMENT, "%u %s bits do not fit into %s samples", info->precision,
                         info->is_signed ? "signed" : "unsigned", mist_sample_name(out->type));
    if (out->components != info->components)
        return error_set(error, MIST_ERROR_ARGUMENT, "a view of %u components for %u", out->components,
                         info->components);
    return MIST_OK;
}

enum mist_status j2k_decode_packets(mist_codec *codec, const uint8_t *main_header, size_t size,
                                    const struct codec_packets *packets, unsigned reduce, struct mist_view *out,
                                    struct mist_error *error)
{
    struct j2k_info info;
    enum mist_status status = j2k_info(main_header, size, &info, error);
    if (!status)
        status = check_view(&info, reduce, out, error);
    if (status)
        return status;
    if (info.part15) {
        struct mist_decode_options options = mist_decode_options_default();
        options.reduce = reduce;
        return codec_decode_packets(codec, main_header, size, packets, &options, out, NULL, error);
    }
    struct mist_buffer stream = {0};
    status = codec_codestream_join(main_header, size, packets, reduce, &stream, error);
    if (!status)
        status = part1_decode(stream.data, stream.size, 0, out, error);
    mist_buffer_free(&stream);
    return status;
}

enum mist_status j2k_decode(mist_codec *codec, const uint8_t *data, size_t size, unsigned reduce, struct mist_view *out,
                            struct mist_error *error)
{
    struct j2k_info info;
    enum mist_status status = j2k_info(data, size, &info, error);
    if (!status)
        status = check_view(&info, reduce, out, error);
    if (status)
        return status;
    if (info.part15) {
        struct mist_decode_options options = mist_decode_options_default();
        options.reduce = reduce;
        return mist_decode(codec, data, size, &options, out, NULL, error);
    }
    return part1_decode(data, size, reduce, out, error);
}
