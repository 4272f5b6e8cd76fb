/* SPDX-License-Identifier: BSD-2-Clause */
#include "coder/j2k_order.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/markers_write.h"
#include "codec/reduce.h"
#include "coder/j2k.h"

#include <string.h>

#define SOP_SIZE 6

static enum mist_status no_memory(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "no memory for the parts of a codestream");
}

/* ---- the main header ---- */

/* Whether the positions of precincts come in the same order in every reduced codestream, whose grid is rounded up. */
static bool keeps_positions(const struct codestream_header *header)
{
    const struct codestream_siz *siz = &header->siz;
    bool same = true;
    for (uint32_t c = 1; c < siz->components; c++) {
        const struct codestream_component *a = &header->component[0], *b = &header->component[c];
        same = same && a->dx == b->dx && a->dy == b->dy &&
               !memcmp(header->coding[0].coding.precinct, header->coding[c].coding.precinct,
                       header->coding[0].coding.decompositions + 1u);
    }
    return same || !(siz->x0 | siz->y0 | siz->tile_x0 | siz->tile_y0);
}

enum mist_progression j2k_kept_order(const struct codestream_header *header)
{
    const struct codestream_style *style = &header->style;
    if (style->progression == MIST_LRCP && style->layers == 1)
        return MIST_LRCP;
    return style->progression == MIST_RPCL && keeps_positions(header) ? MIST_RPCL : MIST_RLCP;
}

/* A segment of a main header at `at`, which the parser has accepted: its size, marker included. */
static size_t segment_size(const uint8_t *header, size_t at)
{
    unsigned marker = load_be16(header + at);
    return marker >= 0xFF30 && marker <= 0xFF3F ? 2 : 2 + (size_t)load_be16(header + at + 2);
}

/* Has all COD segments say this progression and whether there is SOP. */
static void set_style(uint8_t *header, size_t size, unsigned progression, bool sop)
{
    for (size_t at = 2; at < size; at += segment_size(header, at))
        if (load_be16(header + at) == MARKER_COD) {
            header[at + 4] = (uint8_t)((header[at + 4] & ~SCOD_SOP) | (sop ? SCOD_SOP : 0));
            header[at + 5] = (uint8_t)progression;
        }
}

enum mist_status j2k_kept_header(const struct stream *stream, struct mist_buffer *out, struct mist_error *error)
{
    if (!reduce_main_header(stream->data, &stream->header, 0, out))
        return no_memory(error);
    set_style(out->data, out->size, (unsigned)j2k_kept_order(&stream->header), false);
    return MIST_OK;
}

/* ---- writing ---- */

struct order_writer {
    struct mist_buffer *out;
    bool failed;
};

static void put_number(struct order_writer *writer, uint64_t value)
{
    uint8_t bytes[10];
    writer->failed = writer->failed || !buffer_append(writer->out, bytes, store_varint(bytes, value));
}

/* A number of bytes and the bytes. */
static void put_bytes(struct order_writer *writer, const uint8_t *bytes, size_t size)
{
    put_number(writer, size);
    writer->failed = writer->failed || (size && !buffer_append(writer->out, bytes, size));
}

/* The main header: so many bytes of the kept one, then some that it has not; and so on, until those are none. */
static void put_main_header(struct order_writer *writer, const struct stream *stream)
{
    const uint8_t *header = stream->data;
    size_t copied = 2;
    for (size_t at = 2; at < stream->header.size; at += segment_size(header, at)) {
        unsigned marker = load_be16(header + at);
        size_t size = segment_size(header, at);
        if (marker != MARKER_TLM && marker != MARKER_PLM) {
            copied += size;
            continue;
        }
        put_number(writer, copied);
        put_bytes(writer, header + at, size);
        copied = 0;
    }
    put_number(writer, copied);
    put_number(writer, 0);
}

