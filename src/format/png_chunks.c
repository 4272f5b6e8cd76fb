/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/png_chunks.h"

#include "base/bytes.h"

#include <string.h>
#include <zlib.h>

const struct copy_packing png_native_order = {.big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__};

bool png_header_read(const uint8_t *chunk, struct png_header *header)
{
    if (load_be32(chunk) != 13 || memcmp(chunk + 4, "IHDR", 4) != 0)
        return false;
    *header = (struct png_header){.width = load_be32(chunk + 8),
                                  .height = load_be32(chunk + 12),
                                  .depth = chunk[16],
                                  .color = chunk[17],
                                  .interlace = chunk[20]};
    return true;
}

unsigned png_header_components(const struct png_header *header)
{
    const unsigned depth = header->depth;
    const bool whole = depth == 8 || depth == 16, part = depth == 1 || depth == 2 || depth == 4;
    switch (header->color) {
    case PNG_GREY:
        return whole || part ? 1 : 0;
    case PNG_RGB:
        return whole ? 3 : 0;
    case PNG_PALETTE:
        return part || depth == 8 ? 1 : 0;
    case PNG_GREY_ALPHA:
        return whole ? 2 : 0;
    case PNG_RGB_ALPHA:
        return whole ? 4 : 0;
    default:
        return 0;
    }
}

bool png_header_is_needed(const struct png_header *header)
{
    return header->depth < 8 || header->color == PNG_PALETTE || header->interlace;
}

/* The chunk at `at`, whole; NULL if there is none. */
static uint8_t *chunk_at(const struct mist_buffer *chunks, size_t at, size_t *size)
{
    if (chunks->size < PNG_CHUNK_FRAME || at > chunks->size - PNG_CHUNK_FRAME)
        return NULL;
    const size_t length = load_be32(chunks->data + at);
    if (length > chunks->size - PNG_CHUNK_FRAME - at)
        return NULL;
    *size = length + PNG_CHUNK_FRAME;
    return chunks->data + at;
}

const uint8_t *png_chunks_find(const struct mist_buffer *chunks, const char type[4])
{
    size_t size = 0;
    for (size_t at = 0;; at += size) {
        const uint8_t *chunk = chunk_at(chunks, at, &size);
        if (!chunk)
            return NULL;
        if (memcmp(chunk + 4, type, 4) == 0)
            return chunk;
    }
}

static void scale_length(uint8_t *per_metre, double factor)
{
    double scaled = load_be32(per_metre) / factor + 0.5;
    store_be32(per_metre, scaled < 1 ? 1 : scaled > INT32_MAX ? INT32_MAX : (uint32_t)scaled);
}

/* What is true of the original's frame only: animations (frames have its size), iDOT (where in IDAT its parts start),
 * and offsets and sizes of or in its pixels. */
static bool is_of_the_frame(const uint8_t *type)
{
    static const char names[][5] = {"acTL", "fcTL", "fdAT", "iDOT", "vpAg", "caNv", "sCAL", "oFFs"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (memcmp(type, names[i], 4) == 0)
            return true;
    return false;
}

void png_chunks_adapt(struct mist_buffer *chunks, const double factor[2])
{
    size_t kept = 0, size = 0;
    for (size_t at = 0;; at += size) {
        uint8_t *chunk = chunk_at(chunks, at, &size);
        if (!chunk)
            break;
        if (is_of_the_frame(chunk + 4))
            continue;
        if (memcmp(chunk + 4, "pHYs", 4) == 0 && size == PNG_CHUNK_FRAME + 9) {
            scale_length(chunk + 8, factor[0]);
            scale_length(chunk + 12, factor[1]);
            store_be32(chunk + 17, (uint32_t)crc32(crc32(0, NULL, 0), chunk + 4, 13));
        }
        memmove(chunks->data + kept, chunk, size);
        kept += size;
    }
    chunks->size = kept;
}
