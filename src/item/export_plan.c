/* SPDX-License-Identifier: BSD-2-Clause */
#include "item/export_plan.h"

#include "base/error.h"
#include "base/file.h"
#include "coder/step.h"

#include <stdio.h>
#include <string.h>

/* ---- the grid ---- */

static bool sizes_make_sense(const struct mist_export_options *options)
{
    return !options->exact_width == !options->exact_height && options->exact_width <= MIST_MAX_SIDE &&
           options->exact_height <= MIST_MAX_SIDE && options->exact_depth <= MIST_MAX_SIDE &&
           (!options->exact_depth || options->exact_width);
}

/* The exact size along columns, rows and slices; with a depth it is given along the axes of the file. What is no volume
 * becomes none. */
static void exact_sizes(const struct mist_image_info *image, const struct mist_export_options *options,
                        uint32_t sizes[3])
{
    const uint32_t asked[3] = {options->exact_width, options->exact_height, options->exact_depth};
    for (unsigned i = 0; i < 3; i++)
        sizes[i] = asked[options->exact_depth ? image->axes[i] % 3 : i];
    if (!options->exact_depth || image->slices == 1)
        sizes[2] = image->slices;
}

enum mist_status export_grid(const struct mist_image_info *image, bool centred,
                             const struct mist_export_options *options, struct export_grid *grid,
                             struct mist_error *error)
{
    if (!sizes_make_sense(options))
        return error_set(error, MIST_ERROR_ARGUMENT, "an exact size of %u x %u x %u", options->exact_width,
                         options->exact_height, options->exact_depth);
    const bool center = options->grid == MIST_GRID_CENTER && options->reduce > 0;
    uint32_t sizes[3];
    exact_sizes(image, options, sizes);
    *grid = (struct export_grid){.width = mist_reduced_size(image->width, options->reduce),
                                 .height = mist_reduced_size(image->height, options->reduce),
                                 .slices = step_slices(image->slices, options->step),
                                 .sampling = sampling_reduce(options->reduce, options->step, center),
                                 .resampled = options->reduce > 0 && center != (centred && !image->label),
                                 .reduce = options->reduce,
                                 .step = options->step};
    if (options->exact_width && (sizes[0] != image->width || sizes[1] != image->height || options->reduce)) {
        grid->width = sizes[0];
        grid->height = sizes[1];
        sampling_resize_axis(&grid->sampling, 0, image->width, sizes[0]);
        sampling_resize_axis(&grid->sampling, 1, image->height, sizes[1]);
        grid->resampled = true;
    }
    if (options->exact_depth && (sizes[2] != image->slices || options->step)) {
        grid->slices = sizes[2];
        sampling_resize_axis(&grid->sampling, 2, image->slices, sizes[2]);
        grid->between_slices = true;
    }
    if (image->label && grid->resampled)
        grid->reduce = 0;
    if (image->label && grid->between_slices)
        grid->step = 0;
    return MIST_OK;
}

/* ---- the format ---- */

const struct format *export_format(enum format_kind source, const char *name, const struct format_output **output,
                                   struct mist_error *error)
{
    char names[FORMAT_LIST_SIZE];
    const struct format *format = format_of(source);
    *output = NULL;
    if (!name)
        return format;
    *output = format_output_find(name, &format);
    if (!*output) {
        error_set(error, MIST_ERROR_ARGUMENT, "no format '%s' can be written; there is %s", name,
                  format_item_outputs(names));
        return NULL;
    }
    /* Its own format under its own name: written as if none had been named, so that it is the original again. */
    if (format->kind == source && format->keeps_names)
        *output = NULL;
    return format;
}

/* ---- files ---- */

/* How many of the frames before `frame` of the item are written. */
static uint32_t written_before(const struct export_names *names, uint32_t frame)
{
    uint32_t slices = names->slices ? names->slices : 1;
    return frame / slices * names->written + step_slices(frame % slices, names->step);
}

struct export_format_choice {
    const struct format *format;
    const struct format_output *output;
};

