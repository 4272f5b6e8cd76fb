/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Item -> files. Each source file becomes one file again, or, in formats that hold one frame (PNG, codestreams), one
 * file a frame: NAME_0001.png ... where it has several. A series of single-frame files becomes one file in formats that
 * hold many (NIfTI, NPY), named after the first.
 */
#include "convert/export.h"
#include "convert/original.h"
#include "format/format.h"
#include "format/units.h"
#include "image/between.h"
#include "item/decoder.h"
#include "item/export_plan.h"
#include "item/regrid.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

/* One frame on its way out. */
struct slot {
    struct mist_view frame; /* as written */
    struct regrid_room room;
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
    struct regrid regrid;
    enum format_syntax syntax;
    bool codestreams;     /* the file takes them instead of samples ... */
    bool color_transform; /* ... which may have the colour transform */
    unsigned threads;
    mist_decoder **decoders;           /* [threads] */
    uint32_t wanted;                   /* frames that are written */
    const struct regrid_source *order; /* [wanted] what these come from; NULL: from the slices of the step in order */
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

/* ---- one frame, in a worker ---- */

/* What the n-th frame that is written comes from. */
static struct regrid_source source_of(const struct export *export, uint32_t n)
{
    if (export->order)
        return export->order[n];
    return regrid_source(&export->item->info.image, &export->regrid.grid, n);
}

/* A lossless codestream of the samples as they are written: the stored one where it is that, else one made anew. */
static enum mist_status make_codestream(const struct export *export, mist_decoder *decoder,
                                        const struct regrid_source *source, struct slot *slot, struct mist_error *error)
{
    const mist_item *item = export->item;
    const struct coder_plane *stored = &item->manifest.stream[0].plane;
    const bool transformed = stored->color_transform && stored->components >= 3;
    const bool as_stored = !export->regrid.grid.resampled && !export->regrid.grid.between_slices;
    if (as_stored && item_has_codestreams(item) && (export->color_transform || !transformed))
        return mist_item_codestream(item, decoder, source->frame, export->options->reduce, &slot->codestream, error);
    struct mist_encode_options options = mist_encode_options_default();
    options.color_transform = export->color_transform && !item->info.image.label;
    options.precision = item->info.image.precision;
    enum mist_status status = regrid_frame(&export->regrid, decoder, source, &slot->room, &slot->frame, error);
    return status ? status : mist_encode(decoder->codec, &slot->frame, &options, &slot->codestream, error);
}

static enum mist_status make_frame(void *context, uint64_t index, unsigned worker, struct mist_error *error)
{
    struct export *export = context;
    struct slot *slot = &export->slots[index];
    const struct regrid_source source = source_of(export, export->first + (uint32_t)index);
    mist_decoder *decoder = export->decoders[worker];
    if (export->format->whole_codestream)
        return mist_item_codestream(export->item, decoder, source.frame, export->options->reduce, &slot->codestream,
                                    error);
    if (export->codestreams)
        return make_codestream(export, decoder, &source, slot, error);
    return regrid_frame(&export->regrid, decoder, &source, &slot->room, &slot->frame, error);
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
    const struct mist_image_info *info = &export->info;
    *slot = (struct slot){.frame = item_new_view(info->type, info->width, info->height, info->components)};
    return slot->frame.data && regrid_room_make(&export->regrid, &slot->room);
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
        regrid_room_free(&export->slots[i].room);
        mist_buffer_free(&export->slots[i].codestream);
    }
    for (unsigned i = 0; export->decoders && i < export->threads; i++)
        mist_decoder_free(&export->decoders[i]);
    memory_free(export->slots);
    memory_free(export->decoders);
    tail_reader_free(&export->tail);
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
           export->options->reduce == 0 && !export->regrid.grid.resampled;
}