/* Tile-parts up to the one with the last packet: how many packets, and its header if it says what is not obvious. */
static void put_parts(struct order_writer *writer, const struct j2k_list *list)
{
    const struct packet_range *range = list->scan.reader.range;
    uint32_t parts = list->count ? list->packet[list->count - 1].part + 1 : 0, next = 0;
    put_number(writer, parts);
    for (uint32_t i = 0; i < parts; i++) {
        const struct codestream_tile_part *part = &list->stream.parts.part[i];
        const uint8_t *header = list->stream.data + part->offset;
        uint8_t obvious[CODESTREAM_PART_HEADER];
        uint32_t first = next;
        while (next < list->count && list->packet[next].part == i)
            next++;
        put_number(writer, next - first);
        markers_store_part_header(obvious, i, parts, part->end - part->offset);
        bool same =
            range[i].start - header == CODESTREAM_PART_HEADER && !memcmp(header, obvious, CODESTREAM_PART_HEADER);
        put_bytes(writer, header, same ? 0 : (size_t)(range[i].start - header));
    }
}

/* Whether packets begin with SOP: all of them, or none. */
static enum mist_status find_sop(const struct j2k_list *list, bool *sop, struct mist_error *error)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < list->count; i++)
        found += list->packet[i].data != list->packet[i].start;
    *sop = found != 0;
    if (found && found != list->count)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "a JPEG 2000 codestream with SOP before some packets only is not taken apart");
    return MIST_OK;
}

enum mist_status j2k_order_write(const struct j2k_list *list, const uint8_t *data, size_t size, struct mist_buffer *out,
                                 struct mist_error *error)
{
    const struct stream *stream = &list->stream;
    struct order_writer writer = {out, false};
    bool sop;
    enum mist_status status = find_sop(list, &sop, error);
    if (status)
        return status;
    const uint8_t *end = list->count ? list->packet[list->count - 1].end : stream->data + stream->header.size;
    /* Scod may announce SOP where there is none. */
    put_number(&writer, stream->header.style.progression | (stream->header.style.sop ? 8u : 0) | (sop ? 16u : 0));
    put_bytes(&writer, data, (size_t)(stream->data - data));
    put_main_header(&writer, stream);
    put_parts(&writer, list);
    put_bytes(&writer, end, (size_t)(data + size - end));
    return writer.failed ? no_memory(error) : MIST_OK;
}

/* ---- rebuilding ---- */

struct rebuild {
    struct byte_reader order;
    struct mist_buffer *out;
    unsigned progression;
    bool sop, announced;
    uint32_t packets;     /* written so far */
    uint64_t parts, left; /* tile-parts to come; packets still to come in this one */
    uint32_t part, all;   /* number of the next tile-part; of all of them */
    size_t part_start;
    bool obvious; /* the header of the tile-part is to be made */
    bool failed;  /* memory is short */
};

static enum mist_status corrupt(struct mist_error *error)
{
    return error_set(error, MIST_ERROR_CORRUPT, "the order of a JPEG 2000 codestream does not belong to its packets");
}

static void put(struct rebuild *rebuild, const void *bytes, size_t size)
{
    rebuild->failed = rebuild->failed || (size && !buffer_append(rebuild->out, bytes, size));
}

/* Copies bytes that stand in the order. */
static uint64_t put_given(struct rebuild *rebuild)
{
    uint64_t size = read_varint(&rebuild->order);
    if (size > reader_left(&rebuild->order))
        rebuild->order.failed = true;
    const uint8_t *bytes = rebuild->order.failed ? NULL : reader_take(&rebuild->order, (size_t)size);
    if (bytes)
        put(rebuild, bytes, (size_t)size);
    return bytes ? size : 0;
}

/* `header` is the kept one with its own style again. */
static enum mist_status join_main_header(struct rebuild *rebuild, const uint8_t *header, size_t size,
                                         struct mist_error *error)
{
    for (;;) {
        uint64_t copied = read_varint(&rebuild->order);
        if (copied > size || rebuild->order.failed)
            return corrupt(error);
        put(rebuild, header, (size_t)copied);
        header += copied;
        size -= (size_t)copied;
        if (!put_given(rebuild))
            return size || rebuild->order.failed ? corrupt(error) : MIST_OK;
    }
}

