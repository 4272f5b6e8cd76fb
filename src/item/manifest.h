/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the head says of an item (meta, docs/format.md section 3.2), but for the map: what is needed to turn bytes into
 * the original files again, besides their headers.
 */
#ifndef ITEM_MANIFEST_H
#define ITEM_MANIFEST_H

#include "base/bytes.h"
#include "coder/stream.h"
#include "image/value_map.h"
#include "item/layout.h"
#include "kind/names.h"

#include <mist/buffer.h>
#include <mist/image.h>

/* One source file. */
struct manifest_file {
    char *path; /* relative to the dataset, safe */
    uint32_t first_frame;
    uint32_t frames;
};

/* One group of the tail. */
struct manifest_group {
    uint32_t files;
    uint32_t content; /* bytes of its records */
    uint32_t stored;  /* bytes in the tail */
};

enum { MANIFEST_WHY_LABEL = 1, MANIFEST_WHY_KEPT = 2, MANIFEST_FRAMES = 3, MANIFEST_ATTRIBUTES = 128 };
#define MANIFEST_MAX_EXTRAS 32u

struct manifest {
    struct mist_image_info image;
    bool centred; /* levels lie on the conventional grid */
    enum format_kind kind;
    struct value_map values;
    uint64_t source_bytes;
    uint32_t files;
    struct manifest_file *file; /* [files] in frame order */
    struct mist_buffer source_head;
    unsigned streams;
    struct coder_stream stream[LAYOUT_MAX_STREAMS];
    uint32_t groups;
    struct manifest_group *group;
    struct mist_buffer extra[256]; /* by tag; data NULL where it is not there. Texts have a NUL behind them */
};

/* The planes that a stream of this role codes. */
struct coder_plane manifest_plane(const struct manifest *manifest, const struct layout *layout, unsigned role);
/* The stream of a role, or NULL. */
const struct coder_stream *manifest_stream(const struct manifest *manifest, unsigned role);
/* An extra as text; NULL where it is not there. */
const char *manifest_text(const struct manifest *manifest, unsigned tag);
/* Sets it; false when memory is short. */
bool manifest_set_extra(struct manifest *manifest, unsigned tag, const void *bytes, size_t size);

/* Appends meta up to the map. False when memory is short. */
bool manifest_write(const struct manifest *manifest, const struct layout *layout, struct mist_buffer *out);

/*
 * Reads and checks it: sizes within their limits, files that add up to all frames, safe and distinct paths, a value map
 * that makes sense, streams that their coders can decode. Sets levels, steps, chunk_log2 and tail_size of `layout`; the
 * reader is left before the map. Freed with manifest_free(), on failure, too.
 */
enum mist_status manifest_read(struct byte_reader *reader, struct manifest *manifest, struct layout *layout,
                               struct mist_error *error);
void manifest_free(struct manifest *manifest);

#endif
