/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of each format, as data: names, suffixes and abilities. Everybody who has to know a format asks here.
 * The rows are in formats.def; names.c holds them and needs no reader or writer, so a program may link it alone.
 */
#ifndef FORMAT_NAMES_H
#define FORMAT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum format_kind {
    FORMAT_UNKNOWN, /* not an image that MIST reads: an attachment */
#define FORMAT(kind, operations, ...) FORMAT_##kind,
#include "kind/formats.def"
#undef FORMAT
    FORMAT_KINDS
};

/* What may be around a whole file of any format; NIfTI's gzip is the format's own. */
enum format_wrapping { WRAPPING_NONE, WRAPPING_GZIP, WRAPPING_BZIP2, WRAPPING_XZ, WRAPPING_ZSTD, WRAPPINGS };

/* A kind of file that can be written. */
struct format_output {
    const char *name;            /* what --format takes: "nii.gz"; NULL behind the last one */
    const char *suffix;          /* of the files: ".nii.gz" */
    bool gzip;                   /* the whole file is gzipped */
    bool item;                   /* items can be written so; else only single pictures */
    unsigned picture_bits;       /* single pictures: most bits a sample; 0: it is not for those */
    unsigned picture_components; /* ... how many components they have; 0: any number */
    bool picture_signed;         /* ... whether samples may be negative */
};

enum { FORMAT_MAX_NAMES = 7 };

struct format {
    enum format_kind kind;
    const char *name;                               /* in manifests and catalogs: "nifti"; at most 7 characters if
                                                       `dataset` */
    const char *media_type;                         /* of files that are no gzip files */
    const char *header_suffix;                      /* of a pair's header, where it is none of the suffixes; or NULL */
    const char *suffixes[FORMAT_MAX_NAMES];         /* lower case (known in any case), the longest first; then NULL */
    struct format_output outputs[FORMAT_MAX_NAMES]; /* then one without a name */
    bool dataset;                                   /* encode makes items of such files */
    bool many_frames;                               /* a file holds many frames */
    bool gzip_inside;                               /* files may be gzipped; content is what is inside */
    bool grouped;                                   /* several files are one item: format_look() tells which */
    bool paired;                                    /* two files may be one item: a header and its samples */
    bool precision_declared;                        /* files say how many bits are used, and can be trusted with it */
    bool needs_tail_when_reduced;                   /* also smaller files are written from the archive in the tail */
    bool one_output_a_source;                       /* of a series of files each is written as one file, also by
                                                       conversion */
    bool keeps_names;                               /* asked for by name, files of this format keep their own names */
    const char *label_reason;                       /* why a file that says so itself is a label map; or NULL */
    bool bare_codestream;                           /* a file is one codestream and nothing else */
    bool whole_codestream;                          /* not samples are written but the codestream that holds them */
};

/* NULL for FORMAT_UNKNOWN and for what is no kind. */
const struct format *format_of(enum format_kind kind);

/* "png", "nifti" ...; NULL for FORMAT_UNKNOWN. */
const char *format_name(enum format_kind kind);
/* FORMAT_UNKNOWN for a name that is none, and for NULL. */
enum format_kind format_from_name(const char *name);

/* By what --format takes ("nii.gz"), or NULL. *format is its format. */
const struct format_output *format_output_find(const char *name, const struct format **format);
/* By the suffix of a path, in any case (".NII.GZ"), of items and pictures; NULL. */
const struct format_output *format_output_of_path(const char *path, const struct format **format);
/* Whether items can be written as `name` in the format `source` that they came in. */
bool format_output_is_of(const char *name, enum format_kind source);
/* "nii, nii.gz, dcm ...": the names of the outputs for items, or of those for pictures (with a dot before each). */
enum { FORMAT_LIST_SIZE = 256 };
const char *format_item_outputs(char text[FORMAT_LIST_SIZE]);
const char *format_picture_outputs(char text[FORMAT_LIST_SIZE]);

/* The format whose suffix a path ends in, in any case, also with that of a wrapping behind it; NULL if it is none.
 * Content decides what a file is, not this. */
const struct format *format_of_path(const char *path);
/*
 * Why a file that is an image by its suffix is none that MIST reads: "bmp files are not read"; NULL for all others.
 * The text starts with the suffix, without its dot.
 */
const char *format_unread(const char *path);
/* How many bytes of a path come before that suffix, or that of a pair's header; all of them where there is none, or
 * nothing before it. */
size_t format_stem(const char *path);
/* What the end of a path says is around the file: ".gz", ".bz2", ".xz", ".zst", in any case. */
enum format_wrapping format_wrapping_of_path(const char *path);

#endif
