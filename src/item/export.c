/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Item -> files. Each source file becomes one file again, or, in formats that hold one frame (PNG, codestreams), one
 * file a frame: NAME_0001.png ... where it has several. A series of single-frame files becomes one file in formats that
 * hold many (NIfTI, NPY), named after the first.
 */
#include "coder/coder.h"
#include "format/format.h"
#include "item/decoder.h"
#include "item/export.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#include <stdio.h>
#include <string.h>

/* One frame on its way out. */
struct slot {
    struct mist_view frame;    /* as written */
    struct mist_view native;   /* decoded, where it must be resampled; data NULL where not */
    struct mist_view centered; /* for --exact, where reduced */
    struct mist_buffer codestream;
};

struct export
{
    const mist_item *item;
    const struct mist_export_options *options;
    const char *directory;
    void (*written)(void *context, const char *path);
    void *context;
    const struct format_output *output; /* NULL: as the source was */
    const struct format *format;        /* of what is written */
    struct mist_image_info info;        /* of what is written, all frames */
    struct sampling sampling;           /* ... and how it lies in the original */
    bool resampled;
    enum format_syntax syntax;
    bool codestreams;     /* the file takes them instead of samples ... */
    bool color_transform; /* ... which may have the colour transform */
    unsigned threads;
    mist_decoder **decoders; /* [threads] */
    uint32_t wanted;         /* frames that are written: those of the slice step */
    const uint32_t *order;   /* [wanted] which frames of the item these are; NULL: those of the slice step in order */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t first; /* frame in slot 0 */
    uint32_t ready; /* frames in the slots */
    struct tail_reader tail;
    bool archived;
};

static enum mist_status out_of_memory(const struct export *export, struct mist_error *error)
{
    return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", export->item->name);
}

/* ---- the frames of a slice step ---- */

/* How many of the frames before `frame` are written. */
static uint32_t wanted_before(const struct export *export, uint32_t frame)
{
    uint32_t slices = export->item->info.image.slices;
    return frame / slices * export->info.slices + step_slices(frame % slices, export->options->step);
}

/* The n-th frame that is written. */
static uint32_t wanted_frame(const struct export *export, uint32_t n)
{
    uint32_t slices = export->info.slices;
    if (export->order)
        return export->order[n];
    return n / slices * export->item->info.image.slices + (n % slices << export->options->step);
}

/* ---- one frame, in a worker ---- */

/* The reduce that samples are decoded at: labels are chosen from the full resolution where another grid is asked for.
 */
static unsigned decoded_reduce(const struct export *export)
{
    return export->resampled && export->item->info.image.label ? 0 : export->options->reduce;
}

static enum mist_status resample(const struct export *export, mist_decoder *decoder, uint32_t frame, struct slot *slot,
                                 struct mist_error *error)
{
    const mist_item *item = export->item;
    const unsigned reduce = export->options->reduce;
    enum mist_status status = mist_item_decode(item, decoder, frame, decoded_reduce(export), &slot->native, error);
    if (status)
        return status;
    if (item->info.image.label)
        return mist_resize(&slot->native, &slot->frame, true, error);
    const bool centred = item->info.centred || reduce == 0;
    if (!export->options->exact_width)
        return centred ? mist_grid_native(&slot->native, reduce, &slot->frame, error)
                       : mist_grid_center(&slot->native, reduce, &slot->frame, error);
    const struct mist_view *source = &slot->native;
    if (!centred) {
        status = mist_grid_center(&slot->native, reduce, &slot->centered, error);
        source = &slot->centered;
    }
    return status ? status : mist_resize(source, &slot->frame, false, error);
}

/* The frame's samples as they are written. */
static enum mist_status make_samples(const struct export *export, mist_decoder *decoder, uint32_t frame,
                                     struct slot *slot, struct mist_error *error)
{
    return export->resampled
               ? resample(export, decoder, frame, slot, error)
               : mist_item_decode(export->item, decoder, frame, export->options->reduce, &slot->frame, error);
}

