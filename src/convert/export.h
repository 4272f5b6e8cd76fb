/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes of a DICOM series as files of formats that hold volumes: as the descriptions of its frames say, no header. */
#ifndef ITEM_EXPORT_H
#define ITEM_EXPORT_H

#include "format/format.h"
#include "item/item.h"
#include "item/regrid.h"

#include <mist/convert.h>

/* The frames of one file. */
struct export_sources {
    const struct regrid_source *source; /* [count] */
    uint32_t count;
    const struct dicom_volume_plan *units; /* both neighbours are scaled as it says before anything is between them: */
    const uint32_t (
        *places)[2]; /* [count] which of its frames `frame` and `next` are; NULL: stored values are written */
};

/* What the files are made of. All pointers are the caller's. */
struct export_volumes {
    const mist_item *item;
    const struct mist_export_options *options;
    const char *directory;
    const char *suffix;          /* of the files: ".nii.gz" */
    struct format_target target; /* of each file, but for its frames, its geometry and its path */
    const uint32_t *frames;      /* [count] which frames of the item can be had: those of the slice step, ascending */
    uint32_t count;
    uint32_t depth; /* each volume of several slices gets so many, interpolated between its own; 0: its own */
    /* Writes what comes of these frames of the item, in this order; `export` is its context. */
    enum mist_status (*write)(void *export, struct format_writer *writer, const struct export_sources *sources,
                              struct mist_error *error);
    void *export;
    void (*written)(void *context, const char *path); /* may be NULL */
    void *context;
};

/* Whether a format is written so: NIfTI, and arrays, from items that keep descriptions of their frames. */
bool export_takes_volumes(const struct format *format, const mist_item *item);

/*
 * One file and its sidecar for each volume plan (format/dicom_volume.h), named after the first source file or
 * options->name, with the plan's suffix. What the plans warn of goes to options->note.
 */
enum mist_status export_volumes(const struct export_volumes *volumes, struct mist_error *error);

#endif
