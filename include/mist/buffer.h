/* SPDX-License-Identifier: BSD-2-Clause */
/* A growable run of bytes that the library fills and the caller owns. */
#ifndef MIST_BUFFER_H
#define MIST_BUFFER_H

#include <mist/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Start with all members zero. Functions that fill a buffer set `size` and grow `capacity` as needed, so that one
 * buffer can be reused from frame to frame without allocating. Release with mist_buffer_free().
 */
struct mist_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* Frees the bytes and zeroes the buffer. Safe on a zeroed buffer and on NULL. */
MIST_API void mist_buffer_free(struct mist_buffer *buffer);

/*
 * Writes the bytes as a file: to "PATH.part", which is synced and renamed, so that PATH is there whole or not at all.
 * Its directory must be there.
 */
MIST_API enum mist_status mist_buffer_write_file(const struct mist_buffer *buffer, const char *path,
                                                 struct mist_error *error);

/*
 * Appends `text` as a JSON string, with quotes and escapes; a byte that is not UTF-8 becomes U+FFFD. False when memory
 * is short.
 */
MIST_API bool mist_buffer_put_json_string(struct mist_buffer *buffer, const char *text);

/* XXH3-64, the checksum of items, catalogs and attachments: against damage, not against forgery. Thread-safe. */
MIST_API uint64_t mist_checksum(const void *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
