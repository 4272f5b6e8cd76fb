/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"
#include "item/manifest.h"

#include <math.h>
#include <string.h>

/* What follows a failed append is not written either; the caller looks once. */
struct writing {
    struct mist_buffer *out;
    bool good;
};

static void put(struct writing *writing, const void *bytes, size_t size)
{
    writing->good = writing->good && buffer_append(writing->out, bytes, size);
}

static void put_u8(struct writing *writing, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    put(writing, &byte, 1);
}

static void put_varint(struct writing *writing, uint64_t value)
{
    uint8_t bytes[10];
    put(writing, bytes, store_varint(bytes, value));
}

static void put_text(struct writing *writing, const void *bytes, size_t size)
{
    put_varint(writing, size);
    put(writing, bytes, size);
}

/* As few bytes as hold the number exactly. */
static void put_real(struct writing *writing, double value)
{
    uint8_t bytes[8];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool negative_zero = value == 0 && bits;
    if (value == floor(value) && fabs(value) < 8192 && !negative_zero) {
        int64_t integer = (int64_t)value;
        put_u8(writing, 2);
        put_varint(writing, integer < 0 ? 2 * (uint64_t) - (integer + 1) + 1 : 2 * (uint64_t)integer);
    } else if ((double)(float)value == value) {
        float narrow = (float)value;
        uint32_t narrow_bits;
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        put_u8(writing, 1);
        store_le32(bytes, narrow_bits);
        put(writing, bytes, 4);
    } else {
        put_u8(writing, 0);
        store_le64(bytes, bits);
        put(writing, bytes, 8);
    }
}

static void put_image(struct writing *writing, const struct manifest *manifest)
{
    const struct mist_image_info *image = &manifest->image;
    const char *format = format_name(manifest->kind);
    put_text(writing, format, strlen(format));
    put_u8(writing, image->type);
    put_varint(writing, image->precision);
    put_varint(writing, image->width);
    put_varint(writing, image->height);
    put_varint(writing, image->components);
    put_varint(writing, image->slices);
    put_varint(writing, image->frames / image->slices);
    put_u8(writing, image->axes[0] + 4u * image->axes[1] + 16u * image->axes[2]);
    put_u8(writing, (image->label ? 1u : 0) | (image->geometry.has_affine ? 2u : 0) | (manifest->centred ? 4u : 0));
    for (int i = 0; i < 3; i++)
        put_real(writing, image->geometry.spacing[i]);
    for (int i = 0; image->geometry.has_affine && i < 12; i++)
        put_real(writing, image->geometry.affine[i / 4][i % 4]);
}

static void put_files(struct writing *writing, const struct manifest *manifest)
{
    put_varint(writing, manifest->source_bytes);
    put_varint(writing, manifest->files);
    const char *before = "";
    for (uint32_t i = 0; i < manifest->files; i++) {
        const char *path = manifest->file[i].path;
        size_t same = 0;
        while (before[same] && before[same] == path[same])
            same++;
        put_varint(writing, same);
        put_text(writing, path + same, strlen(path + same));
        put_varint(writing, manifest->file[i].frames);
        before = path;
    }
}

static void put_rest(struct writing *writing, const struct manifest *manifest)
{
    put_text(writing, manifest->source_head.data, manifest->source_head.size);
    put_varint(writing, manifest->streams);
    for (unsigned i = 0; i < manifest->streams; i++)
        writing->good = writing->good && stream_write(&manifest->stream[i], writing->out);
    put_varint(writing, manifest->groups);
    for (uint32_t i = 0; i < manifest->groups; i++) {
        put_varint(writing, manifest->group[i].files);
        put_varint(writing, manifest->group[i].content);
        put_varint(writing, manifest->group[i].stored);
    }
    unsigned extras = 0;
    for (unsigned tag = 0; tag < 256; tag++)
        extras += manifest->extra[tag].data != NULL;
    put_varint(writing, extras);
    for (unsigned tag = 0; tag < 256; tag++) {
        if (!manifest->extra[tag].data)
            continue;
        put_u8(writing, tag);
        put_text(writing, manifest->extra[tag].data, manifest->extra[tag].size);
    }
}

bool manifest_write(const struct manifest *manifest, const struct layout *layout, struct mist_buffer *out)
{
    struct writing writing = {out, true};
    put_varint(&writing, layout->levels);
    put_varint(&writing, layout->steps);
    put_u8(&writing, layout->chunk_log2);
    put_varint(&writing, layout->tail_size);
    put_image(&writing, manifest);
    put_files(&writing, manifest);
    writing.good = writing.good && value_map_write(&manifest->values, out, NULL) == MIST_OK;
    put_rest(&writing, manifest);
    return writing.good;
}
