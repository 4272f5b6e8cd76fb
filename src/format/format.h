/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Image files <-> frames of samples. Each format is one file (png.c, nifti.c, dicom.cc, npy.c ...) behind two small
 * interfaces: a source yields the frames of one item, a writer takes the frames of one output file.
 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "format/input.h"
#include "image/sampling.h"
#include "kind/archive.h"
#include "kind/names.h"

#include <mist/buffer.h>
#include <mist/image.h>
#include <mist/status.h>

/* Tells by content (magic numbers; file names decide nothing) what an input is. Reads at most its first kilobyte
 * (what is wrapped, by gzip or others, is looked into). A file that cannot be opened is an error; an unknown one is
 * FORMAT_UNKNOWN. */
enum mist_status format_detect(const struct format_input *input, enum format_kind *kind, struct mist_error *error);

/*
 * What decides which item a file belongs to. Formats that are `grouped` (DICOM) fill it: `series` is the
 * SeriesInstanceUID, after which the item is named, `key` tells pixel formats within it apart
 * ("SeriesInstanceUID|type|columns|rows|..."). Of others both are "": each file is an item. Cheap: stops reading before
 * the pixel data. MIST_ERROR_NOT_FOUND: a file of the format without an image in it (structured report, a table of
 * numbers ...), which is kept as it is and no failure.
 *
 * `partner`: the file is the header of a pair (format.paired), and its samples are in this other file, named relative
 * to the directory that the header is in; a path that leads nowhere but below that.
 */
struct format_group {
    char series[65];
    char key[160];
    char partner[256];
    bool names_patient; /* and does not say that identity was removed; filled whatever is returned */
};
enum mist_status format_look(enum format_kind kind, const struct format_input *input, struct format_group *group,
                             struct mist_error *error);

/* What the samples of a pixel are. */
enum format_color {
    FORMAT_GREY,          /* more is brighter; also where nothing is said */
    FORMAT_GREY_INVERTED, /* more is darker: DICOM's MONOCHROME1 */
    FORMAT_PALETTE,       /* indices: names, never averaged; the palette stays in the header */
    FORMAT_RGB,
    FORMAT_YBR,          /* full-range YCbCr (ITU-R BT.601), as in JFIF */
    FORMAT_YBR_PARTIAL,  /* YCbCr of the range of video: 16 to 235, 16 to 240 */
    FORMAT_OTHER_COLOR,  /* two or four samples a pixel (alpha last), HSV ... */
    FORMAT_CMYK,         /* more is more ink */
    FORMAT_CMYK_INVERTED /* more is less ink, as Adobe has it in JPEG */
};

/* How stored values become brightness within a window of `width` around `center` (DICOM PS3.3, C.11.2.1). */
enum format_shape { FORMAT_LINEAR, FORMAT_LINEAR_EXACT, FORMAT_SIGMOID };

/* A lookup table of DICOM (PS3.3, C.11.1 and C.11.2): `first` and all below get the first entry, all behind the last
 * one that. */
struct format_table {
    const uint8_t *values; /* [entries] u16, little-endian: bytes of the head; NULL: there is none */
    uint32_t entries;
    int32_t first;
    unsigned bits; /* of the entries: 1 .. 16 */
};

/* How the samples of a file are meant to look, as its head tells: what is needed to make pictures of them. */
struct format_appearance {
    enum format_color color;
    unsigned bits; /* that values have (BitsStored), by which they are inverted; 0: not known */
    double slope;  /* stored values * slope + intercept are in the units of windows; slope 0: as stored */
    double intercept;
    double center; /* of the window that the file asks for */
    double width;  /* 0: it asks for none */
    enum format_shape shape;
    struct format_table modality; /* stored values -> the units of windows, instead of slope and intercept */
    struct format_table voi;      /* those units -> brightness, instead of the window */
    unsigned orientation;         /* of EXIF and TIFF: 1 .. 8; 0: as 1 */
    const uint8_t *palette;       /* [entries][3] red, green, blue: bytes of the head; NULL: none */
    unsigned palette_entries;
};

/* What is asked for where files of measurements become pictures (PNG, JPEG). */
enum format_window_mode {
    FORMAT_WINDOW_DEFAULT, /* unsigned samples of at most 16 bits as they are, where the format holds them; else AUTO */
    FORMAT_WINDOW_AUTO,    /* the file's own window; where there is none, from the smallest to the largest value */
    FORMAT_WINDOW_GIVEN,   /* center and width, in the units of the file (Hounsfield, where there is a rescale slope) */
    FORMAT_WINDOW_NONE     /* as stored: neither window nor inversion; signed ones shifted up by half their range */
};
struct format_window {
    enum format_window_mode mode;
    double center; /* GIVEN */
    double width;  /* > 0 */
    /* Smallest and largest stored value of the item, where known (low < high): else each frame has a range of its own.
     */
    double low;
    double high;
};
/* "auto", "none", or "C,W" (two numbers, the second above 0); false for other texts, and `window` stays. */
bool format_window_parse(const char *text, struct format_window *window);

