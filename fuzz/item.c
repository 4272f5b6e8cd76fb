/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Item files. Checksums and compression would stop nearly all mutations at the door, so the input is an item file taken
 * apart, which the target puts together: flags (bit 0: the rest is an item file as it is; bit 1: checksums of chunks
 * are wrong; bits 2-7: sixty-fourths of the file that are cut off), levels, coded levels, chunk_log2 (1 byte each),
 * manifest, source head, template, map sizes (2 each), tail size (2), level sizes (2 each), then the four parts of meta
 * and the body and tail. Then everything a reader does is done with it.
 */
#include "fuzz.h"

#include "base/checksum.h"
#include "base/memory.h"
#include "item/layout.h"

#include <mist/item.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* At most `wanted` bytes of the input. */
static size_t take_span(const uint8_t **data, size_t *size, size_t wanted, const uint8_t **span)
{
    size_t taken = wanted < *size ? wanted : *size;
    *span = *data;
    *data += taken;
    *size -= taken;
    return taken;
}

static void put(struct mist_buffer *out, const void *bytes, size_t size)
{
    fuzz_require(buffer_append(out, bytes, size));
}

static void put_checksums(struct mist_buffer *out, const struct layout *layout, const uint8_t *body, bool wrong)
{
    const uint64_t head = layout->head_size;
    for (unsigned range = 0; range <= layout->levels; range++) {
        uint64_t at = layout_range_start(layout, range), left = layout_range_size(layout, range);
        while (left) {
            uint64_t size = left >> layout->chunk_log2 ? (uint64_t)1 << layout->chunk_log2 : left;
            uint64_t sum = checksum(body + (at - head), (size_t)size) + wrong;
            put(out, &sum, sizeof sum);
            at += size;
            left -= size;
        }
    }
}

/* Puts the file together from what is left of the input behind the flags. */
static void build(const uint8_t *data, size_t size, bool wrong, struct mist_buffer *out)
{
    struct layout layout = {.levels = 1 + (unsigned)fuzz_take(&data, &size, 1) % MIST_MAX_LEVELS};
    uint64_t level_size[MIST_MAX_LEVELS];
    layout.coded_levels = (unsigned)fuzz_take(&data, &size, 1);
    layout.chunk_log2 = LAYOUT_MIN_CHUNK_LOG2 + (unsigned)fuzz_take(&data, &size, 1) % 8;
    layout.manifest_size = (uint32_t)fuzz_take(&data, &size, 2);
    layout.source_head_size = (uint32_t)fuzz_take(&data, &size, 2);
    layout.template_size = (uint32_t)fuzz_take(&data, &size, 2);
    layout.map_size = (uint32_t)fuzz_take(&data, &size, 2);
    layout.tail_size = fuzz_take(&data, &size, 2);
    for (unsigned level = 0; level < layout.levels; level++)
        level_size[level] = fuzz_take(&data, &size, 2);
    const uint8_t *meta, *rest;
    size_t meta_size = take_span(&data, &size, (size_t)layout_meta_size(&layout), &meta);
    uint8_t *packed = malloc(ZSTD_compressBound(meta_size));
    fuzz_require(packed);
    layout.meta_stored = (uint32_t)ZSTD_compress(packed, ZSTD_compressBound(meta_size), meta, meta_size, 1);
    /* The body is what there is of it: levels and tail are clipped to the bytes at hand. */
    size_t body_size = 0;
    for (unsigned level = 0; level <= layout.levels; level++) {
        uint64_t *part = level < layout.levels ? &level_size[level] : &layout.tail_size;
        *part = *part > size - body_size ? size - body_size : *part;
        body_size += (size_t)*part;
    }
    take_span(&data, &size, body_size, &rest);
    uint64_t chunks = layout_chunks(layout.tail_size, layout.chunk_log2);
    for (unsigned level = 0; level < layout.levels; level++)
        chunks += layout_chunks(level_size[level], layout.chunk_log2);
    layout.head_size = (uint32_t)(layout_checksums_at(&layout) + 8 * chunks);
    for (unsigned level = 0; level < layout.levels; level++)
        layout.level_end[level] = (level ? layout.level_end[level - 1] : layout.head_size) + level_size[level];
    fuzz_require(buffer_append_zeros(out, LAYOUT_PROLOGUE_SIZE + 8 * (size_t)layout.levels));
    layout_write(&layout, out->data);
    put(out, packed, layout.meta_stored);
    put_checksums(out, &layout, rest, wrong);
    fuzz_require(out->size == layout.head_size);
    put(out, rest, body_size);
    uint64_t id = checksum(out->data + LAYOUT_VERSION_AT, layout.head_size - LAYOUT_VERSION_AT);
    memcpy(out->data + LAYOUT_CHECKSUM_AT, &id, sizeof id);
    free(packed);
}

