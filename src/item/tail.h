/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The archival tail: per source file, what its whole original needs besides the samples. Records of consecutive files
 * are compressed together in groups, because the headers of a series resemble one another, and each group on its own,
 * because readers must not need memory for all of them. The head says how large the groups are.
 */
#ifndef ITEM_TAIL_H
#define ITEM_TAIL_H

#include "item/manifest.h"
#include "item/spool.h"
#include "kind/archive.h"

#define TAIL_MAX_GROUP ((uint32_t)1 << 28) /* bytes of a group, compressed or not */
#define TAIL_GROUP_FILES 64u               /* a group is closed at this many files ... */
#define TAIL_GROUP_BYTES ((size_t)4 << 20) /* ... or at this many bytes */

/* One file's record. */
struct tail_record {
    struct format_archive archive;
    uint64_t content_size;      /* of the source file, uncompressed where it is gzipped */
    uint64_t content_checksum;  /* XXH3-64 of that */
    struct mist_buffer rebuild; /* of kept sources: for each frame a varint size, then what coder_original() needs */
    uint64_t samples_checksum;  /* XXH3-64 of its frames' samples: rows, columns, components; little-endian */
};

/* A record: u8 flags, u64 content checksum, u64 samples checksum, varints content size, prefix size, suffix size, with
 * TAIL_EXTRA size of format_archive.extra, with TAIL_REBUILD size of rebuild, then prefix, suffix and these. */
enum {
    TAIL_RAW = 1,
    TAIL_BIG_ENDIAN = 2,
    TAIL_PLANAR = 4,
    TAIL_PREFIX_IS_HEAD = 8,
    TAIL_EXTRA = 16,
    TAIL_REBUILD = 32,
    TAIL_FLAGS = 63
};
enum { TAIL_RECORD_FIXED = 1 + 8 + 8 };

/* ---- writing ---- */

struct tail_writer {
    struct spool *out;
    struct manifest *manifest; /* takes the groups; a prefix that equals its source head is not stored again */
    struct mist_buffer group;
    uint32_t group_files;
    struct mist_buffer compressed; /* scratch */
};

/* Zero the writer, set `out` and `manifest`, add the files in frame order, finish, free. */
enum mist_status tail_writer_add(struct tail_writer *writer, const struct tail_record *record,
                                 struct mist_error *error);
enum mist_status tail_writer_finish(struct tail_writer *writer, struct mist_error *error);
void tail_writer_free(struct tail_writer *writer);

/* ---- reading ---- */

struct tail_reader {
    const uint8_t *data; /* the whole tail */
    const struct manifest *manifest;
    /* The group that is at hand. */
    bool loaded;
    uint32_t group;
    uint32_t first_file;
    uint32_t next_file; /* whose record starts at `at` */
    size_t offset;      /* of the group in the tail */
    size_t at;
    struct mist_buffer content;
};

/* `data` is the tail that the manifest tells of. Nothing is unpacked yet. */
void tail_reader_start(struct tail_reader *reader, const uint8_t *data, const struct manifest *manifest);
/* The record of a file; in ascending order is fast. Its buffers belong to the reader, until the next call. */
enum mist_status tail_reader_get(struct tail_reader *reader, uint32_t file, struct tail_record *record,
                                 struct mist_error *error);
void tail_reader_free(struct tail_reader *reader);

#endif
