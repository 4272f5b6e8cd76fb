/* SPDX-License-Identifier: BSD-2-Clause */
/* Source files -> item file. Frames are read and encoded in parallel, in batches, and put in in order. */
#include "item/content.h"
#include "item/item.h"
#include "item/write.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#include <string.h>
#include <sys/stat.h>

/* One frame under way. */
struct slot {
    struct mist_view samples; /* as in the source */
    struct mist_view mapped;  /* by the value map; data NULL where the samples are coded as they are */
    struct mist_view coded;   /* of labels, which are coded as signed; data NULL where not */
    struct mist_buffer codestream;
};

struct import {
    const struct mist_import_options *options;
    const char *path;
    struct format_source *source;
    struct manifest manifest;
    struct manifest_coding coding;
    unsigned threads;
    mist_codec **codecs; /* [threads] */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t first; /* frame in slot 0 */
    struct item_writer writer;
    struct content content; /* of the source file that the frames are of */
    uint32_t file;          /* that file */
    uint32_t frame_in_file;
};

static enum mist_status out_of_memory(const struct import *import, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", import->options->paths[0]);
}

/* ---- what is known before the first frame is coded ---- */

static enum mist_status read_for_map(void *context, uint32_t frame, struct mist_view *out, struct mist_error *error)
{
    struct format_source *source = context;
    return source->ops->read_frame(source, frame, out, error);
}

/* Integers whose precision the source declares are trusted until a sample is outside it; all else is looked at. */
static enum mist_status choose_values(struct import *import, bool trust, struct mist_error *error)
{
    const struct mist_image_info *info = &import->source->info;
    bool declared = import->source->kind == FORMAT_DICOM || info->type == MIST_U8;
    if (trust && declared && !import->manifest.image.label && !mist_sample_is_float(info->type)) {
        import->manifest.values = value_map_identity(info->type, info->components, info->precision);
    } else {
        static const struct value_options options = {.wish = VALUE_AS_IMAGE};
        struct value_map_frames frames = {info->type,   info->width,  info->height,  info->components,
                                          info->frames, read_for_map, import->source};
        struct value_map *values = &import->manifest.values;
        value_map_free(values);
        enum mist_status status = value_map_choose(&frames, &options, import->threads, values, NULL, error);
        if (status)
            return status;
        /* This version of the item file has no place for tables, holes and remainders. */
        if (values->kind > VALUE_MAP_LINEAR || values->holes.count || values->remainder)
            return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: samples that need a value map of kind %s%s%s",
                             import->options->paths[0], value_map_kind_name(values->kind),
                             values->holes.count ? " with holes" : "", values->remainder ? " with remainders" : "");
    }
    import->manifest.image.precision = import->manifest.values.precision;
    import->coding = manifest_coding(&import->manifest);
    return MIST_OK;
}

static enum mist_status fill_manifest(struct import *import, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    const struct format_source *source = import->source;
    manifest->kind = source->kind;
    manifest->image = source->info;
    manifest->image.label = source->info.label || import->options->label;
    if (source->files > LAYOUT_MAX_FILES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: one of %u files; an item has at most %u",
                         import->options->paths[0], source->files, LAYOUT_MAX_FILES);
    manifest->files = source->files;
    manifest->file = memory_allocate_zeroed(source->files, sizeof *manifest->file);
    if (!manifest->file)
        return out_of_memory(import, error);
    uint32_t frame = 0;
    for (uint32_t i = 0; i < source->files; i++) {
        const char *name = import->options->names[source->file_order[i]];
        const char *path = import->options->paths[source->file_order[i]];
        struct stat about;
        if (!path_is_safe(name, strlen(name)))
            return error_set(error, MIST_ERROR_ARGUMENT, "%s: its name cannot be kept in a dataset", path);
        if (stat(path, &about) == 0)
            manifest->source_bytes += (uint64_t)about.st_size;
        manifest->file[i] = (struct manifest_file){memory_copy_text(name), frame, source->file_frames[i]};
        if (!manifest->file[i].path)
            return out_of_memory(import, error);
        frame += source->file_frames[i];
    }
    return MIST_OK;
}

/* ---- one frame, in a worker ---- */

static bool make_slot(const struct import *import, struct slot *slot)
{
    const struct mist_image_info *image = &import->manifest.image;
    const struct value_map *values = &import->manifest.values;
    *slot = (struct slot){.samples = item_new_view(image->type, image->width, image->height, image->components)};
    bool good = slot->samples.data != NULL;
    if (good && values->kind != VALUE_MAP_IDENTITY) {
        slot->mapped = item_new_view(values->coded, image->width, image->height, import->coding.components);
        good = slot->mapped.data != NULL;
    }
    if (good && import->coding.type != values->coded) {
        slot->coded = item_new_view(import->coding.type, image->width, image->height, import->coding.components);
        good = slot->coded.data != NULL;
    }
    return good;
}

static void free_slots(struct import *import)
{
    for (uint32_t i = 0; import->slots && i < import->slot_count; i++) {
        memory_free(import->slots[i].samples.data);
        memory_free(import->slots[i].mapped.data);
        memory_free(import->slots[i].coded.data);
        mist_buffer_free(&import->slots[i].codestream);
    }
    memory_free(import->slots);
    import->slots = NULL;
}

