/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/jpeg_markers.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <string.h>

enum { FIRST_APP = 0xe0, LAST_APP = 0xef, COMMENT = 0xfe, START_OF_SCAN = 0xda };

bool jpeg_markers_collect(const uint8_t *data, size_t size, struct mist_buffer *head)
{
    size_t at = 2;
    while (at + 4 <= size && data[at] == 0xff) {
        const uint8_t marker = data[at + 1];
        if (marker == 0xff) { /* fill bytes */
            at++;
            continue;
        }
        if (marker == 0 || marker == 1 || (marker >= 0xd0 && marker <= START_OF_SCAN))
            return true;
        const size_t length = load_be16(data + at + 2) + (size_t)2;
        if (length < 4 || length > size - at)
            return true; /* libjpeg says what is wrong */
        if (((marker >= FIRST_APP && marker <= LAST_APP) || marker == COMMENT) &&
            !buffer_append(head, data + at, length))
            return false;
        at += length;
    }
    return true;
}

bool jpeg_markers_next(const uint8_t *head, size_t size, size_t *at, struct jpeg_segment *segment)
{
    if (size < 4 || *at > size - 4 || head[*at] != 0xff)
        return false;
    const size_t length = load_be16(head + *at + 2);
    if (length < 2 || length > size - *at - 2)
        return false;
    *segment = (struct jpeg_segment){head[*at + 1], head + *at + 4, length - 2};
    *at += length + 2;
    return true;
}

bool jpeg_segment_is(const struct jpeg_segment *segment, uint8_t marker, const char *start, size_t length)
{
    return segment->marker == marker && segment->size >= length && memcmp(segment->content, start, length) == 0;
}

/* Orientation in an EXIF block, which is a TIFF file: tag 0x0112 of its first directory. 0: none. */
static unsigned exif_orientation(const uint8_t *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0))
        return 0;
    const bool big = tiff[0] == 'M';
    const uint32_t at = big ? load_be32(tiff + 4) : load_le32(tiff + 4);
    if (at > size - 2)
        return 0;
    const unsigned entries = big ? load_be16(tiff + at) : load_le16(tiff + at);
    for (unsigned i = 0; i < entries && at + 2 + 12 * ((size_t)i + 1) <= size; i++) {
        const uint8_t *entry = tiff + at + 2 + 12 * (size_t)i;
        const unsigned tag = big ? load_be16(entry) : load_le16(entry);
        const unsigned value = big ? load_be16(entry + 8) : load_le16(entry + 8);
        if (tag == 0x0112)
            return value <= 8 ? value : 0;
    }
    return 0;
}

void jpeg_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance)
{
    struct jpeg_segment segment;
    appearance->color = FORMAT_CMYK; /* where there are four components */
    for (size_t at = 0; jpeg_markers_next(head, size, &at, &segment);) {
        if (jpeg_segment_is(&segment, FIRST_APP + 14, "Adobe", 5))
            appearance->color = FORMAT_CMYK_INVERTED;
        if (jpeg_segment_is(&segment, FIRST_APP + 1, "Exif\0", 6) && !appearance->orientation)
            appearance->orientation = exif_orientation(segment.content + 6, segment.size - 6);
    }
}
