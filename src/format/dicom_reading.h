/* SPDX-License-Identifier: BSD-2-Clause */
/* One DICOM file: its bytes, what they say, and its frames. */
#ifndef FORMAT_DICOM_READING_H
#define FORMAT_DICOM_READING_H

#include "format/dicom_fragments.h"
#include "format/dicom_pixels.h"
#include "format/input.h"

#define DICOM_MAX_INFLATED_BYTES ((size_t)1 << 30) /* of a deflated dataset */

/* The bytes of a file while they are mapped; where the dataset is deflated, those that come out when it is not. */
struct dicom_bytes {
    struct file_map map;
    struct mist_buffer inflated;
    const uint8_t *data;
    size_t size;
};
/* Maps a file, inflates it if need be, and reads its layout. Release with dicom_bytes_close(), also after a failure. */
enum mist_status dicom_bytes_open(const struct format_input *input, struct dicom_bytes *bytes,
                                  struct dicom_layout *layout, struct mist_error *error);
void dicom_bytes_close(const struct format_input *input, struct dicom_bytes *bytes);

/* How the frames of a file are read, without parsing it again. Offsets are in dicom_bytes. */
struct dicom_reading {
    struct dicom_layout layout;
    struct dicom_pixels pixels;
    struct dicom_fragments fragments; /* where layout.fragments */
    enum format_stream stream;        /* of the first frame */
    unsigned stream_precision;        /* bits of a sample, by its codestream's header; 0 where that says nothing */
    bool stream_lossy;
    bool deflated; /* the whole dataset was */
};
/*
 * What a file says of itself, and whether its frames can be read; of compressed ones, the first codestream's header is
 * looked at. `frames` (may be NULL) as in dicom_header_read(). Release with dicom_reading_close(), also after a
 * failure.
 */
enum mist_status dicom_reading_open(const struct dicom_bytes *bytes, const struct dicom_layout *layout,
                                    struct dicom_reading *reading, struct dicom_header *header,
                                    struct dicom_frames *frames, struct mist_error *error);
void dicom_reading_close(struct dicom_reading *reading);

/*
 * The bytes of frame n in the layout that reading->pixels states: those of its span, of a decoded file those of frame
 * 0's, of mosaics the whole picture. In place or in `scratch`, which is overwritten. What a file lacks at its end is 0.
 */
enum mist_status dicom_reading_bytes(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                     uint32_t frame, struct mist_buffer *scratch, const uint8_t **result,
                                     struct mist_error *error);
/* The samples of frame n. */
enum mist_status dicom_reading_frame(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                     uint32_t frame, const struct mist_view *view, struct mist_error *error);
/* The codestream of frame n, joined, into `out`; MIST_ERROR_NOT_FOUND where frames are samples or tiles. */
enum mist_status dicom_reading_stream(const struct dicom_reading *reading, const struct dicom_bytes *bytes,
                                      uint32_t frame, struct mist_buffer *out, struct mist_error *error);

#endif
