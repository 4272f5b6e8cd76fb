/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files compressed as a whole, by gzip, bzip2, xz or zstd, around a file of any format: unpacked while a source is
 * open, and packed again where one is written whose name says so. The work is libarchive's.
 */
#ifndef FORMAT_WRAPPING_H
#define FORMAT_WRAPPING_H

#include "format/format.h"

/* How a file that starts with these bytes is compressed; three are enough. */
enum format_wrapping wrapping_detect(const uint8_t *bytes, size_t size);
/* "gzip" ...; NULL for WRAPPING_NONE. */
const char *wrapping_name(enum format_wrapping wrapping);

/* The first bytes of what is inside, at most `room`; *size is 0 where nothing comes out. */
void wrapping_start(const struct format_input *input, enum format_wrapping wrapping, uint8_t *bytes, size_t room,
                    size_t *size);

/*
 * All that is inside, in a spool file (TMPDIR) that is gone already; *map is closed with file_map_close(). More than
 * WRAPPING_MOST_RATIO times the size of the file, beyond WRAPPING_FREE bytes, is MIST_ERROR_LIMIT: no image is.
 */
enum { WRAPPING_MOST_RATIO = 1200, WRAPPING_FREE = 1 << 28 };
enum mist_status wrapping_open(const struct format_input *input, enum format_wrapping wrapping, struct file_map *map,
                               struct mist_error *error);

/* As format_writer_open() of a target without wrapping, of which the finished file is packed. */
enum mist_status wrapping_writer_open(const struct format_target *target, struct format_writer **writer,
                                      struct mist_error *error);

#endif
