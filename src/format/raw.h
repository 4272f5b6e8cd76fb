/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources of one file that is some head, all samples in frame order, and perhaps bytes behind them. */
#ifndef FORMAT_RAW_H
#define FORMAT_RAW_H

#include "format/ops.h"

#define RAW_MAX_HEAD ((size_t)64 << 20)   /* bytes before the samples */
#define RAW_MAX_SUFFIX ((size_t)64 << 20) /* ... and behind them */

/* What the head says. */
struct raw_layout {
    struct mist_image_info info;
    size_t offset;   /* of the first frame */
    bool big_endian; /* byte order of the samples; components are fastest */
};

/*
 * Opens such a file; its head becomes source->head and the archive's prefix. `parse` reads the head from the file's
 * bytes (errors do not name the file); sizes are checked against the limits and against the file here.
 */
enum mist_status raw_open(const struct format_input *input, enum format_kind kind,
                          enum mist_status (*parse)(const uint8_t *data, size_t size, struct raw_layout *layout,
                                                    struct mist_error *error),
                          struct format_source **source, struct mist_error *error);

#endif
