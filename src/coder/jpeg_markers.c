/* SPDX-License-Identifier: BSD-2-Clause */
/* Markers of a JPEG file up to the next scan: T.81, annex B. */
#include "coder/jpeg_file.h"

#include "base/bytes.h"
#include "base/error.h"

enum {
    SOF0 = 0xc0,
    SOF1 = 0xc1,
    SOF2 = 0xc2,
    DHT = 0xc4,
    JPG = 0xc8,
    DAC = 0xcc,
    SOF15 = 0xcf,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DNL = 0xdc,
    DRI = 0xdd,
    DHP = 0xde,
    EXP = 0xdf,
    APP0 = 0xe0,
    APP1 = 0xe1,
    APP14 = 0xee,
    TEM = 0x01
};

const uint8_t jpeg_zigzag[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};
const uint8_t jpeg_place[64] = {
    0,  1,  2,  4,  3,  5,  6,  7,  8,  9,  16, 10, 11, 12, 17, 18, 19, 13, 14, 20, 21, 22,
    23, 24, 15, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
    44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};

/* As libjpeg's default_decompress_parms() decides, which everybody's pictures depend on. */
static enum jpeg_colour choose_colour(const struct jpeg_frame *frame)
{
    const struct jpeg_component *c = frame->component;
    if (frame->components == 1)
        return JPEG_GREY;
    if (frame->components == 4)
        return !frame->adobe || frame->transform == 0 ? JPEG_CMYK : JPEG_YCCK;
    if (frame->jfif)
        return JPEG_YCBCR;
    if (frame->adobe)
        return frame->transform == 0 ? JPEG_RGB : JPEG_YCBCR;
    return c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B' ? JPEG_RGB : JPEG_YCBCR;
}

static uint32_t divide_up(uint64_t value, uint32_t by)
{
    return (uint32_t)((value + by - 1) / by);
}

bool jpeg_frame_layout(struct jpeg_frame *frame)
{
    if (!frame->width || !frame->height || frame->width > JPEG_MAX_SIDE || frame->height > JPEG_MAX_SIDE)
        return false;
    frame->h_max = frame->v_max = 1;
    for (unsigned c = 0; c < frame->components; c++) {
        frame->h_max = frame->component[c].h > frame->h_max ? frame->component[c].h : frame->h_max;
        frame->v_max = frame->component[c].v > frame->v_max ? frame->component[c].v : frame->v_max;
    }
    frame->mcus_wide = divide_up(frame->width, 8u * frame->h_max);
    frame->mcus_high = divide_up(frame->height, 8u * frame->v_max);
    for (unsigned c = 0; c < frame->components; c++) {
        struct jpeg_component *component = &frame->component[c];
        component->columns = divide_up((uint64_t)frame->width * component->h, 8u * frame->h_max);
        component->rows = divide_up((uint64_t)frame->height * component->v, 8u * frame->v_max);
        /* Scans of one component have no padding (T.81, A.2.2), so a file of one component never has. */
        component->wide = frame->components == 1 ? component->columns : frame->mcus_wide * component->h;
        component->high = frame->components == 1 ? component->rows : frame->mcus_high * component->v;
        unsigned across = 0, down = 0;
        while (frame->h_max % (component->h << (across + 1)) == 0)
            across++;
        while (frame->v_max % (component->v << (down + 1)) == 0)
            down++;
        component->shift = across < down ? across : down;
        component->longest_shift = across < down ? down : across;
    }
    frame->colour = choose_colour(frame);
    return jpeg_frame_samples(frame) <= MIST_MAX_FRAME_BYTES;
}

uint64_t jpeg_frame_samples(const struct jpeg_frame *frame)
{
    uint64_t samples = 0;
    for (unsigned c = 0; c < frame->components; c++)
        samples += (uint64_t)frame->component[c].wide * frame->component[c].high * 64;
    return samples;
}

