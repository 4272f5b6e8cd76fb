/* SPDX-License-Identifier: BSD-2-Clause */
/* What an export takes of an item and which files it writes, before there is an item: from what a catalog knows. */
#ifndef ITEM_EXPORT_PLAN_H
#define ITEM_EXPORT_PLAN_H

#include "image/sampling.h"
#include "kind/names.h"

#include <mist/item.h>

/* The grid of what is written, and what is decoded for it. */
struct export_grid {
    uint32_t width, height, slices;
    struct sampling sampling; /* of what is written, in the original */
    bool resampled;           /* not the native grid in-plane */
    bool between_slices;      /* slices are interpolated (of labels: picked) */
    unsigned reduce, step;    /* decoded: label maps are picked from all samples where another grid is asked for */
};
/* `centred`: that of the item's levels. MIST_ERROR_ARGUMENT for sizes that make no sense. reduce and step are taken as
 * they are. */
enum mist_status export_grid(const struct mist_image_info *image, bool centred,
                             const struct mist_export_options *options, struct export_grid *grid,
                             struct mist_error *error);

/* What decides about files and their names. */
struct export_names {
    enum format_kind source;
    const char *format; /* as in struct mist_export_options */
    const char *name;   /* ... likewise */
    uint32_t slices;    /* of a volume of the item */
    uint32_t written;   /* ... and of what is written: of the step, or interpolated */
    unsigned step;      /* 0 where between_slices */
    bool between_slices;
    uint32_t files; /* source files */
    /* Source file `index`; false beyond. */
    bool (*file)(const void *owner, uint32_t index, struct mist_item_file *file);
    const void *owner;
};

/* One file that is written. */
struct export_file {
    uint32_t source;      /* the source file after which it is named, and whose header it has */
    uint32_t first_frame; /* of the item: where it begins */
    uint32_t first, end;  /* of the frames that are written, counted through all files: [first, end) */
    uint32_t number;      /* 0, or part of its name */
};

/*
 * Calls `visit` for each file, with its path below the output directory, in order; what is not MIST_OK stops.
 * MIST_ERROR_ARGUMENT: it cannot be written so.
 */
typedef enum mist_status export_visit(void *context, const struct export_file *file, const char *path,
                                      struct mist_error *error);
enum mist_status export_each_file(const struct export_names *names, export_visit *visit, void *context,
                                  struct mist_error *error);

/*
 * MIST_ERROR_ARGUMENT where slices between those of the source cannot be written so (between_slices): files of one
 * slice each have no name for them, and formats that need the source's header have none of their own.
 */
enum mist_status export_check_between(const struct export_names *names, struct mist_error *error);

/*
 * The format of what is written, and as what: *output is NULL where files keep their source's name. NULL with an error
 * where it is none that items can be written in.
 */
const struct format *export_format(enum format_kind source, const char *name, const struct format_output **output,
                                   struct mist_error *error);

#endif
