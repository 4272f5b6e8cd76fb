/* SPDX-License-Identifier: BSD-2-Clause */
/* Source files -> item file. Frames are read and encoded in parallel, in batches, and put in in order. */
#include "convert/import.h"

#include "base/checksum.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "coder/remainder.h"
#include "image/copy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what is known before the first frame is coded ---- */

static enum mist_status fill_manifest(struct import *import, struct mist_error *error)
{
    struct manifest *manifest = &import->manifest;
    const struct format_source *source = import->source;
    manifest->kind = source->kind;
    manifest->image = source->info;
    if (!buffer_append(&manifest->source_head, source->head.data, source->head.size))
        return import_out_of_memory(import, error);
    if (source->files > LAYOUT_MAX_FILES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: one of %u files; an item has at most %u",
                         import->options->paths[0], source->files, LAYOUT_MAX_FILES);
    manifest->files = source->files;
    manifest->file = memory_allocate_zeroed(source->files, sizeof *manifest->file);
    if (!manifest->file)
        return import_out_of_memory(import, error);
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
            return import_out_of_memory(import, error);
        frame += source->file_frames[i];
    }
    return MIST_OK;
}

/* ---- one frame, in a worker ---- */

static bool make_slot(const struct import *import, struct import_slot *slot)
{
    const struct mist_image_info *image = &import->manifest.image;
    const struct value_map *values = &import->manifest.values;
    const struct coder_plane *plane = &import->manifest.stream[0].plane;
    const uint32_t width = image->width, height = image->height;
    *slot = (struct import_slot){.samples = item_new_view(image->type, width, height, image->components)};
    slot->coded = memory_allocate_zeroed(import->manifest.streams, sizeof *slot->coded);
    bool good = slot->samples.data && slot->coded;
    if (good && import->way == IMPORT_KEEP)
        good = (slot->parts = memory_allocate_zeroed(1, sizeof *slot->parts)) != NULL;
    if (good && import->way <= IMPORT_ABOVE) {
        slot->again = item_new_view(image->type, width, height, image->components);
        good = slot->again.data != NULL;
    }
    if (good && (values->kind != VALUE_MAP_IDENTITY || values->holes.count)) {
        slot->plane = item_new_view(plane->type, width, height, plane->components);
        good = slot->plane.data != NULL;
    }
    if (good && values->holes.count) {
        slot->holes = item_new_view(MIST_U16, width, height, image->components);
        good = slot->holes.data != NULL;
    }
    if (good && values->remainder) {
        slot->remainder = item_new_view(value_map_remainder_type(values), width, height, image->components);
        good = slot->remainder.data != NULL;
    }
    return good;
}

static void free_slots(struct import *import)
{
    for (uint32_t i = 0; import->slots && i < import->slot_count; i++) {
        struct import_slot *slot = &import->slots[i];
        memory_free(slot->samples.data);
        memory_free(slot->plane.data);
        memory_free(slot->again.data);
        memory_free(slot->holes.data);
        memory_free(slot->remainder.data);
        for (unsigned stream = 0; slot->coded && stream < import->manifest.streams; stream++)
            coder_coded_free(&slot->coded[stream]);
        memory_free(slot->coded);
        mist_buffer_free(&slot->source_bytes);
        mist_buffer_free(&slot->rebuild);
        memory_free(slot->parts);
    }
    memory_free(import->slots);
    import->slots = NULL;
}

/* What a stream codes of a frame. */
static const struct mist_view *stream_view(const struct import_slot *slot, const struct coder_stream *stream)
{
    if (stream->role == CODER_HOLES)
        return &slot->holes;
    if (stream->role == CODER_EXACT)
        return &slot->remainder;
    return slot->plane.data ? &slot->plane : &slot->samples;
}

/* Whether a pixel of interleaved red, green and blue is not grey; looks no further than to the first one. */
static bool is_colored(const struct mist_view *view)
{
    const size_t sample = mist_sample_size(view->type);
    const uint64_t pixels = (uint64_t)view->width * view->height;
    const uint8_t *pixel = view->data;
    for (uint64_t i = 0; i < pixels; i++, pixel += 3 * sample)
        if (memcmp(pixel, pixel + sample, 2 * sample) != 0)
            return true;
    return false;
}

