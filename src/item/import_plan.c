/* SPDX-License-Identifier: BSD-2-Clause */
/* How an item is coded: as what its samples are looked at, and which streams its coders make of them. */
#include "item/import.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>

static enum mist_status read_for_map(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    struct format_source *source = context;
    return source->ops->read_frame(source, frame, out, error);
}

static enum mist_status choose_values(struct import *import, bool trust, struct mist_error *error)
{
    const struct mist_image_info *info = &import->source->info;
    bool declared = format_of(import->source->kind)->precision_declared || info->type == MIST_U8;
    if (trust && declared && !import->manifest.image.label && !mist_sample_is_float(info->type)) {
        import->manifest.values = (struct value_map){.kind = VALUE_MAP_IDENTITY,
                                                     .source = info->type,
                                                     .coded = info->type,
                                                     .precision = info->precision,
                                                     .planes = 1};
        return MIST_OK;
    }
    struct value_map_frames frames = {info->type,   info->width,  info->height,  info->components,
                                      info->frames, read_for_map, import->source};
    return value_map_choose(&frames, import->threads, &import->manifest.values, error);
}

/*
 * Resolution levels below the smallest one that is offered. Its 32 to 64 samples a side would be stored with hardly
 * any compression: HT codes the smooth low-pass band at about 9 bits a sample of 8. Three more decompositions make
 * volumes of up to 64 columns and rows half as large, those of 256 a tenth smaller; at 12 samples a side there is
 * nothing more to gain (docs/format.md, section 5.3).
 */
static unsigned extra_levels(const struct mist_image_info *image, unsigned levels)
{
    enum { MOST = 3, SMALL = 12 };
    unsigned extra = 0;
    uint32_t side = image->width < image->height ? image->width : image->height;
    while (extra < MOST && mist_reduced_size(side, levels - 1 + extra) > SMALL)
        extra++;
    return extra;
}

static void add_stream(struct import *import, unsigned coder, unsigned role, unsigned first, unsigned coded,
                       uint32_t unit)
{
    struct manifest *manifest = &import->manifest;
    struct layout layout = {.levels = import->levels, .steps = import->steps};
    manifest->stream[manifest->streams++] = (struct coder_stream){
        .coder = coder,
        .role = role,
        .first = first,
        .coded = coded,
        .unit = unit,
        .plane = manifest_plane(manifest, &layout, role),
    };
}

static void drop_streams(struct manifest *manifest)
{
    for (unsigned i = 0; i < manifest->streams; i++)
        stream_free(&manifest->stream[i]);
    manifest->streams = 0;
}

enum mist_status import_plan(struct import *import, bool trust, struct mist_error *error)
{
    struct mist_image_info *image = &import->manifest.image;
    drop_streams(&import->manifest);
    image->label = (import->source->info.label || import->options->label) && !import->options->image;
    import->levels = mist_level_count(image->width, image->height);
    import->steps = step_most(image->slices);
    enum mist_status status = choose_values(import, trust, error);
    if (status)
        return status;
    image->precision = import->manifest.values.precision;
    add_stream(import, CODER_HTJ2K, CODER_PICTURE, 0, import->levels + extra_levels(image, import->levels), 1);
    return MIST_OK;
}
