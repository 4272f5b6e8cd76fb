/* SPDX-License-Identifier: BSD-2-Clause */
/* What is needed to turn decoded integers into the original files again, besides their headers. JSON in the file. */
#ifndef ITEM_MANIFEST_H
#define ITEM_MANIFEST_H

#include "format/format.h"
#include "image/value_map.h"

#include <mist/buffer.h>
#include <mist/image.h>

/* One source file. */
struct manifest_file {
    char *path; /* relative to the dataset, safe */
    uint32_t first_frame;
    uint32_t frames;
};

struct manifest {
    struct mist_image_info image;
    enum format_kind kind;
    struct value_map values;
    uint64_t source_bytes;
    uint32_t files;
    struct manifest_file *file; /* [files] in frame order */
};

/* Writes the JSON text into `out` (overwritten, no NUL). */
enum mist_status manifest_write(const struct manifest *manifest, struct mist_buffer *out, struct mist_error *error);

/*
 * Reads and checks it: sizes within the limits of <mist/image.h>, files that add up to all frames, safe and distinct
 * paths, a value map that makes sense. On failure the manifest is empty. Freed with manifest_free().
 */
enum mist_status manifest_read(const char *text, size_t size, struct manifest *manifest, struct mist_error *error);
void manifest_free(struct manifest *manifest);

/*
 * What the codestreams hold. Components are image.components * values.planes. Labels are coded as signed integers where
 * the value map says unsigned (one bit more): without the DC level shift (15444-1 G.1) the background, 0, stays 0 and
 * costs next to nothing.
 */
struct manifest_coding {
    enum mist_sample_type type; /* that holds the coded samples */
    unsigned precision;
    bool is_signed;
    uint32_t components;
};
struct manifest_coding manifest_coding(const struct manifest *manifest);

#endif
