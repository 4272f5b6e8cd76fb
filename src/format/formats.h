/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each format offers to the dispatch table in format.c: whether a file that starts with these bytes (at most its
 * first kilobyte, of gzip files the first kilobyte inside) is of the format; as format_open(); as format_writer_open().
 * Errors of all of these name the file. format_dicom_group() is in format.h.
 */
#ifndef FORMAT_FORMATS_H
#define FORMAT_FORMATS_H

#include "format/format.h"

bool format_dicom_detect(const uint8_t *data, size_t size);
enum mist_status format_dicom_open(const char *const *paths, uint32_t count, struct format_source **source,
                                   struct mist_error *error);
enum mist_status format_dicom_writer_open(const struct format_target *target, struct format_writer **writer,
                                          struct mist_error *error);

bool format_png_detect(const uint8_t *data, size_t size);
enum mist_status format_png_open(const char *const *paths, uint32_t count, struct format_source **source,
                                 struct mist_error *error);
enum mist_status format_png_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error);

bool format_nifti_detect(const uint8_t *data, size_t size);
enum mist_status format_nifti_open(const char *const *paths, uint32_t count, struct format_source **source,
                                   struct mist_error *error);
enum mist_status format_nifti_writer_open(const struct format_target *target, struct format_writer **writer,
                                          struct mist_error *error);

enum mist_status format_npy_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error);
enum mist_status format_pnm_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error);
enum mist_status format_pgx_writer_open(const struct format_target *target, struct format_writer **writer,
                                        struct mist_error *error);

#endif
