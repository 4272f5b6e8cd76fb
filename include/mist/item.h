/* SPDX-License-Identifier: BSD-2-Clause */
/* Item files (.mist): reading, verifying, decoding, exporting and importing. The layout is docs/format.md. */
#ifndef MIST_ITEM_H
#define MIST_ITEM_H

#include <mist/buffer.h>
#include <mist/codec.h>
#include <mist/image.h>
#include <mist/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open item. Read-only after opening: any number of threads may use one at the same time. */
typedef struct mist_item mist_item;

struct mist_item_info {
    struct mist_image_info image;
    char format[8];                      /* of the source files: "png", "jpeg", "nifti", "dicom" */
    unsigned levels;                     /* resolution levels, 1 .. MIST_MAX_LEVELS; reduce is 0 .. levels - 1 */
    unsigned levels_present;             /* how many of them this file (which may be a prefix) holds */
    bool tail_present;                   /* whether the archival tail is there */
    uint32_t files;                      /* source files, in frame order; each holds one or more whole frames */
    uint64_t source_bytes;               /* size of the source files together */
    uint64_t head_end;                   /* offsets in the complete item file, in bytes */
    uint64_t level_end[MIST_MAX_LEVELS]; /* end of levels 0..l of all frames; label items keep all in level 0 */
    uint64_t size;                       /* of the complete file: end of the tail */
    uint64_t id; /* checksum of the head, which holds the checksums of the rest: names the content */
};

/* One source file of an item. `path` is relative to the dataset ("images/001.nii.gz"), UTF-8, '/' separated, safe. */
struct mist_item_file {
    const char *path; /* owned by the item */
    uint32_t first_frame;
    uint32_t frames;
};

/*
 * Opens an item file or any prefix of one that holds at least the head. The file is mapped, not read. Memory given to
 * mist_item_open_memory() must outlive the item. On failure *item is NULL.
 */
MIST_API enum mist_status mist_item_open(const char *path, mist_item **item, struct mist_error *error);
/*
 * The same for a prefix whose archival tail, bytes [level_end[L], size) of the item file, is in a file of its own: what
 * a client has that fetched a reduced level and the original headers in two ranges. A tail of another size than the
 * head says is MIST_ERROR_CORRUPT; its checksum is a matter of mist_item_verify(), as everywhere.
 */
MIST_API enum mist_status mist_item_open_with_tail(const char *path, const char *tail_path, mist_item **item,
                                                   struct mist_error *error);
MIST_API enum mist_status mist_item_open_memory(const uint8_t *data, size_t size, const char *name, mist_item **item,
                                                struct mist_error *error);
MIST_API void mist_item_close(mist_item **item);

MIST_API const struct mist_item_info *mist_item_info(const mist_item *item);
/* File 0 .. files-1; false beyond. */
MIST_API bool mist_item_file(const mist_item *item, uint32_t index, struct mist_item_file *file);
/* Byte range [offset, offset + size) of one frame's level in the item file. */
MIST_API enum mist_status mist_item_range(const mist_item *item, uint32_t frame, unsigned level, uint64_t *offset,
                                          uint64_t *size, struct mist_error *error);
/* The manifest as JSON text (docs/format.md), NUL-terminated, owned by the item. */
MIST_API const char *mist_item_manifest(const mist_item *item);

/*
 * A frame at 1/2^reduce as a standalone HTJ2K codestream, by header rewrite alone (labels: sampled and encoded anew).
 * `codec` may be NULL for items that are not labels.
 */
MIST_API enum mist_status mist_item_codestream(const mist_item *item, mist_codec *codec, uint32_t frame,
                                               unsigned reduce, struct mist_buffer *out, struct mist_error *error);
/*
 * Decodes a frame at 1/2^reduce on the native grid into `out`, whose type, size and components are those of the item
 * reduced. Values are the original ones (value mapping undone); labels are every 2^reduce-th sample.
 */
MIST_API enum mist_status mist_item_decode(const mist_item *item, mist_codec *codec, uint32_t frame, unsigned reduce,
                                           struct mist_view *out, struct mist_error *error);

/*
 * Checks all that the file holds: head, level and chunk checksums, map, and with `decode` that every frame decodes.
 * Every problem is one call of `found` with a sentence that names the part; returns MIST_OK if there was none, else the
 * status of the first.
 */
MIST_API enum mist_status mist_item_verify(const mist_item *item, bool decode,
                                           void (*found)(void *context, const char *sentence), void *context,
                                           struct mist_error *error);

/* ---- source files -> item ---- */

struct mist_import_options {
    const char *const *paths; /* files on disk, all of one item, in any order */
    const char *const *names; /* their paths relative to the dataset */
    uint32_t count;
    bool label;       /* force the label flag; else it comes from the source (NIfTI intent, DICOM SEG, palette) */
    unsigned threads; /* for the frames of this item; 0: 1 */
};

/* Encodes source files into an item file, written aside and renamed; `info` (may be NULL) receives what was written. */
MIST_API enum mist_status mist_item_import(const struct mist_import_options *options, const char *item_path,
                                           struct mist_item_info *info, const struct mist_progress *progress,
                                           struct mist_error *error);

/* ---- item -> files ---- */

enum mist_grid { MIST_GRID_NATIVE, MIST_GRID_CENTER };

struct mist_export_options {
    unsigned reduce;
    enum mist_grid grid;
    uint32_t exact_width; /* both non-zero: resample to exactly this (on the conventional grid) */
    uint32_t exact_height;
    const char *format; /* NULL: that of the source; else one of mist_export_formats() */
    unsigned threads;   /* 0: 1 */
};

/* What items can be written as: "nii, nii.gz, dcm, png, npy, j2c". Fills and returns `text`. Thread-safe. */
#define MIST_EXPORT_FORMATS_SIZE 256
MIST_API const char *mist_export_formats(char text[MIST_EXPORT_FORMATS_SIZE]);

/*
 * Writes the item's files below `directory` under their dataset paths (extension changed if options->format is another
 * one), each written aside and renamed. At full resolution, native grid and source format they equal the originals as
 * design.md ("Lossless means lossless") says. `written` (may be NULL) is called with each path written.
 */
MIST_API enum mist_status mist_item_export(const mist_item *item, const struct mist_export_options *options,
                                           const char *directory, void (*written)(void *context, const char *path),
                                           void *context, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
