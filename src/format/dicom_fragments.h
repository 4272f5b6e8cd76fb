/* SPDX-License-Identifier: BSD-2-Clause */
/* Encapsulated pixel data (PS3.5, A.4): which fragments of the file make up which frame. */
#ifndef FORMAT_DICOM_FRAGMENTS_H
#define FORMAT_DICOM_FRAGMENTS_H

#include "format/dicom_layout.h"

#include <mist/buffer.h>

struct dicom_fragment {
    size_t offset; /* of its bytes in the file */
    uint32_t size;
};

struct dicom_fragments {
    struct dicom_fragment *fragment; /* [count] */
    uint32_t count;
    uint32_t frames;
    uint32_t *first; /* [frames + 1] the first fragment of each frame, and count */
    size_t table;    /* the Basic Offset Table's value */
    uint32_t table_size;
    size_t end; /* offset behind the last fragment: of the sequence delimiter, where there is one */
};

/*
 * Reads the fragments of a file of `size` bytes and assigns them to `frames` frames: by the Extended Offset Table, by
 * the Basic one, one to each, all to a single one, or by where codestreams begin, whichever fits first. A missing
 * sequence delimiter is no error; a fragment that ends beyond the file is MIST_ERROR_TRUNCATED. Memory is at most 20
 * bytes for every 8 of the file. Release with dicom_fragments_free(), which is safe after a failure.
 */
enum mist_status dicom_fragments_read(const uint8_t *data, size_t size, const struct dicom_layout *layout,
                                      uint32_t frames, struct dicom_fragments *fragments, struct mist_error *error);
void dicom_fragments_free(struct dicom_fragments *fragments);

/*
 * The codestream of one frame: in place where it is one fragment, else joined in `buffer`, which is overwritten.
 * MIST_ERROR_TRUNCATED if the file, now of `size` bytes, has become shorter.
 */
enum mist_status dicom_fragments_join(const struct dicom_fragments *fragments, uint32_t frame, const uint8_t *data,
                                      size_t size, struct mist_buffer *buffer, const uint8_t **stream,
                                      size_t *stream_size, struct mist_error *error);

#endif
