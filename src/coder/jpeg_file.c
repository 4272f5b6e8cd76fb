/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole JPEG files: all scans into coefficients, and coefficients into a sequential file. */
#include "coder/jpeg_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

void jpeg_planes_free(struct jpeg_planes *planes)
{
    for (unsigned c = 0; c < 4; c++)
        memory_free(planes->plane[c].block);
    memset(planes, 0, sizeof *planes);
}

enum mist_status jpeg_planes_allocate(const struct jpeg_frame *frame, const unsigned strides[4],
                                      struct jpeg_planes *planes, struct mist_error *error)
{
    memset(planes, 0, sizeof *planes);
    for (unsigned c = 0; c < frame->components; c++) {
        struct jpeg_plane *plane = &planes->plane[c];
        plane->wide = frame->component[c].wide;
        plane->high = frame->component[c].high;
        plane->stride = strides[c];
        if (!strides[c])
            continue;
        /* jpeg_frame_layout() bounds the product. */
        plane->block = memory_allocate_zeroed((size_t)plane->wide * plane->high, strides[c] * sizeof *plane->block);
        if (!plane->block) {
            jpeg_planes_free(planes);
            return error_set(error, MIST_ERROR_MEMORY, "the coefficients of a JPEG picture: out of memory");
        }
    }
    return MIST_OK;
}

void jpeg_picture_free(struct jpeg_picture *picture)
{
    jpeg_planes_free(&picture->planes);
    mist_buffer_free(&picture->skeleton);
    memset(picture, 0, sizeof *picture);
}

/* What is known of each coefficient: the bit position down to which it has been read, UNKNOWN before its first scan. */
enum { UNKNOWN = 15 };
struct knowledge {
    uint8_t low[4][64]; /* by component and zigzag index */
    bool padded[4];     /* an interleaved scan has brought the padding blocks' DC */
};

/* Scans must bring every bit once, the higher ones first: then they can be written again from the coefficients. */
static enum mist_status note_scan(const struct jpeg_walk *walk, struct knowledge *knowledge, struct mist_error *error)
{
    const struct jpeg_scan *scan = &walk->scan;
    for (unsigned i = 0; i < scan->components; i++) {
        unsigned c = scan->index[i];
        uint8_t before = scan->high ? scan->high : UNKNOWN;
        if (walk->frame.progressive && scan->from && knowledge->low[c][0] == UNKNOWN)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "scan %u of the JPEG file comes before the DC scan",
                             walk->scans);
        for (unsigned k = scan->from; k <= scan->to; k++) {
            if (knowledge->low[c][k] != before)
                return error_set(error, MIST_ERROR_UNSUPPORTED,
                                 "scan %u of the JPEG file brings again, or too early, what other scans bring",
                                 walk->scans);
            knowledge->low[c][k] = scan->low;
        }
        if (!scan->from && !scan->high && scan->components > 1)
            knowledge->padded[c] = true;
    }
    return MIST_OK;
}

static enum mist_status check_complete(const struct jpeg_walk *walk, const struct knowledge *knowledge,
                                       struct mist_error *error)
{
    if (!walk->has_frame || !walk->scans)
        return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file has no picture");
    for (unsigned c = 0; c < walk->frame.components; c++)
        for (unsigned k = 0; k < 64; k++)
            if (knowledge->low[c][k])
                return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file lacks some of its scans");
    return MIST_OK;
}

/* Padding blocks that no scan brings get their neighbour's DC: they take part in the sums below 1/8. */
static void fill_padding(const struct jpeg_frame *frame, struct jpeg_planes *planes, const struct knowledge *knowledge)
{
    for (unsigned c = 0; c < frame->components; c++) {
        const struct jpeg_component *component = &frame->component[c];
        struct jpeg_plane *plane = &planes->plane[c];
        if (knowledge->padded[c])
            continue;
        for (uint32_t y = 0; y < plane->high; y++)
            for (uint32_t x = y < component->rows ? component->columns : 0; x < plane->wide; x++) {
                uint32_t from_x = x < component->columns ? x : component->columns - 1;
                uint32_t from_y = y < component->rows ? y : component->rows - 1;
                plane->block[((size_t)y * plane->wide + x) * plane->stride] =
                    plane->block[((size_t)from_y * plane->wide + from_x) * plane->stride];
            }
    }
}

