/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/lines.h"

#include "base/error.h"
#include "base/memory.h"

#include <string.h>
#include <zstd.h>

/* Windows up to 8 MB (2^23), which RFC 8878 says every decoder should take; our writer stays below. */
enum { MOST_WINDOW_LOG = 23, CHUNK = 1 << 17, COMPRESSION_LEVEL = 6, WINDOW_LOG = 22 };

/* ---- reading ---- */

struct lines_reader {
    const char *what;
    size_t longest;
    ZSTD_DStream *stream;
    ZSTD_inBuffer in;
    size_t pending; /* what ZSTD_decompressStream() returned last: 0 at the end of a frame */
    struct mist_buffer out;
    size_t line; /* where the next line starts in `out` */
};

enum mist_status lines_reader_open(const uint8_t *data, size_t size, const char *what, size_t longest,
                                   struct lines_reader **result, struct mist_error *error)
{
    struct lines_reader *reader = *result = memory_allocate_zeroed(1, sizeof *reader);
    if (reader) {
        reader->what = what;
        reader->longest = longest;
        reader->stream = ZSTD_createDStream();
        reader->in = (ZSTD_inBuffer){data, size, 0};
    }
    if (!reader || !reader->stream ||
        ZSTD_isError(ZSTD_DCtx_setParameter(reader->stream, ZSTD_d_windowLogMax, MOST_WINDOW_LOG))) {
        lines_reader_close(result);
        return error_set(error, MIST_ERROR_MEMORY, "reading %s: out of memory", what);
    }
    return MIST_OK;
}

void lines_reader_close(struct lines_reader **reader)
{
    if (!*reader)
        return;
    ZSTD_freeDStream((*reader)->stream);
    mist_buffer_free(&(*reader)->out);
    memory_free(*reader);
    *reader = NULL;
}

/* Decompresses a chunk more; *more is false at the end of the data. */
static enum mist_status fill(struct lines_reader *reader, bool *more, struct mist_error *error)
{
    struct mist_buffer *out = &reader->out;
    if (reader->line > 0) { /* move what is left to the front */
        memmove(out->data, out->data + reader->line, out->size - reader->line);
        out->size -= reader->line;
        reader->line = 0;
    }
    if (out->size > reader->longest)
        return error_set(error, MIST_ERROR_LIMIT, "a line of %s is longer than %zu bytes", reader->what,
                         reader->longest);
    if (!buffer_reserve(out, out->size + CHUNK))
        return error_set(error, MIST_ERROR_MEMORY, "reading %s: out of memory", reader->what);
    ZSTD_outBuffer space = {out->data, out->capacity, out->size};
    size_t before = space.pos;
    while (space.pos == before) {
        bool ended = reader->in.pos == reader->in.size;
        size_t result = ZSTD_decompressStream(reader->stream, &space, &reader->in);
        if (ZSTD_isError(result))
            return error_set(error, MIST_ERROR_CORRUPT, "%s is damaged: %s", reader->what, ZSTD_getErrorName(result));
        if (space.pos == before && ended) {
            *more = false;
            if (reader->pending != 0)
                return error_set(error, MIST_ERROR_TRUNCATED, "%s ends too early", reader->what);
            return MIST_OK;
        }
        reader->pending = result;
    }
    out->size = space.pos;
    *more = true;
    return MIST_OK;
}

enum mist_status lines_reader_next(struct lines_reader *reader, const char **text, size_t *size,
                                   struct mist_error *error)
{
    size_t searched = 0;
    for (;;) {
        size_t left = reader->out.size - reader->line;
        const uint8_t *start = left ? reader->out.data + reader->line : NULL;
        const uint8_t *end = left > searched ? memchr(start + searched, '\n', left - searched) : NULL;
        if (end) {
            *text = (const char *)start;
            *size = (size_t)(end - start);
            reader->line += *size + 1;
            return MIST_OK;
        }
        searched = left;
        bool more = false;
        enum mist_status status = fill(reader, &more, error);
        if (status)
            return status;
        if (!more && left > 0)
            return error_set(error, MIST_ERROR_TRUNCATED, "the last line of %s is not complete", reader->what);
        if (!more) {
            *text = NULL;
            return MIST_OK;
        }
    }
}

/* ---- writing ---- */

struct lines_writer {
    struct file_writer file;
    ZSTD_CCtx *context;
    struct mist_buffer out;
    char *path;
};

static void writer_free(struct lines_writer **writer)
{
    file_writer_cancel(&(*writer)->file);
    ZSTD_freeCCtx((*writer)->context);
    mist_buffer_free(&(*writer)->out);
    memory_free((*writer)->path);
    memory_free(*writer);
    *writer = NULL;
}

enum mist_status lines_writer_open(const char *path, struct lines_writer **result, struct mist_error *error)
{
    struct lines_writer *writer = *result = memory_allocate_zeroed(1, sizeof *writer);
    if (!writer)
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    writer->context = ZSTD_createCCtx();
    writer->path = memory_copy_text(path);
    enum mist_status status = MIST_OK;
    if (!writer->context || !writer->path || !buffer_reserve(&writer->out, ZSTD_CStreamOutSize()) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_compressionLevel, COMPRESSION_LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_windowLog, WINDOW_LOG)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_checksumFlag, 1)))
        status = error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", path);
    if (!status)
        status = file_writer_open(path, &writer->file, error);
    if (status)
        writer_free(result);
    return status;
}

static enum mist_status compress(struct lines_writer *writer, const void *bytes, size_t size, ZSTD_EndDirective end,
                                 struct mist_error *error)
{
    ZSTD_inBuffer in = {bytes, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {writer->out.data, writer->out.capacity, 0};
        left = ZSTD_compressStream2(writer->context, &out, &in, end);
        if (ZSTD_isError(left))
            return error_set(error, MIST_ERROR_MEMORY, "%s: %s", writer->path, ZSTD_getErrorName(left));
        if (out.pos)
            fwrite(out.dst, 1, out.pos, writer->file.stream); /* errors are sticky; the commit finds them */
    } while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return MIST_OK;
}

enum mist_status lines_writer_put(struct lines_writer *writer, struct mist_buffer *text, struct mist_error *error)
{
    if (!buffer_append(text, "\n", 1))
        return error_set(error, MIST_ERROR_MEMORY, "%s: out of memory", writer->path);
    enum mist_status status = compress(writer, text->data, text->size, ZSTD_e_continue, error);
    text->size = 0;
    return status;
}

enum mist_status lines_writer_commit(struct lines_writer **writer, struct mist_error *error)
{
    enum mist_status status = compress(*writer, NULL, 0, ZSTD_e_end, error);
    if (!status)
        status = file_writer_commit(&(*writer)->file, error);
    writer_free(writer);
    return status;
}

void lines_writer_cancel(struct lines_writer **writer)
{
    if (*writer)
        writer_free(writer);
}
