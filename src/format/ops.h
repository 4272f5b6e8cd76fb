/* SPDX-License-Identifier: BSD-2-Clause */
/* What each format's own file offers to the dispatch in format.c; NULL for what the format cannot. */
#ifndef FORMAT_OPS_H
#define FORMAT_OPS_H

#include "format/format.h"

struct format_ops {
    /* Whether a file that starts with these bytes (at most its first kilobyte, of gzip files the first kilobyte inside)
     * is of the format. */
    bool (*detect)(const uint8_t *data, size_t size);
    /* As format_look(); NULL: every file has an image. */
    enum mist_status (*look)(const struct format_input *input, struct format_group *group, struct mist_error *error);
    /* As format_open(); count > 0. Errors name the file. */
    enum mist_status (*open)(const struct format_input *inputs, uint32_t count, struct format_source **source,
                             struct mist_error *error);
    /* As format_writer_open(); sizes are within the limits. Errors name the file. */
    enum mist_status (*writer_open)(const struct format_target *target, struct format_writer **writer,
                                    struct mist_error *error);
    /* As format_restorer_open(); NULL: as the archive says of byte order and components. */
    enum mist_status (*restorer_open)(const struct format_archive *archive, const struct mist_image_info *info,
                                      struct format_restorer **restorer, struct mist_error *error);
    /* How samples are meant to look, by a source's head; NULL: nothing is said. What is not said stays as it is in
     * `appearance`, which comes zeroed. The head may hold any bytes. */
    void (*appearance)(const uint8_t *head, size_t size, struct format_appearance *appearance);
};

/*
 * Sets group->partner, where `name` is a path below the directory of the header: not absolute, without "..", and short
 * enough. Others stay unknown, and the header alone.
 */
void format_group_pair(struct format_group *group, const char *name);

/* What the head of a source of that kind says. */
void format_appearance_read(enum format_kind kind, const uint8_t *head, size_t size,
                            struct format_appearance *appearance);

/* What every restorer starts with. */
struct format_restorer_ops {
    enum mist_status (*frame)(struct format_restorer *restorer, const struct mist_view *frame, struct mist_buffer *out,
                              struct mist_error *error);
    enum mist_status (*bytes)(struct format_restorer *restorer, const uint8_t *codestream, size_t size,
                              struct mist_buffer *out, struct mist_error *error);
    void (*free)(struct format_restorer *restorer);
};
struct format_restorer {
    const struct format_restorer_ops *ops;
};

#define FORMAT(kind, operations, ...) extern const struct format_ops format_ops_##operations;
#include "kind/formats.def"
#undef FORMAT

/* What sources start with; all but `head` is freed by format_source_clear(). False when memory is short. */
bool format_source_init(struct format_source *source, const struct format_source_ops *ops, enum format_kind kind,
                        uint32_t files);
/* Frees what is in it, `head` included; not the source itself. */
void format_source_clear(struct format_source *source);

#endif