/* A lossless codestream of the samples as they are written: the stored one where it is that, else one made anew. */
static enum mist_status make_codestream(const struct export *export, mist_decoder *decoder, uint32_t frame,
                                        struct slot *slot, struct mist_error *error)
{
    const mist_item *item = export->item;
    const struct coder_plane *stored = &item->manifest.stream[0].plane;
    const bool transformed = stored->color_transform && stored->components >= 3;
    if (!export->resampled && item_has_codestreams(item) && (export->color_transform || !transformed))
        return mist_item_codestream(item, decoder, frame, export->options->reduce, &slot->codestream, error);
    struct mist_encode_options options = mist_encode_options_default();
    options.color_transform = export->color_transform && !item->info.image.label;
    options.precision = item->info.image.precision;
    enum mist_status status = make_samples(export, decoder, frame, slot, error);
    return status ? status : mist_encode(decoder->codec, &slot->frame, &options, &slot->codestream, error);
}

static enum mist_status make_frame(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct export *export = context;
    struct slot *slot = &export->slots[index];
    uint32_t frame = wanted_frame(export, export->first + (uint32_t)index);
    mist_decoder *decoder = export->decoders[worker];
    if (export->format->whole_codestream)
        return mist_item_codestream(export->item, decoder, frame, export->options->reduce, &slot->codestream, error);
    return export->codestreams ? make_codestream(export, decoder, frame, slot, error)
                               : make_samples(export, decoder, frame, slot, error);
}

/* The slot of the n-th frame that is written; they are asked for in ascending order. */
static enum mist_status get_frame(struct export *export, uint32_t n, struct slot **slot, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    if (n >= export->first + export->ready) {
        uint32_t left = export->wanted - n;
        export->first = n;
        export->ready = left < export->slot_count ? left : export->slot_count;
        status = pool_run(export->threads, export->ready, make_frame, export, error);
    }
    *slot = &export->slots[n - export->first];
    return status;
}

static bool make_slot(const struct export *export, struct slot *slot)
{
    const struct mist_image_info *image = &export->item->info.image, *info = &export->info;
    *slot = (struct slot){.frame = item_new_view(info->type, info->width, info->height, info->components)};
    bool good = slot->frame.data != NULL;
    unsigned reduce = decoded_reduce(export);
    uint32_t width = mist_reduced_size(image->width, reduce), height = mist_reduced_size(image->height, reduce);
    if (good && export->resampled) {
        slot->native = item_new_view(image->type, width, height, image->components);
        good = slot->native.data != NULL;
    }
    if (good && export->resampled && export->options->exact_width && reduce) {
        slot->centered = item_new_view(image->type, width, height, image->components);
        good = slot->centered.data != NULL;
    }
    return good;
}

static enum mist_status make_workers(struct export *export, struct mist_error *error)
{
    uint32_t frames = export->wanted, wanted = export->threads > 1 ? 4 * export->threads : 1;
    export->slot_count = frames < wanted ? frames : wanted;
    export->slots = memory_allocate_zeroed(export->slot_count, sizeof *export->slots);
    export->decoders = memory_allocate_zeroed(export->threads, sizeof *export->decoders);
    bool good = export->slots && export->decoders;
    for (uint32_t i = 0; good && i < export->slot_count; i++)
        good = make_slot(export, &export->slots[i]);
    for (unsigned i = 0; good && i < export->threads; i++)
        good = (export->decoders[i] = mist_decoder_new()) != NULL;
    return good ? MIST_OK : out_of_memory(export, error);
}

static void free_export(struct export *export)
{
    for (uint32_t i = 0; export->slots && i < export->slot_count; i++) {
        memory_free(export->slots[i].frame.data);
        memory_free(export->slots[i].native.data);
        memory_free(export->slots[i].centered.data);
        mist_buffer_free(&export->slots[i].codestream);
    }
    for (unsigned i = 0; export->decoders && i < export->threads; i++)
        mist_decoder_free(&export->decoders[i]);
    memory_free(export->slots);
    memory_free(export->decoders);
    tail_reader_free(&export->tail);
}

/* ---- paths ---- */

