/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that the writer and the reader of the tail share with docs/format.md. */
#ifndef ITEM_TAIL_FLAGS_H
#define ITEM_TAIL_FLAGS_H

/* A record: u8 flags, u64 content checksum, u64 samples checksum, varints content size, prefix size, suffix size, with
 * TAIL_EXTRA size of format_archive.extra, then prefix, suffix and that. */
enum { TAIL_RAW = 1, TAIL_BIG_ENDIAN = 2, TAIL_PLANAR = 4, TAIL_PREFIX_IS_HEAD = 8, TAIL_EXTRA = 16, TAIL_FLAGS = 31 };
enum { TAIL_RECORD_FIXED = 1 + 8 + 8, TAIL_INDEX_ENTRY = 12 };

#endif
