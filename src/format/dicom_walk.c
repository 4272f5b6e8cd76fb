/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_walk.h"

#include "base/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNDEFINED UINT32_MAX
#define TAG_ITEM 0xfffee000u
#define TAG_ITEM_END 0xfffee00du
#define TAG_SEQUENCE_END 0xfffee0ddu
#define TAG_SHARED 0x52009229u
#define TAG_PER_FRAME 0x52009230u

struct walk {
    const uint8_t *data;
    bool big_endian;
    void (*visit)(void *context, const struct dicom_value *value);
    void *context;
    size_t groups[2]; /* where the values of the functional groups' sequences are; 0: nowhere */
    size_t ends[2];
    bool undefined[2]; /* their lengths */
};

struct element {
    uint32_t tag;
    char vr[3];
    uint32_t length;
    size_t value;
};

static uint32_t load(const struct walk *walk, size_t at, unsigned size)
{
    const uint8_t *p = walk->data + at;
    if (size == 2)
        return walk->big_endian ? load_be16(p) : load_le16(p);
    return walk->big_endian ? load_be32(p) : load_le32(p);
}

/* Value representations whose length has 32 bits (PS3.5, 7.1.2). */
static bool is_long(const char *vr)
{
    static const char *const names = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    for (const char *name = names; *name; name += name[2] ? 3 : 2)
        if (vr[0] == name[0] && vr[1] == name[1])
            return true;
    return false;
}

static bool read_element(const struct walk *walk, size_t at, size_t end, bool explicit_vr, struct element *element)
{
    if (end - at < 8)
        return false;
    *element = (struct element){.tag = load(walk, at, 2) << 16 | load(walk, at + 2, 2), .value = at + 8};
    if (!explicit_vr || element->tag >> 16 == 0xfffe) {
        element->length = load(walk, at + 4, 4);
    } else {
        memcpy(element->vr, walk->data + at + 4, 2);
        element->length = load(walk, at + 6, 2);
        if (is_long(element->vr)) {
            if (end - at < 12)
                return false;
            element->length = load(walk, at + 8, 4);
            element->value = at + 12;
        }
    }
    return element->length == UNDEFINED || element->length <= end - element->value;
}

static size_t walk_items(struct walk *walk, size_t at, size_t end, bool open, bool explicit_vr, unsigned depth,
                         bool visiting, bool first_only);

/* Elements up to `end` or, where `open`, up to the end of the item; where those after them start. */
static size_t walk_elements(struct walk *walk, size_t at, size_t end, bool open, bool explicit_vr, unsigned depth,
                            bool visiting)
{
    struct element element;
    while (at < end && read_element(walk, at, end, explicit_vr, &element)) {
        if (element.tag == TAG_ITEM_END && open)
            return element.value;
        bool sequence = element.length == UNDEFINED || strcmp(element.vr, "SQ") == 0;
        bool undefined = element.length == UNDEFINED;
        size_t behind = undefined ? end : element.value + element.length;
        int group = element.tag == TAG_SHARED ? 0 : element.tag == TAG_PER_FRAME ? 1 : -1;
        if (group >= 0 && depth == 0) {
            walk->groups[group] = element.value;
            walk->ends[group] = behind;
            walk->undefined[group] = undefined;
        }
        /* In implicit VR sequences of known length are told by the item that they start with. */
        if (!sequence && !element.vr[0] && element.length >= 8)
            sequence = (load(walk, element.value, 2) << 16 | load(walk, element.value + 2, 2)) == TAG_ITEM;
        if (visiting && !sequence) {
            struct dicom_value value = {element.tag,   "", walk->big_endian, depth > 0, walk->data + element.value,
                                        element.length};
            memcpy(value.vr, element.vr, sizeof value.vr);
            walk->visit(walk->context, &value);
        }
        if (undefined || (sequence && visiting && depth > 0)) {
            if (depth > DICOM_MAX_NESTING)
                return end;
            /* Of unknown VR and undefined length: implicit inside (PS3.5, 6.2.2, note 2). */
            bool inside = explicit_vr && strcmp(element.vr, "UN") != 0;
            size_t there =
                walk_items(walk, element.value, behind, undefined, inside, depth + 1, visiting && depth > 0, false);
            at = undefined ? there : behind;
        } else {
            at = behind;
        }
    }
    return open ? end : at;
}

