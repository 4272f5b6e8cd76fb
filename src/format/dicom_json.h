/* SPDX-License-Identifier: BSD-2-Clause */
/* The attributes of a DICOM instance as the DICOM JSON model has them (PS3.18, annex F): the C face of dicom_json.cc.
 */
#ifndef FORMAT_DICOM_JSON_H
#define FORMAT_DICOM_JSON_H

#include "format/dicom_layout.h"

#include <mist/buffer.h>
#include <mist/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Binary values of more bytes than this are named by a BulkDataURI instead, where they are not within a sequence. */
enum { DICOM_JSON_INLINE = 1024 };

/* A member that is added to the object: `json` is the attribute's own object, {"vr":...}. */
struct dicom_json_member {
    uint32_t tag; /* group << 16 | element */
    const char *json;
};

struct dicom_json_options {
    /* The URI of a value that is left out is `bulk` and the eight hexadecimal digits of its tag; NULL: it has none. */
    const char *bulk;
    const uint32_t *only; /* [only_count] no others than these, ascending; NULL: all */
    size_t only_count;
    const struct dicom_json_member *more; /* [more_count] added, ascending, in place of what the dataset has */
    size_t more_count;
};

/*
 * Appends one JSON object (UTF-8) of the attributes of the dataset before its pixel data, ascending by tag as PS3.18,
 * F.2.2 wants it, but for group lengths. A value that its VR does not allow is left out, its attribute is not. `data`
 * is what `layout` was read from. MIST_ERROR_CORRUPT where the dataset cannot be read, MIST_ERROR_MEMORY. Thread-safe.
 */
enum mist_status dicom_json(const uint8_t *data, const struct dicom_layout *layout,
                            const struct dicom_json_options *options, struct mist_buffer *out,
                            struct mist_error *error);

/* Appends the bytes of a value of the dataset itself, little-endian; MIST_ERROR_NOT_FOUND if it is not there. */
enum mist_status dicom_json_value(const uint8_t *data, const struct dicom_layout *layout, uint32_t tag,
                                  struct mist_buffer *out, struct mist_error *error);

#ifdef __cplusplus
}
#endif
#endif
