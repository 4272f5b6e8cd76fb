/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_layout.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

#define UNDEFINED_LENGTH UINT32_MAX
#define TAG(group, element) (((uint32_t)(group) << 16) | (element))
#define TAG_TRANSFER_SYNTAX TAG(0x0002, 0x0010)
#define TAG_EXTENDED_OFFSETS TAG(0x7fe0, 0x0001)
#define TAG_FLOAT_PIXELS TAG(0x7fe0, 0x0008)
#define TAG_DOUBLE_PIXELS TAG(0x7fe0, 0x0009)
#define TAG_PIXELS TAG(0x7fe0, 0x0010)
#define TAG_ITEM TAG(0xfffe, 0xe000)
#define TAG_ITEM_END TAG(0xfffe, 0xe00d)
#define TAG_SEQUENCE_END TAG(0xfffe, 0xe0dd)

#define IMPLICIT_LITTLE "1.2.840.10008.1.2"
#define EXPLICIT_LITTLE "1.2.840.10008.1.2.1"
#define EXPLICIT_BIG "1.2.840.10008.1.2.2"
#define DEFLATED "1.2.840.10008.1.2.1.99"

/* PS3.6, table A-1: those whose pixel data is in fragments, and the deflated one. */
static const struct syntax {
    const char *uid;
    const char *name;
    enum dicom_coding coding;
} syntaxes[] = {
    {DEFLATED, "Deflated Explicit VR Little Endian", DICOM_NATIVE},
    {"1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed", DICOM_ENCAPSULATED},
    {"1.2.840.10008.1.2.4.100", "MPEG-2 Main Level", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.100.1", "fragmentable MPEG-2 Main Level", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.101", "MPEG-2 High Level", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.101.1", "fragmentable MPEG-2 High Level", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 4.1", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.102.1", "fragmentable MPEG-4 AVC/H.264 4.1", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.103.1", "fragmentable MPEG-4 AVC/H.264 BD", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.104", "MPEG-4 AVC/H.264 4.2 2D", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.104.1", "fragmentable MPEG-4 AVC/H.264 4.2 2D", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.105", "MPEG-4 AVC/H.264 4.2 3D", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.105.1", "fragmentable MPEG-4 AVC/H.264 4.2 3D", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.106", "MPEG-4 AVC/H.264 Stereo", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.106.1", "fragmentable MPEG-4 AVC/H.264 Stereo", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.107", "HEVC/H.265 Main", DICOM_VIDEO},
    {"1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10", DICOM_VIDEO},
    {"1.2.840.10008.1.2.5", "RLE Lossless", DICOM_RLE},
    {"1.2.840.10008.1.2.8.1", "Deflated Image Frame", DICOM_DEFLATED},
};

static const struct syntax *find_syntax(const char *uid)
{
    for (size_t i = 0; i < sizeof syntaxes / sizeof *syntaxes; i++)
        if (strcmp(uid, syntaxes[i].uid) == 0)
            return &syntaxes[i];
    return NULL;
}

const char *dicom_syntax_name(const char *uid)
{
    static const char codestreams[] = "1.2.840.10008.1.2.4.";
    const struct syntax *syntax = find_syntax(uid);
    if (syntax)
        return syntax->name;
    return strncmp(uid, codestreams, sizeof codestreams - 1) == 0 ? "JPEG family" : "unknown";
}

/* How elements are written from here on. */
struct coding {
    bool explicit_vr;
    bool big_endian;
};

struct element {
    uint32_t tag;
    char vr[3];      /* "" where implicit */
    uint32_t length; /* of the value, or UNDEFINED_LENGTH */
    size_t value;    /* offset of the value */
};

struct walk {
    const uint8_t *data;
    size_t size;
    struct mist_error *error;
};

static uint16_t load16(const uint8_t *p, bool big_endian)
{
    return big_endian ? load_be16(p) : load_le16(p);
}

static uint32_t load32(const uint8_t *p, bool big_endian)
{
    return big_endian ? load_be32(p) : load_le32(p);
}

static bool is_vr(const uint8_t *p)
{
    return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
}

/* PS3.5, 7.1.2: these VRs, and (so says the standard) all that are still to come, have a 32-bit length. */
static bool has_long_length(const char *vr)
{
    static const char short_vrs[] = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US ";
    for (const char *at = short_vrs; *at; at += 3)
        if (at[0] == vr[0] && at[1] == vr[1])
            return false;
    return vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z';
}

/* Reads tag, VR and length at `at`; false if they do not fit before `end`. */
static bool read_element(const uint8_t *data, size_t at, size_t end, struct coding coding, struct element *element)
{
    if (end < at || end - at < 8)
        return false;
    const uint8_t *p = data + at;
    *element = (struct element){.tag = TAG(load16(p, coding.big_endian), load16(p + 2, coding.big_endian))};
    if (!coding.explicit_vr || element->tag >> 16 == 0xfffe) { /* items have no VR: PS3.5, 7.5 */
        element->length = load32(p + 4, coding.big_endian);
        element->value = at + 8;
        return true;
    }
    element->vr[0] = (char)p[4];
    element->vr[1] = (char)p[5];
    if (!has_long_length(element->vr)) {
        element->length = load16(p + 6, coding.big_endian);
        element->value = at + 8;
        return true;
    }
    if (end - at < 12)
        return false;
    element->length = load32(p + 8, coding.big_endian);
    element->value = at + 12;
    return true;
}

static enum mist_status cut_short(struct walk *walk, size_t at, size_t end)
{
    if (end == walk->size)
        return error_set(walk->error, MIST_ERROR_TRUNCATED, "the DICOM dataset ends within the element at byte %zu",
                         at);
    return error_set(walk->error, MIST_ERROR_CORRUPT, "the DICOM element at byte %zu reaches beyond its sequence", at);
}

static enum mist_status walk_sequence(struct walk *walk, size_t *at, size_t end, bool delimited, struct coding coding,
                                      unsigned depth);

/* Steps over one element's value: *at becomes the offset behind it. */
static enum mist_status skip_value(struct walk *walk, size_t *at, size_t end, const struct element *element,
                                   struct coding coding, unsigned depth)
{
    bool sequence = memcmp(element->vr, "SQ", 2) == 0;
    size_t start = *at;
    *at = element->value;
    if (element->length == UNDEFINED_LENGTH) {
        bool unknown = memcmp(element->vr, "UN", 2) == 0;
        if (coding.explicit_vr && !sequence && !unknown)
            return error_set(walk->error, MIST_ERROR_CORRUPT,
                             "the DICOM element (%04x,%04x) at byte %zu has no length and is no sequence",
                             element->tag >> 16, element->tag & 0xffff, start);
        /* PS3.5, 6.2.2 note 4: a UN sequence is coded in implicit VR little endian. */
        return walk_sequence(walk, at, end, true, unknown ? (struct coding){false, false} : coding, depth + 1);
    }
    if (end - *at < element->length)
        return cut_short(walk, start, end);
    size_t behind = *at + element->length;
    /* Without VRs, what starts with an item is taken for a sequence. */
    if (!coding.explicit_vr && element->length >= 8)
        sequence = load32(walk->data + *at, coding.big_endian) ==
                   (coding.big_endian ? TAG_ITEM : (TAG_ITEM << 16 | TAG_ITEM >> 16));
    if (sequence && element->length > 0) {
        enum mist_status status = walk_sequence(walk, at, behind, false, coding, depth + 1);
        if (status)
            return status;
    }
    *at = behind;
    return MIST_OK;
}

/* Steps over elements up to `end`, or over the item delimiter if the item is `delimited`. */
static enum mist_status walk_item(struct walk *walk, size_t *at, size_t end, bool delimited, struct coding coding,
                                  unsigned depth)
{
    while (delimited || *at < end) {
        struct element element;
        if (!read_element(walk->data, *at, end, coding, &element))
            return cut_short(walk, *at, end);
        if (element.tag == TAG_ITEM_END) {
            *at = element.value;
            if (delimited)
                return MIST_OK;
            continue;
        }
        if (element.tag == TAG_ITEM || element.tag == TAG_SEQUENCE_END)
            return error_set(walk->error, MIST_ERROR_CORRUPT, "a misplaced DICOM sequence delimiter at byte %zu", *at);
        enum mist_status status = skip_value(walk, at, end, &element, coding, depth);
        if (status)
            return status;
    }
    return MIST_OK;
}

/* Steps over items up to `end`, or over the sequence delimiter if the sequence is `delimited`. */
static enum mist_status walk_sequence(struct walk *walk, size_t *at, size_t end, bool delimited, struct coding coding,
                                      unsigned depth)
{
    if (depth > DICOM_MAX_NESTING)
        return error_set(walk->error, MIST_ERROR_LIMIT, "DICOM sequences are nested more than %u deep",
                         DICOM_MAX_NESTING);
    while (delimited || *at < end) {
        struct element item;
        if (!read_element(walk->data, *at, end, coding, &item))
            return cut_short(walk, *at, end);
        size_t start = *at;
        *at = item.value;
        if (item.tag == TAG_SEQUENCE_END) {
            if (delimited)
                return MIST_OK;
            continue;
        }
        if (item.tag != TAG_ITEM)
            return error_set(walk->error, MIST_ERROR_CORRUPT, "a DICOM sequence has no item at byte %zu", start);
        bool open = item.length == UNDEFINED_LENGTH;
        if (!open && end - *at < item.length)
            return cut_short(walk, start, end);
        enum mist_status status = walk_item(walk, at, open ? end : *at + item.length, open, coding, depth);
        if (status)
            return status;
    }
    return MIST_OK;
}

/* How the element at p (8 bytes at least) is coded, by its looks: low groups and letters for a VR. */
static struct coding guess_coding(const uint8_t *p)
{
    return (struct coding){.explicit_vr = is_vr(p + 4), .big_endian = load_be16(p) < load_le16(p)};
}

/* File meta information is always explicit VR little endian (PS3.10, 7.1). Sets dataset and transfer_syntax. */
static enum mist_status read_meta(struct walk *walk, struct dicom_layout *layout)
{
    const struct coding coding = {.explicit_vr = true};
    bool preamble = walk->size >= 132 && memcmp(walk->data + 128, "DICM", 4) == 0;
    layout->meta = layout->dataset = preamble ? 132 : 0;
    struct element element;
    while (read_element(walk->data, layout->dataset, walk->size, coding, &element) && element.tag >> 16 == 2) {
        layout->has_meta = true;
        if (element.tag == TAG_TRANSFER_SYNTAX && element.length < DICOM_UID_SIZE &&
            element.length <= walk->size - element.value) {
            memcpy(layout->transfer_syntax, walk->data + element.value, element.length);
            size_t length = strnlen(layout->transfer_syntax, element.length);
            while (length && layout->transfer_syntax[length - 1] == ' ')
                layout->transfer_syntax[--length] = '\0';
        }
        enum mist_status status = skip_value(walk, &layout->dataset, walk->size, &element, coding, 0);
        if (status)
            return status;
    }
    if (walk->size - layout->dataset < 8)
        return error_set(walk->error, MIST_ERROR_TRUNCATED, "the DICOM file ends before its dataset");
    return MIST_OK;
}

static enum mist_status check_uid(const char *uid, struct mist_error *error)
{
    for (const char *p = uid; *p; p++)
        if (*p != '.' && (*p < '0' || *p > '9'))
            return error_set(error, MIST_ERROR_CORRUPT, "the DICOM transfer syntax is not a UID");
    return MIST_OK;
}

/* Fills what `layout` says of the pixel data element; false if `element` is none. */
static bool take_pixels(struct dicom_layout *layout, size_t at, const struct element *element, struct coding coding)
{
    if (element->tag != TAG_PIXELS && element->tag != TAG_FLOAT_PIXELS && element->tag != TAG_DOUBLE_PIXELS)
        return false;
    layout->has_pixels = true;
    layout->real = element->tag == TAG_PIXELS ? 0 : element->tag == TAG_FLOAT_PIXELS ? 32 : 64;
    layout->fragments = element->length == UNDEFINED_LENGTH;
    layout->dataset_end = at;
    layout->pixels = element->value;
    layout->pixel_bytes = layout->fragments ? 0 : element->length;
    memcpy(layout->pixel_vr, coding.explicit_vr ? element->vr : "OW", 3);
    return true;
}

/* Walks the dataset up to the pixel data. */
static enum mist_status find_pixels(struct walk *walk, struct dicom_layout *layout, struct coding coding)
{
    size_t at = layout->dataset;
    while (at < walk->size) {
        struct element element;
        if (!read_element(walk->data, at, walk->size, coding, &element))
            return cut_short(walk, at, walk->size);
        if (element.tag > TAG_PIXELS)
            break; /* elements ascend (PS3.5, 7.1): no pixel data */
        if (at - layout->dataset > DICOM_MAX_HEADER_BYTES)
            return error_set(walk->error, MIST_ERROR_LIMIT, "more than %zu bytes before the DICOM pixel data",
                             DICOM_MAX_HEADER_BYTES);
        if (take_pixels(layout, at, &element, coding))
            return MIST_OK;
        if (element.tag == TAG_EXTENDED_OFFSETS && element.length <= walk->size - element.value) {
            layout->offsets = element.value;
            layout->offset_bytes = element.length;
        }
        enum mist_status status = skip_value(walk, &at, walk->size, &element, coding, 0);
        if (status)
            return status;
    }
    layout->dataset_end = at;
    return MIST_OK;
}

/* What the transfer syntax says of the pixel data, corrected by what is there. */
static void settle_syntax(struct dicom_layout *layout)
{
    const struct syntax *syntax = find_syntax(layout->transfer_syntax);
    if (layout->fragments) {
        layout->coding = syntax ? syntax->coding : DICOM_CODESTREAMS;
        if (layout->coding == DICOM_NATIVE)
            layout->coding = DICOM_CODESTREAMS;
        return;
    }
    layout->coding = DICOM_NATIVE;
    strcpy(layout->transfer_syntax, layout->big_endian    ? EXPLICIT_BIG
                                    : layout->explicit_vr ? EXPLICIT_LITTLE
                                                          : IMPLICIT_LITTLE);
}

enum mist_status dicom_layout_read(const uint8_t *data, size_t size, struct dicom_layout *layout,
                                   struct mist_error *error)
{
    *layout = (struct dicom_layout){0};
    struct walk walk = {data, size, error};
    enum mist_status status = read_meta(&walk, layout);
    if (!status)
        status = check_uid(layout->transfer_syntax, error);
    if (status)
        return status;
    /* Files whose meta information names another coding than the dataset has do occur; the dataset is right. */
    const uint8_t *first = data + layout->dataset;
    struct coding coding = guess_coding(first);
    bool likely = coding.explicit_vr && load16(first, coding.big_endian) <= 0x0010;
    layout->deflated = strcmp(layout->transfer_syntax, DEFLATED) == 0 && !likely;
    if (layout->deflated)
        return MIST_OK;
    if (coding.big_endian && !coding.explicit_vr)
        return error_set(error, MIST_ERROR_CORRUPT, "this is no DICOM dataset in a coding that DICOM knows");
    layout->explicit_vr = coding.explicit_vr;
    layout->big_endian = coding.big_endian;
    status = find_pixels(&walk, layout, coding);
    if (!status)
        settle_syntax(layout);
    return status;
}

bool dicom_layout_detect(const uint8_t *data, size_t size)
{
    if (size >= 132 && memcmp(data + 128, "DICM", 4) == 0)
        return true;
    if (size < 8)
        return false;
    struct coding coding = guess_coding(data);
    uint16_t group = load16(data, coding.big_endian);
    if (group != 0x0002 && group != 0x0008)
        return false;
    /* Value representations are a sign of their own: headers may then be sparse and soon come to the image's groups. */
    const uint32_t last_group = coding.explicit_vr ? 0x0028 : 0x0010;
    uint32_t last = 0;
    size_t at = 0;
    for (unsigned count = 0; count < 3; count++) {
        struct element element;
        if (!read_element(data, at, size, coding, &element) || (count && element.tag <= last) ||
            element.tag >> 16 > last_group || element.length % 2 != 0 || element.length > size - element.value)
            return false;
        if (coding.explicit_vr && !is_vr(data + at + 4))
            return false;
        last = element.tag;
        at = element.value + element.length;
    }
    return true;
}
