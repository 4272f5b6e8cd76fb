/* SPDX-License-Identifier: BSD-2-Clause */
/* How an item is coded: as what its samples are looked at, and which streams its coders make of them. */
#include "item/import.h"

#include "base/error.h"
#include "base/memory.h"
#include "coder/lattice.h"

#include <string.h>

static enum mist_status read_for_map(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    struct format_source *source = context;
    return source->ops->read_frame(source, frame, out, error);
}

/* Integers whose precision the source declares are trusted until a sample is outside it; all else is looked at. */
static bool is_trusted(const struct import *import)
{
    const struct mist_image_info *info = &import->source->info;
    return format_of(import->source->kind)->precision_declared && !mist_sample_is_float(info->type) &&
           mist_sample_size(info->type) <= 4;
}

/* Why the source itself is a label map, or who says so; NULL if nobody does. */
static const char *label_said(const struct import *import)
{
    if (import->options->image)
        return NULL;
    if (import->options->label)
        return import->options->label;
    return import->source->info.label ? format_of(import->source->kind)->label_reason : NULL;
}

static enum mist_status choose_values(struct import *import, bool trust, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    const struct mist_image_info *info = &import->source->info;
    const char *why = label_said(import);
    struct value_options options = {.wish = why ? VALUE_AS_LABELS
                                            : import->options->name_agrees && !import->options->image
                                                ? VALUE_LABELS_IF_ALIKE
                                                : VALUE_AS_IMAGE};
    value_map_free(&manifest->values);
    if (trust && options.wish == VALUE_AS_IMAGE && is_trusted(import)) {
        manifest->values = value_map_identity(info->type, info->components, info->precision);
        manifest->image.label = false;
        return MIST_OK;
    }
    struct value_statistics statistics;
    struct value_map_frames frames = {info->type,   info->width,  info->height,  info->components,
                                      info->frames, read_for_map, import->source};
    enum mist_status status =
        value_map_choose(&frames, &options, import->threads, &manifest->values, &statistics, error);
    if (status)
        return status;
    import->looks_like_labels = value_looks_like_labels(&statistics);
    manifest->image.label = manifest->values.kind == VALUE_MAP_RANKS;
    why = why ? why : "name";
    if (manifest->image.label && !manifest_set_extra(manifest, MANIFEST_WHY_LABEL, why, strlen(why)))
        return import_out_of_memory(import, error);
    return MIST_OK;
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

/* Slices of a unit of labels: as many as are coded well together, while they fit into memory. */
static uint32_t lattice_unit(const struct import *import)
{
    const struct mist_image_info *image = &import->manifest.image;
    const uint64_t most = (uint64_t)1 << 27;
    uint32_t unit = LATTICE_UNIT_SLICES;
    if (image->slices == 1)
        return 1;
    if (unit < (uint32_t)1 << import->steps)
        unit = (uint32_t)1 << import->steps;
    while (unit > (uint32_t)1 << import->steps && (uint64_t)image->width * image->height * unit > most)
        unit /= 2;
    return unit;
}

static bool add_stream(struct import *import, unsigned coder, unsigned role, unsigned coded, uint32_t unit,
                       uint32_t symbols)
{
    struct manifest *manifest = &import->manifest;
    struct layout layout = {.levels = import->levels, .steps = import->steps};
    struct coder_stream *stream = &manifest->stream[manifest->streams++];
    *stream = (struct coder_stream){
        .coder = coder,
        .role = role,
        .first = role >= CODER_VALUES ? import->levels - 1 : 0,
        .coded = coded,
        .unit = unit,
        .plane = manifest_plane(manifest, &layout, role),
    };
    uint8_t bytes[10];
    return symbols == 0 || buffer_append(&stream->parameters, bytes, store_varint(bytes, symbols));
}

static bool add_streams(struct import *import)
{
    const struct value_map *values = &import->manifest.values;
    const struct mist_image_info *image = &import->manifest.image;
    uint32_t unit = lattice_unit(import);
    bool good = values->kind == VALUE_MAP_RANKS
                    ? add_stream(import, CODER_LATTICE, CODER_PICTURE, import->levels, unit, values->rank_count)
                    : add_stream(import, CODER_HTJ2K, CODER_PICTURE,
                                 import->levels + extra_levels(image, import->levels), 1, 0);
    if (values->holes.count)
        good = good && add_stream(import, CODER_LATTICE, CODER_HOLES, import->levels, unit, values->holes.count + 1);
    if (values->kind == VALUE_MAP_TABLE)
        good = good && add_stream(import, CODER_TABLE, CODER_VALUES, 1, 0, 0);
    if (values->remainder)
        good = good && add_stream(import, CODER_REMAINDER, CODER_EXACT, 1, 1, 0);
    return good;
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
    import->levels = mist_level_count(image->width, image->height);
    import->steps = step_most(image->slices);
    enum mist_status status = choose_values(import, trust, error);
    if (status)
        return status;
    if (image->label || import->manifest.values.kind == VALUE_MAP_IDENTITY)
        image->precision = image->label ? import->source->info.precision : import->manifest.values.precision;
    return add_streams(import) ? MIST_OK : import_out_of_memory(import, error);
}
