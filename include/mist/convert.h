/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of other formats <-> item files. */
#ifndef MIST_CONVERT_H
#define MIST_CONVERT_H

#include <mist/item.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- source files -> item ---- */

struct mist_import_options {
    const char *const *paths; /* files on disk, all of one item, in any order */
    const char *const *names; /* their paths relative to the dataset */
    uint32_t count;
    /* Why it is a label map ("name", "option" ...); NULL: the source (NIfTI intent, DICOM SEG, palette) and its samples
     * decide. */
    const char *label;
    bool image;       /* it is none, whatever the source and its samples say */
    bool name_agrees; /* its name says label map: it is one if its samples look like one */
    unsigned threads; /* for the frames of this item; 0: 1 */
};

/* What became of it. */
struct mist_import_report {
    bool compressed;        /* the source came compressed (DICOM, JPEG, PNG, .npz ...; not what gzip is around) */
    bool lossy;             /* ... with loss, and its own bytes are the highest level */
    bool label;             /* it is a label map */
    bool looks_like_labels; /* its samples look like a label map's */
    bool grey_as_color;     /* all pixels are grey, though each has red, green and blue */
    char warning[160];      /* what is odd about the source files though they could be read: a sentence; or "" */
};

/* Encodes source files into an item file, written aside and renamed; `report` may be NULL. */
MIST_API enum mist_status mist_item_import(const struct mist_import_options *options, const char *item_path,
                                           struct mist_import_report *report, const struct mist_progress *progress,
                                           struct mist_error *error);

/* ---- item -> files ---- */

/* What items can be written as: "nii, nii.gz, dcm, png, npy, j2c". Fills and returns `text`. Thread-safe. */
#define MIST_EXPORT_FORMATS_SIZE 256
MIST_API const char *mist_export_formats(char text[MIST_EXPORT_FORMATS_SIZE]);

/*
 * Writes the item's files below `directory` under their dataset paths (extension changed if options->format is another
 * one), each written aside and renamed. At full resolution, native grid and source format they equal the originals:
 * NIfTI (unpacked), JPEG and uncompressed DICOM byte for byte, PNG and compressed DICOM in their pixels and metadata
 * (PNG with `identical` often byte for byte). `written` (may be NULL) is called with each path written.
 */
MIST_API enum mist_status mist_item_export(const mist_item *item, const struct mist_export_options *options,
                                           const char *directory, void (*written)(void *context, const char *path),
                                           void *context, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
