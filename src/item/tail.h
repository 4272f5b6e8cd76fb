/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The archival tail: per source file, what its whole original needs besides the samples. Records of consecutive files
 * are compressed together in groups, because the headers of a series resemble one another, and each group on its own,
 * because readers must not need memory for all of them.
 *
 *   group | group | ... | index: {u32 files, u32 content size, u32 stored size} of each group | u32 groups
 */
#ifndef ITEM_TAIL_H
#define ITEM_TAIL_H

#include "format/format.h"
#include "item/spool.h"

#define TAIL_MAX_GROUP ((uint32_t)1 << 28) /* bytes of a group, compressed or not */
#define TAIL_GROUP_FILES 64u               /* a group is closed at this many files ... */
#define TAIL_GROUP_BYTES ((size_t)4 << 20) /* ... or at this many bytes */

/* One file's record. */
struct tail_record {
    struct format_archive archive;
    uint64_t content_size;     /* of the source file, uncompressed where it is gzipped */
    uint64_t content_checksum; /* XXH3-64 of that */
    uint64_t samples_checksum; /* XXH3-64 of its frames' samples: rows, columns, components; little-endian */
};

/* ---- writing ---- */

struct tail_writer {
    struct spool *out;
    const struct mist_buffer *source_head; /* a prefix that equals it is not stored again */
    struct mist_buffer group;
    uint32_t group_files;
    struct mist_buffer index;
    struct mist_buffer compressed; /* scratch */
};

/* Zero the writer, set `out` and `source_head`, add the files in frame order, finish, free. */
enum mist_status tail_writer_add(struct tail_writer *writer, const struct tail_record *record,
                                 struct mist_error *error);
enum mist_status tail_writer_finish(struct tail_writer *writer, struct mist_error *error);
void tail_writer_free(struct tail_writer *writer);

/* ---- reading ---- */

struct tail_reader {
    const uint8_t *data; /* the whole tail */
    size_t size;
    const uint8_t *source_head;
    size_t source_head_size;
    uint32_t files;
    uint32_t groups;
    const uint8_t *index;
    /* The group that is at hand. */
    bool loaded;
    uint32_t group;
    uint32_t first_file;
    uint32_t next_file; /* whose record starts at `at` */
    size_t offset;      /* of the group in the tail */
    size_t at;
    struct mist_buffer content;
};

/* Checks the index: sums of files and bytes. Nothing is decompressed yet. */
enum mist_status tail_reader_start(struct tail_reader *reader, const uint8_t *data, size_t size, uint32_t files,
                                   const uint8_t *source_head, size_t source_head_size, struct mist_error *error);
/* The record of a file; in ascending order is fast. Its buffers belong to the reader, until the next call. */
enum mist_status tail_reader_get(struct tail_reader *reader, uint32_t file, struct tail_record *record,
                                 struct mist_error *error);
void tail_reader_free(struct tail_reader *reader);

#endif
