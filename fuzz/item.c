/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Item files. Checksums and compression would stop nearly all mutations at the door, so the input is an item file taken
 * apart, which the target puts together: flags (bit 0: the rest is an item file as it is; bit 1: checksums are wrong;
 * bits 2-7: sixty-fourths of the file that are cut off), size of meta (3 bytes), meta, and the body and tail, of which
 * what is missing is zeros. Then everything a reader does is done with it.
 */
#include "fuzz.h"

#include "base/checksum.h"
#include "base/memory.h"
#include "item/chunk_map.h"

#include <mist/item.h>
#include <stdlib.h>
#include <string.h>

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

/* Where the ranges of this meta end; false where it makes no sense, and then nothing is known of them. */
static bool place(const uint8_t *meta, size_t size, struct layout *layout)
{
    struct byte_reader reader = byte_reader_start(meta, size);
    struct manifest *manifest = malloc(sizeof *manifest);
    struct chunk_map *map = calloc(1, sizeof *map);
    fuzz_require(manifest && map);
    bool good = manifest_read(&reader, manifest, layout, NULL) == MIST_OK &&
                chunk_map_read(&reader, manifest, layout, map, NULL) == MIST_OK;
    chunk_map_free(map);
    manifest_free(manifest);
    free(map);
    free(manifest);
    return good && layout_size(layout) < (size_t)1 << 24;
}

/* Puts the file together from what is left of the input behind the flags. */
static void build(const uint8_t *data, size_t size, bool wrong, struct mist_buffer *out)
{
    const uint8_t *meta, *rest;
    size_t meta_size = take_span(&data, &size, (size_t)fuzz_take(&data, &size, 3), &meta);
    struct layout layout = {0};
    struct mist_buffer body = {0};
    bool known = place(meta, meta_size, &layout);
    uint64_t sums = known ? layout_all_checksums(&layout) : 0;
    uint64_t head = LAYOUT_PROLOGUE_SIZE + meta_size + 8 * sums;
    layout.meta_size = layout.meta_stored = (uint32_t)meta_size;
    layout.head_size = (uint32_t)head;
    size_t body_size = known ? (size_t)layout_size(&layout) : size;
    size_t here = take_span(&data, &size, body_size, &rest);
    put(&body, rest, here);
    fuzz_require(buffer_append_zeros(&body, body_size - here) && buffer_append_zeros(out, LAYOUT_PROLOGUE_SIZE));
    layout_write(&layout, out->data);
    put(out, meta, meta_size);
    layout.head_size = 0; /* ranges were placed as if there were none */
    for (unsigned range = 0; known && range <= layout_ranges(&layout); range++) {
        uint64_t at = layout_range_start(&layout, range), left = layout_range_size(&layout, range);
        while (left) {
            uint64_t step = left >> layout.chunk_log2 ? (uint64_t)1 << layout.chunk_log2 : left;
            uint64_t sum = checksum(body.data + at, (size_t)step) + wrong;
            put(out, &sum, sizeof sum);
            at += step;
            left -= step;
        }
    }
    fuzz_require(out->size == head);
    put(out, body.data, body.size);
    uint64_t id = checksum(out->data + LAYOUT_VERSION_AT, (size_t)head - LAYOUT_VERSION_AT);
    memcpy(out->data + LAYOUT_CHECKSUM_AT, &id, sizeof id);
    mist_buffer_free(&body);
}

static void ignore(void *context, const char *sentence)
{
    fuzz_require(sentence && *sentence);
    ++*(unsigned *)context;
}

/* Every level of a frame: its place, its codestream, its samples. */
static void read_frame(const mist_item *item, mist_decoder *decoder, uint32_t frame)
{
    const struct mist_item_info *info = mist_item_info(item);
    struct mist_buffer stream = {0};
    for (unsigned reduce = 0; reduce < info->levels; reduce++) {
        uint64_t offset, size;
        if (mist_item_range(item, frame, reduce, &offset, &size, NULL) == MIST_OK)
            fuzz_require(size == 0 || (offset >= info->head_end && size <= info->size && offset <= info->size - size));
        mist_item_codestream(item, decoder, frame, reduce, &stream, NULL);
        uint32_t width = mist_reduced_size(info->image.width, reduce);
        uint32_t height = mist_reduced_size(info->image.height, reduce);
        size_t bytes = mist_frame_bytes(info->image.type, width, height, info->image.components);
        void *samples = malloc(bytes ? bytes : 1);
        fuzz_require(bytes && samples);
        struct mist_view view = mist_view_interleaved(samples, info->image.type, width, height, info->image.components);
        mist_item_decode(item, decoder, frame, reduce, &view, NULL);
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
    fuzz_require(info->levels_present <= info->levels);
    for (uint32_t i = 0; i <= info->files && i < 16; i++) {
        struct mist_item_file file;
        fuzz_require(mist_item_file(item, i, &file) == (i < info->files));
    }
    size_t bytes = mist_frame_bytes(info->image.type, info->image.width, info->image.height, info->image.components);
    fuzz_require(bytes > 0);
    bool small = bytes < ((size_t)1 << 20) && info->image.frames <= 8;
    enum mist_status status = mist_item_verify(item, small, ignore, &problems, &error);
    fuzz_require(!status == !problems || status == MIST_ERROR_MEMORY);
    mist_decoder *decoder = mist_decoder_new();
    fuzz_require(decoder);
    for (uint32_t frame = 0; small && frame < info->image.frames; frame++)
        read_frame(item, decoder, frame);
    mist_decoder_free(&decoder);
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