static enum mist_status start_picture(const struct jpeg_walk *walk, struct jpeg_picture *picture,
                                      struct mist_error *error)
{
    /* A block takes at least one bit of its DC scan: what a small file claims is not believed. */
    if (jpeg_frame_samples(&walk->frame) / 64 > (uint64_t)walk->size * 8)
        return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file is too short for %u x %u pixels",
                         walk->frame.width, walk->frame.height);
    return jpeg_planes_allocate(&walk->frame, (unsigned[4]){64, 64, 64, 64}, &picture->planes, error);
}

static enum mist_status read_scans(struct jpeg_walk *walk, struct jpeg_picture *picture, struct knowledge *knowledge,
                                   struct mist_error *error)
{
    size_t copied = 0;
    bool more = false;
    enum mist_status status;
    for (;;) {
        status = jpeg_walk_next(walk, &more, error);
        size_t until = more ? walk->at : walk->size; /* what follows EOI belongs to the skeleton */
        if (!status && !buffer_append(&picture->skeleton, walk->data + copied, until - copied))
            status = error_set(error, MIST_ERROR_MEMORY, "reading a JPEG file: out of memory");
        if (status || !more)
            return status;
        if (!picture->planes.plane[0].block)
            status = start_picture(walk, picture, error);
        if (!status)
            status = note_scan(walk, knowledge, error);
        unsigned scan = walk->scans - 1;
        size_t end = jpeg_walk_scan_end(walk);
        if (!status)
            status = jpeg_scan_read(walk, end, &picture->planes, &picture->coding[scan], error);
        if (status)
            return status;
        picture->start[scan] = walk->at;
        picture->end[scan] = copied = walk->at = end;
    }
}

enum mist_status jpeg_file_read(const uint8_t *data, size_t size, struct jpeg_picture *picture,
                                struct mist_error *error)
{
    struct knowledge knowledge;
    memset(&knowledge, 0, sizeof knowledge);
    memset(knowledge.low, UNKNOWN, sizeof knowledge.low);
    memset(picture, 0, sizeof *picture);
    if (size > JPEG_MAX_FILE)
        return error_set(error, MIST_ERROR_LIMIT, "a JPEG file of more than %zu bytes", JPEG_MAX_FILE);
    struct jpeg_walk *walk = memory_allocate(sizeof *walk);
    if (!walk)
        return error_set(error, MIST_ERROR_MEMORY, "reading a JPEG file: out of memory");
    *walk = jpeg_walk_start(data, size);
    enum mist_status status = read_scans(walk, picture, &knowledge, error);
    if (!status)
        status = check_complete(walk, &knowledge, error);
    if (!status) {
        picture->frame = walk->frame;
        picture->scans = walk->scans;
        fill_padding(&picture->frame, &picture->planes, &knowledge);
    } else {
        jpeg_picture_free(picture);
    }
    memory_free(walk);
    return status;
}

/* ---- a sequential file ---- */

static bool put_segment(struct mist_buffer *out, uint8_t marker, const uint8_t *body, size_t size)
{
    uint8_t head[4] = {0xff, marker};
    store_be16(head + 2, (uint16_t)(size + 2));
    return buffer_append(out, head, sizeof head) && buffer_append(out, body, size);
}

static bool put_tables(struct mist_buffer *out, const struct jpeg_frame *frame)
{
    bool good = true;
    for (unsigned c = 0; c < frame->components; c++) {
        const struct jpeg_component *component = &frame->component[c];
        uint8_t body[129];
        bool wide = false, written = false;
        for (unsigned other = 0; other < c; other++)
            written |= frame->component[other].slot == component->slot;
        for (unsigned k = 0; k < 64; k++)
            wide |= component->quant[k] > 255;
        body[0] = (uint8_t)(wide << 4 | component->slot);
        for (unsigned k = 0; k < 64; k++)
            if (wide)
                store_be16(body + 1 + 2 * k, component->quant[k]);
            else
                body[1 + k] = (uint8_t)component->quant[k];
        good = good && (written || put_segment(out, 0xdb, body, wide ? 129 : 65));
    }
    return good;
}