static enum mist_status read_frame(struct jpeg_walk *walk, struct byte_reader *body, uint8_t marker,
                                   struct mist_error *error)
{
    struct jpeg_frame *frame = &walk->frame;
    if (walk->has_frame)
        return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file has two frame headers");
    unsigned precision = read_u8(body);
    frame->height = read_be16(body);
    frame->width = read_be16(body);
    frame->components = read_u8(body);
    frame->progressive = marker == SOF2;
    if (body->failed)
        return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file's frame header is too short");
    if (precision != 8)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG file of %u bits a sample; only 8 are kept as they are",
                         precision);
    if (!frame->height || !frame->width)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "the JPEG file does not say its size in its frame header");
    if (frame->components != 1 && frame->components != 3 && frame->components != 4)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG file of %u components", frame->components);
    for (unsigned c = 0; c < frame->components; c++) {
        struct jpeg_component *component = &frame->component[c];
        component->id = read_u8(body);
        uint8_t factors = read_u8(body);
        component->slot = read_u8(body);
        component->h = factors >> 4;
        component->v = factors & 15;
        if (!component->h || component->h > 4 || !component->v || component->v > 4 || component->slot > 3)
            return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file's frame header is damaged");
        for (unsigned other = 0; other < c; other++)
            if (frame->component[other].id == component->id)
                return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG file with two components of one name");
    }
    if (body->failed || reader_left(body))
        return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file's frame header has the wrong length");
    if (!jpeg_frame_layout(frame))
        return error_set(error, MIST_ERROR_LIMIT, "a JPEG file of %u x %u pixels is too large", frame->width,
                         frame->height);
    for (unsigned c = 0; c < frame->components; c++)
        if (frame->h_max % frame->component[c].h || frame->v_max % frame->component[c].v)
            return error_set(error, MIST_ERROR_UNSUPPORTED,
                             "a JPEG file with sampling factors that libjpeg does not decode");
    walk->has_frame = true;
    return MIST_OK;
}

static bool read_quantisation(struct jpeg_walk *walk, struct byte_reader *body)
{
    while (reader_left(body)) {
        uint8_t head = read_u8(body), slot = head & 15;
        if (slot > 3 || head >> 4 > 1)
            return false;
        for (unsigned k = 0; k < 64; k++)
            walk->quant[slot][k] = head >> 4 ? read_be16(body) : read_u8(body);
        walk->quant_known[slot] = true;
    }
    return !body->failed;
}

static bool read_huffman(struct jpeg_walk *walk, struct byte_reader *body)
{
    while (reader_left(body)) {
        uint8_t head = read_u8(body), slot = head & 15;
        if (slot > 3 || head >> 4 > 1)
            return false;
        struct jpeg_table *table = head >> 4 ? &walk->ac[slot] : &walk->dc[slot];
        unsigned sum = 0;
        table->counts[0] = 0;
        for (unsigned length = 1; length <= 16; length++)
            sum += table->counts[length] = read_u8(body);
        const uint8_t *symbols = sum <= 256 ? reader_take(body, sum) : NULL;
        if (!symbols)
            return false;
        memset(table->symbols, 0, sizeof table->symbols);
        memcpy(table->symbols, symbols, sum);
        table->known = true;
    }
    return !body->failed;
}

/* Tag 0x0112 of the first directory of an EXIF segment; 0 where there is none. */
static uint8_t exif_orientation(const uint8_t *data, size_t size)
{
    if (size < 14 || memcmp(data, "Exif\0", 6))
        return 0;
    const uint8_t *tiff = data + 6;
    size_t left = size - 6;
    bool big = tiff[0] == 'M';
    uint32_t directory = big ? load_be32(tiff + 4) : load_le32(tiff + 4);
    if (directory > left || left - directory < 2)
        return 0;
    unsigned entries = big ? load_be16(tiff + directory) : load_le16(tiff + directory);
    size_t at = directory + 2;
    for (unsigned i = 0; i < entries && left - at >= 12; i++, at += 12) {
        const uint8_t *entry = tiff + at;
        if ((big ? load_be16(entry) : load_le16(entry)) != 0x0112)
            continue;
        unsigned value = big ? load_be16(entry + 8) : load_le16(entry + 8);
        return value >= 1 && value <= 8 ? (uint8_t)value : 0;
    }
    return 0;
}

