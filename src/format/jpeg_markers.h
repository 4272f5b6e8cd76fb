/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What JPEG files say besides their samples: whole segments (FF, marker, length, content), verbatim and in order, of
 * APP0 to APP15 and COM. They are a JPEG source's head. Segments in a head may hold any bytes.
 */
#ifndef FORMAT_JPEG_MARKERS_H
#define FORMAT_JPEG_MARKERS_H

#include "format/ops.h"

struct jpeg_segment {
    uint8_t marker;         /* 0xe0 .. 0xef, 0xfe */
    const uint8_t *content; /* [size] */
    size_t size;
};

/* Appends the segments of a file before its first scan; false when memory is short. */
bool jpeg_markers_collect(const uint8_t *data, size_t size, struct mist_buffer *head);
/* The segment at *at of a head, which moves behind it; false behind the last one. */
bool jpeg_markers_next(const uint8_t *head, size_t size, size_t *at, struct jpeg_segment *segment);
/* Whether the content starts with these bytes. */
bool jpeg_segment_is(const struct jpeg_segment *segment, uint8_t marker, const char *start, size_t length);

/* format_ops.appearance of JPEG: orientation, and what four components are. */
void jpeg_appearance(const uint8_t *head, size_t size, struct format_appearance *appearance);

/* format_ops.writer_open of JPEG. */
enum mist_status jpeg_writer_open(const struct format_target *target, struct format_writer **writer,
                                  struct mist_error *error);
enum { JPEG_QUALITY = 95 };

#endif