/* What the bytes of a frame that came compressed are. */
enum format_stream {
    FORMAT_STREAM_NONE,
    FORMAT_STREAM_JPEG,          /* 10918-1 with DCT and 8 bits */
    FORMAT_STREAM_JPEG_12,       /* ... with 12 bits */
    FORMAT_STREAM_JPEG_LOSSLESS, /* 10918-1, annex H */
    FORMAT_STREAM_JPEG_LS,       /* 14495-1 */
    FORMAT_STREAM_J2K,           /* 15444-1, maybe in a JP2 file */
    FORMAT_STREAM_HTJ2K,         /* 15444-15 */
    FORMAT_STREAM_RLE,           /* PS3.5, annex G */
    FORMAT_STREAM_DEFLATE,       /* RFC 1951 */
    FORMAT_STREAM_WRAPPED        /* samples as they are */
};

/* Sample values, low to high inclusive, that are declared to be no measurement (DICOM: PixelPaddingValue). */
struct format_hole {
    double low;
    double high;
};
enum { FORMAT_MAX_HOLES = 4 };
enum { FORMAT_DIFFERENCE_SIZE = 160 };

/*
 * The frames of one item. Opened by format_open(); read functions may be called from several threads at a time.
 */
struct format_source {
    const struct format_source_ops *ops;
    enum format_kind kind;
    struct mist_image_info info; /* precision: what the file declares (BitsStored...) or the sample size */
    uint32_t files;
    uint32_t *file_order;  /* [files] index into the inputs given to format_open(), in frame order */
    uint32_t *file_frames; /* [files] frames of each file, in frame order */
    enum format_color color;
    enum format_stream stream; /* of the frames, where ops->codestream gives them; NONE if they are of several kinds */
    bool stream_lossy;         /* decoded samples are no exact copy of what was there before: keeping streams pays */
    uint32_t hole_count;       /* candidates: nothing says that a sample has such a value */
    struct format_hole hole[FORMAT_MAX_HOLES];
    char warning[160];         /* what is odd about the files but no reason to refuse them: one sentence; or "" */
    struct file_map *unpacked; /* [files as given] what was in those that are wrapped (format_open()), else data NULL;
                                  NULL: none is */
    uint32_t inputs;
    struct mist_buffer head; /* what the writer needs to write *reduced* files without the archive (NIfTI: the
                                header and extensions; PNG: as the archive's prefix; DICOM: dicom_look.h) */
};
struct format_source_ops {
    /* Fills `out` (type, size and components as in info; any strides) with one frame, native byte order. */
    enum mist_status (*read_frame)(struct format_source *source, uint32_t frame, struct mist_view *out,
                                   struct mist_error *error);
    /* The archive of the n-th file in frame order; the caller frees it with format_archive_free(), after a failure,
     * too. */
    enum mist_status (*read_archive)(struct format_source *source, uint32_t file, struct format_archive *archive,
                                     struct mist_error *error);
    void (*close)(struct format_source *source); /* frees everything, the source included */
    /* What counts as the n-th file's content where that is not what is on disk (NIfTI: after gunzip): bytes that the
     * source keeps until it is closed. NULL, or false: the file itself. */
    bool (*content)(const struct format_source *source, uint32_t file, const uint8_t **data, size_t *size);
    /* The bytes of a frame as they came compressed, into `out`, which is overwritten, and what they are. NULL, or
     * MIST_ERROR_NOT_FOUND: there are none. Frames made of them are as read_frame() gives them. */
    enum mist_status (*codestream)(struct format_source *source, uint32_t frame, struct mist_buffer *out,
                                   enum format_stream *stream, struct mist_error *error);
    /*
     * Appends what other formats need to be told of the frames, for the item's head (DICOM: dicom_series.h).
     * `contents`: checksums of the samples of each frame, by which duplicates are known; may be NULL. NULL: nothing is
     * needed.
     */
    enum mist_status (*describe)(struct format_source *source, const uint64_t *contents, struct mist_buffer *out,
                                 struct mist_error *error);
    /*
     * Whether two sources of one file each say the same besides their samples: `difference` becomes "" or a sentence.
     * NULL: they do where prefix and suffix of their archives are the same.
     */
    enum mist_status (*same_metadata)(struct format_source *source, struct format_source *other,
                                      char difference[FORMAT_DIFFERENCE_SIZE], struct mist_error *error);
};

/* Opens the files of one item (one file, or the instances of one DICOM series, in any order). The inputs' texts are
 * copied; bytes in memory must stay until the source is closed. */
