/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a DICOM file are (PS3.5 section 7, PS3.10 section 7): file meta information, dataset, pixel data.
 * Every element up to the pixel data is walked with its length checked against the bytes that are there and with a
 * limit on nesting, so that what is given to DCMTK afterwards is well-formed: DCMTK allocates the lengths that it reads
 * and recurses into sequences without a limit.
 */
#ifndef FORMAT_DICOM_LAYOUT_H
#define FORMAT_DICOM_LAYOUT_H

#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DICOM_UID_SIZE 65u                         /* 64 characters and NUL: PS3.5, table 6.2-1 */
#define DICOM_MAX_HEADER_BYTES ((size_t)256 << 20) /* what may come before the pixel data */
#define DICOM_MAX_NESTING 64u                      /* sequences within sequences */

/* How the value of the pixel data element is coded: from the transfer syntax. */
enum dicom_coding {
    DICOM_NATIVE,       /* samples (PS3.5, 8.1); also in a deflated dataset, once that is inflated */
    DICOM_CODESTREAMS,  /* one codestream a frame, in fragments; what kind, its own bytes say */
    DICOM_RLE,          /* PS3.5, annex G, in fragments */
    DICOM_DEFLATED,     /* each frame by deflate, in fragments */
    DICOM_ENCAPSULATED, /* samples, in fragments */
    DICOM_VIDEO         /* MPEG-2, MPEG-4, HEVC ...: one stream for all frames, not read */
};

struct dicom_layout {
    char transfer_syntax[DICOM_UID_SIZE]; /* of the dataset as it is, even where the file meta information errs */
    bool explicit_vr;
    bool big_endian;
    bool deflated;   /* the dataset still has to be inflated: nothing below is set but meta and dataset */
    bool has_meta;   /* file meta information, with or without the 128-byte preamble */
    size_t meta;     /* offset of its first element (group 0002) */
    size_t dataset;  /* offset of the dataset's first element */
    bool has_pixels; /* PixelData (7FE0,0010), or the float ones; where not, dataset_end is the file's end */
    unsigned real;   /* 32 or 64: FloatPixelData or DoubleFloatPixelData, bits of a sample; else 0 */
    enum dicom_coding coding;
    bool fragments;       /* the value is a sequence of fragments; pixel_bytes is 0 */
    size_t dataset_end;   /* offset of the pixel data element: the attributes are [dataset, dataset_end) */
    size_t pixels;        /* offset of its value */
    uint32_t pixel_bytes; /* its declared length; not checked against the size of the file */
    char pixel_vr[3];     /* "OB", "OW", "OF", "OD"; "OW" where implicit */
    size_t offsets;       /* ExtendedOffsetTable (7FE0,0001): offset of its value; 0 where there is none */
    size_t offset_bytes;
};

/*
 * Reads the layout of `size` bytes: a whole file, or one that was cut behind the header of its pixel data element.
 * MIST_ERROR_CORRUPT, MIST_ERROR_TRUNCATED or MIST_ERROR_LIMIT where the bytes break the rules. Thread-safe.
 */
enum mist_status dicom_layout_read(const uint8_t *data, size_t size, struct dicom_layout *layout,
                                   struct mist_error *error);

/* The name of a transfer syntax, for messages; "unknown" if it is none that MIST has heard of. */
const char *dicom_syntax_name(const char *uid);

/*
 * Whether a file that starts with these bytes is DICOM: "DICM" behind the preamble, or, for the datasets without file
 * meta information that older systems wrote, at least three elements in ascending order that start in group 0002 or
 * 0008. `size` is up to 1,024 bytes of the file's start.
 */
bool dicom_layout_detect(const uint8_t *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
