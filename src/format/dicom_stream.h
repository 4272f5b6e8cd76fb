/* SPDX-License-Identifier: BSD-2-Clause */
/* What the codestream of a DICOM frame is, told by its own bytes (the transfer syntax of a file may err). */
#ifndef FORMAT_DICOM_STREAM_H
#define FORMAT_DICOM_STREAM_H

#include "format/format.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dicom_stream {
    enum format_stream kind;
    uint32_t width;
    uint32_t height;
    uint32_t components;
    unsigned precision; /* bits of a sample, of the first component */
    bool is_signed;     /* JPEG 2000 only */
    bool lossy;         /* may have lost something: the declared bits then do not bind its values */
};

/*
 * Reads the header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream, or of a JP2 file. MIST_ERROR_CORRUPT where it is
 * none of these or ends in its header.
 */
enum mist_status dicom_stream_read(const uint8_t *data, size_t size, struct dicom_stream *stream,
                                   struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