static size_t walk_items(struct walk *walk, size_t at, size_t end, bool open, bool explicit_vr, unsigned depth,
                         bool visiting, bool first_only)
{
    struct element item;
    while (at < end && read_element(walk, at, end, explicit_vr, &item)) {
        if (item.tag != TAG_ITEM)
            return item.tag == TAG_SEQUENCE_END && open ? item.value : end;
        bool undefined = item.length == UNDEFINED;
        size_t behind = undefined ? end : item.value + item.length;
        if (undefined || visiting) {
            size_t there = walk_elements(walk, item.value, behind, undefined, explicit_vr, depth, visiting);
            at = undefined ? there : behind;
        } else {
            at = behind;
        }
        if (first_only)
            return at;
    }
    return end;
}

void dicom_walk(const uint8_t *data, const struct dicom_layout *layout,
                void (*visit)(void *context, const struct dicom_value *value), void *context)
{
    struct walk walk = {.data = data, .big_endian = layout->big_endian, .visit = visit, .context = context};
    walk_elements(&walk, layout->dataset, layout->dataset_end, false, layout->explicit_vr, 0, true);
    for (int i = 0; i < 2; i++)
        if (walk.groups[i])
            walk_items(&walk, walk.groups[i], walk.ends[i], walk.undefined[i], layout->explicit_vr, 1, true, true);
}

size_t dicom_value_text(const struct dicom_value *value, char *text, size_t size)
{
    const char *from = (const char *)value->data;
    size_t length = strnlen(from, value->length), start = 0;
    while (start < length && from[start] == ' ')
        start++;
    while (length > start && from[length - 1] == ' ')
        length--;
    length -= start;
    if (length >= size)
        length = size - 1;
    memcpy(text, from + start, length);
    text[length] = '\0';
    return length;
}

static bool text_number(const struct dicom_value *value, unsigned n, double *number)
{
    const char *at = (const char *)value->data, *end = at + value->length;
    for (; n > 0 && at < end; at++)
        n -= *at == '\\';
    char text[64];
    size_t length = 0;
    while (at < end && *at != '\\' && length + 1 < sizeof text)
        text[length++] = *at++;
    text[length] = '\0';
    char *stop;
    *number = strtod(text, &stop);
    return n == 0 && stop != text && isfinite(*number);
}

bool dicom_value_number(const struct dicom_value *value, const char *vr, unsigned n, double *number)
{
    if (value->vr[0] && strcmp(value->vr, "UN") != 0)
        vr = value->vr;
    if (strcmp(vr, "DS") == 0 || strcmp(vr, "IS") == 0)
        return text_number(value, n, number);
    static const struct {
        char vr[3];
        unsigned size;
        char kind;
    } kinds[] = {{"US", 2, 'u'}, {"SS", 2, 'i'}, {"UL", 4, 'u'}, {"SL", 4, 'i'}, {"FL", 4, 'f'}, {"FD", 8, 'f'}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        unsigned size = kinds[i].size;
        if (strcmp(vr, kinds[i].vr) != 0 || value->length / size <= n)
            continue;
        const uint8_t *p = value->data + (size_t)n * size;
        bool big = value->big_endian;
        uint64_t bits = size == 2   ? (big ? load_be16(p) : load_le16(p))
                        : size == 4 ? (big ? load_be32(p) : load_le32(p))
                                    : (big ? load_be64(p) : load_le64(p));
        uint32_t half = (uint32_t)bits;
        float single;
        memcpy(&single, &half, sizeof single);
        memcpy(number, &bits, sizeof *number);
        if (kinds[i].kind != 'f')
            *number = kinds[i].kind == 'u' ? (double)bits : size == 2 ? (int16_t)bits : (int32_t)bits;
        else if (size == 4)
            *number = (double)single;
        return isfinite(*number);
    }
    return false;
}
