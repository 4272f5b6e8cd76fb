/* SPDX-License-Identifier: BSD-2-Clause */
/* From main header and packets to a standalone codestream. */
#include "codec/packets.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/markers_write.h"
#include "codec/reduce.h"
#include "codec/stream.h"

enum mist_status codestream_check_by_level(const struct codestream_header *header, unsigned *levels,
                                           struct mist_error *error)
{
    const struct codestream_style *style = &header->style;
    bool ordered = style->progression == MIST_RPCL || style->progression == MIST_RLCP ||
                   (style->progression == MIST_LRCP && style->layers == 1);
    if (header->siz.tiles_wide * header->siz.tiles_high != 1 || !ordered || header->progressions.count || header->ppm)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "only a codestream of one tile in RPCL or RLCP order can be reduced by header rewrite");
    *levels = stream_levels(header);
    for (uint32_t c = 0; c < header->siz.components; c++)
        if (header->coding[c].coding.decompositions + 1u != *levels)
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "components with different numbers of levels cannot be reduced by header rewrite");
    return MIST_OK;
}

/* What a codestream is put together from. */
struct assembly {
    const struct codec_packets *packets;
    unsigned levels;                  /* of the codestream that comes out */
    unsigned present;                 /* levels whose packets are put in */
    uint64_t length[MIST_MAX_LEVELS]; /* of the tile-parts */
};

static enum mist_status plan_assembly(const struct codestream_header *header, unsigned reduce, struct assembly *plan,
                                      struct mist_error *error)
{
    const struct codec_packets *packets = plan->packets;
    unsigned levels;
    enum mist_status status = codestream_check_by_level(header, &levels, error);
    if (status)
        return status;
    if (reduce >= levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "reduce %u of a codestream with %u resolution levels", reduce,
                         levels);
    plan->levels = levels - reduce;
    if (packets->levels < plan->levels || packets->levels > levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "packets of %u resolution levels for %u of %u", packets->levels,
                         plan->levels, levels);
    while (plan->present < plan->levels && packets->level[plan->present].data)
        plan->present++;
    if (reduce && plan->present < plan->levels)
        return error_set(error, MIST_ERROR_TRUNCATED, "there are %u resolution levels; %u are needed", plan->present,
                         plan->levels);
    for (unsigned level = 0; level < plan->levels; level++) {
        if (packets->level[level].size > CODEC_MAX_PACKETS)
            return error_set(error, MIST_ERROR_LIMIT, "level %u has more than 4 GiB of packets", level);
        plan->length[level] = packets->level[level].size + CODESTREAM_PART_HEADER;
    }
    return MIST_OK;
}

/* Main header, TLM and tile-part headers in one buffer, the last `present` x CODESTREAM_PART_HEADER bytes of it. */
static bool make_headers(const uint8_t *main_header, const struct codestream_header *header, unsigned reduce,
                         const struct assembly *plan, struct mist_buffer *headers)
{
    headers->size = 0;
    if (!reduce_main_header(main_header, header, reduce, headers))
        return false;
    size_t tlm = headers->size, parts = tlm + MARKERS_TLM_SIZE(plan->levels);
    if (!buffer_append_zeros(headers, parts - tlm + (size_t)plan->present * CODESTREAM_PART_HEADER))
        return false;
    markers_store_tlm(headers->data + tlm, plan->length, plan->levels);
    for (unsigned level = 0; level < plan->present; level++)
        markers_store_part_header(headers->data + parts + (size_t)level * CODESTREAM_PART_HEADER, level, plan->levels,
                                  plan->length[level]);
    return true;
}

static void list_pieces(const struct assembly *plan, const struct mist_buffer *headers,
                        struct codec_piece pieces[CODEC_MAX_PIECES], unsigned *count)
{
    static const uint8_t eoc[2] = {MARKER_EOC >> 8, MARKER_EOC & 0xff};
    size_t at = 0, end = headers->size - (size_t)plan->present * CODESTREAM_PART_HEADER;
    for (unsigned level = 0; level < plan->present; level++) {
        end += CODESTREAM_PART_HEADER;
        pieces[(*count)++] = (struct codec_piece){headers->data + at, end - at};
        pieces[(*count)++] =
            (struct codec_piece){plan->packets->level[level].data, (size_t)plan->packets->level[level].size};
        at = end;
    }
    if (!plan->present)
        pieces[(*count)++] = (struct codec_piece){headers->data, headers->size};
    if (plan->present == plan->levels)
        pieces[(*count)++] = (struct codec_piece){eoc, sizeof eoc};
}

enum mist_status codec_codestream_pieces(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                         unsigned reduce, struct mist_buffer *headers,
                                         struct codec_piece pieces[CODEC_MAX_PIECES], unsigned *count,
                                         struct mist_error *error)
{
    struct codestream_header header;
    struct assembly plan = {.packets = packets};
    *count = 0;
    enum mist_status status = codestream_parse_header_alone(main_header, size, &header, error);
    if (status)
        return status;
    status = plan_assembly(&header, reduce, &plan, error);
    if (!status && !make_headers(main_header, &header, reduce, &plan, headers))
        status = error_set(error, MIST_ERROR_MEMORY, "a codestream's headers: out of memory");
    if (!status)
        list_pieces(&plan, headers, pieces, count);
    codestream_header_free(&header);
    return status;
}

enum mist_status codec_codestream_join(const uint8_t *main_header, size_t size, const struct codec_packets *packets,
                                       unsigned reduce, struct mist_buffer *out, struct mist_error *error)
{
    struct codec_piece pieces[CODEC_MAX_PIECES];
    struct mist_buffer headers = {0};
    unsigned count;
    size_t total = 0;
    bool good = true;
    out->size = 0;
    enum mist_status status =
        codec_codestream_pieces(main_header, size, packets, reduce, &headers, pieces, &count, error);
    for (unsigned i = 0; i < count && good; i++)
        good = size_add(total, pieces[i].size, &total);
    good = good && buffer_reserve(out, total);
    for (unsigned i = 0; i < count && good; i++)
        good = buffer_append(out, pieces[i].data, pieces[i].size);
    mist_buffer_free(&headers);
    if (!status && !good)
        status = error_set(error, MIST_ERROR_MEMORY, "a codestream of %zu bytes: out of memory", total);
    return status;
}