static enum mist_status encode_slot(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct import *import = context;
    struct import_slot *slot = &import->slots[index];
    uint32_t frame = import->first + (uint32_t)index;
    enum mist_status status = import_read(import, frame, &slot->samples, error);
    if (!status && !atomic_load_explicit(&import->colored, memory_order_relaxed) && is_colored(&slot->samples))
        atomic_store_explicit(&import->colored, true, memory_order_relaxed);
    if (import->way == IMPORT_KEEP)
        return status ? status : import_keep(import, frame, slot, import->codecs[worker], error);
    if (!status && slot->plane.data)
        status = value_map_forward(&import->manifest.values, &slot->samples, &slot->plane,
                                   slot->holes.data ? &slot->holes : NULL,
                                   slot->remainder.data ? &slot->remainder : NULL, error);
    for (unsigned i = 0; i < import->manifest.streams && !status; i++) {
        const struct coder_stream *stream = &import->manifest.stream[i];
        if (stream->coder == CODER_REMAINDER) {
            status = remainder_compress(&slot->remainder, &slot->plane, &slot->coded[i].bytes, error);
            slot->coded[i].size[0] = slot->coded[i].bytes.size;
        } else if (stream->unit == 1 && stream->coder != CODER_SOURCE)
            status = coder_encode(import->codecs[worker], import->slot_count == 1 ? import->threads : 1, stream,
                                  stream_view(slot, stream), 1, &slot->coded[i], error);
    }
    if (!status && import->way == IMPORT_ABOVE)
        status = import_above(import, frame, slot, error);
    return status;
}

/* ---- frames in order ---- */

static enum mist_status start_file(struct import *import, struct mist_error *error)
{
    const char *path = import->options->paths[import->source->file_order[import->file]];
    import->frame_in_file = 0;
    return content_start(&import->content, import->source, import->file, path, import->way <= IMPORT_ABOVE, error);
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

/* The file that the next frame is the first of. The header of a pair, which has none, goes before it. */
static enum mist_status start_next_file(struct import *import, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    while (import->manifest.file[import->file].frames == 0 && !status) {
        status = start_file(import, error);
        if (!status)
            status = end_file(import, error);
    }
    return status ? status : start_file(import, error);
}

/* Adds a frame to the unit of a stream whose units are several slices, and codes the unit once it is whole. */
static enum mist_status gather(struct import *import, unsigned stream, uint32_t frame, const struct mist_view *view,
                               struct mist_error *error)
{
    const struct coder_stream *about = &import->manifest.stream[stream];
    struct import_unit *unit = &import->unit[stream];
    uint32_t slice, first, number = stream_unit_of(about, frame, &slice);
    uint32_t frames = stream_unit_frames(about, number, &first);
    size_t bytes = mist_frame_bytes(view->type, view->width, view->height, view->components);
    if (!buffer_reserve(&unit->samples, bytes * frames))
        return import_out_of_memory(import, error);
    struct mist_view place = mist_view_interleaved(unit->samples.data + bytes * slice, view->type, view->width,
                                                   view->height, view->components);
    copy_samples(view, &place, false);
    if (slice + 1 < frames)
        return MIST_OK;
    struct mist_view *views = memory_allocate_array(frames, sizeof *views);
    if (!views)
        return import_out_of_memory(import, error);
    for (uint32_t i = 0; i < frames; i++)
        views[i] = mist_view_interleaved(unit->samples.data + bytes * i, view->type, view->width, view->height,
                                         view->components);
    enum mist_status status =
        coder_encode(import->codecs[0], import->threads, about, views, frames, &import->coded, error);
    memory_free(views);
    return status ? status : item_writer_unit(&import->writer, stream, &import->coded, error);
}

static enum mist_status put_streams(struct import *import, struct import_slot *slot, uint32_t frame,
                                    struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < import->manifest.streams && !status; i++) {
        const struct coder_stream *stream = &import->manifest.stream[i];
        if (stream->unit == 1)
            status = item_writer_unit(&import->writer, i, &slot->coded[i], error);
        else if (stream->unit > 1)
            status = gather(import, i, frame, stream_view(slot, stream), error);
    }
    return status;
}

