/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JPEG 2000 taken apart, put together again, and decoded. First byte, bits 0-4: levels to drop. Bit 7 not set: the rest
 * is a codestream or JP2 file. Set: the rest is parts from anywhere: sizes of the order and the header (2 bytes each),
 * number of levels (1), their sizes (2 each), then order, header and packets.
 */
#include "fuzz.h"

#include "base/memory.h"
#include "coder/j2k.h"

#include <stdlib.h>
#include <string.h>

/* A view for the picture that the header tells of, or one without memory. */
static struct mist_view new_view(const uint8_t *data, size_t size, unsigned reduce)
{
    struct j2k_info info;
    struct mist_view view = {0};
    if (j2k_info(data, size, &info, NULL) || reduce >= info.levels)
        return view;
    uint32_t width = mist_reduced_size(info.width, reduce), height = mist_reduced_size(info.height, reduce);
    if ((uint64_t)width * height * info.components > FUZZ_MAX_SAMPLES)
        return view;
    void *samples = malloc((size_t)width * height * info.components * 4);
    fuzz_require(samples);
    return mist_view_interleaved(samples, info.is_signed ? MIST_S32 : MIST_U32, width, height, info.components);
}

static void decode_parts(mist_codec *codec, const uint8_t *header, size_t size, const struct codec_packets *packets,
                         unsigned reduce)
{
    struct mist_view view = new_view(header, size, reduce);
    if (view.data)
        j2k_decode_packets(codec, header, size, packets, reduce, &view, NULL);
    free(view.data);
}

static void whole(mist_codec *codec, const uint8_t *data, size_t size, unsigned reduce)
{
    struct j2k_parts parts = {0};
    struct mist_buffer out = {0};
    struct mist_view view = new_view(data, size, reduce);
    if (view.data)
        j2k_decode(codec, data, size, reduce, &view, NULL);
    free(view.data);
    if (j2k_split(data, size, &parts, NULL) == MIST_OK) {
        struct codec_packets packets = j2k_parts_packets(&parts);
        const uint8_t *header = parts.main_header.data;
        fuzz_require(
            !j2k_rebuild(header, parts.main_header.size, &packets, parts.order.data, parts.order.size, &out, NULL));
        fuzz_require(out.size == size && !memcmp(out.data, data, size));
        for (unsigned r = 0; r < parts.levels; r++) {
            packets.levels = parts.levels - r;
            fuzz_require(!codec_codestream_join(header, parts.main_header.size, &packets, r, &out, NULL));
        }
        packets.levels = parts.levels;
        decode_parts(codec, header, parts.main_header.size, &packets, reduce);
    } else {
        fuzz_require(!parts.levels && !parts.main_header.size && !parts.packets.size && !parts.order.size);
    }
    mist_buffer_free(&out);
    j2k_parts_free(&parts);
}

static const uint8_t *take_span(const uint8_t **data, size_t *size, uint64_t *wanted)
{
    const uint8_t *span = *data;
    *wanted = *wanted < *size ? *wanted : *size;
    *data += *wanted;
    *size -= (size_t)*wanted;
    return span;
}

static void parts_from_anywhere(mist_codec *codec, const uint8_t *data, size_t size, unsigned reduce)
{
    struct codec_packets packets = {0};
    struct mist_buffer out = {0};
    uint64_t order_size = fuzz_take(&data, &size, 2), header_size = fuzz_take(&data, &size, 2);
    packets.levels = (unsigned)fuzz_take(&data, &size, 1);
    for (unsigned level = 0; level < packets.levels && level < MIST_MAX_LEVELS; level++)
        packets.level[level].size = fuzz_take(&data, &size, 2);
    const uint8_t *order = take_span(&data, &size, &order_size), *header = take_span(&data, &size, &header_size);
    for (unsigned level = 0; level < packets.levels && level < MIST_MAX_LEVELS; level++)
        packets.level[level].data = take_span(&data, &size, &packets.level[level].size);
    if (j2k_rebuild(header, (size_t)header_size, &packets, order, (size_t)order_size, &out, NULL) != MIST_OK)
        fuzz_require(!out.size);
    decode_parts(codec, header, (size_t)header_size, &packets, reduce);
    mist_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mist_codec *codec = mist_codec_new();
    fuzz_require(codec);
    unsigned how = (unsigned)fuzz_take(&data, &size, 1);
    if (how & 0x80)
        parts_from_anywhere(codec, data, size, how & 31);
    else
        whole(codec, data, size, how & 31);
    mist_codec_free(&codec);
    return 0;
}
