/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are one codestream and nothing else (JPEG, JPEG 2000): its bytes are the file. */
#ifndef FORMAT_BARE_H
#define FORMAT_BARE_H

#include "format/ops.h"

/* What their sources start with. */
struct bare_source {
    struct format_source base;
    struct format_input input;
    struct file_map map; /* the file */
};

/*
 * Opens the first input with a source of `ops`, whose members here are bare_codestream(), bare_read_archive() and
 * bare_close(). `describe` fills base.info, head, stream and color; its errors name the file.
 */
enum mist_status bare_open(enum format_kind kind, const struct format_source_ops *ops,
                           enum mist_status (*describe)(struct bare_source *source, struct mist_error *error),
                           const struct format_input *inputs, uint32_t count, struct format_source **result,
                           struct mist_error *error);
void bare_close(struct format_source *base);
/* The file, which is a codestream of base->stream. */
enum mist_status bare_codestream(struct format_source *base, uint32_t frame, struct mist_buffer *out,
                                 enum format_stream *stream, struct mist_error *error);
/* Nothing comes before or behind. */
enum mist_status bare_read_archive(struct format_source *base, uint32_t file, struct format_archive *archive,
                                   struct mist_error *error);

/* As format_look(), by opening: MIST_ERROR_UNSUPPORTED for what is of the format but of a kind that cannot be kept as
 * an item, which stays a file and is named. */
enum mist_status bare_look(enum mist_status (*open)(const struct format_input *inputs, uint32_t count,
                                                    struct format_source **source, struct mist_error *error),
                           const struct format_input *input, struct mist_error *error);

enum mist_status bare_restorer_open(const struct format_archive *archive, const struct mist_image_info *info,
                                    struct format_restorer **restorer, struct mist_error *error);

#endif