/* The table of values, which all frames share. */
static enum mist_status put_table(struct import *import, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (unsigned i = 0; i < import->manifest.streams && !status; i++) {
        if (import->manifest.stream[i].coder != CODER_TABLE)
            continue;
        import->coded.header.size = 0;
        status = value_table_write(&import->manifest.values, &import->coded.bytes, error);
        import->coded.size[0] = import->coded.bytes.size;
        if (!status)
            status = item_writer_unit(&import->writer, i, &import->coded, error);
    }
    return status;
}

static enum mist_status put_slot(struct import *import, struct import_slot *slot, uint32_t frame,
                                 struct mist_error *error)
{
    enum mist_status status = import->frame_in_file == 0 ? start_next_file(import, error) : MIST_OK;
    if (!status)
        status = content_frame(&import->content, &slot->samples, error);
    if (!status && import->contents)
        import->contents[frame] =
            checksum(slot->samples.data, mist_frame_bytes(slot->samples.type, slot->samples.width, slot->samples.height,
                                                          slot->samples.components));
    if (!status && import->way <= IMPORT_ABOVE)
        status = content_kept(&import->content, &slot->source_bytes, &slot->rebuild, error);
    if (!status)
        status = put_streams(import, slot, frame, error);
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
            status = put_slot(import, &import->slots[i], import->first + i, error);
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
    return good ? MIST_OK : import_out_of_memory(import, error);
}

/* What conversion to other formats needs to be told of the frames. */
static enum mist_status describe_frames(struct import *import, struct mist_error *error)
{
    const struct format_source_ops *ops = import->source->ops;
    struct mist_buffer said = {0};
    if (!ops->describe)
        return MIST_OK;
    enum mist_status status = ops->describe(import->source, import->contents, &said, error);
    if (!status && !manifest_set_extra(&import->manifest, MANIFEST_FRAMES, said.data, said.size))
        status = import_out_of_memory(import, error);
    mist_buffer_free(&said);
    return status;
}

/* Everything with the value map at hand; MIST_ERROR_RANGE if a sample is outside the declared precision. */
static enum mist_status code_all(struct import *import, const struct mist_progress *progress, struct mist_error *error)
{
    const enum format_color color = import->source->color;
    import->file = import->frame_in_file = 0;
    atomic_store(&import->colored, import->manifest.image.components != 3 || import->manifest.image.label ||
                                       (color != FORMAT_RGB && color != FORMAT_YBR));
    enum mist_status status =
        item_writer_start(&import->writer, import->path, &import->manifest, import->levels, import->steps, error);
    if (status)
        return status;
    status = make_workers(import, error);
    if (!status)
        status = put_table(import, error);
    if (!status)
        status = code_frames(import, progress, error);
    if (!status)
        status = describe_frames(import, error);
    if (!status)
        status = item_writer_finish(&import->writer, error);
    content_free(&import->content);
    free_slots(import);
    coder_coded_free(&import->coded);
    for (unsigned i = 0; i < LAYOUT_MAX_STREAMS; i++)
        mist_buffer_free(&import->unit[i].samples);
    return status;
}

/* Whether what did not go in one way may go in the next. */
static bool is_next(const struct import *import, enum mist_status status)
{
    enum import_way way = import->way;
    if (format_of(import->source->kind)->bare_codestream)
        /* Only its own bytes make the file again. JPEG that its coder refuses is damaged or odd: an attachment. */
        return way == IMPORT_KEEP && status == MIST_ERROR_UNSUPPORTED && import->source->stream != FORMAT_STREAM_JPEG;
    if (way <= IMPORT_ABOVE) /* also where the file could not be put together again of what is kept */
        return status == MIST_ERROR_UNSUPPORTED || status == MIST_ERROR_CORRUPT || status == MIST_ERROR_LIMIT;
    return way == IMPORT_TRUST && (status == MIST_ERROR_UNSUPPORTED || status == MIST_ERROR_RANGE);
}