static void end_part(struct rebuild *rebuild)
{
    if (rebuild->obvious && !rebuild->failed)
        markers_store_part_header(rebuild->out->data + rebuild->part_start, rebuild->part - 1, rebuild->all,
                                  rebuild->out->size - rebuild->part_start);
    rebuild->obvious = false;
}

static bool next_part(struct rebuild *rebuild)
{
    end_part(rebuild);
    if (!rebuild->parts)
        return false;
    rebuild->parts--;
    rebuild->part++;
    rebuild->left = read_varint(&rebuild->order);
    rebuild->part_start = rebuild->out->size;
    rebuild->obvious = put_given(rebuild) == 0;
    if (rebuild->obvious)
        rebuild->failed = rebuild->failed || !buffer_append_zeros(rebuild->out, CODESTREAM_PART_HEADER);
    return !rebuild->order.failed;
}

static enum mist_status put_packet(void *context, const struct j2k_packet *packet, struct mist_error *error)
{
    struct rebuild *rebuild = context;
    while (!rebuild->left)
        if (!next_part(rebuild))
            return corrupt(error);
    if (rebuild->sop) {
        uint8_t sop[SOP_SIZE] = {MARKER_SOP >> 8, MARKER_SOP & 0xff, 0, 4};
        store_be16(sop + 4, (uint16_t)rebuild->packets);
        put(rebuild, sop, sizeof sop);
    }
    put(rebuild, packet->data, (size_t)(packet->end - packet->data));
    rebuild->packets++;
    rebuild->left--;
    return rebuild->failed ? no_memory(error) : MIST_OK;
}

static enum mist_status join_parts(struct rebuild *rebuild, struct j2k_list *list, struct mist_error *error)
{
    rebuild->parts = read_varint(&rebuild->order);
    if (rebuild->parts > reader_left(&rebuild->order))
        return corrupt(error);
    rebuild->all = (uint32_t)rebuild->parts;
    enum mist_status status =
        j2k_list_walk(list, (enum mist_progression)rebuild->progression, put_packet, rebuild, error);
    if (status)
        return status;
    end_part(rebuild);
    put_given(rebuild);
    if (rebuild->order.failed || rebuild->left || rebuild->parts || reader_left(&rebuild->order))
        return corrupt(error);
    return rebuild->failed ? no_memory(error) : MIST_OK;
}

static enum mist_status join_all(struct rebuild *rebuild, struct j2k_list *list, const uint8_t *main_header,
                                 size_t size, struct mist_error *error)
{
    uint64_t style = read_varint(&rebuild->order);
    rebuild->progression = style & 7;
    rebuild->announced = style & 8;
    rebuild->sop = style & 16;
    if (style >= 32 || rebuild->progression > MIST_CPRL)
        return corrupt(error);
    put_given(rebuild);
    uint8_t *header = memory_allocate(size);
    if (!header)
        return no_memory(error);
    memcpy(header, main_header, size);
    set_style(header, size, rebuild->progression, rebuild->announced);
    enum mist_status status = join_main_header(rebuild, header, size, error);
    memory_free(header);
    return status ? status : join_parts(rebuild, list, error);
}

enum mist_status j2k_rebuild(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                             const uint8_t *order, size_t order_size, struct mist_buffer *out, struct mist_error *error)
{
    struct j2k_list list = {0};
    struct rebuild rebuild = {.order = byte_reader_start(order, order_size), .out = out};
    out->size = 0;
    enum mist_status status = stream_open_packets(main_header, size, packets, &list.stream, error);
    if (!status)
        status = j2k_list_read(&list, error);
    if (!status)
        status = join_all(&rebuild, &list, main_header, size, error);
    j2k_list_free(&list);
    if (status)
        out->size = 0;
    return status;
}
