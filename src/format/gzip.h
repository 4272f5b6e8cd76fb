/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing gzip files (RFC 1952), by ISA-L: some ten times as fast as zlib's level 6, files 2 to 3 % larger. */
#ifndef FORMAT_GZIP_H
#define FORMAT_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct gzip_writer;

/* Writes one member to `stream`, which stays the caller's. NULL when memory is short. */
struct gzip_writer *gzip_writer_new(FILE *stream);
/* Appends bytes; with `last` the member ends. Errors of the stream are sticky: the caller looks at the end. */
void gzip_write(struct gzip_writer *writer, const uint8_t *bytes, size_t size, bool last);
/* Safe on a pointer to NULL. */
void gzip_writer_free(struct gzip_writer **writer);

#endif
