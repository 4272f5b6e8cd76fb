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
    unsigned dimensions; /* dim[0]: 1 .. 7 */
    int64_t dim[8];      /* [1..7], 1 beyond dim[0] */
    int datatype;
    int intent;
    double pixdim[8];
    double unit;          /* millimetres of the unit of length of pixdim and of the affines */
    uint64_t data_offset; /* vox_offset */
    int qform_code, sform_code;
    double quatern[3]; /* b, c, d */
    double qoffset[3];
    double srow[3][4];
};

/* Whether `data` starts as a NIfTI file does (also the header of a two-file pair, which nifti_header_read() names). */
bool nifti_header_detect(const uint8_t *data, size_t size);

/* Bytes of the fixed header: 348 or 540; 0 if it is none. `size` may be as small as 4. */
size_t nifti_header_size(const uint8_t *data, size_t size);

/* Reads and checks the fixed header. Errors do not name the file. */
enum mist_status nifti_header_read(const uint8_t *data, size_t size, struct nifti_header *header,
                                   struct mist_error *error);

/* Type, size, components, frames, label flag and geometry. MIST_ERROR_UNSUPPORTED and _LIMIT as they are met. */
enum mist_status nifti_header_info(const struct nifti_header *header, struct mist_image_info *info,
                                   struct mist_error *error);

/* Writes dim[1..2], pixdim[1..2], qoffset and srow back to where they were read from. */
void nifti_header_store_geometry(const struct nifti_header *header, uint8_t *data);

/*
 * Changes the geometry to `width` x `height` voxels that are factor[0], factor[1] times as large and whose first one's
 * centre is shift[0], shift[1] original voxels further along the rows and columns.
 */
void nifti_header_resize(struct nifti_header *header, uint32_t width, uint32_t height, const double factor[2],
                         const double shift[2]);

/* A NIfTI-1 header of 352 bytes (no extensions) for an image from another format, in this machine's byte order. */
enum { NIFTI_FRESH_SIZE = 352 };
enum mist_status nifti_header_make(const struct mist_image_info *info, uint8_t data[NIFTI_FRESH_SIZE],
                                   struct mist_error *error);

#endif
