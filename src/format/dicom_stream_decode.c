/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame's codestream by itself, without the DICOM file that it came in. */
#include "codec/foreign.h"

#include "base/error.h"
#include "base/memory.h"
#include "format/dicom_decode.h"
#include "format/dicom_layout.h"

enum mist_status foreign_decode(const uint8_t *data, size_t size, unsigned precision, bool convert,
                                const struct mist_view *view, struct mist_error *error)
{
    struct dicom_stream stream;
    enum mist_status status = dicom_stream_read(data, size, &stream, error);
    if (!status &&
        (stream.width != view->width || stream.height != view->height || stream.components != view->components))
        status = error_set(error, MIST_ERROR_CORRUPT, "a codestream of another size than the item's");
    if (status)
        return status;
    const uint64_t bytes = mist_frame_bytes(view->type, view->width, view->height, view->components);
    const struct dicom_pixels pixels = {
        .type = view->type,
        .precision = precision,
        .columns = view->width,
        .rows = view->height,
        .components = view->components,
        .frames = 1,
        .color = convert ? FORMAT_RGB : FORMAT_OTHER_COLOR,
        .convert = convert,
        .allocated = 8 * (unsigned)mist_sample_size(view->type),
        .big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__,
        .frame_bits = 8 * bytes,
        .total_bytes = bytes,
    };
    uint8_t *samples = memory_allocate((size_t)bytes);
    if (!samples)
        return error_set(error, MIST_ERROR_MEMORY, "a codestream: out of memory");
    status = dicom_decode(&pixels, DICOM_CODESTREAMS, data, size, samples, error);
    if (!status)
        dicom_pixels_unpack(&pixels, 0, samples, view);
    memory_free(samples);
    return status;
}