/* Everything before the first scan: with the markers that make decoders choose the same colour as for the original. */
static bool put_head(struct mist_buffer *out, const struct jpeg_frame *frame)
{
    uint8_t body[6 + 3 * 4];
    bool good = buffer_append(out, "\xff\xd8", 2);
    if (frame->jfif)
        good = good && put_segment(out, 0xe0, (const uint8_t *)"JFIF\0\1\1\0\0\1\0\1\0\0", 14);
    if (frame->adobe) {
        uint8_t adobe[12] = {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, frame->transform};
        good = good && put_segment(out, 0xee, adobe, sizeof adobe);
    }
    good = good && put_tables(out, frame);
    body[0] = 8;
    store_be16(body + 1, (uint16_t)frame->height);
    store_be16(body + 3, (uint16_t)frame->width);
    body[5] = (uint8_t)frame->components;
    for (unsigned c = 0; c < frame->components; c++) {
        body[6 + 3 * c] = frame->component[c].id;
        body[7 + 3 * c] = (uint8_t)(frame->component[c].h << 4 | frame->component[c].v);
        body[8 + 3 * c] = frame->component[c].slot;
    }
    /* SOF1: coefficients may need symbols that the baseline does not have; everybody reads it. */
    return good && put_segment(out, 0xc1, body, 6 + 3 * frame->components);
}

static bool put_huffman(struct mist_buffer *out, const struct jpeg_table *table, uint8_t head)
{
    uint8_t body[17 + 256];
    unsigned symbols = 0;
    body[0] = head;
    for (unsigned length = 1; length <= 16; length++)
        symbols += body[length] = table->counts[length];
    memcpy(body + 17, table->symbols, symbols);
    return put_segment(out, 0xc4, body, 17 + symbols);
}

/* One scan with the best tables: slot 0 for the first component, 1 for the others. */
static enum mist_status put_scan(struct jpeg_walk *walk, const struct jpeg_planes *planes, struct mist_buffer *out,
                                 struct mist_error *error)
{
    const struct jpeg_scan *scan = &walk->scan;
    uint32_t counts[2][4][256] = {0};
    uint8_t body[4 + 2 * 4];
    enum mist_status status = jpeg_scan_count(walk, planes, counts, error);
    if (status)
        return status;
    bool good = true;
    for (unsigned i = 0; i < scan->components; i++) {
        unsigned slot = scan->dc[i];
        jpeg_table_optimal(counts[0][slot], &walk->dc[slot]);
        jpeg_table_optimal(counts[1][slot], &walk->ac[slot]);
        if (i < 2)
            good = good && put_huffman(out, &walk->dc[slot], (uint8_t)slot) &&
                   put_huffman(out, &walk->ac[slot], (uint8_t)(0x10 | slot));
        body[1 + 2 * i] = walk->frame.component[scan->index[i]].id;
        body[2 + 2 * i] = (uint8_t)(slot << 4 | slot);
    }
    body[0] = (uint8_t)scan->components;
    memcpy(body + 1 + 2 * scan->components, "\0\x3f\0", 3);
    if (!good || !put_segment(out, 0xda, body, 4 + 2 * scan->components))
        return error_set(error, MIST_ERROR_MEMORY, "writing a JPEG file: out of memory");
    return jpeg_scan_write(walk, planes, &(struct jpeg_scan_coding){0}, SIZE_MAX / 2, out, error);
}

enum mist_status jpeg_file_write(const struct jpeg_frame *frame, const struct jpeg_planes *planes,
                                 struct mist_buffer *out, struct mist_error *error)
{
    struct jpeg_walk *walk = memory_allocate_zeroed(1, sizeof *walk);
    out->size = 0;
    if (!walk || !put_head(out, frame)) {
        memory_free(walk);
        return error_set(error, MIST_ERROR_MEMORY, "writing a JPEG file: out of memory");
    }
    unsigned blocks = 0, together = frame->components;
    walk->frame = *frame;
    walk->frame.progressive = false;
    for (unsigned c = 0; c < frame->components; c++)
        blocks += frame->component[c].h * frame->component[c].v;
    if (blocks > 10) /* an MCU must not have more (T.81, B.2.3) */
        together = 1;
    enum mist_status status = MIST_OK;
    for (unsigned c = 0; c < frame->components && !status; c += together) {
        walk->scan = (struct jpeg_scan){.components = together, .to = 63};
        for (unsigned i = 0; i < together; i++) {
            walk->scan.index[i] = (uint8_t)(c + i);
            walk->scan.dc[i] = walk->scan.ac[i] = c + i > 0;
        }
        status = put_scan(walk, planes, out, error);
    }
    if (!status && !buffer_append(out, "\xff\xd9", 2))
        status = error_set(error, MIST_ERROR_MEMORY, "writing a JPEG file: out of memory");
    memory_free(walk);
    return status;
}
