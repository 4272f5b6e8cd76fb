/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_csa.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ELEMENTS = 512,
    MAX_ITEMS = 1024,
    HEADER = 16,
    NAME = 64,
    ELEMENT = 84, /* name, multiplicity, VR, type, number of items, a mark */
    ITEM = 16     /* its length, three times, and a mark as the third of the four */
};

/* Steps over the header: how many elements follow; 0 where there are none. */
static uint32_t start(struct byte_reader *reader)
{
    const uint8_t *header = reader_take(reader, HEADER);
    if (!header || memcmp(header, "SV10", 4) != 0)
        return 0;
    uint32_t count = load_le32(header + 8);
    return count < MAX_ELEMENTS ? count : MAX_ELEMENTS;
}

/* An element's head; false at the end, or where it makes no sense. */
static bool next_element(struct byte_reader *reader, const uint8_t **element, uint32_t *items)
{
    *element = reader_take(reader, ELEMENT);
    *items = *element ? load_le32(*element + 76) : 0;
    return *element && *items <= MAX_ITEMS;
}

static bool is_named(const uint8_t *element, const char *name)
{
    return strncmp((const char *)element, name, NAME) == 0;
}

/* An item's text, which need not end in NUL, and the bytes that pad it. */
static bool next_item(struct byte_reader *reader, const uint8_t **item, const uint8_t **text, uint32_t *length)
{
    *item = reader_take(reader, ITEM);
    *length = *item ? load_le32(*item + 4) : 0;
    *text = reader_take(reader, *length);
    return *item && *text && reader_take(reader, (4 - *length % 4) % 4);
}

unsigned dicom_csa_numbers(const uint8_t *data, size_t size, const char *name, double *numbers, unsigned wanted)
{
    struct byte_reader reader = byte_reader_start(data, size);
    const uint8_t *element, *item, *text;
    uint32_t elements = start(&reader), items, length;
    unsigned found = 0;
    while (elements-- > 0 && next_element(&reader, &element, &items)) {
        const bool named = is_named(element, name);
        for (uint32_t i = 0; i < items; i++) {
            char copy[64] = "", *end;
            if (!next_item(&reader, &item, &text, &length))
                return found;
            memcpy(copy, text, length < sizeof copy ? length : sizeof copy - 1);
            double number = strtod(copy, &end);
            if (named && found < wanted && end != copy && isfinite(number))
                numbers[found++] = number;
        }
        if (named)
            break;
    }
    return found;
}

/* ---- changing ---- */

static bool put_item(struct mist_buffer *out, const uint8_t *item, const char *text)
{
    const uint32_t length = (uint32_t)strlen(text) + 1;
    uint8_t head[ITEM];
    memcpy(head, item, ITEM);
    for (int i = 0; i < 4; i++)
        if (i != 2)
            store_le32(head + 4 * i, length);
    return buffer_append(out, head, ITEM) && buffer_append(out, text, length) &&
           buffer_append_zeros(out, (4 - length % 4) % 4);
}

static bool change_element(struct byte_reader *reader, uint32_t items, const struct dicom_csa_change *change,
                           struct mist_buffer *out)
{
    const uint8_t *item, *text;
    uint32_t length;
    for (uint32_t i = 0; i < items; i++) {
        if (!next_item(reader, &item, &text, &length))
            return false;
        bool changed = change && i < change->count && length > 0;
        if (changed ? !put_item(out, item, change->text[i])
                    : !buffer_append(out, item, ITEM + length + (4 - length % 4) % 4))
            return false;
    }
    return true;
}

static bool change_all(const uint8_t *data, size_t size, const struct dicom_csa_change *changes, unsigned count,
                       struct mist_buffer *out)
{
    struct byte_reader reader = byte_reader_start(data, size);
    uint32_t elements = start(&reader), items;
    bool good = elements > 0 && buffer_append(out, data, HEADER);
    while (good && elements-- > 0) {
        const struct dicom_csa_change *change = NULL;
        const uint8_t *element;
        good = next_element(&reader, &element, &items) && buffer_append(out, element, ELEMENT);
        for (unsigned i = 0; i < count && good && !change; i++)
            if (is_named(element, changes[i].name))
                change = &changes[i];
        good = good && change_element(&reader, items, change, out);
    }
    const size_t left = reader_left(&reader);
    return good && buffer_append(out, reader_take(&reader, left), left) && buffer_append_zeros(out, out->size & 1);
}

bool dicom_csa_rewrite(const uint8_t *data, size_t size, const struct dicom_csa_change *changes, unsigned count,
                       struct mist_buffer *out)
{
    const size_t before = out->size;
    if (change_all(data, size, changes, count, out))
        return true;
    out->size = before;
    return false;
}
