/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/template.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <string.h>

/* Markers of 15444-1, Table A.2. */
enum { SOC = 0xff4f, TLM = 0xff55, SOT = 0xff90, SOD = 0xff93, EOC = 0xffd9 };
enum { SOT_SIZE = 12, PART_HEADER_SIZE = SOT_SIZE + 2, TLM_ENTRY = 5 };

static enum mist_status unexpected(struct mist_error *error, size_t at)
{
    return error_set(error, MIST_ERROR_UNSUPPORTED,
                     "a codestream that an item cannot hold: it is not of one tile-part per level (byte %zu)", at);
}

enum mist_status template_split(const uint8_t *data, size_t size, struct mist_buffer *main_header,
                                struct packet_ranges *ranges, struct mist_error *error)
{
    *ranges = (struct packet_ranges){0};
    main_header->size = 0;
    if (size < 2 || load_be16(data) != SOC)
        return unexpected(error, 0);
    size_t at = 2;
    bool good = buffer_append(main_header, data, 2);
    while (good && size - at >= 4 && load_be16(data + at) != SOT) {
        size_t segment = 2 + (size_t)load_be16(data + at + 2);
        if (segment < 4 || segment > size - at)
            return unexpected(error, at);
        if (load_be16(data + at) != TLM)
            good = buffer_append(main_header, data + at, segment);
        at += segment;
    }
    if (!good)
        return error_set(error, MIST_ERROR_MEMORY, "a codestream's header: out of memory");
    while (size - at >= PART_HEADER_SIZE && load_be16(data + at) == SOT) {
        const uint8_t *sot = data + at;
        uint32_t length = load_be32(sot + 6);
        unsigned level = sot[10];
        bool fits = length >= PART_HEADER_SIZE && length <= size - at && load_be16(sot + SOT_SIZE) == SOD;
        if (!fits || load_be16(sot + 4) != 0 || level != ranges->levels || level >= MIST_MAX_LEVELS)
            return unexpected(error, at);
        ranges->offset[level] = at + PART_HEADER_SIZE;
        ranges->size[level] = length - PART_HEADER_SIZE;
        ranges->levels++;
        at += length;
    }
    if (ranges->levels == 0 || size - at != 2 || load_be16(data + at) != EOC)
        return unexpected(error, at);
    return MIST_OK;
}

/* One segment that lists all tile-parts: Ztlm 0, Stlm 0x50 (tile index of 1 byte, length of 4; Table A.34). */
static bool put_tlm(const struct template_parts *parts, struct mist_buffer *out)
{
    uint8_t segment[6 + TLM_ENTRY * MIST_MAX_LEVELS] = {0};
    store_be16(segment, TLM);
    store_be16(segment + 2, (uint16_t)(4 + TLM_ENTRY * parts->levels));
    segment[5] = 0x50;
    for (unsigned level = 0; level < parts->levels; level++)
        store_be32(segment + 6 + TLM_ENTRY * level + 1, (uint32_t)(parts->size[level] + PART_HEADER_SIZE));
    return buffer_append(out, segment, 6 + TLM_ENTRY * (size_t)parts->levels);
}

static bool put_part_header(const struct template_parts *parts, unsigned level, struct mist_buffer *out)
{
    uint8_t header[PART_HEADER_SIZE] = {0};
    store_be16(header, SOT);
    store_be16(header + 2, 10);
    store_be32(header + 6, (uint32_t)(parts->size[level] + PART_HEADER_SIZE));
    header[10] = (uint8_t)level;
    header[11] = (uint8_t)parts->levels;
    store_be16(header + SOT_SIZE, SOD);
    return buffer_append(out, header, sizeof header);
}

enum mist_status template_pieces(const struct template_parts *parts, struct mist_buffer *headers,
                                 struct template_piece pieces[TEMPLATE_MAX_PIECES], unsigned *count,
                                 struct mist_error *error)
{
    static const uint8_t eoc[2] = {0xff, 0xd9};
    size_t total =
        parts->main_header_size + 6 + TLM_ENTRY * (size_t)parts->levels + PART_HEADER_SIZE * (size_t)parts->present;
    headers->size = 0;
    *count = 0;
    /* Reserved at once, so that the pieces stay where they are. */
    bool good = buffer_reserve(headers, total) && buffer_append(headers, parts->main_header, parts->main_header_size) &&
                put_tlm(parts, headers);
    size_t start = 0;
    for (unsigned level = 0; good && level < parts->present; level++) {
        good = put_part_header(parts, level, headers);
        pieces[(*count)++] = (struct template_piece){headers->data + start, headers->size - start};
        pieces[(*count)++] = (struct template_piece){parts->packets[level], (size_t)parts->size[level]};
        start = headers->size;
    }
    /* EOC only behind a whole one. */
    if (good && parts->present == parts->levels)
        pieces[(*count)++] = (struct template_piece){eoc, sizeof eoc};
    return good ? MIST_OK : error_set(error, MIST_ERROR_MEMORY, "a codestream's headers: out of memory");
}

enum mist_status template_join(const struct template_parts *parts, struct mist_buffer *out, struct mist_error *error)
{
    struct template_piece pieces[TEMPLATE_MAX_PIECES];
    struct mist_buffer headers = {0};
    unsigned count;
    size_t total = 0;
    enum mist_status status = template_pieces(parts, &headers, pieces, &count, error);
    for (unsigned i = 0; i < count && !status; i++)
        total += pieces[i].size;
    out->size = 0;
    bool good = !status && buffer_reserve(out, total);
    for (unsigned i = 0; i < count && good; i++)
        good = buffer_append(out, pieces[i].data, pieces[i].size);
    mist_buffer_free(&headers);
    if (!status && !good)
        status = error_set(error, MIST_ERROR_MEMORY, "a codestream of %zu bytes: out of memory", total);
    return status;
}
