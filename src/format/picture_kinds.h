/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are pictures, volumes or videos though MIST makes no items of them: so that what is kept can be named. */
#ifndef FORMAT_PICTURE_KINDS_H
#define FORMAT_PICTURE_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a file is called in a summary ("gif", "svs", "mgz"), by its first bytes (a kilobyte is enough) and its name,
 * where the bytes alone do not tell; NULL: nothing that is known. Formats that MIST reads have a name, too ("png",
 * "tiff"): a caller asks about files that did not become items. The text is static.
 */
const char *format_picture_kind(const char *path, const uint8_t *bytes, size_t size);

/* As many bytes as are looked at. */
enum { FORMAT_PICTURE_BYTES = 1024 };

#endif