/* Only markers before the first scan count for the colour, as in libjpeg. */
static void read_application(struct jpeg_walk *walk, const struct byte_reader *body, uint8_t marker)
{
    struct jpeg_frame *frame = &walk->frame;
    size_t size = reader_left(body);
    if (marker == APP0 && size >= 14 && !memcmp(body->at, "JFIF", 5))
        frame->jfif = true;
    if (marker == APP14 && size >= 12 && !memcmp(body->at, "Adobe", 5)) {
        frame->adobe = true;
        frame->transform = body->at[11];
    }
    if (marker == APP1 && frame->orientation <= 1) {
        uint8_t orientation = exif_orientation(body->at, size);
        frame->orientation = orientation ? orientation : frame->orientation;
    }
    if (walk->has_frame)
        frame->colour = choose_colour(frame);
}

/* The table that a component is quantised with is the one that its first scan finds. */
static enum mist_status latch_quantisation(struct jpeg_walk *walk, struct jpeg_component *component,
                                           struct mist_error *error)
{
    if (component->quantised)
        return MIST_OK;
    if (!walk->quant_known[component->slot])
        return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file lacks a quantisation table");
    memcpy(component->quant, walk->quant[component->slot], sizeof component->quant);
    component->quantised = true;
    return MIST_OK;
}

static enum mist_status read_scan(struct jpeg_walk *walk, struct byte_reader *body, struct mist_error *error)
{
    struct jpeg_scan *scan = &walk->scan;
    if (!walk->has_frame)
        return error_set(error, MIST_ERROR_CORRUPT, "the JPEG file has a scan before its frame header");
    if (walk->scans == JPEG_MAX_SCANS)
        return error_set(error, MIST_ERROR_LIMIT, "the JPEG file has more than %u scans", JPEG_MAX_SCANS);
    walk->scans++;
    scan->components = read_u8(body);
    bool bad = scan->components < 1 || scan->components > walk->frame.components;
    unsigned blocks = 0;
    for (unsigned i = 0; i < scan->components && !bad; i++) {
        uint8_t id = read_u8(body), tables = read_u8(body), c = 0;
        while (c < walk->frame.components && walk->frame.component[c].id != id)
            c++;
        bad = c == walk->frame.components || tables >> 4 > 3 || (tables & 15) > 3 || (i && c <= scan->index[i - 1]);
        if (bad)
            break;
        scan->index[i] = c;
        scan->dc[i] = tables >> 4;
        scan->ac[i] = tables & 15;
        blocks += walk->frame.component[c].h * walk->frame.component[c].v;
        enum mist_status status = latch_quantisation(walk, &walk->frame.component[c], error);
        if (status)
            return status;
    }
    scan->from = read_u8(body);
    scan->to = read_u8(body);
    uint8_t bits = read_u8(body);
    scan->high = bits >> 4;
    scan->low = bits & 15;
    bad |= body->failed || reader_left(body) || (scan->components > 1 && blocks > 10);
    if (walk->frame.progressive)
        bad |= scan->from > scan->to || scan->to > 63 || (!scan->from && scan->to) || scan->low > 13 ||
               (scan->from && scan->components > 1) || (scan->high && scan->high != scan->low + 1);
    else /* libjpeg looks at none of these here */
        scan->from = 0, scan->to = 63, scan->high = scan->low = 0;
    return bad ? error_set(error, MIST_ERROR_CORRUPT, "the header of the JPEG file's scan %u is damaged", walk->scans)
               : MIST_OK;
}

