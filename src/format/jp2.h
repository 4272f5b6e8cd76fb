/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of a JPEG 2000 file for writing reduced ones: the head of items of format jp2. */
#ifndef FORMAT_JP2_H
#define FORMAT_JP2_H

#include "format/ops.h"

#define JP2_MAX_BOXES ((size_t)16 << 20) /* bytes of boxes before the codestream, and behind it */

/* The head: one byte that says whether blocks are HT (15444-15), one of enum format_color, the size of the boxes before
 * the codestream (32 bits, most significant byte first), these, and those behind it. Bare codestreams have none. */
struct jp2_head {
    bool high_throughput;
    enum format_color color;
    const uint8_t *before; /* [before_size], signature and file type among them; points into the head */
    size_t before_size;
    const uint8_t *behind; /* [behind_size] */
    size_t behind_size;
};
/* False for bytes that are no such head. */
bool jp2_head_read(const uint8_t *head, size_t size, struct jp2_head *out);

enum mist_status jp2_writer_open(const struct format_target *target, struct format_writer **writer,
                                 struct mist_error *error);

#endif