static enum mist_status encode_slot(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct import *import = context;
    struct slot *slot = &import->slots[index];
    uint32_t frame = import->first + (uint32_t)index;
    enum mist_status status = import->source->ops->read_frame(import->source, frame, &slot->samples, error);
    const struct mist_view *view = &slot->samples;
    if (!status && slot->mapped.data) {
        status = value_map_forward(&import->manifest.values, view, &slot->mapped, NULL, NULL, error);
        view = &slot->mapped;
    }
    if (!status && slot->coded.data) {
        item_convert(view, &slot->coded);
        view = &slot->coded;
    }
    if (status)
        return status;
    struct mist_encode_options options = mist_encode_options_default();
    options.precision = import->coding.precision;
    options.levels = (int)import->writer.layout.coded_levels;
    /* The names that labels are have nothing in common for a colour transform to use. */
    options.color_transform = !import->manifest.image.label;
    if (import->slot_count == 1)
        options.threads = import->threads;
    return mist_encode(import->codecs[worker], view, &options, &slot->codestream, error);
}

/* ---- frames in order ---- */

static enum mist_status start_file(struct import *import, struct mist_error *error)
{
    const char *path = import->options->paths[import->source->file_order[import->file]];
    import->frame_in_file = 0;
    return content_start(&import->content, import->source, import->file, path, error);
}

static enum mist_status end_file(struct import *import, struct mist_error *error)
{
    enum mist_status status = content_finish(&import->content, error);
    if (!status)
        status = item_writer_file(&import->writer, &import->content.record, error);
    content_free(&import->content);
    import->file++;
    return status;
}

static enum mist_status put_slot(struct import *import, const struct slot *slot, struct mist_error *error)
{
    enum mist_status status = import->frame_in_file == 0 ? start_file(import, error) : MIST_OK;
    if (!status)
        status = content_frame(&import->content, &slot->samples, error);
    if (!status)
        status = item_writer_frame(&import->writer, &slot->codestream, error);
    if (!status && ++import->frame_in_file == import->manifest.file[import->file].frames) {
        status = end_file(import, error);
        import->frame_in_file = 0;
    }
    return status;
}

static enum mist_status code_frames(struct import *import, const struct mist_progress *progress,
                                    struct mist_error *error)
{
    const uint32_t frames = import->manifest.image.frames;
    enum mist_status status = MIST_OK;
    for (import->first = 0; import->first < frames && !status; import->first += import->slot_count) {
        uint32_t left = frames - import->first, count = left < import->slot_count ? left : import->slot_count;
        if (progress && progress->report &&
            progress->report(progress->context, "frames", import->first, frames, import->manifest.file[0].path))
            return error_set(error, MIST_ERROR_CANCELLED, "%s: interrupted", import->options->paths[0]);
        status = pool_run(import->threads, count, encode_slot, import, error);
        for (uint32_t i = 0; i < count && !status; i++)
            status = put_slot(import, &import->slots[i], error);
    }
    return status;
}

static enum mist_status make_workers(struct import *import, struct mist_error *error)
{
    uint32_t wanted = import->threads > 1 ? 4 * import->threads : 1;
    import->slot_count = import->manifest.image.frames < wanted ? import->manifest.image.frames : wanted;
    import->slots = memory_allocate_zeroed(import->slot_count, sizeof *import->slots);
    bool good = import->slots != NULL;
    for (uint32_t i = 0; good && i < import->slot_count; i++)
        good = make_slot(import, &import->slots[i]);
    return good ? MIST_OK : out_of_memory(import, error);
}

/* Everything with the value map at hand; MIST_ERROR_RANGE if a sample is outside the declared precision. */
static enum mist_status code_all(struct import *import, const struct mist_progress *progress, struct mist_error *error)
{
    import->file = import->frame_in_file = 0;
    enum mist_status status =
        item_writer_start(&import->writer, import->path, &import->manifest, &import->source->head, error);
    if (status)
        return status;
    status = make_workers(import, error);
    if (!status)
        status = code_frames(import, progress, error);
    if (!status)
        status = item_writer_finish(&import->writer, error);
    content_free(&import->content);
    free_slots(import);
    return status;
}

static enum mist_status import_source(struct import *import, const struct mist_progress *progress,
                                      struct mist_error *error)
{
    enum mist_status status = fill_manifest(import, error);
    import->codecs = memory_allocate_zeroed(import->threads, sizeof *import->codecs);
    for (unsigned i = 0; i < import->threads && import->codecs && !status; i++) {
        import->codecs[i] = mist_codec_new();
        if (!import->codecs[i])
            status = out_of_memory(import, error);
    }
    if (!status && !import->codecs)
        status = out_of_memory(import, error);
    for (int trust = 1; trust >= 0 && !status; trust--) {
        status = choose_values(import, trust, error);
        if (!status)
            status = code_all(import, progress, error);
        bool again = status == MIST_ERROR_RANGE && trust;
        if (!again)
            break;
        item_writer_free(&import->writer);
        status = MIST_OK;
    }
    return status;
}

enum mist_status mist_item_import(const struct mist_import_options *options, const char *item_path,
                                  struct mist_item_info *info, const struct mist_progress *progress,
                                  struct mist_error *error)
{
    struct import import = {.options = options, .path = item_path, .threads = options->threads ? options->threads : 1};
    enum format_kind kind;
    if (options->count == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no source files", item_path);
    enum mist_status status = format_detect(options->paths[0], &kind, error);
    if (!status)
        status = format_open(kind, options->paths, options->count, &import.source, error);
    if (!status)
        status = import_source(&import, progress, error);
    for (unsigned i = 0; i < import.threads && import.codecs; i++)
        mist_codec_free(&import.codecs[i]);
    memory_free(import.codecs);
    if (import.writer.path)
        item_writer_free(&import.writer);
    manifest_free(&import.manifest);
    format_close(&import.source);
    mist_item *item = NULL;
    if (!status && info && !(status = mist_item_open(item_path, &item, error)))
        *info = *mist_item_info(item);
    mist_item_close(&item);
    return status;
}