/* "PATH", with another extension where the format is another, and _NUMBER before it where number > 0. */
static enum mist_status visit_file(const struct export_format_choice *choice, const struct export_file *file,
                                   const char *path, export_visit *visit, void *context, struct mist_error *error)
{
    char name[PATH_ROOM + 64], numbered[16] = "";
    size_t stem = choice->output ? format_stem(path) : strlen(path);
    if (file->number)
        snprintf(numbered, sizeof numbered, "_%04u", file->number);
    snprintf(name, sizeof name, "%.*s%s%s", (int)stem, path, numbered, choice->output ? choice->output->suffix : "");
    return visit(context, file, name, error);
}

/* All that is written of one source file, or of all of them, in files of one frame or of all. */
static enum mist_status visit_source(const struct export_names *names, const struct export_format_choice *choice,
                                     bool many, const struct mist_item_file *source, uint32_t index,
                                     export_visit *visit, void *context, struct mist_error *error)
{
    struct export_file file = {.source = index, .first_frame = source->first_frame};
    enum mist_status status = MIST_OK;
    if (many) {
        file.first = written_before(names, source->first_frame);
        file.end = written_before(names, source->first_frame + source->frames);
        /* None of its slices is among those of the step. The header of a pair has none, and is written. */
        if (file.first == file.end && source->frames)
            return MIST_OK;
        return visit_file(choice, &file, source->path, visit, context, error);
    }
    /* Numbers are those of the source's frames, or where there are others, of what is written. */
    uint32_t frames = source->frames;
    if (names->between_slices)
        frames = frames / names->slices * names->written;
    for (uint32_t n = 0; n < frames && !status; n++) {
        file.number = frames > 1 ? n + 1 : 0;
        file.first = names->between_slices ? n : written_before(names, source->first_frame + n);
        file.end = names->between_slices ? n + 1 : written_before(names, source->first_frame + n + 1);
        file.first_frame = names->between_slices ? source->first_frame : source->first_frame + n;
        if (file.first == file.end)
            continue;
        status = visit_file(choice, &file, source->path, visit, context, error);
    }
    return status;
}

/* Whether a file holds all frames of its source. */
static bool holds_many(const struct export_format_choice *choice)
{
    return !choice->output || choice->format->many_frames;
}

/* DICOM series have a file a slice; other formats that hold volumes take the whole series. */
static bool is_joined(const struct export_names *names, const struct export_format_choice *choice)
{
    return choice->output && holds_many(choice) && !choice->format->one_output_a_source && names->files > 1;
}

enum mist_status export_check_between(const struct export_names *names, struct mist_error *error)
{
    struct export_format_choice choice;
    choice.format = export_format(names->source, names->format, &choice.output, error);
    if (!choice.format)
        return MIST_ERROR_ARGUMENT;
    if (names->files > 1 && !is_joined(names, &choice))
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "slices that lie between those of the source's files are written into a file that holds all "
                         "of them only: ask for nii.gz or npy");
    if (choice.format->needs_tail_when_reduced)
        return error_set(error, MIST_ERROR_ARGUMENT,
                         "%s files are not made between those of the source: ask for nii.gz or npy",
                         choice.format->name);
    return MIST_OK;
}

enum mist_status export_each_file(const struct export_names *names, export_visit *visit, void *context,
                                  struct mist_error *error)
{
    struct export_format_choice choice;
    struct mist_item_file source;
    choice.format = export_format(names->source, names->format, &choice.output, error);
    if (!choice.format)
        return MIST_ERROR_ARGUMENT;
    const char *header = NULL;
    const bool many = holds_many(&choice), joined = is_joined(names, &choice);
    enum mist_status status = names->between_slices ? export_check_between(names, error) : MIST_OK;
    for (uint32_t i = 0; i < names->files && !status && names->file(names->owner, i, &source); i++) {
        for (struct mist_item_file next; joined && names->file(names->owner, ++i, &next);)
            source.frames += next.frames;
        /* A pair in another format is named after its header, of which there is nothing else to write. */
        if (choice.output && source.frames == 0) {
            header = source.path;
            continue;
        }
        source.path = header ? header : source.path;
        if (joined && names->name)
            source.path = names->name;
        status = visit_source(names, &choice, many, &source, joined ? 0 : i, visit, context, error);
    }
    return status;
}
