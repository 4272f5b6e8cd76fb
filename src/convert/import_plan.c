/* SPDX-License-Identifier: BSD-2-Clause */
/* How an item is coded: as what its samples are looked at, and which streams its coders make of them. */
#include "convert/import.h"

#include "base/error.h"
#include "base/memory.h"
#include "coder/j2k.h"
#include "coder/lattice.h"

#include <string.h>

static enum mist_status read_for_map(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    return import_read(context, frame, out, error);
}

/* Integers whose precision the source declares are trusted until a sample is outside it; all else is looked at. */
static bool is_trusted(const struct import *import)
{
    const struct mist_image_info *info = &import->source->info;
    return format_of(import->source->kind)->precision_declared && !mist_sample_is_float(info->type) &&
           mist_sample_size(info->type) <= 4 && import->source->hole_count == 0;
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

/* The pattern of an integer sample of this value, in as many bits as the type has. */
static uint64_t pattern_of(enum mist_sample_type type, double value)
{
    unsigned bits = 8 * (unsigned)mist_sample_size(type);
    return (uint64_t)(int64_t)value & (bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1);
}

/* What the source declares to be no measurement; of floats the NaN and outliers are found without. */
static void add_candidates(const struct import *import, struct value_options *options)
{
    const struct format_source *source = import->source;
    if (mist_sample_is_float(source->info.type))
        return;
    for (uint32_t i = 0; i < source->hole_count && options->candidates < VALUE_MAX_CANDIDATES; i++)
        options->candidate[options->candidates++] = (struct value_candidate){
            pattern_of(source->info.type, source->hole[i].low), pattern_of(source->info.type, source->hole[i].high)};
}

static enum mist_status look_at_values(struct import *import, enum value_wish wish, struct value_statistics *statistics,
                                       struct mist_error *error)
{
    const struct mist_image_info *info = &import->source->info;
    struct value_options options = {.wish = wish};
    struct value_map_frames frames = {info->type,   info->width,  info->height, info->components,
                                      info->frames, read_for_map, import};
    add_candidates(import, &options);
    value_map_free(&import->manifest.values);
    return value_map_choose(&frames, &options, import->threads, &import->manifest.values, statistics, error);
}

static enum mist_status choose_values(struct import *import, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    const struct mist_image_info *info = &import->source->info;
    const char *why = label_said(import);
    const bool named = import->options->name_agrees && !import->options->image;
    if (import->way < IMPORT_LOOK) {
        /* A file that is one codestream is kept as that or not at all, whatever it shows. */
        const bool bare = format_of(import->source->kind)->bare_codestream;
        if (!bare && (why || named || !is_trusted(import)))
            return error_set(error, MIST_ERROR_UNSUPPORTED, "to be looked at");
        manifest->values = value_map_identity(info->type, info->components, info->precision);
        return MIST_OK;
    }
    struct value_statistics statistics = {0};
    enum value_wish wish = why ? VALUE_AS_LABELS : named ? VALUE_LABELS_IF_ALIKE : VALUE_AS_IMAGE;
    enum mist_status status = look_at_values(import, wish, &statistics, error);
    /* What cannot be a label map, having too many values, is an image; unless somebody asked for it by name. */
    if (status == MIST_ERROR_UNSUPPORTED && why && why != import->options->label)
        status = look_at_values(import, VALUE_AS_IMAGE, &statistics, error);
    if (status)
        return status;
    import->looks_like_labels = value_looks_like_labels(&statistics);
    import->common = statistics.common;
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

/* Bytes that a coder makes of some frames of the item; UINT64_MAX where it does not take them. */
static uint64_t try_coder(struct import *import, unsigned coder, unsigned coded)
{
    enum { TRIED = 4 };
    const struct mist_image_info *image = &import->manifest.image;
    struct manifest *manifest = &import->manifest;
    struct mist_view samples = item_new_view(image->type, image->width, image->height, image->components);
    struct coder_coded *result = memory_allocate_zeroed(1, sizeof *result);
    bool good = samples.data && result && add_stream(import, coder, CODER_PICTURE, coded, 1, 0);
    uint64_t bytes = 0;
    uint32_t tried = image->frames < TRIED ? image->frames : TRIED;
    for (uint32_t i = 0; i < tried && good; i++) {
        uint32_t frame = (uint32_t)((uint64_t)image->frames * (2 * i + 1) / (2 * tried));
        good = import_read(import, frame, &samples, NULL) == MIST_OK &&
               coder_encode(import->codecs[0], 1, &manifest->stream[manifest->streams - 1], &samples, 1, result,
                            NULL) == MIST_OK;
        bytes += good ? result->bytes.size : 0;
    }
    if (manifest->streams)
        stream_free(&manifest->stream[--manifest->streams]);
    if (result)
        coder_coded_free(result);
    memory_free(result);
    memory_free(samples.data);
    return good ? bytes : UINT64_MAX;
}

/* Whether the source is so small that its samples must be alike in a way which the wavelet coder may not see. */
static bool is_squeezed(const struct import *import)
{
    const struct mist_image_info *image = &import->manifest.image;
    const uint64_t frame = mist_frame_bytes(image->type, image->width, image->height, image->components);
    return frame * image->frames / 4 > import->manifest.source_bytes;
}

/*
 * The picture of an image: the wavelet coder, going as far down as makes some frames smallest; or, where most samples
 * are one value or the source is a small one, the pyramid coder, if that makes them smaller by enough to be worth its
 * slower decoding.
 */
static bool add_picture(struct import *import)
{
    const struct mist_image_info *image = &import->manifest.image;
    const struct value_map *values = &import->manifest.values;
    const bool plain = values->kind == VALUE_MAP_IDENTITY && values->holes.count == 0;
    const uint64_t small = (uint64_t)1 << 18;
    unsigned extra = extra_levels(image, import->levels);
    uint64_t least = UINT64_MAX;
    if (plain && (uint64_t)image->width * image->height <= small)
        for (unsigned most = extra, tried = 0; tried <= most; tried++) {
            uint64_t bytes = try_coder(import, CODER_HTJ2K, import->levels + tried);
            extra = bytes < least ? tried : extra;
            least = bytes < least ? bytes : least;
        }
    bool sparse = plain && (import->common > 0.5 || is_squeezed(import)) && image->components == 1 &&
                  mist_sample_size(image->type) <= 2;
    if (sparse && least == UINT64_MAX)
        least = try_coder(import, CODER_HTJ2K, import->levels + extra);
    if (sparse && least != UINT64_MAX && try_coder(import, CODER_PYRAMID, import->levels) < least / 8 * 7) {
        import->manifest.centred = true;
        return add_stream(import, CODER_PYRAMID, CODER_PICTURE, import->levels, 1, 0);
    }
    return add_stream(import, CODER_HTJ2K, CODER_PICTURE, import->levels + extra, 1, 0);
}

static bool add_streams(struct import *import)
{
    const struct value_map *values = &import->manifest.values;
    uint32_t unit = lattice_unit(import);
    bool good = values->kind == VALUE_MAP_RANKS
                    ? add_stream(import, CODER_LATTICE, CODER_PICTURE, import->levels, unit, values->rank_count)
                    : add_picture(import);
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

/* ---- sources that are kept as they came compressed ---- */

/* The coder of what the source came as; 0: none keeps it. */
static unsigned keeper_of(const struct import *import)
{
    const struct format_source *source = import->source;
    const bool labels = label_said(import) || import->options->name_agrees;
    const bool bare = format_of(source->kind)->bare_codestream;
    if (!source->ops->codestream || (labels && !(bare && source->stream == FORMAT_STREAM_JPEG)))
        return 0;
    switch (source->stream) {
    case FORMAT_STREAM_JPEG:
        return CODER_JPEG;
    case FORMAT_STREAM_J2K:
    case FORMAT_STREAM_HTJ2K:
        return CODER_J2K;
    default:
        return 0;
    }
}

/* The resolution levels of the first frame's codestream; 0 where it is not to be kept. */
static unsigned kept_levels(struct import *import, unsigned coder, enum mist_status *status, struct mist_error *error)
{
    struct mist_buffer bytes = {0};
    enum format_stream kind;
    struct j2k_info info = {0};
    *status = import->source->ops->codestream(import->source, 0, &bytes, &kind, error);
    if (!*status && coder == CODER_J2K)
        *status = j2k_info(bytes.data, bytes.size, &info, error);
    mist_buffer_free(&bytes);
    const struct mist_image_info *image = &import->manifest.image;
    unsigned levels = coder == CODER_J2K ? info.levels : mist_level_count(image->width, image->height);
    return *status ? 0 : levels;
}

static enum mist_status plan_kept(struct import *import, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    const struct mist_image_info *image = &manifest->image;
    unsigned coder = keeper_of(import);
    if (!coder)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "it did not come compressed");
    enum mist_status status;
    unsigned coded = kept_levels(import, coder, &status, error);
    if (status)
        return status == MIST_ERROR_MEMORY ? status : MIST_ERROR_UNSUPPORTED;
    if (coded < import->levels) { /* few decompositions are few levels */
        static const char why[] = "its codestreams have no more resolution levels";
        import->levels = coded;
        if (!manifest_set_extra(manifest, MANIFEST_WHY_KEPT, why, strlen(why)))
            return import_out_of_memory(import, error);
    }
    manifest->centred = coder_is_centred(coder);
    manifest->values = value_map_identity(image->type, image->components, image->precision);
    return add_stream(import, coder, CODER_PICTURE, coded, 1, 0) ? MIST_OK : import_out_of_memory(import, error);
}

/*
 * What came compressed with loss takes several times its bytes when its samples are coded without. Its own bytes then
 * are the highest level, and the samples are coded for the levels below.
 */
static enum mist_status plan_above(struct import *import, struct mist_error *error)
{
    const struct format_source *source = import->source;
    const bool known = source->stream == FORMAT_STREAM_JPEG || source->stream == FORMAT_STREAM_JPEG_12 ||
                       source->stream == FORMAT_STREAM_JPEG_LS || source->stream == FORMAT_STREAM_J2K ||
                       source->stream == FORMAT_STREAM_HTJ2K;
    if (import->levels < 2 && format_of(source->kind)->bare_codestream)
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: its codestream has no levels that could be kept, and it is too small for others",
                         import->options->paths[0]);
    if (!source->ops->codestream || !source->stream_lossy || !known || import->levels < 2)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "it did not come compressed with loss");
    enum mist_status status = choose_values(import, error);
    if (status)
        return status;
    const uint8_t convert = source->color == FORMAT_RGB;
    static const char why[] = "it came compressed: its own bytes are the highest level";
    struct manifest *manifest = &import->manifest;
    bool good = add_stream(import, CODER_HTJ2K, CODER_PICTURE,
                           import->levels + extra_levels(&manifest->image, import->levels), 1, 0) &&
                add_stream(import, CODER_SOURCE, CODER_ORIGINAL, 1, 1, 0) &&
                buffer_append(&manifest->stream[1].parameters, &convert, 1) &&
                manifest_set_extra(manifest, MANIFEST_WHY_KEPT, why, strlen(why));
    return good ? MIST_OK : import_out_of_memory(import, error);
}