static enum mist_status import_source(struct import *import, const struct mist_progress *progress,
                                      struct mist_error *error)
{
    enum mist_status status = fill_manifest(import, error);
    import->codecs = memory_allocate_zeroed(import->threads, sizeof *import->codecs);
    for (unsigned i = 0; i < import->threads && import->codecs && !status; i++) {
        import->codecs[i] = mist_codec_new();
        if (!import->codecs[i])
            status = import_out_of_memory(import, error);
    }
    if (!status && !import->codecs)
        status = import_out_of_memory(import, error);
    bool again = !status;
    for (import->way = IMPORT_KEEP; again; import->way++) {
        status = import_plan(import, error);
        if (!status)
            status = code_all(import, progress, error);
        again = is_next(import, status);
        if (again && import->writer.path)
            item_writer_free(&import->writer);
    }
    return status;
}

/* Files come back wrapped where their names say so, which must have been true. */
static enum mist_status check_wrapping(const struct import *import, uint32_t input, struct mist_error *error)
{
    const struct format_source *source = import->source;
    const enum format_wrapping named = format_wrapping_of_path(import->options->names[input]);
    const bool is = format_is_unpacked(source, input);
    const bool pair = source->files > 1 && !format_of(source->kind)->grouped;
    if (pair || is == (named != WRAPPING_NONE) ||
        (!is && named == WRAPPING_GZIP && format_of(source->kind)->gzip_inside))
        return MIST_OK;
    return error_set(error, MIST_ERROR_UNSUPPORTED, "%s: its name says that it %s compressed as a whole, but it is%s",
                     import->options->paths[input], named ? "is" : "is not", named ? " not" : "");
}

static enum mist_status open_source(struct import *import, struct mist_error *error)
{
    const struct mist_import_options *options = import->options;
    enum format_kind kind;
    struct format_input *inputs = memory_allocate_zeroed(options->count, sizeof *inputs);
    if (!inputs)
        return import_out_of_memory(import, error);
    for (uint32_t i = 0; i < options->count; i++)
        inputs[i] = format_input_path(options->paths[i]);
    enum mist_status status = format_detect(inputs, &kind, error);
    const struct format *format = status ? NULL : format_of(kind);
    if (format && !format->dataset)
        status = error_set(error, MIST_ERROR_UNSUPPORTED, "%s: files of format '%s' are not made items of",
                           options->paths[0], format->name);
    if (!status)
        status = format_open(kind, inputs, options->count, &import->source, error);
    for (uint32_t i = 0; i < options->count && !status; i++)
        status = check_wrapping(import, i, error);
    memory_free(inputs);
    return status;
}

enum mist_status mist_item_import(const struct mist_import_options *options, const char *item_path,
                                  struct mist_import_report *report, const struct mist_progress *progress,
                                  struct mist_error *error)
{
    if (options->count == 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: no source files", item_path);
    struct import *import = memory_allocate_zeroed(1, sizeof *import);
    if (!import)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", item_path);
    *import =
        (struct import){.options = options, .path = item_path, .threads = options->threads ? options->threads : 1};
    enum mist_status status = open_source(import, error);
    if (!status)
        import_hold_small(import);
    if (!status && import->source->ops->describe)
        import->contents = memory_allocate_zeroed(import->source->info.frames, sizeof *import->contents);
    if (!status)
        status = import_source(import, progress, error);
    if (!status && report) {
        *report = (struct mist_import_report){.looks_like_labels = import->looks_like_labels,
                                              .label = import->manifest.image.label,
                                              .grey_as_color = !import->colored,
                                              .compressed = import->source->stream != FORMAT_STREAM_NONE ||
                                                            import->source->kind == FORMAT_PNG,
                                              .lossy = manifest_stream(&import->manifest, CODER_ORIGINAL) != NULL};
        snprintf(report->warning, sizeof report->warning, "%s", import->source->warning);
    }
    for (unsigned i = 0; i < import->threads && import->codecs; i++)
        mist_codec_free(&import->codecs[i]);
    memory_free(import->codecs);
    memory_free(import->contents);
    if (import->writer.path)
        item_writer_free(&import->writer);
    manifest_free(&import->manifest);
    if (import->source)
        import_free_held(import);
    format_close(&import->source);
    memory_free(import);
    return status;
}
