/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a source file beside its samples: made by the formats, stored in the tail of items. */
#ifndef KIND_ARCHIVE_H
#define KIND_ARCHIVE_H

#include <mist/buffer.h>

/*
 * What is needed, besides the samples, to write one source file again.
 * raw: the file (after gunzip for NIfTI) is exactly prefix + samples + suffix, samples being those of its frames in
 * order, in the stated byte order and layout. Not raw (PNG, ...): prefix holds the metadata in the format's own way
 * (PNG: all chunks but IHDR, IDAT, IEND, verbatim, in order, those before IDAT in prefix, those after it in suffix).
 */
struct format_archive {
    struct mist_buffer prefix;
    struct mist_buffer suffix;
    /* What putting the samples' bytes together needs besides prefix and frames: the format's own (DICOM: bits that are
     * no part of samples, bytes that the file lacks, the lengths of fragments: dicom_restore.h). Mostly empty. */
    struct mist_buffer extra;
    bool raw;
    bool big_endian; /* byte order of the samples in the file */
    bool planar;     /* components slowest within a frame */
};
void format_archive_free(struct format_archive *archive);
/* Appends what stands before the samples in a file, and behind them. `name` is the file's, for the message. */
enum mist_status format_archive_around(struct format_archive *archive, const uint8_t *prefix, size_t prefix_size,
                                       const uint8_t *suffix, size_t suffix_size, const char *name,
                                       struct mist_error *error);

#endif