static enum mist_status read_segment(struct jpeg_walk *walk, uint8_t marker, struct byte_reader body,
                                     struct mist_error *error)
{
    bool good = true;
    if (marker == SOF0 || marker == SOF1 || marker == SOF2)
        return read_frame(walk, &body, marker, error);
    if (marker == SOS)
        return read_scan(walk, &body, error);
    if (marker == DHT)
        good = read_huffman(walk, &body);
    else if (marker == DQT)
        good = read_quantisation(walk, &body);
    else if (marker == DRI) {
        walk->restart = read_be16(&body);
        good = !body.failed && !reader_left(&body);
    } else if (marker == DAC || (marker > SOF2 && marker <= SOF15 && marker != JPG))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "a JPEG file of a kind that is not kept as it is (marker FF%02X: %s)", marker,
                         marker >= 0xc9   ? "arithmetic coding"
                         : marker == 0xc3 ? "lossless"
                                          : "hierarchical");
    else if (marker == DNL || marker == DHP || marker == EXP || marker == JPG)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "a JPEG file with marker FF%02X", marker);
    else if (marker >= APP0 && marker <= APP14 && !walk->scans)
        read_application(walk, &body, marker);
    return good ? MIST_OK : error_set(error, MIST_ERROR_CORRUPT, "a table in the JPEG file is damaged");
}

struct jpeg_walk jpeg_walk_start(const uint8_t *data, size_t size)
{
    struct jpeg_walk walk;
    memset(&walk, 0, sizeof walk);
    walk.data = data;
    walk.size = size;
    walk.frame.orientation = 1;
    return walk;
}

enum mist_status jpeg_walk_next(struct jpeg_walk *walk, bool *more, struct mist_error *error)
{
    if (!walk->at) {
        if (walk->size < 2 || walk->data[0] != 0xff || walk->data[1] != SOI)
            return error_set(error, MIST_ERROR_CORRUPT, "not a JPEG file");
        walk->at = 2;
    }
    for (;;) {
        if (walk->at == walk->size && walk->scans) { /* without EOI: harmless, and not rare */
            *more = false;
            return MIST_OK;
        }
        struct byte_reader reader = byte_reader_start(walk->data + walk->at, walk->size - walk->at);
        bool marked = read_u8(&reader) == 0xff;
        uint8_t marker = 0xff;
        while (marker == 0xff && !reader.failed)
            marker = read_u8(&reader);
        if (reader.failed)
            return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file ends before its end marker");
        if (!marked || !marker)
            return error_set(error, MIST_ERROR_CORRUPT, "there is no marker at byte %zu of the JPEG file", walk->at);
        if (marker == SOI || (marker >= RST0 && marker <= RST7))
            return error_set(error, MIST_ERROR_CORRUPT, "a marker stands at a wrong place in the JPEG file");
        if (marker == TEM || marker == EOI) {
            walk->at = (size_t)(reader.at - walk->data);
            if (marker == TEM)
                continue;
            *more = false;
            return MIST_OK;
        }
        size_t length = read_be16(&reader);
        if (!reader.failed && length < 2)
            return error_set(error, MIST_ERROR_CORRUPT, "a segment of the JPEG file has no length");
        const uint8_t *body = reader_take(&reader, length - 2);
        if (!body)
            return error_set(error, MIST_ERROR_TRUNCATED, "the JPEG file ends within a segment");
        enum mist_status status = read_segment(walk, marker, byte_reader_start(body, length - 2), error);
        if (status)
            return status;
        walk->at = (size_t)(reader.at - walk->data);
        if (marker == SOS) {
            *more = true;
            return MIST_OK;
        }
    }
}

size_t jpeg_walk_scan_end(const struct jpeg_walk *walk)
{
    size_t at = walk->at;
    while (at < walk->size) {
        const uint8_t *found = memchr(walk->data + at, 0xff, walk->size - at);
        if (!found || found + 1 >= walk->data + walk->size)
            return walk->size;
        if (found[1] && !(found[1] >= RST0 && found[1] <= RST7))
            return (size_t)(found - walk->data);
        at = (size_t)(found - walk->data) + 2;
    }
    return walk->size;
}
