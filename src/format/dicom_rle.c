/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_decode.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

enum { HEADER_BYTES = 64, MAX_SEGMENTS = 15 };

/* One segment (G.3.1): bytes to every `step`-th byte of `out`, at most `count`. Returns how many there were. */
static size_t decode_segment(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t step, size_t count)
{
    size_t done = 0;
    while (at < end && done < count) {
        uint8_t control = *at++;
        if (control == 128)
            continue;
        bool repeat = control > 128;
        size_t run = repeat ? 257u - control : control + 1u;
        run = run < count - done ? run : count - done;
        size_t there = repeat ? 1 : run;
        if ((size_t)(end - at) < there)
            break;
        for (size_t i = 0; i < run; i++, done++)
            out[done * step] = at[repeat ? 0 : i];
        at += there;
    }
    return done;
}

enum mist_status dicom_rle_decode(const uint8_t *data, size_t size, size_t count, unsigned components, unsigned bytes,
                                  uint8_t *samples, struct mist_error *error)
{
    const unsigned segments = components * bytes;
    if (size < HEADER_BYTES || load_le32(data) != segments || segments > MAX_SEGMENTS)
        return error_set(error, MIST_ERROR_CORRUPT, "an RLE frame of %u segments where %u are needed",
                         size < 4 ? 0 : load_le32(data), segments);
    for (unsigned i = 0; i < segments; i++) {
        uint32_t start = load_le32(data + 4 + 4 * i);
        uint32_t end = i + 1 < segments ? load_le32(data + 8 + 4 * i) : (uint32_t)size;
        if (end > size)
            end = (uint32_t)size;
        if (start < HEADER_BYTES || start > end)
            return error_set(error, MIST_ERROR_CORRUPT, "an RLE frame whose segment %u is at byte %u of %zu", i, start,
                             size);
        /* The most significant byte of each sample comes first: G.2. */
        size_t at = (size_t)(i / bytes) * bytes + (bytes - 1 - i % bytes);
        size_t done = decode_segment(data + start, data + end, samples + at, segments, count);
        if (done != count)
            return error_set(error, MIST_ERROR_TRUNCATED, "an RLE segment of %zu samples where %zu are needed", done,
                             count);
    }
    return MIST_OK;
}
