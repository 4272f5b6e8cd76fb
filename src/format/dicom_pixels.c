/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/dicom_pixels.h"

#include "base/bytes.h"
#include "base/error.h"
#include "image/copy.h"

#include <string.h>

/* Refuses by name what has no pixels, or pixels of a kind that is not handled yet. */
static enum mist_status check_kind(const struct dicom_layout *layout, const struct dicom_header *header,
                                   struct mist_error *error)
{
    if (layout->has_real_pixels)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM floating-point pixel data is not supported yet");
    if (!layout->has_pixels)
        return error_set(error, MIST_ERROR_NOT_FOUND, "a DICOM object without pixel data");
    const char *photometric = header->photometric;
    bool grey = strcmp(photometric, "MONOCHROME1") == 0 || strcmp(photometric, "MONOCHROME2") == 0;
    if (!grey && strcmp(photometric, "RGB") != 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM photometric interpretation '%s' is not supported yet",
                         photometric);
    if (header->samples != (grey ? 1u : 3u))
        return error_set(error, MIST_ERROR_CORRUPT, "DICOM photometric interpretation %s with %u samples per pixel",
                         photometric, header->samples);
    if (header->bits_allocated != 8 && header->bits_allocated != 16 && header->bits_allocated != 32)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM pixels of %u allocated bits are not supported yet",
                         header->bits_allocated);
    if (header->bits_stored == 0 || header->bits_stored > header->bits_allocated ||
        header->high_bit + 1 < header->bits_stored || header->high_bit >= header->bits_allocated)
        return error_set(error, MIST_ERROR_CORRUPT, "DICOM bits %u stored, high bit %u, of %u allocated",
                         header->bits_stored, header->high_bit, header->bits_allocated);
    /* PS3.5, annex D (of editions that had it): OW swaps the bytes of each pair of 8-bit samples. */
    if (layout->big_endian && header->bits_allocated == 8 && strcmp(layout->pixel_vr, "OW") == 0)
        return error_set(error, MIST_ERROR_UNSUPPORTED, "DICOM 8-bit pixels in big-endian words are not supported");
    return MIST_OK;
}

enum mist_status dicom_pixels_from_header(const struct dicom_layout *layout, const struct dicom_header *header,
                                          struct dicom_pixels *pixels, struct mist_error *error)
{
    enum mist_status status = check_kind(layout, header, error);
    if (status)
        return status;
    enum mist_sample_type unsigned_type = header->bits_allocated == 8    ? MIST_U8
                                          : header->bits_allocated == 16 ? MIST_U16
                                                                         : MIST_U32;
    static const enum mist_sample_type signed_types[] = {
        [MIST_U8] = MIST_S8, [MIST_U16] = MIST_S16, [MIST_U32] = MIST_S32};
    *pixels = (struct dicom_pixels){
        .type = header->is_signed ? signed_types[unsigned_type] : unsigned_type,
        .precision = header->high_bit + 1,
        .columns = header->columns,
        .rows = header->rows,
        .components = header->samples,
        .frames = header->frames,
        .planar = header->planar && header->samples > 1,
        .big_endian = layout->big_endian,
    };
    if (header->columns == 0 || header->rows == 0 || header->frames == 0)
        return error_set(error, MIST_ERROR_CORRUPT, "a DICOM image of %u x %u pixels and %u frames", header->columns,
                         header->rows, header->frames);
    /* Rows and Columns have 16 bits, so within MIST_MAX_SIDE; the product of all is at most 2^36. */
    pixels->frame_bytes = mist_frame_bytes(pixels->type, header->columns, header->rows, header->samples);
    if (pixels->frame_bytes == 0 || pixels->frame_bytes > MIST_MAX_FRAME_BYTES || header->frames > MIST_MAX_FRAMES)
        return error_set(error, MIST_ERROR_LIMIT, "a DICOM image of %u x %u pixels and %u frames is too large",
                         header->columns, header->rows, header->frames);
    uint64_t needed = (uint64_t)pixels->frame_bytes * header->frames;
    if (layout->pixel_bytes < needed)
        return error_set(error, MIST_ERROR_TRUNCATED, "DICOM pixel data of %u bytes where %llu are needed",
                         layout->pixel_bytes, (unsigned long long)needed);
    return MIST_OK;
}

static struct copy_packing packing_of(const struct dicom_pixels *pixels)
{
    return (struct copy_packing){.big_endian = pixels->big_endian, .planar = pixels->planar};
}

void dicom_pixels_unpack(const struct dicom_pixels *pixels, const uint8_t *bytes, const struct mist_view *view)
{
    copy_unpack(bytes, packing_of(pixels), view);
}

void dicom_pixels_pack(const struct dicom_pixels *pixels, const struct mist_view *view, uint8_t *bytes)
{
    copy_pack(view, packing_of(pixels), bytes);
}
