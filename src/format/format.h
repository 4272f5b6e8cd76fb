/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Image files <-> frames of samples. Each format is one file (png.c, nifti.c, dicom.cc, npy.c ...) behind two small
 * interfaces: a source yields the frames of one item, a writer takes the frames of one output file.
 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "format/input.h"
#include "format/names.h"
#include "image/sampling.h"

#include <mist/buffer.h>
#include <mist/image.h>
#include <mist/status.h>

/* Tells by content (magic numbers; file names decide nothing) what an input is. Reads at most its first kilobyte
 * (gzip members are looked into). A file that cannot be opened is an error; an unknown one is FORMAT_UNKNOWN. */
enum mist_status format_detect(const struct format_input *input, enum format_kind *kind, struct mist_error *error);

/*
 * What decides which item a file belongs to. Formats that are `grouped` (DICOM) fill it: `series` is the
 * SeriesInstanceUID, after which the item is named, `key` tells pixel formats within it apart
 * ("SeriesInstanceUID|type|columns|rows|..."). Of others both are "": each file is an item. Cheap: stops reading before
 * the pixel data. MIST_ERROR_NOT_FOUND: a file of the format without an image in it (structured report, a table of
 * numbers ...), which is kept as it is and no failure.
 */
struct format_group {
    char series[65];
    char key[160];
};
enum mist_status format_look(enum format_kind kind, const struct format_input *input, struct format_group *group,
                             struct mist_error *error);

/*
 * What is needed, besides the samples, to write one source file again.
 * raw: the file (after gunzip for NIfTI) is exactly prefix + samples + suffix, samples being those of its frames in
 * order, in the stated byte order and layout. Not raw (PNG, ...): prefix holds the metadata in the format's own way
 * (PNG: all chunks but IHDR, IDAT, IEND, verbatim, in order, those before IDAT in prefix, those after it in suffix).
 */
struct format_archive {
    struct mist_buffer prefix;
    struct mist_buffer suffix;
    bool raw;
    bool big_endian; /* byte order of the samples in the file */
    bool planar;     /* components slowest within a frame */
};
void format_archive_free(struct format_archive *archive);

/*
 * The frames of one item. Opened by format_open(); read functions may be called from several threads at a time.
 */
struct format_source {
    const struct format_source_ops *ops;
    enum format_kind kind;
    struct mist_image_info info; /* precision: what the file declares (BitsStored...) or the sample size */
    uint32_t files;
    uint32_t *file_order;    /* [files] index into the inputs given to format_open(), in frame order */
    uint32_t *file_frames;   /* [files] frames of each file, in frame order */
    struct mist_buffer head; /* what the writer needs to write *reduced* files without the archive (NIfTI: the
                                header and extensions; PNG: as the archive's prefix; DICOM: empty) */
};
struct format_source_ops {
    /* Fills `out` (type, size and components as in info; any strides) with one frame, native byte order. */
    enum mist_status (*read_frame)(struct format_source *source, uint32_t frame, struct mist_view *out,
                                   struct mist_error *error);
    /* The archive of the n-th file in frame order; freed by the caller with format_archive_free(). */
    enum mist_status (*read_archive)(struct format_source *source, uint32_t file, struct format_archive *archive,
                                     struct mist_error *error);
    void (*close)(struct format_source *source); /* frees everything, the source included */
    /* What counts as the file's content where that is not what is on disk (NIfTI: after gunzip): bytes that the source
     * keeps until it is closed. NULL: the file itself. */
    void (*content)(const struct format_source *source, const uint8_t **data, size_t *size);
};

/* Opens the files of one item (one file, or the instances of one DICOM series, in any order). The inputs' texts are
 * copied; bytes in memory must stay until the source is closed. */
enum mist_status format_open(enum format_kind kind, const struct format_input *inputs, uint32_t count,
                             struct format_source **source, struct mist_error *error);
void format_close(struct format_source **source);

struct dicom_volume_plan;

/* One output file. */
struct format_target {
    enum format_kind kind;
    bool gzip;                            /* NIfTI: write .nii.gz */
    const char *path;                     /* final path; written aside (PATH.part), renamed by format_writer_finish() */
    struct mist_image_info info;          /* of what is written: reduced size and geometry; frames: of this file */
    const struct mist_image_info *source; /* of the full-resolution item */
    struct sampling sampling;             /* of what is written; where factors are 0, as of the full image */
    unsigned reduce;                      /* decompositions dropped (0 with equal sizes: the original itself) */
    bool resampled;                       /* grid or size differ from the native reduced one (centre grid, --exact) */
    enum format_kind source_kind;         /* where head and archive come from */
    const uint8_t *head;                  /* format_source.head, or NULL */
    size_t head_size;
    const struct format_archive *archive; /* of this file, or NULL where the tail is not at hand */
    uint32_t file;                        /* which source file this is, and its first frame in the item */
    uint32_t first_frame;
    /* NIfTI of a DICOM series: which frames come, and what the file says beyond `info` (dicom_volume.h). info.geometry
     * is then that of the plan, sampled; frames come in the plan's order, rows as DICOM has them. NULL: none. */
    const struct dicom_volume_plan *volume;
};
struct format_writer; /* each format's own, of ops.h */
enum mist_status format_writer_open(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error);
/* Frames of this file in order; type, size and components as target.info. */
enum mist_status format_writer_frame(struct format_writer *writer, const struct mist_view *frame,
                                     struct mist_error *error);
/* The frame of a format that is `whole_codestream`: its codestream, instead of format_writer_frame(). */
enum mist_status format_writer_bytes(struct format_writer *writer, const uint8_t *bytes, size_t size,
                                     struct mist_error *error);
/* fsync, rename, free. On failure the part file is removed. */
enum mist_status format_writer_finish(struct format_writer **writer, struct mist_error *error);
/* Removes the part file and frees. Safe on a pointer to NULL. */
void format_writer_cancel(struct format_writer **writer);

/*
 * A PNG in memory, of 1 or 3 components: 8 and 16 bits as they are (signed ones shifted up by half their range), other
 * types as 16 bits from the smallest to the largest value. `name` is for messages; `out` is overwritten.
 */
enum mist_status format_png_encode(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                                   struct mist_error *error);

/* What every format's writer starts with; png.c, nifti.c ... extend it. */
struct format_writer_ops {
    /* One of the two: samples, or what is encoded already. */
    enum mist_status (*frame)(struct format_writer *writer, const struct mist_view *frame, struct mist_error *error);
    enum mist_status (*bytes)(struct format_writer *writer, const uint8_t *bytes, size_t size,
                              struct mist_error *error);
    enum mist_status (*finish)(struct format_writer *writer, struct mist_error *error); /* commits; does not free */
    void (*free)(struct format_writer *writer); /* removes the part file if it was not committed */
};
struct format_writer {
    const struct format_writer_ops *ops;
};

#endif
