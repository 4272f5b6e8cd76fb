/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/gzip.h"

#include "base/memory.h"

#include <isa-l/igzip_lib.h>

enum { CHUNK = 1 << 16, LEVEL = 2 };

struct gzip_writer {
    FILE *stream;
    struct isal_zstream deflate;
    _Alignas(64) uint8_t level_memory[ISAL_DEF_LVL2_DEFAULT];
    uint8_t chunk[CHUNK]; /* deflated bytes */
};

struct gzip_writer *gzip_writer_new(FILE *stream)
{
    struct gzip_writer *writer = memory_allocate_aligned(sizeof *writer);
    if (!writer)
        return NULL;
    writer->stream = stream;
    isal_deflate_init(&writer->deflate);
    writer->deflate.gzip_flag = IGZIP_GZIP;
    writer->deflate.level = LEVEL;
    writer->deflate.level_buf = writer->level_memory;
    writer->deflate.level_buf_size = sizeof writer->level_memory;
    return writer;
}

/* Appends a piece that the library can count. */
static void write_piece(struct gzip_writer *writer, const uint8_t *bytes, uint32_t size, bool last)
{
    struct isal_zstream *deflate = &writer->deflate;
    deflate->next_in = (uint8_t *)(uintptr_t)bytes; /* only read */
    deflate->avail_in = size;
    deflate->end_of_stream = last;
    do {
        deflate->next_out = writer->chunk;
        deflate->avail_out = CHUNK;
        isal_deflate(deflate); /* fails on settings only, which are those above */
        fwrite(writer->chunk, 1, CHUNK - deflate->avail_out, writer->stream);
    } while (deflate->avail_out == 0 || deflate->avail_in > 0);
}

void gzip_write(struct gzip_writer *writer, const uint8_t *bytes, size_t size, bool last)
{
    const uint32_t most = UINT32_MAX / 2;
    for (; size > most; bytes += most, size -= most)
        write_piece(writer, bytes, most, false);
    write_piece(writer, bytes, (uint32_t)size, last);
}

void gzip_writer_free(struct gzip_writer **writer)
{
    memory_free(*writer);
    *writer = NULL;
}
