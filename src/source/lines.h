/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of lines of JSON, compressed by zstd, as catalogs and tree lists are: read line by line in bounded memory
 * whatever is in them, and written so.
 */
#ifndef SOURCE_LINES_H
#define SOURCE_LINES_H

#include "base/file.h"

struct lines_reader;
/* `data` must stay; `what` is for messages ("the catalog"); a line of more than `longest` bytes is MIST_ERROR_LIMIT. */
enum mist_status lines_reader_open(const uint8_t *data, size_t size, const char *what, size_t longest,
                                   struct lines_reader **reader, struct mist_error *error);
/* The next line without its end, until the next call; *text is NULL behind the last one. */
enum mist_status lines_reader_next(struct lines_reader *reader, const char **text, size_t *size,
                                   struct mist_error *error);
/* Safe on a pointer to NULL. */
void lines_reader_close(struct lines_reader **reader);

struct lines_writer;
/* Written aside and renamed by lines_writer_commit(). */
enum mist_status lines_writer_open(const char *path, struct lines_writer **writer, struct mist_error *error);
/* Appends the text and a line end, and empties it. */
enum mist_status lines_writer_put(struct lines_writer *writer, struct mist_buffer *text, struct mist_error *error);
/* Frees the writer, whatever happens. */
enum mist_status lines_writer_commit(struct lines_writer **writer, struct mist_error *error);
/* Safe on a pointer to NULL. */
void lines_writer_cancel(struct lines_writer **writer);

#endif
