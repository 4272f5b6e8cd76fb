/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a DICOM file's archive holds, and the bytes of its pixel data made again from it.
 *
 * prefix: the file (inflated, where its dataset was deflated) up to the value of its pixel data. suffix: what follows
 * the samples or fragments: padding, the sequence delimiter, elements behind. archive.extra is empty or:
 *
 *   u8       what follows, in this order: bit 0 missing, 1 spare, 2 fragments, 3 stream, 4 tiles
 *   missing  varint: bytes of pixel data that the file does not have, at their end
 *   spare    varint: mask of the bits of a sample, none of them the stored value's, that are other than its sign bit or
 * 0 in some sample; varint: size of what follows, a zstd frame of, for each frame and each bit of the mask from the
 * lowest, one bit a sample in the order of the file (first lowest, padded to a byte): 1 where it is other fragments
 * varint: size of what follows: varint, size of the Basic Offset Table; the table; for each frame a varint, the number
 * n of its fragments, and n - 1 varints, the sizes of all but the last stream   varint enum format_stream, varint bits
 * of a sample, varint 1 where lossy: of the first frame's codestream
 *   tiles    varint: frames of the file, which are the tiles of its one picture; varint: size of what follows, a zstd
 * frame of the bytes of the tiles behind them, one after the other, or nothing where these are zeros
 */
#ifndef FORMAT_DICOM_RESTORE_H
#define FORMAT_DICOM_RESTORE_H

#include "format/dicom_reading.h"
#include "format/format.h"

/* Fills an archive: freed by the caller with format_archive_free(), also after a failure. */
enum mist_status dicom_archive_make(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                    struct format_archive *archive, struct mist_error *error);

/* What an archive says; `data` is the archive's own. */
struct dicom_archived {
    struct dicom_layout layout; /* of the prefix */
    struct dicom_header header;
    struct dicom_pixels pixels; /* of the frames in the file, or, where it has fragments, of decoded ones */
    uint32_t spare_mask;
    const uint8_t *spare;
    size_t spare_size;
    const uint8_t *fragments;
    size_t fragments_size;
    const uint8_t *unused; /* tiles of a mosaic that are no slices, packed */
    size_t unused_size;
};
enum mist_status dicom_archive_read(const struct format_archive *archive, struct dicom_archived *archived,
                                    struct mist_error *error);

/* As format_restorer_*() of format.h. */
enum mist_status dicom_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                     struct format_restorer **result, struct mist_error *error);
/*
 * The same for other pixels than the file had: those of a reduced image or of one that came compressed. Spare bits are
 * put in where `archived` is not NULL. `whole`: the last byte is made, too, where it is a frame's in part only.
 */
enum mist_status dicom_restorer_new(const struct dicom_pixels *pixels, const struct dicom_archived *archived,
                                    bool whole, struct format_restorer **result, struct mist_error *error);

#endif