/* DIRECTORY/PATH, with another extension where the format is another, and _NUMBER before it where number > 0. */
static char *output_path(const struct export *export, const char *path, uint32_t number)
{
    size_t stem = strlen(path);
    const char *extension = export->output ? export->output->suffix : "";
    if (export->output)
        stem = format_stem(path);
    char numbered[16] = "";
    if (number)
        snprintf(numbered, sizeof numbered, "_%04u", number);
    size_t size = stem + strlen(numbered) + strlen(extension) + 1;
    char *name = memory_allocate(size);
    if (!name)
        return NULL;
    snprintf(name, size, "%.*s%s%s", (int)stem, path, numbered, extension);
    char *full = path_join(export->directory, name);
    memory_free(name);
    return full;
}

/* ---- files ---- */

/* The file's record in the tail; *archive is NULL where the tail is not here. */
static enum mist_status get_archive(struct export *export, uint32_t file, struct tail_record *record,
                                    const struct format_archive **archive, struct mist_error *error)
{
    *archive = NULL;
    if (!export->archived || export->format->whole_codestream)
        return MIST_OK;
    enum mist_status status = tail_reader_get(&export->tail, file, record, error);
    if (status)
        return error_prefix(error, status, "%s", export->item->name);
    *archive = &record->archive;
    return MIST_OK;
}

/* Whether frames of a file are written as they came compressed. */
static bool gives_originals(const struct export *export, const struct tail_record *record,
                            const struct format_writer *writer)
{
    return record->rebuild.size && !writer->converts && export->format->kind == export->item->manifest.kind &&
           export->options->reduce == 0 && !export->resampled;
}

/* All frames of a source file, as they came compressed. */
static enum mist_status write_originals(struct export *export, uint32_t file, struct format_writer *writer,
                                        struct byte_reader *rebuild, struct mist_error *error)
{
    const mist_item *item = export->item;
    const struct manifest_file *of = &item->manifest.file[file];
    const struct coder_stream *stream = &item->manifest.stream[0];
    struct coder_parts *parts = memory_allocate(sizeof *parts);
    struct mist_buffer bytes = {0};
    enum mist_status status = parts ? MIST_OK : out_of_memory(export, error);
    for (uint32_t frame = of->first_frame; frame < of->first_frame + of->frames && !status; frame++) {
        uint64_t size = read_varint(rebuild);
        struct coder_piece piece = {reader_take(rebuild, (size_t)size), (size_t)size};
        if (!piece.data) {
            status = error_set(error, MIST_ERROR_CORRUPT, "%s: the archival tail is damaged", item->name);
            break;
        }
        item_unit_parts(item, 0, frame, parts);
        status = coder_original(stream, parts, piece, &bytes, error);
        if (!status)
            status = format_writer_bytes(writer, bytes.data, bytes.size, error);
    }
    mist_buffer_free(&bytes);
    memory_free(parts);
    return status;
}

/* What the writer wants of frames. Those that were made ahead in another way are made again. */
static void take_wishes(struct export *export, const struct format_writer *writer)
{
    if (writer->codestreams != export->codestreams || writer->color_transform != export->color_transform)
        export->ready = 0;
    export->codestreams = writer->codestreams;
    export->color_transform = writer->color_transform;
}

/* Writes those of the frames [first, first + count) that are wanted, of source file `file` on, into one file. */
static enum mist_status write_file(struct export *export, uint32_t file, uint32_t first, uint32_t count,
                                   uint32_t number, struct mist_error *error)
{
    const mist_item *item = export->item;
    bool joined = item->manifest.files > 1 && count > item->manifest.file[file].frames;
    const char *source_path = joined && export->options->name ? export->options->name : item->manifest.file[file].path;
    uint32_t from = wanted_before(export, first), to = wanted_before(export, first + count);
    if (from == to)
        return MIST_OK;
    struct tail_record record = {0};
    struct format_target target = {.kind = export->format->kind,
                                   .info = export->info,
                                   .source = &item->info.image,
                                   .sampling = export->sampling,
                                   .reduce = export->options->reduce,
                                   .resampled = export->resampled,
                                   .source_kind = item->manifest.kind,
                                   .head = item->manifest.source_head.data,
                                   .head_size = item->manifest.source_head.size,
                                   .file = file,
                                   .first_frame = first,
                                   .keep_uids = export->options->keep_uids,
                                   .syntax = export->syntax};
    target.info.frames = to - from;
    if (target.info.frames % target.info.slices)
        target.info.slices = target.info.frames;
    enum mist_status status = get_archive(export, file, &record, &target.archive, error);
    char *path = status ? NULL : output_path(export, source_path, number);
    if (!status && !path)
        status = out_of_memory(export, error);
    target.path = path;
    target.gzip = export->output ? export->output->gzip : format_path_is_gzip(source_path);
    struct format_writer *writer = NULL;
    struct byte_reader rebuild =
        byte_reader_start(record.rebuild.data ? record.rebuild.data : (const uint8_t *)"", record.rebuild.size);
    if (!status)
        status = format_writer_open(&target, &writer, error);
    if (!status)
        take_wishes(export, writer);
    if (!status && gives_originals(export, &record, writer))
        status = write_originals(export, file, writer, &rebuild, error);
    else
        for (uint32_t n = from; n < to && !status; n++) {
            struct slot *slot;
            status = get_frame(export, n, &slot, error);
            if (!status && (export->format->whole_codestream || export->codestreams))
                status = format_writer_bytes(writer, slot->codestream.data, slot->codestream.size, error);
            else if (!status)
                status = format_writer_frame(writer, &slot->frame, error);
        }
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    if (!status && export->written)
        export->written(export->context, path);
    memory_free(path);
    return status;
}