enum mist_status format_open(enum format_kind kind, const struct format_input *inputs, uint32_t count,
                             struct format_source **source, struct mist_error *error);
void format_close(struct format_source **source);

/* What counts as the content of the n-th file in frame order where that is not what is on disk: what ops->content says,
 * or what was unpacked. False: the file itself. */
bool format_content(const struct format_source *source, uint32_t file, const uint8_t **data, size_t *size);
/* Whether the n-th of the files as they were given came wrapped (not NIfTI by gzip, which is the format's own). */
bool format_is_unpacked(const struct format_source *source, uint32_t input);

/* As ops->same_metadata, for sources of one kind. */
enum mist_status format_same_metadata(struct format_source *source, struct format_source *other,
                                      char difference[FORMAT_DIFFERENCE_SIZE], struct mist_error *error);

struct dicom_volume_plan;

/* How DICOM is written. */
enum format_syntax {
    FORMAT_SYNTAX_SOURCE,   /* as it came; what came compressed and is decoded: explicit */
    FORMAT_SYNTAX_EXPLICIT, /* samples, explicit VR little endian */
    FORMAT_SYNTAX_HTJ2K     /* lossless HTJ2K codestreams; what these cannot hold (float, 1 bit): explicit */
};

/* One output file. */
struct format_target {
    enum format_kind kind;
    bool gzip;                            /* NIfTI: write .nii.gz */
    enum format_wrapping wrapping;        /* around the whole file */
    const char *path;                     /* final path; written aside (PATH.part), renamed by format_writer_finish() */
    bool unsynced;                        /* format_writer_finish() waits for no disk */
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
    bool identical;              /* PNG: as in struct mist_export_options */
    bool keep_uids;              /* DICOM: a reduced instance keeps the identifiers of its original */
    struct format_window window; /* pictures: how values become brightness */
    unsigned quality;            /* JPEG: 1 .. 100; 0: JPEG_QUALITY of it */
    enum format_syntax syntax;
};
struct format_writer; /* each format's own, of ops.h */
struct file_writer;
enum mist_status format_writer_open(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error);
/* Frames of this file in order; type, size and components as target.info. */
enum mist_status format_writer_frame(struct format_writer *writer, const struct mist_view *frame,
                                     struct mist_error *error);
/* The frame of a format that is `whole_codestream`: its codestream, instead of format_writer_frame(). Of a source that
 * came compressed (DICOM): what ops->codestream gave; all frames of a file at full size so, and it is the original. */
enum mist_status format_writer_bytes(struct format_writer *writer, const uint8_t *bytes, size_t size,
                                     struct mist_error *error);
/* fsync, rename, free. On failure the part file is removed. */
enum mist_status format_writer_finish(struct format_writer **writer, struct mist_error *error);
/* Removes the part file and frees. Safe on a pointer to NULL. */
void format_writer_cancel(struct format_writer **writer);

/*
 * The bytes between the prefix and the suffix of one source file, made again frame by frame. `archive` must stay while
 * the restorer is used. Only for archives that are raw (frames) or have codestreams (their bytes).
 */
struct format_restorer; /* each format's own */
enum mist_status format_restorer_open(enum format_kind kind, const struct format_archive *archive,
                                      const struct mist_image_info *info, struct format_restorer **restorer,
                                      struct mist_error *error);
/* Appends to `out` what the next frame of the file adds. */
enum mist_status format_restorer_frame(struct format_restorer *restorer, const struct mist_view *frame,
                                       struct mist_buffer *out, struct mist_error *error);
enum mist_status format_restorer_bytes(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                                       struct mist_buffer *out, struct mist_error *error);
void format_restorer_free(struct format_restorer **restorer);

/*
 * A PNG in memory of a frame of which nothing else is known: samples of 8 and 16 bits as they are (signed ones shifted
 * up by half their range), other types as 16 bits from the smallest to the largest value. `name` is for messages;
 * `out` is overwritten.
 */
enum mist_status format_png_encode(const struct mist_view *frame, const char *name, struct mist_buffer *out,
                                   struct mist_error *error);
/* The same of a frame of an item: of `target`, info, source, source_kind, head and window are read. */
enum mist_status format_png_encode_target(const struct format_target *target, const struct mist_view *frame,
                                          const char *name, struct mist_buffer *out, struct mist_error *error);

/* For writers of formats: opens the file of a target. */
enum mist_status format_target_file(const struct format_target *target, struct file_writer *file,
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
    /* What format_writer_open() says of the frames that it wants; false where nothing is said. */
    bool codestreams;     /* lossless HTJ2K codestreams of the samples as they are written, by format_writer_bytes() */
    bool color_transform; /* ... which may have the reversible colour transform */
    bool converts;        /* never the bytes of frames that came compressed */
};

#endif
