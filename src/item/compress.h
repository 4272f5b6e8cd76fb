/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed sections of an item file: one zstd frame (RFC 8878), or the plain bytes where that would not be smaller. */
#ifndef ITEM_COMPRESS_H
#define ITEM_COMPRESS_H

#include <mist/buffer.h>
#include <mist/status.h>

/* `out` is overwritten. */
enum mist_status pack_bytes(const struct mist_buffer *in, struct mist_buffer *out, struct mist_error *error);

/* `out` is overwritten with exactly `expected` bytes (which the caller has checked against a limit), or it fails. */
enum mist_status unpack_bytes(const uint8_t *data, size_t size, size_t expected, struct mist_buffer *out,
                              struct mist_error *error);

#endif