/* ---- volumes of a DICOM series ---- */

/* These frames of the item, in this order: for export_volumes(). */
static enum mist_status write_chosen(void *context, struct format_writer *writer, const uint32_t *frames,
                                     uint32_t count, struct mist_error *error)
{
    struct export *export = context;
    enum mist_status status = MIST_OK;
    export->order = frames;
    export->wanted = count;
    export->first = export->ready = 0;
    for (uint32_t n = 0; n < count && !status; n++) {
        struct slot *slot;
        status = get_frame(export, n, &slot, error);
        if (!status)
            status = format_writer_frame(writer, &slot->frame, error);
    }
    export->order = NULL;
    return status;
}

static enum mist_status write_volumes(struct export *export, struct mist_error *error)
{
    const mist_item *item = export->item;
    uint32_t *frames = memory_allocate_array(export->wanted, sizeof *frames);
    if (!frames)
        return out_of_memory(export, error);
    for (uint32_t n = 0; n < export->wanted; n++)
        frames[n] = wanted_frame(export, n);
    const struct export_volumes volumes = {.item = item,
                                           .options = export->options,
                                           .directory = export->directory,
                                           .suffix = export->output ? export->output->suffix : "",
                                           .target = {.kind = export->format->kind,
                                                      .info = export->info,
                                                      .source = &item->info.image,
                                                      .sampling = export->sampling,
                                                      .reduce = export->options->reduce,
                                                      .resampled = export->resampled,
                                                      .source_kind = item->manifest.kind,
                                                      .gzip = export->output && export->output->gzip},
                                           .frames = frames,
                                           .count = export->wanted,
                                           .write = write_chosen,
                                           .export = export,
                                           .written = export->written,
                                           .context = export->context};
    enum mist_status status = export_volumes(&volumes, error);
    memory_free(frames);
    return status;
}

static enum mist_status write_all(struct export *export, struct mist_error *error)
{
    const struct manifest *manifest = &export->item->manifest;
    if (export_takes_volumes(export->format, export->item))
        return write_volumes(export, error);
    const struct format *format = export->format;
    bool many = !export->output || format->many_frames;
    /* DICOM series have a file a slice; other formats that hold volumes take the whole series. */
    if (export->output && many && !format->one_output_a_source && manifest->files > 1)
        return write_file(export, 0, 0, manifest->image.frames, 0, error);
    enum mist_status status = MIST_OK;
    for (uint32_t i = 0; i < manifest->files && !status; i++) {
        const struct manifest_file *file = &manifest->file[i];
        if (many) {
            status = write_file(export, i, file->first_frame, file->frames, 0, error);
            continue;
        }
        for (uint32_t n = 0; n < file->frames && !status; n++) {
            uint32_t number = file->frames > 1 ? n + 1 : 0;
            status = write_file(export, i, file->first_frame + n, 1, number, error);
        }
    }
    return status;
}

/* ---- options ---- */