enum mist_status import_plan(struct import *import, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    struct mist_image_info *image = &manifest->image;
    drop_streams(manifest);
    value_map_free(&manifest->values);
    mist_buffer_free(&manifest->extra[MANIFEST_WHY_KEPT]);
    manifest->centred = image->label = false;
    image->precision = import->source->info.precision;
    import->levels = mist_level_count(image->width, image->height);
    import->steps = step_most(image->slices);
    if (format_of(import->source->kind)->bare_codestream && !keeper_of(import))
        return error_set(error, MIST_ERROR_UNSUPPORTED,
                         "%s: a label map in JPEG 2000, whose smaller levels would be averages of names",
                         import->options->paths[0]);
    if (import->way == IMPORT_KEEP)
        return plan_kept(import, error);
    if (import->way == IMPORT_ABOVE)
        return plan_above(import, error);
    if (import->way == IMPORT_TRUST && is_squeezed(import))
        return error_set(error, MIST_ERROR_UNSUPPORTED, "to be looked at");
    enum mist_status status = choose_values(import, error);
    if (status)
        return status;
    if (manifest->values.kind == VALUE_MAP_IDENTITY)
        image->precision = manifest->values.precision;
    return add_streams(import) ? MIST_OK : import_out_of_memory(import, error);
}
