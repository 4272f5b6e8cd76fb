/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of NIfTI-1 (348 bytes) and NIfTI-2 (540 bytes) files of either byte order, read and changed in place. The
 * fields' places are those of nifti1.h and nifti2.h, by offsetof().
 */
#ifndef FORMAT_NIFTI_HEADER_H
#define FORMAT_NIFTI_HEADER_H

#include <mist/image.h>
#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nifti_header {
    unsigned version; /* 1 or 2 */
    bool big_endian;
    bool pair;           /* the samples are in another file (.img) */
    bool analyze;        /* ANALYZE 7.5: a pair without NIfTI's fields; nothing tells where the voxels are */
    unsigned dimensions; /* dim[0]: 1 .. 7 */
    int64_t dim[8];      /* [1..7], 1 beyond dim[0] */
    int datatype;
    bool bits; /* DT_BINARY: a bit a voxel, the first in the lowest bit, no gap between rows */
    int intent;
    double pixdim[8];
    double unit;          /* millimetres of the unit of length of pixdim and of the affines */
    uint64_t data_offset; /* vox_offset; of pairs in the .img file */
    uint8_t axes[3]; /* the file's axes that columns, rows and slices of planes go along: see nifti_header_info() */
    int qform_code, sform_code;
    double quatern[3]; /* b, c, d */
    double qoffset[3];
    double srow[3][4];
};

/*
 * Whether `data` starts as a NIfTI file or as the header of a pair does. ANALYZE 7.5 has no magic number: its header
 * has sizes that make sense and is 348 bytes long or says so in the fields that SPM and others fill.
 */
bool nifti_header_detect(const uint8_t *data, size_t size);

/* Bytes of the fixed header: 348 or 540; 0 if it is none. `size` may be as small as 4. */
size_t nifti_header_size(const uint8_t *data, size_t size);

/* Reads and checks the fixed header. Errors do not name the file. */
enum mist_status nifti_header_read(const uint8_t *data, size_t size, struct nifti_header *header,
                                   struct mist_error *error);

/*
 * Type, size, components, frames, slices, axes, label flag and geometry. Planes are spanned by the two longest of the
 * first three axes in the order of the file, where several are as long by the first ones: 24 x 256 x 256 voxels are 24
 * planes of 256 x 256, axes {1, 2, 0}. Sets header->axes, too. MIST_ERROR_UNSUPPORTED for what is no image or of a
 * datatype that is not handled, MIST_ERROR_LIMIT beyond the limits of image.h.
 */
enum mist_status nifti_header_info(struct nifti_header *header, struct mist_image_info *info, struct mist_error *error);

/* Bytes of the voxels in the file; `info` is nifti_header_info()'s. */
uint64_t nifti_header_bytes(const struct nifti_header *header, const struct mist_image_info *info);

/* Writes dim[1..3], pixdim[1..3], qoffset and srow back to where they were read from. */
void nifti_header_store_geometry(const struct nifti_header *header, uint8_t *data);

/*
 * Changes the geometry along one of the file's axes (0 .. 2) to `size` voxels that are `factor` times as large and
 * whose first one's centre is `shift` original voxels further along.
 */
void nifti_header_resize(struct nifti_header *header, unsigned axis, uint32_t size, double factor, double shift);

/* Makes a pair's header in `data` that of a single file without extensions; false when memory is short. */
bool nifti_header_join(struct nifti_header *header, struct mist_buffer *data);

/* Slope and intercept (slope 0: none) and the range of values, scaled, that is to be shown (low < high if there is
 * one). */
struct nifti_display {
    double slope, intercept;
    double low, high;
};
void nifti_header_display(const struct nifti_header *header, const uint8_t *data, struct nifti_display *display);

/* What a new header says beyond what mist_image_info does. Zeroed: nothing. */
struct nifti_extra {
    double slice_distance; /* pixdim[3], where it is not geometry.spacing[2] */
    double repetition;     /* seconds: pixdim[4] */
    double slope;          /* 0: none */
    double intercept;
    uint8_t dim_info;
    bool timed;        /* units of time are there: seconds */
    bool as_signed;    /* unsigned 16-bit samples are below 32,768 and get the signed type, which more programs read */
    const char *about; /* descrip; NULL: empty */
};

/*
 * A header (no extensions) for an image from another format, in this machine's byte order: NIfTI-1, or NIfTI-2 where
 * a side is beyond 32,767. info->geometry is of the rows as they are written. sform and qform are both there where
 * there is an affine; where that is sheared, the qform has the nearest rotation. Appends 352 or 544 bytes to `out`.
 */
enum mist_status nifti_header_make(const struct mist_image_info *info, const struct nifti_extra *extra,
                                   struct mist_buffer *out, struct mist_error *error);

#endif
