/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/manifest.h"

#include "base/memory.h"

struct coder_plane manifest_plane(const struct manifest *manifest, const struct layout *layout, unsigned role)
{
    const struct mist_image_info *image = &manifest->image;
    const struct value_map *values = &manifest->values;
    struct coder_plane plane = {
        .type = values->coded,
        .precision = values->precision,
        .width = image->width,
        .height = image->height,
        .components = value_map_coded_components(values),
        .slices = image->slices,
        .volumes = image->frames / image->slices,
        .levels = layout->levels,
        .steps = layout->steps,
        .color_transform = values->kind == VALUE_MAP_IDENTITY && !image->label,
    };
    if (role == CODER_HOLES) {
        plane.type = MIST_U16;
        plane.precision = 16;
        plane.components = image->components;
    } else if (role >= CODER_VALUES) {
        plane.type = value_map_remainder_type(values);
        plane.components = image->components;
    }
    return plane;
}

const struct coder_stream *manifest_stream(const struct manifest *manifest, unsigned role)
{
    for (unsigned i = 0; i < manifest->streams; i++)
        if (manifest->stream[i].role == role)
            return &manifest->stream[i];
    return NULL;
}

const char *manifest_text(const struct manifest *manifest, unsigned tag)
{
    return (const char *)manifest->extra[tag].data;
}

bool manifest_set_extra(struct manifest *manifest, unsigned tag, const void *bytes, size_t size)
{
    struct mist_buffer *extra = &manifest->extra[tag];
    extra->size = 0;
    if (!buffer_append(extra, bytes, size) || !buffer_append_zeros(extra, 1))
        return false;
    extra->size = size;
    return true;
}

void manifest_free(struct manifest *manifest)
{
    for (uint32_t i = 0; manifest->file && i < manifest->files; i++)
        memory_free(manifest->file[i].path);
    memory_free(manifest->file);
    memory_free(manifest->group);
    mist_buffer_free(&manifest->source_head);
    value_map_free(&manifest->values);
    for (unsigned i = 0; i < manifest->streams; i++)
        stream_free(&manifest->stream[i]);
    for (unsigned tag = 0; tag < 256; tag++)
        mist_buffer_free(&manifest->extra[tag]);
    *manifest = (struct manifest){0};
}