static void ignore(void *context, const char *sentence)
{
    fuzz_require(sentence && *sentence);
    ++*(unsigned *)context;
}

/* Every level of a frame: its place, its codestream, its samples. */
static void read_frame(const mist_item *item, mist_codec *codec, uint32_t frame)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct mist_buffer stream = {0};
    for (unsigned reduce = 0; reduce < info->levels; reduce++) {
        uint64_t offset, size;
        if (mist_item_range(item, frame, reduce, &offset, &size, NULL) == MIST_OK)
            fuzz_require(offset >= info->head_end && size <= info->size && offset <= info->size - size);
        mist_item_codestream(item, codec, frame, reduce, &stream, NULL);
        uint32_t width = mist_reduced_size(info->image.width, reduce);
        uint32_t height = mist_reduced_size(info->image.height, reduce);
        size_t bytes = mist_frame_bytes(info->image.type, width, height, info->image.components);
        void *samples = malloc(bytes ? bytes : 1);
        fuzz_require(bytes && samples);
        struct mist_view view = mist_view_interleaved(samples, info->image.type, width, height, info->image.components);
        mist_item_decode(item, codec, frame, reduce, &view, NULL);
        free(samples);
    }
    mist_buffer_free(&stream);
}

static void read_all(const uint8_t *data, size_t size)
{
    mist_item *item;
    struct mist_error error = {0};
    unsigned problems = 0;
    if (mist_item_open_memory(data, size, "fuzzed", &item, &error) != MIST_OK) {
        fuzz_require(!item && *error.message);
        return;
    }
    const struct mist_item_info *info = mist_item_info(item);
    fuzz_require(info->levels_present <= info->levels && mist_item_manifest(item));
    for (uint32_t i = 0; i <= info->files && i < 16; i++) {
        struct mist_item_file file;
        fuzz_require(mist_item_file(item, i, &file) == (i < info->files));
    }
    size_t bytes = mist_frame_bytes(info->image.type, info->image.width, info->image.height, info->image.components);
    fuzz_require(bytes > 0);
    bool small = bytes < ((size_t)1 << 20) && info->image.frames <= 8;
    enum mist_status status = mist_item_verify(item, small, ignore, &problems, &error);
    fuzz_require(!status == !problems || status == MIST_ERROR_MEMORY);
    mist_codec *codec = mist_codec_new();
    fuzz_require(codec);
    for (uint32_t frame = 0; small && frame < info->image.frames; frame++)
        read_frame(item, codec, frame);
    mist_codec_free(&codec);
    mist_item_close(&item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned flags = (unsigned)fuzz_take(&data, &size, 1);
    if (flags & 1) {
        read_all(data, size);
        return 0;
    }
    struct mist_buffer file = {0};
    build(data, size, flags & 2, &file);
    /* A copy of the right size, so that a byte too many is seen. */
    size_t kept = file.size - file.size / 64 * (flags >> 2);
    uint8_t *copy = malloc(kept ? kept : 1);
    fuzz_require(copy);
    memcpy(copy, file.data, kept);
    mist_buffer_free(&file);
    read_all(copy, kept);
    free(copy);
    return 0;
}