static enum mist_status find_format(struct export *export, struct mist_error *error)
{
    const char *name = export->options->format;
    char names[FORMAT_LIST_SIZE];
    const struct format *source = format_of(export->item->manifest.kind);
    export->format = source;
    if (!name)
        return MIST_OK;
    export->output = format_output_find(name, &export->format);
    if (!export->output)
        return error_set(error, MIST_ERROR_ARGUMENT, "no format '%s' can be written; there is %s", name,
                         format_item_outputs(names));
    /* Its own format under its own name: written as if none had been named, so that it is the original again. */
    if (export->format == source && source->keeps_names)
        export->output = NULL;
    return MIST_OK;
}

static enum mist_status find_syntax(struct export *export, struct mist_error *error)
{
    const char *name = export->options->transfer_syntax;
    if (!name)
        return MIST_OK;
    if (strcmp(name, "explicit") != 0 && strcmp(name, "htj2k") != 0)
        return error_set(error, MIST_ERROR_ARGUMENT, "a transfer syntax is explicit or htj2k, not '%s'", name);
    export->syntax = strcmp(name, "htj2k") == 0 ? FORMAT_SYNTAX_HTJ2K : FORMAT_SYNTAX_EXPLICIT;
    return MIST_OK;
}

static enum mist_status plan(struct export *export, struct mist_error *error)
{
    const struct mist_export_options *options = export->options;
    const struct mist_image_info *image = &export->item->info.image;
    if (options->reduce >= export->item->info.levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a reduce of %u; it has %u levels", export->item->name,
                         options->reduce, export->item->info.levels);
    if (!options->exact_width != !options->exact_height || options->exact_width > MIST_MAX_SIDE ||
        options->exact_height > MIST_MAX_SIDE)
        return error_set(error, MIST_ERROR_ARGUMENT, "an exact size of %u x %u", options->exact_width,
                         options->exact_height);
    export->info = *image;
    export->info.width = mist_reduced_size(image->width, options->reduce);
    export->info.height = mist_reduced_size(image->height, options->reduce);
    bool center = options->grid == MIST_GRID_CENTER && options->reduce > 0;
    bool shifted = options->reduce > 0 && center != (export->item->info.centred && !image->label);
    bool exact = options->exact_width &&
                 (options->exact_width != image->width || options->exact_height != image->height || options->reduce);
    export->resampled = shifted || exact;
    if (options->step > export->item->info.steps)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a slice step of %u; it has steps 0 to %u", export->item->name,
                         options->step, export->item->info.steps);
    export->info.slices = step_slices(image->slices, options->step);
    export->wanted = image->frames / image->slices * export->info.slices;
    export->info.frames = export->wanted;
    export->sampling = sampling_reduce(options->reduce, options->step, center);
    if (exact) {
        export->info.width = options->exact_width;
        export->info.height = options->exact_height;
        export->sampling = sampling_resize(image->width, image->height, options->exact_width, options->exact_height);
    }
    export->info.geometry = sampling_geometry(&export->sampling, &image->geometry);
    if (export->resampled && export->format->whole_codestream)
        return error_set(error, MIST_ERROR_ARGUMENT, "codestreams are written on the native grid only");
    return MIST_OK;
}

const char *mist_export_formats(char text[MIST_EXPORT_FORMATS_SIZE])
{
    _Static_assert(MIST_EXPORT_FORMATS_SIZE == FORMAT_LIST_SIZE, "one list, one size");
    return format_item_outputs(text);
}

enum mist_status mist_item_export(const mist_item *item, const struct mist_export_options *options,
                                  const char *directory, void (*written)(void *context, const char *path),
                                  void *context, struct mist_error *error)
{
    struct export export = {.item = item,
                            .options = options,
                            .directory = directory,
                            .written = written,
                            .context = context,
                            .threads = options->threads ? options->threads : 1};
    enum mist_status status = find_format(&export, error);
    if (!status)
        status = find_syntax(&export, error);
    if (!status)
        status = plan(&export, error);
    if (!status)
        status = make_workers(&export, error);
    export.archived = item->info.tail_present;
    if (export.archived)
        tail_reader_start(&export.tail, item_tail(item), &item->manifest);
    if (!status)
        status = write_all(&export, error);
    free_export(&export);
    return status;
}
