/* SPDX-License-Identifier: BSD-2-Clause */
/* Item files (.mist): opening, verifying, decoding. The layout is docs/format.md; <mist/convert.h> makes them of other
 * files and back. */
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

#define MIST_MAX_STEPS 16u /* slice steps: every 2^s-th slice, s = 0 .. MIST_MAX_STEPS */

struct mist_item_info {
    struct mist_image_info image;
    char format[16];         /* of the source files: "png", "jpeg", "nifti", "dicom" */
    unsigned levels;         /* resolution levels, 1 .. MIST_MAX_LEVELS; reduce is 0 .. levels - 1 */
    unsigned steps;          /* the largest slice step, 0 .. MIST_MAX_STEPS */
    unsigned levels_present; /* how many of the levels, from the smallest one, are here with all slices */
    bool tail_present;       /* whether the archival tail is here */
    bool centred;      /* sample n of a reduced level sits on full-resolution sample 2^r n + (2^r - 1) / 2, not 2^r n */
    const char *coder; /* of the picture: "htj2k", "lattice" ...; owned by the item, as the texts below */
    const char *label; /* why the item is a label map: "name", "content" ...; NULL where it is none */
    const char *kept;  /* why it has fewer levels than its size allows, or its source's own bytes; or NULL */
    uint32_t files;    /* source files, in frame order; each holds one or more whole frames */
    uint64_t source_bytes;               /* size of the source files together */
    uint64_t head_end;                   /* offsets in the complete item file, in bytes */
    uint64_t level_end[MIST_MAX_LEVELS]; /* of level l, all slices */
    /* [levels * (steps + 1)]: of level l, slices of step s: [l * (steps + 1) + steps - s]. Owned by the item. */
    const uint64_t *range_end;
    uint64_t size; /* of the complete file: end of the tail */
    uint64_t id;   /* checksum of the head, which holds the checksums of the rest: names the content */
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
MIST_API enum mist_status mist_item_open_memory(const uint8_t *data, size_t size, const char *name, mist_item **item,
                                                struct mist_error *error);
/*
 * The same of parts of an item file that are in memory, ascending and apart from one another, the first of which begins
 * with the head. The list is copied, the bytes must outlive the item. What is here decides what can be decoded.
 */
struct mist_item_piece {
    uint64_t offset; /* in the item file */
    const uint8_t *data;
    size_t size;
};
MIST_API enum mist_status mist_item_open_pieces(const struct mist_item_piece *pieces, size_t count, const char *name,
                                                mist_item **item, struct mist_error *error);
MIST_API void mist_item_close(mist_item **item);

MIST_API const struct mist_item_info *mist_item_info(const mist_item *item);
/*
 * What the head keeps for those who write the original files again, owned by the item: with `tag` 0 the source's own
 * header where the head has it (NIfTI: the bytes before the first sample), else the extra of that tag (docs/format.md,
 * sections 3.2 and 8). NULL, and *size 0, where there is none.
 */
MIST_API const uint8_t *mist_item_part(const mist_item *item, unsigned tag, size_t *size);
/* File 0 .. files-1; false beyond. */
MIST_API bool mist_item_file(const mist_item *item, uint32_t index, struct mist_item_file *file);
/*
 * Bytes [offset, offset + size) of the item file that the picture of one frame takes to go from the level below to
 * `level`: of coders that code several slices together, those of its class of all of them. Size 0 where it takes none.
 */
MIST_API enum mist_status mist_item_range(const mist_item *item, uint32_t frame, unsigned level, uint64_t *offset,
                                          uint64_t *size, struct mist_error *error);
/*
 * The byte ranges that frames [first, first + count) take at `reduce`, ascending and joined where they touch: what a
 * reader without the whole item fetches. `visit` is called for each; the head is not among them.
 */
MIST_API enum mist_status mist_item_ranges(const mist_item *item, uint32_t first, uint32_t count, unsigned reduce,
                                           void (*visit)(void *context, uint64_t offset, uint64_t size), void *context,
                                           struct mist_error *error);

/*
 * What decoding needs besides the item: scratch memory, threads, and the slices that were last decoded together. One
 * for each thread; for any items. NULL when memory is short.
 */
typedef struct mist_decoder mist_decoder;
MIST_API mist_decoder *mist_decoder_new(void);
MIST_API void mist_decoder_free(mist_decoder **decoder);

/*
 * A frame at 1/2^reduce as a standalone HTJ2K codestream, by header rewrite alone where the item is coded so and its
 * values are integers, else encoded anew from the decoded samples.
 */
MIST_API enum mist_status mist_item_codestream(const mist_item *item, mist_decoder *decoder, uint32_t frame,
                                               unsigned reduce, struct mist_buffer *out, struct mist_error *error);
/*
 * Decodes a frame at 1/2^reduce on the item's own grid into `out`, whose type, size and components are those of the
 * item reduced. Values are the original ones (value mapping undone); labels are every 2^reduce-th sample.
 * MIST_ERROR_TRUNCATED where what it takes is not here.
 */
MIST_API enum mist_status mist_item_decode(const mist_item *item, mist_decoder *decoder, uint32_t frame,
                                           unsigned reduce, struct mist_view *out, struct mist_error *error);

/*
 * Checks all that the file holds: head, level and chunk checksums, map, and with `decode` that every frame decodes.
 * Every problem is one call of `found` with a sentence that names the part; returns MIST_OK if there was none, else the
 * status of the first.
 */
MIST_API enum mist_status mist_item_verify(const mist_item *item, bool decode,
                                           void (*found)(void *context, const char *sentence), void *context,
                                           struct mist_error *error);

/* Which different values of a label map have no sample at a reduced level (all slices). */
#define MIST_CLASSES_MAX_PIXELS ((uint64_t)1 << 28) /* of the map, all frames */
#define MIST_CLASSES_TEXT 256
struct mist_item_classes {
    uint32_t count;                  /* different values of the map */
    uint32_t lost[MIST_MAX_LEVELS];  /* by reduce: how many of them are not there */
    uint32_t named[MIST_MAX_LEVELS]; /* ... and how many of those, from the lowest, have room in values[reduce] */
    /* JSON values, with commas between: numbers, arrays of numbers (of components), texts ("nan"). */
    char values[MIST_MAX_LEVELS][MIST_CLASSES_TEXT];
};
/*
 * Decodes the whole map. MIST_ERROR_UNSUPPORTED where the item is no label map, MIST_ERROR_LIMIT where it has more than
 * MIST_CLASSES_MAX_PIXELS, MIST_ERROR_TRUNCATED where its full level is not here. Thread-safe.
 */
MIST_API enum mist_status mist_item_classes(const mist_item *item, struct mist_item_classes *classes,
                                            struct mist_error *error);

/* ---- how an item is read or written out: mist_dataset_read(), and libmist's mist_item_export() ---- */

enum mist_grid { MIST_GRID_NATIVE, MIST_GRID_CENTER };

struct mist_export_options {
    unsigned reduce;
    unsigned step; /* every 2^step-th slice of each volume */
    enum mist_grid grid;
    /*
     * Width and height non-zero: resample to exactly this many columns and rows, on the conventional grid. With a depth
     * the three are along the axes of the written file, and slices are interpolated linearly between those of the step
     * (of label maps: the nearest ones are taken). An image of one slice stays one.
     */
    uint32_t exact_width;
    uint32_t exact_height;
    uint32_t exact_depth;
    const char *format; /* NULL: that of the source; else one of mist_export_formats() */
    unsigned threads;   /* 0: 1 */
    const char *name;   /* what a file made of several source files is called, without suffix; NULL: as the first one */
    uint32_t only_file; /* 0: all; n: source file n - 1 alone, of formats of which each source file becomes a file */
    bool keep_uids;     /* reduced DICOM instances keep the identifiers of their originals */
    /* DICOM: NULL: as the source; "explicit": samples, explicit VR little endian; "htj2k": lossless HTJ2K codestreams,
     * those that are stored as they are, others made anew. What HTJ2K cannot hold in DICOM (floats, single bits) is
     * explicit then. Files that have the transfer syntax already are the originals. */
    const char *transfer_syntax;
    /* One sentence for what the user should know of the files; may be NULL. */
    void (*note)(void *context, const char *sentence);
    void *note_context;
    bool identical; /* PNG at full size: compressed as libpng does by itself, so that an original that was written so
                       comes back to the byte; takes several times as long. Samples and metadata always come back */
    bool unsynced;  /* files are renamed without waiting for the disk: whoever wants them there syncs them */
};

#ifdef __cplusplus
}
#endif
#endif