/* All frames of a source file, as they came compressed. */
static enum mist_status write_originals(struct export *export, uint32_t file, struct format_writer *writer,
                                        const struct tail_record *record, struct mist_error *error)
{
    const struct manifest_file *of = &export->item->manifest.file[file];
    struct mist_buffer bytes = {0};
    struct original_reader reader;
    enum mist_status status = original_start(export->item, of->first_frame, record, &reader, error);
    for (uint32_t frame = 0; frame < of->frames && !status; frame++) {
        status = original_next(&reader, &bytes, error);
        if (!status)
            status = format_writer_bytes(writer, bytes.data, bytes.size, error);
    }
    original_end(&reader);
    mist_buffer_free(&bytes);
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

static void describe_target(const struct export *export, const struct export_file *file, struct format_target *target)
{
    const mist_item *item = export->item;
    const enum format_wrapping wrapping = export->output
                                              ? (export->output->gzip ? WRAPPING_GZIP : WRAPPING_NONE)
                                              : format_wrapping_of_path(item->manifest.file[file->source].path);
    const bool pair = item->manifest.files > 1 && export->format->paired;
    const bool gzip = export->format->gzip_inside && wrapping == WRAPPING_GZIP;
    *target = (struct format_target){.kind = export->format->kind,
                                     .gzip = gzip,
                                     .wrapping = gzip || pair ? WRAPPING_NONE : wrapping,
                                     .info = export->info,
                                     .source = &item->info.image,
                                     .sampling = export->regrid.grid.sampling,
                                     .reduce = export->options->reduce,
                                     .resampled = export->regrid.grid.resampled || export->regrid.grid.between_slices,
                                     .source_kind = item->manifest.kind,
                                     .head = item->manifest.source_head.data,
                                     .head_size = item->manifest.source_head.size,
                                     .file = file->source,
                                     .first_frame = file->first_frame,
                                     .unsynced = export->options->unsynced,
                                     .keep_uids = export->options->keep_uids,
                                     .identical = export->options->identical,
                                     .syntax = export->syntax};
    target->info.frames = file->end - file->first;
    if (target->info.frames % target->info.slices)
        target->info.slices = target->info.frames;
}

/* The frames [first, end) of those that are written. */
static enum mist_status write_frames(struct export *export, struct format_writer *writer, uint32_t first, uint32_t end,
                                     struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    for (uint32_t n = first; n < end && !status; n++) {
        struct slot *slot;
        status = get_frame(export, n, &slot, error);
        if (!status && (export->format->whole_codestream || export->codestreams))
            status = format_writer_bytes(writer, slot->codestream.data, slot->codestream.size, error);
        else if (!status)
            status = format_writer_frame(writer, &slot->frame, error);
    }
    return status;
}

/* Writes one file: an export_visit. */
static enum mist_status write_file(void *context, const struct export_file *file, const char *name,
                                   struct mist_error *error)
{
    struct export *export = context;
    struct tail_record record = {0};
    struct format_target target;
    if (export->options->only_file && file->source != export->options->only_file - 1)
        return MIST_OK;
    describe_target(export, file, &target);
    enum mist_status status = get_archive(export, file->source, &record, &target.archive, error);
    char *path = status ? NULL : path_join(export->directory, name);
    if (!status && !path)
        status = out_of_memory(export, error);
    target.path = path;
    struct format_writer *writer = NULL;
    if (!status)
        status = format_writer_open(&target, &writer, error);
    if (!status)
        take_wishes(export, writer);
    if (!status && gives_originals(export, &record, writer))
        status = write_originals(export, file->source, writer, &record, error);
    else if (!status)
        status = write_frames(export, writer, file->first, file->end, error);
    if (!status)
        status = format_writer_finish(&writer, error);
    format_writer_cancel(&writer);
    if (!status && export->written)
        export->written(export->context, path);
    memory_free(path);
    return status;
}

/* ---- volumes of a DICOM series ---- */

/* Frames that are made of these, in this order. */
static void set_order(struct export *export, const struct regrid_source *order, uint32_t count)
{
    export->order = order;
    export->wanted = count;
    export->first = export->ready = 0;
}

static enum mist_status write_stored(struct export *export, struct format_writer *writer,
                                     const struct export_sources *sources, struct mist_error *error)
{
    enum mist_status status = MIST_OK;
    set_order(export, sources->source, sources->count);
    for (uint32_t n = 0; n < sources->count && !status; n++) {
        struct slot *slot;
        status = get_frame(export, n, &slot, error);
        if (!status)
            status = format_writer_frame(writer, &slot->frame, error);
    }
    return status;
}

/* Values in the units of the plan, interpolated between neighbours that are scaled each in its own way. */
static enum mist_status write_scaled(struct export *export, struct format_writer *writer,
                                     const struct export_sources *sources, struct mist_error *error)
{
    const struct mist_image_info *info = &export->info;
    struct regrid_source *pairs = memory_allocate_array(sources->count, 2 * sizeof *pairs);
    struct mist_view values[2];
    for (unsigned i = 0; i < 2; i++)
        values[i] = item_new_view(MIST_F32, info->width, info->height, info->components);
    enum mist_status status = pairs && values[0].data && values[1].data ? MIST_OK : out_of_memory(export, error);
    for (uint32_t n = 0; n < sources->count && !status; n++) {
        const struct regrid_source *source = &sources->source[n];
        pairs[2 * (size_t)n] = (struct regrid_source){source->frame, source->frame, 0};
        pairs[2 * (size_t)n + 1] = (struct regrid_source){source->next, source->next, 0};
    }
    set_order(export, pairs, 2 * sources->count);
    for (uint32_t n = 0; n < 2 * sources->count && !status; n++) {
        struct slot *slot;
        status = get_frame(export, n, &slot, error);
        if (status)
            break;
        units_apply(sources->units, sources->places[n / 2][n % 2], &slot->frame, MIST_F32, values[n % 2].data);
        if (n % 2)
            status = resample_between(&values[0], &values[1], sources->source[n / 2].behind, error);
        if (n % 2 && !status)
            status = format_writer_frame(writer, &values[0], error);
    }
    memory_free(pairs);
    memory_free(values[0].data);
    memory_free(values[1].data);
    return status;
}

/* For export_volumes(). */
static enum mist_status write_chosen(void *context, struct format_writer *writer, const struct export_sources *sources,
                                     struct mist_error *error)
{
    struct export *export = context;
    enum mist_status status =
        sources->units ? write_scaled(export, writer, sources, error) : write_stored(export, writer, sources, error);
    export->order = NULL;
    return status;
}

/* Which frames of the item can be had: those of the slice step. Their number; `frames` may be NULL. */
static uint32_t frames_of_step(const struct export *export, uint32_t *frames)
{
    const struct mist_image_info *image = &export->item->info.image;
    uint32_t count = 0;
    for (uint32_t frame = 0; frame < image->frames; frame++)
        if (frame % image->slices % (1u << export->regrid.grid.step) == 0) {
            if (frames)
                frames[count] = frame;
            count++;
        }
    return count;
}

static enum mist_status write_volumes(struct export *export, struct mist_error *error)
{
    const mist_item *item = export->item;
    const uint32_t count = frames_of_step(export, NULL);
    uint32_t *frames = memory_allocate_array(count, sizeof *frames);
    if (!frames)
        return out_of_memory(export, error);
    frames_of_step(export, frames);
    const struct export_volumes volumes = {
        .item = item,
        .options = export->options,
        .directory = export->directory,
        .suffix = export->output ? export->output->suffix : "",
        .target = {.kind = export->format->kind,
                   .unsynced = export->options->unsynced,
                   .info = export->info,
                   .source = &item->info.image,
                   .sampling = export->regrid.grid.sampling,
                   .reduce = export->options->reduce,
                   .resampled = export->regrid.grid.resampled || export->regrid.grid.between_slices,
                   .source_kind = item->manifest.kind,
                   .gzip = export->output && export->output->gzip},
        .frames = frames,
        .count = count,
        .depth = export->options->exact_depth,
        .write = write_chosen,
        .export = export,
        .written = export->written,
        .context = export->context};
    enum mist_status status = export_volumes(&volumes, error);
    memory_free(frames);
    return status;
}

static bool file_of_item(const void *owner, uint32_t index, struct mist_item_file *file)
{
    return mist_item_file(owner, index, file);
}

static enum mist_status write_all(struct export *export, struct mist_error *error)
{
    if (export_takes_volumes(export->format, export->item))
        return write_volumes(export, error);
    const struct export_names names = {.name = export->options->name,
                                       .source = export->item->manifest.kind,
                                       .format = export->options->format,
                                       .slices = export->item->info.image.slices,
                                       .written = export->info.slices,
                                       .step = export->regrid.grid.between_slices ? 0 : export->regrid.grid.step,
                                       .between_slices = export->regrid.grid.between_slices,
                                       .files = export->item->manifest.files,
                                       .file = file_of_item,
                                       .owner = export->item};
    enum mist_status status = export_each_file(&names, write_file, export, error);
    return status == MIST_ERROR_ARGUMENT ? error_prefix(error, status, "%s", export->item->name) : status;
}

/* ---- options ---- */

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
    const struct mist_item_info *item = &export->item->info;
    const struct mist_image_info *image = &item->image;
    struct export_grid *grid = &export->regrid.grid;
    export->format = export_format(export->item->manifest.kind, options->format, &export->output, error);
    if (!export->format)
        return MIST_ERROR_ARGUMENT;
    if (options->reduce >= item->levels)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a reduce of %u; it has %u levels", export->item->name,
                         options->reduce, item->levels);
    if (options->step > item->steps)
        return error_set(error, MIST_ERROR_ARGUMENT, "%s: a slice step of %u; it has steps 0 to %u", export->item->name,
                         options->step, item->steps);
    enum mist_status status = export_grid(image, item->centred, options, grid, error);
    if (status)
        return error_prefix(error, status, "%s", export->item->name);
    /* A series of several volumes plans them by what its frames say: none of them is the item's. */
    if (options->exact_depth && export_takes_volumes(export->format, export->item))
        grid->between_slices = true;
    const uint64_t frames = (uint64_t)(image->frames / image->slices) * grid->slices;
    if (frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "%s: %llu frames; at most %u are written", export->item->name,
                         (unsigned long long)frames, MIST_MAX_FRAMES);
    export->info = *image;
    export->info.width = grid->width;
    export->info.height = grid->height;
    export->info.slices = grid->slices;
    export->info.frames = export->wanted = (uint32_t)frames;
    export->info.geometry = sampling_geometry(&grid->sampling, &image->geometry);
    if ((grid->resampled || grid->between_slices) && export->format->whole_codestream)
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
                            .regrid = {.item = item, .options = options},
                            .threads = options->threads ? options->threads : 1};
    enum mist_status status = find_syntax(&export, error);
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
